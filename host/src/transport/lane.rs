//! Which of the connections to a peer a message takes.
//!
//! HTTP/2 does not prioritise, and TCP delivers in order: what shares a connection waits for what was sent before it. So that a large
//! answer does not hold up small calls, and neither of them the probes that say whether a peer lives, each has a connection of its own.

/// A kind of traffic between two hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Probes: small, rare, and late is as bad as lost.
    Control,
    /// Calls, one connection for each serving thread, so that no call changes its thread.
    Call,
    /// Arguments above [`BULK_BYTES_MIN`], and HTTP requests and answers, whose size nobody knows before their end.
    Bulk,
}

/// Arguments of this size and more take the bulk lane: sending them takes longer than a small call as a whole.
pub const BULK_BYTES_MIN: usize = 64 << 10;

impl Lane {
    /// How many there are.
    pub const COUNT: usize = 3;

    /// The lane for a message of known size.
    #[must_use]
    pub fn of_call(bytes: usize) -> Self {
        if bytes < BULK_BYTES_MIN {
            Self::Call
        } else {
            Self::Bulk
        }
    }

    /// Its place among the connections to one peer.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Control => 0,
            Self::Call => 1,
            Self::Bulk => 2,
        }
    }
}
