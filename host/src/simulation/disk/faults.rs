//! What can go wrong on a simulated disk, how often, and how often it did.

/// How often each fault happens, in cases out of a thousand. None by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// At each sync and each crash: one bit of one file changes.
    pub bit_flip: u32,
    /// For each write that is synced: it never lands, although the sync succeeds.
    pub lost_write: u32,
    /// For each write that is synced: it lands elsewhere in its file.
    pub misdirected_write: u32,
    /// For each sync: it fails, and what it should have made durable may be so, or not, or in part.
    pub failed_sync: u32,
    /// For each read: it fails.
    pub failed_read: u32,
}

/// How many faults happened, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Injected {
    /// Bits changed at rest.
    pub bit_flips: u64,
    /// Writes that never landed.
    pub lost_writes: u64,
    /// Writes that landed elsewhere.
    pub misdirected_writes: u64,
    /// Syncs that failed.
    pub failed_syncs: u64,
    /// Reads that failed.
    pub failed_reads: u64,
    /// Operations refused because the disk was full.
    pub full: u64,
    /// Crashes.
    pub crashes: u64,
    /// Writes of which a crash or a failed sync left some sectors and not others.
    pub torn_writes: u64,
}
