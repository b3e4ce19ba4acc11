//! What happens to a group, and what it wants done: the border between what is decided and what touches the outside.

use super::keyspace::{KeyHash, MessageId, Meta};
use super::sessions::{Recorded, SessionKey};
use super::work::{Effects, Message};
use crate::state::View;
use bytes::Bytes;

/// A caller's command, by the number that its owner gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

/// Something happened.
pub enum Event {
    /// A caller has a command.
    Command {
        /// Its number, which no other command has or had.
        id: CommandId,
        /// Its idempotency key, if it has one.
        key: Option<SessionKey>,
    },
    /// What was to be run by [`Action::Run`] is done.
    Ran(Outcome),
    /// This replica leads from now on, and has applied everything of earlier leaders.
    Leads,
    /// It leads no more. What it had under way is void here; whether entries that were made take effect is known to those that follow.
    Follows,
    /// This entry and all that were made after it did not get into the log: they are as if they had never been made.
    Refused(u64),
    /// The disk of the only replica is full: what waits for it may take effect once there is room.
    Stuck,
    /// Time has passed.
    Tick,
    /// What became of a message.
    Delivered {
        /// Which.
        id: MessageId,
        /// What became of it.
        delivery: Delivery,
    },
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// There is an answer, or a failure for good: whoever delivered it keeps that until the handler was run.
    Done,
    /// It is to be sent again later.
    Failed,
}

/// How something that ran ended.
pub enum Outcome {
    /// It succeeded.
    Done {
        /// What it changes.
        effects: Effects,
        /// The answer to keep, if its caller gave an idempotency key.
        answer: Option<Recorded>,
        /// The first bytes of the SHA-256 of the component that ran.
        version: [u8; 8],
    },
    /// It failed and has no effect. A caller was told by whoever ran it.
    Failed,
}

/// What is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// A command.
    Command {
        /// Which.
        id: CommandId,
        /// Whether its answer is to be kept.
        keeps_answer: bool,
    },
    /// The handler of a timer.
    Timer {
        /// The timer's key.
        key: String,
        /// For the handler.
        payload: Bytes,
    },
    /// The handler of a message's answer.
    Reply {
        /// Which message.
        id: MessageId,
        /// For the handler.
        tag: String,
    },
}

/// What a caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The results of the run that its command caused.
    Own,
    /// The results of an earlier run.
    Recorded(Recorded),
    /// It was not executed.
    Refused(Refusal),
    /// It was executed, and whether it takes effect is not known here.
    Unsure(Doubt),
}

/// Why it is not known whether a command takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// Another replica leads now.
    #[error("another replica took over before this one knew that the call took effect")]
    Deposed,
    /// The disk is full.
    #[error("the disk of its host is full; the call takes effect when there is room")]
    DiskFull,
}

/// Why a command was not executed. It has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The key stands for another call.
    #[error("its idempotency key was used before, for another function or other arguments")]
    KeyReused,
    /// The key was used, and the answer is gone.
    #[error("its idempotency key was used so long ago that the answer is no longer kept")]
    KeyExpired,
    /// The disk is full.
    #[error("the disk of its host is full; it takes commands again when there is room")]
    DiskFull,
    /// The entry would be too large.
    #[error(
        "it changes {bytes} bytes at once, more than fit into one entry; change less in one call"
    )]
    TooLarge {
        /// Its bytes.
        bytes: usize,
    },
    /// As many commands wait as may.
    #[error("as many commands wait for it as may")]
    Overloaded,
    /// Another replica leads, or none does.
    #[error("its replica on this host does not lead")]
    NotLeading,
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Which.
    pub id: MessageId,
    /// What it calls.
    pub message: Message,
    /// Its idempotency key.
    pub key: KeyHash,
}

/// Something is to be done. Actions are carried out in their order.
pub enum Action {
    /// Run a job on a snapshot, and say how it ended by [`Event::Ran`]. There is one at a time.
    Run {
        /// What.
        job: Job,
        /// The state it sees.
        view: View,
        /// What is known of that state as a whole.
        meta: Meta,
        /// Its time.
        time_ms: u64,
    },
    /// Propose an entry for the log. It is applied once it is committed, or else there is [`Event::Refused`] or [`Event::Follows`].
    Append {
        /// Its index, one more than the last one's.
        index: u64,
        /// The entry.
        entry: Bytes,
    },
    /// What runs is void: its end is not to be told.
    Abandon,
    /// A command changed nothing, and saw nothing that is not committed. Its caller is told its results once it is certain that this replica still led then.
    Confirm(CommandId),
    /// Tell a caller.
    Answer {
        /// Whom.
        id: CommandId,
        /// What.
        answer: Answer,
    },
    /// Send a message, and say what became of it by [`Event::Delivered`].
    Deliver(Outgoing),
    /// The committed state is new: queries are to see it from now on, and who waits for a change is to be woken.
    Publish,
}
