//! What is said of the cluster as a whole: `[cluster]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::At;
use super::name::ClusterName;
use super::path;
use super::section::Section;

/// The cluster as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Name, shown in status and telemetry.
    pub name: ClusterName,
    /// Folder for everything that is kept, one folder a host below it. `bookshop-data` beside the file unless set.
    pub data: PathBuf,
    /// Folder of the cluster's certificates; see [`Cluster::certificates_folder`] for where they are unless set.
    pub certificates: Option<PathBuf>,
    /// Calls in a chain until the next is refused: 1 to 255, 16 unless set.
    pub hops_max: u8,
    /// How long a stopping host waits for running calls: 1 ms to 1 h, 10 s unless set.
    pub drain_timeout: Duration,
    /// Time from one probe of another host to the next: 10 ms to 1 min, 250 ms unless set.
    pub probe_interval: Duration,
    /// How long another host may take to answer a probe before it is left out: 10 ms to 1 min, 1 s unless set.
    pub probe_timeout: Duration,
    /// How often a leader tells the other replicas that it is there: 1 ms to 10 s, 20 ms unless set.
    pub heartbeat_interval: Duration,
    /// How long replicas hear nothing of their leader before they elect another: 10 ms to 1 min, 200 ms unless set, and at least
    /// [`HEARTBEATS_MIN`] heartbeats.
    pub election_timeout: Duration,
    /// Threads on which a host serves requests, at most 1024; 0, the default, is one for each processor core.
    pub workers: u32,
    /// Longest time until what was committed is folded into the state store: 1 s to 1 h, 1 min unless set.
    pub checkpoint_interval: Duration,
    /// Bytes the log may grow by until that is done earlier: 1 MiB to 16 GiB, 64 MiB unless set.
    pub checkpoint_log_bytes: u64,
    /// Whether the cluster keeps its own state in the service [`CONTROL`](super::builtin::CONTROL); not unless set.
    pub control: bool,
}

/// Heartbeats that fit into the time until an election, at least: a single one that comes late must not cost a leader its place.
pub const HEARTBEATS_MIN: u32 = 5;

impl Cluster {
    /// None if the name is missing or wrong, which is then noted.
    pub(super) fn read(section: Section<'_>, folder: &Path) -> Option<Self> {
        let name: Option<At<ClusterName>> = section.text("name", str::parse);
        let data = section.text_or_default("data", path::file);
        let certificates = section.text("certificates", path::file);
        let hops_max = section.count("hops-max");
        let drain_timeout = section.duration("drain-timeout");
        let probe_interval = section.duration("probe-interval");
        let probe_timeout = section.duration("probe-timeout");
        let heartbeat_interval = section.duration("heartbeat-interval");
        let election_timeout = section.duration("election-timeout");
        check_election(&section, heartbeat_interval, election_timeout);
        let workers = section.count("workers");
        let checkpoint_interval = section.duration("checkpoint-interval");
        let checkpoint_log_bytes = section.size("checkpoint-log");
        let control = section.boolean("control");
        section.finish();
        Some(Self {
            name: name?.value,
            data: folder.join(data.value),
            certificates: certificates.map(|path| folder.join(path.value)),
            hops_max,
            drain_timeout,
            probe_interval,
            probe_timeout,
            heartbeat_interval,
            election_timeout,
            workers,
            checkpoint_interval,
            checkpoint_log_bytes,
            control,
        })
    }

    /// Where the certificates are: where the file says, or in `certs` below [`data`](Cluster::data).
    #[must_use]
    pub fn certificates_folder(&self) -> PathBuf {
        self.certificates
            .clone()
            .unwrap_or_else(|| self.data.join("certs"))
    }
}

fn check_election(section: &Section<'_>, heartbeat: Duration, election: Duration) {
    let least = heartbeat.saturating_mul(HEARTBEATS_MIN);
    let place = section
        .place_if_present("election-timeout")
        .or_else(|| section.place_if_present("heartbeat-interval"));
    if election < least
        && let Some(place) = place
    {
        let message = format!(
            "election-timeout ({election:?}) is less than {HEARTBEATS_MIN} times heartbeat-interval ({heartbeat:?}), so one late heartbeat would end a leader; write election-timeout = \"{}ms\" or more, or a shorter heartbeat-interval",
            least.as_millis().max(10)
        );
        section.problem(&place, message);
    }
}
