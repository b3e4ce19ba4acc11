//! What a simulation is to do, and what came of it.

use crate::replica::mutant::Mutant;
use std::fmt;
use std::time::Duration;

/// A simulation, made from its seed alone.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// Hosts: 1, or an odd number of replicas for each group.
    pub hosts: usize,
    /// Commands and queries that clients begin before the faults end.
    pub calls: u64,
    /// Clients that call at the same time.
    pub clients: usize,
    /// What may go wrong.
    pub faults: Faults,
    /// A deliberate bug.
    pub mutant: Option<AnyMutant>,
    /// The host ends before this action of its groups is carried out, and never else.
    pub crash_at: Option<u64>,
    /// Keep so many of the last lines of the story of what happened. Slower, unless it is none.
    pub story_lines_max: usize,
}

/// What may go wrong in a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// The process ends, or the machine loses power, between any two actions and in the middle of a write.
    pub crashes: bool,
    /// Syncs fail.
    pub failed_syncs: bool,
    /// The disk is full for a while.
    pub full: bool,
    /// Bits flip at rest, writes get lost or land elsewhere. The host may refuse to start then, and must not go on with wrong data.
    pub damage: bool,
    /// The wall clock jumps.
    pub clock: bool,
    /// Requests and answers get lost or come twice; between hosts also late, in another order, or not at all for a while.
    pub network: bool,
    /// A host does nothing for a while and then goes on.
    pub pauses: bool,
    /// Somebody removes a replica from its group, and lets it join again.
    pub removals: bool,
}

impl Faults {
    /// None of them.
    pub const NONE: Self = Self {
        crashes: false,
        failed_syncs: false,
        full: false,
        damage: false,
        clock: false,
        network: false,
        pauses: false,
        removals: false,
    };

    /// All that a host must survive; damage is not among them, which it must only notice.
    pub const ALL: Self = Self {
        crashes: true,
        failed_syncs: true,
        full: true,
        damage: false,
        clock: true,
        network: true,
        pauses: true,
        removals: true,
    };
}

/// A deliberate bug somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnyMutant {
    /// In a group.
    Group(Mutant),
    /// In the log.
    Log(crate::log::Mutant),
    /// In the host around both.
    Host(HostMutant),
}

/// A deliberate bug in what drives groups and log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostMutant {
    /// The log lets go of entries before the checkpoint that has them is durable.
    CompactBeforeFold,
    /// The log lets go of entries that no checkpoint has.
    CompactBeyondFold,
    /// An entry that takes the place of another one is left out, and only those after it are written.
    TruncateLate,
    /// A state that came from another replica is kept as if it were one entry older.
    InstallOlder,
    /// Such a state is put in place before the replica's own record says that it will be.
    InstallUnrecorded,
    /// A replica whose group takes it in again keeps what it had.
    KeepRemains,
    /// A version goes on with a state that another one migrated.
    FormIgnored,
    /// A query runs on the version that served when it came, on a state that another one has migrated since.
    VersionMixed,
    /// A version does not migrate what the one before wrote.
    MigrationSkipped,
    /// Jobs under way end when another version takes the place of theirs.
    DrainSkipped,
}

impl HostMutant {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::CompactBeforeFold,
        Self::CompactBeyondFold,
        Self::TruncateLate,
        Self::InstallOlder,
        Self::InstallUnrecorded,
        Self::KeepRemains,
        Self::FormIgnored,
        Self::VersionMixed,
        Self::MigrationSkipped,
        Self::DrainSkipped,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CompactBeforeFold => "compact-before-fold",
            Self::CompactBeyondFold => "compact-beyond-fold",
            Self::TruncateLate => "truncate-late",
            Self::InstallOlder => "install-older",
            Self::InstallUnrecorded => "install-unrecorded",
            Self::KeepRemains => "keep-remains",
            Self::FormIgnored => "form-ignored",
            Self::VersionMixed => "version-mixed",
            Self::MigrationSkipped => "migration-skipped",
            Self::DrainSkipped => "drain-skipped",
        }
    }
}

impl AnyMutant {
    /// All of them that a simulated host shows within a few thousand seeds.
    #[must_use]
    pub fn all() -> Vec<Self> {
        // These two need an end of the host within a few operations of the end before, in the middle of a batch of many sectors. The log's
        // own tests, which do nothing else, find them.
        let rare = [
            crate::log::Mutant::KeepTornTail,
            crate::log::Mutant::CutOnce,
        ];
        Mutant::ALL
            .into_iter()
            .map(Self::Group)
            .chain(
                crate::log::Mutant::ALL
                    .into_iter()
                    .filter(|mutant| !rare.contains(mutant))
                    .map(Self::Log),
            )
            .chain(HostMutant::ALL.map(Self::Host))
            .collect()
    }

    /// The one of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|mutant| mutant.name() == name)
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Group(mutant) => mutant.name(),
            Self::Log(mutant) => mutant.name(),
            Self::Host(mutant) => mutant.name(),
        }
    }

    /// Whether only versions that take the place of others show it.
    #[must_use]
    pub fn needs_upgrades(self) -> bool {
        match self {
            Self::Group(_) | Self::Log(_) => false,
            Self::Host(mutant) => matches!(
                mutant,
                HostMutant::FormIgnored
                    | HostMutant::VersionMixed
                    | HostMutant::MigrationSkipped
                    | HostMutant::DrainSkipped
            ),
        }
    }

    /// Whether only several hosts can show it.
    #[must_use]
    pub fn needs_hosts(self) -> bool {
        match self {
            Self::Group(mutant) => mutant.needs_replicas(),
            Self::Log(_)
            | Self::Host(
                HostMutant::CompactBeforeFold
                | HostMutant::CompactBeyondFold
                | HostMutant::MigrationSkipped
                | HostMutant::DrainSkipped,
            ) => false,
            Self::Host(
                HostMutant::TruncateLate
                | HostMutant::InstallOlder
                | HostMutant::InstallUnrecorded
                | HostMutant::KeepRemains
                | HostMutant::FormIgnored
                | HostMutant::VersionMixed,
            ) => true,
        }
    }
}

/// A simulation that went well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Of everything that happened, in order: two runs of one plan have the same.
    pub trace: u64,
    /// Calls that were answered.
    pub answered: u64,
    /// Entries that were committed.
    pub entries: u64,
    /// Times that the host ended.
    pub crashes: u64,
    /// Checkpoints that were completed.
    pub checkpoints: u64,
    /// Times that commands were refused for want of room on the disk.
    pub refusals: u64,
    /// Times that a save found no room.
    pub stuck: u64,
    /// Actions that replicas asked for.
    pub actions: u64,
    /// Times that a replica became leader.
    pub elections: u64,
    /// Disks that were lost.
    pub wipes: u64,
    /// Replicas that were removed.
    pub removals: u64,
    /// Times that a host replaced a version of a service.
    pub upgrades: u64,
    /// States that were put in place of a replica's own.
    pub installs: u64,
    /// Messages between replicas that arrived.
    pub messages: u64,
    /// Queries that were answered from a state that was not the newest one any more when they were, which is right, and is not compared with the model.
    pub older_looks: u64,
    /// Whether the host found its disk damaged, and refused to go on.
    pub found_damage: bool,
    /// How long it took, in the time of the simulation.
    pub virtual_time: Duration,
    /// What happened, the last line first; empty unless the plan keeps the story.
    pub story: Vec<String>,
}

/// Something that must never happen has happened.
#[derive(Debug, Clone)]
pub struct Violation {
    /// The seed to see it again.
    pub seed: u64,
    /// When, in the time of the simulation.
    pub at: Duration,
    /// What.
    pub what: String,
    /// What happened before, the last line first; empty unless the plan keeps the story.
    pub story: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, at, what, .. } = self;
        write!(f, "seed {seed}, at {} ms: {what}", at.as_millis())
    }
}

impl std::error::Error for Violation {}
