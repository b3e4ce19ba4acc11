//! A replica's part in its group, as the rest of the host sees it.

use crate::config::HostName;
use std::fmt;

/// What a replica does in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// It follows a leader, or waits for one.
    #[default]
    Follower,
    /// It asks the others to elect it.
    Candidate,
    /// It was elected.
    Leader,
    /// It follows, and has no vote.
    Learner,
    /// It takes part no more.
    Removed,
}

/// As `status` shows it.
impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Follower => "follower",
            Self::Candidate => "candidate",
            Self::Leader => "leader",
            Self::Learner => "learner",
            Self::Removed => "removed",
        })
    }
}

/// A replica's part in its group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// What it does.
    pub role: Role,
    /// It leads, and has applied everything of earlier leaders: it takes commands.
    pub serves: bool,
    /// The newest term that it knows; a leader is that of a term.
    pub term: u64,
    /// The host of that term's leader, if it knows it.
    pub leader: Option<HostName>,
    /// Whether others have a vote, so that one of them could lead in its place.
    pub has_others: bool,
}

impl Standing {
    /// Of the only replica of its group.
    #[must_use]
    pub fn alone(host: &HostName) -> Self {
        Self {
            role: Role::Leader,
            serves: true,
            term: 1,
            leader: Some(host.clone()),
            has_others: false,
        }
    }
}
