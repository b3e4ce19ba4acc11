//! S1's peers: the same checkout as native programs, if they are there. They are not part of this repository.

use crate::Outcome;
use crate::child::Owned;
use crate::cluster_file::free_addresses;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The environment variable that names the folder of the programs.
const FOLDER: &str = "NATIVE_CHECKOUT";
/// Longest wait for a program to listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a variant is called in the tables, and how it is started.
pub type Variant = (&'static str, fn(&Programs) -> Outcome<Native>);

/// All that is measured.
pub const VARIANTS: [Variant; 2] = [
    ("native, five processes, events", Programs::start_events),
    ("native, one process", Programs::start_monolith),
];

/// The folder with the programs.
pub struct Programs(PathBuf);

/// A running shop of native processes, killed when this is dropped: it keeps nothing.
pub struct Native {
    processes: Vec<Owned>,
    /// Where it serves HTTP.
    pub http: SocketAddr,
}

impl Programs {
    /// Those in the folder that the environment variable names.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn find() -> Result<Self, String> {
        let folder = std::env::var_os(FOLDER).ok_or_else(|| {
            format!("name the folder of their programs in the environment variable {FOLDER}")
        })?;
        let programs = Self(folder.into());
        for name in ["participant", "conductor", "frontend", "monolith"] {
            let path = programs.0.join(name);
            if !path.is_file() {
                return Err(format!("{} is missing ({FOLDER})", path.display()));
            }
        }
        Ok(programs)
    }

    /// Five processes that talk gRPC: thirteen calls a checkout, with the events and vector clocks of the shop.
    fn start_events(&self) -> Outcome<Native> {
        let addresses: [SocketAddr; 5] = free_addresses(5)?
            .try_into()
            .map_err(|_| "there are not five addresses")?;
        let [verification, fraud, suggestions, orchestrator, http] = addresses;
        let mut processes = Vec::new();
        // The orchestrator's place in the vector clock is 0.
        for (place, address) in (1..).zip([verification, fraud, suggestions]) {
            processes.push(self.start("participant", place, &[address])?);
        }
        let calls = [orchestrator, verification, fraud, suggestions];
        processes.push(self.start("conductor", 0, &calls)?);
        processes.push(self.start("frontend", 0, &[http, orchestrator])?);
        Ok(Native { processes, http })
    }

    /// The same rules as function calls of one process, with no events and no clocks.
    fn start_monolith(&self) -> Outcome<Native> {
        let addresses = free_addresses(1)?;
        Ok(Native {
            http: addresses[0],
            processes: vec![self.start("monolith", 0, &addresses)?],
        })
    }

    /// Starts a program with its own address and those it calls, and waits until it listens.
    fn start(&self, name: &str, place: u32, addresses: &[SocketAddr]) -> Outcome<Owned> {
        let mut command = Command::new(self.0.join(name));
        command.args(addresses.iter().map(SocketAddr::to_string));
        // One thread a process is the faster of the two ways in which these programs run.
        command
            .env("THREADS", "1")
            .env("PLACE", place.to_string())
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut process = Owned::spawn(&mut command)?;
        process.until_listening(addresses[0], PATIENCE)?;
        Ok(process)
    }
}

impl Native {
    /// All its processes.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Owned::pid).collect()
    }
}
