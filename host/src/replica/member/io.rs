//! What a replica is told, and what it wants done.

use super::{Change, RecordError};
use crate::config::HostName;
use crate::replica::consensus::EngineError;
use crate::replica::event::{Action, Event};
use crate::replica::group::GroupError;
use crate::replica::identity::Position;
use crate::replica::standing::Standing;
use crate::replica::wit;
use crate::state::View;
use bytes::Bytes;

/// Something happened.
pub enum Input {
    /// To the service: a command, the end of a run, a message's fate.
    Group(Event),
    /// A caller asks from which entry on a state is new enough for it; the number is the caller's.
    Read(u64),
    /// A replica on this host says something.
    Message(HostName, wit::Message),
    /// Everything up to this save is on the disk.
    Persisted(u64),
    /// The connection to this host broke.
    PeerLost(HostName),
    /// There is a connection to this host, again or for the first time.
    PeerFound(HostName),
    /// The content that [`Output::Fetch`] asked for is in place: this is the state now.
    Installed(Box<View>),
    /// It could not be had.
    NotFetched,
    /// A snapshot got through to this member, or did not.
    Sent(u64, bool),
    /// The log has no room, or has some again.
    Full(bool),
    /// Another host's replica is to lead.
    Transfer(HostName),
    /// The members are to change.
    Change(Change),
}

/// Something is to be done. Outputs are carried out in their order.
pub enum Output {
    /// For the service. Never [`Action::Append`].
    Group(Action),
    /// Put this on the disk, then say [`Input::Persisted`].
    Save(Save),
    /// Keep this state for those who are about to be offered it, as [`Output::Send`] with a snapshot says next.
    Pin {
        /// The entry that it is of.
        index: u64,
        /// The state.
        view: Box<View>,
    },
    /// Send a message to another host's replica; it may get lost.
    Send {
        /// Which host.
        to: HostName,
        /// What.
        message: wit::Message,
    },
    /// A state that has this entry is new enough for the caller of this number; it is published already.
    ReadReady(u64, u64),
    /// Nobody can say; the caller may ask again.
    ReadFailed(u64),
    /// Fetch the state that a leader offers, put it in place, and say [`Input::Installed`] or [`Input::NotFetched`].
    Fetch {
        /// Its host.
        from: HostName,
        /// The entry as of which it is.
        at: Position,
    },
    /// Its part in the group has changed.
    Standing(Standing),
    /// The engine failed, for this reason, and will be started again.
    Failed(String),
}

/// What is to be on the disk, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Save {
    /// Ascending.
    pub token: u64,
    /// The replica's own record; none if it is as it was.
    pub identity: Option<Bytes>,
    /// Drop all entries first; the next one follows this.
    pub restart: Option<u64>,
    /// Entries with their records, in order. The first takes the place of those from its index on.
    pub entries: Vec<(u64, Bytes)>,
}

/// The replica must not go on: its host stops, and says why.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// Its state.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// Its members.
    #[error("the group's members cannot be understood")]
    Roster(#[from] crate::replica::bytes::Unreadable),
    /// The members cannot be read.
    #[error(transparent)]
    Read(#[from] crate::state::ReadError),
    /// An entry of its log.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The engine cannot be started.
    #[error("the consensus engine cannot be started")]
    Engine(#[from] EngineError),
}
