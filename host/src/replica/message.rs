//! Messages between replicas as bytes.
//!
//! Written by the host that sends and read by one that may be of another version, after a checksum and certificates but before anything
//! else: so every bound is looked at here, and before memory is taken. What a message means is the engine's business.

use super::bytes::{Reader, Unreadable, Writer};
use super::entry::ENTRY_BYTES_MAX;
use super::network::ReplicaLane;
use super::wit::{Entry, EntryKind, Members, Message, MessageKind, Snapshot};
use bytes::Bytes;

#[cfg(test)]
mod tests;

/// The only format so far. A host reads all formats up to its own.
const FORMAT: u8 = 1;

/// Longest message, in bytes. An engine that is told to send no more than a few MiB at once stays far below.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Most entries of one message: as many as fit if each takes 256 bytes, and a bound of what their heads take in memory.
pub const ENTRIES_MAX: usize = MESSAGE_BYTES_MAX / 256;
/// Longest context of a message: what tells reads and handovers apart.
pub const CONTEXT_BYTES_MAX: usize = 64;
/// Most members of each kind.
pub const MEMBERS_MAX: usize = 64;

/// About what a message takes beside its entries, and an entry beside its data.
const HEAD_BYTES: usize = 128;
const ENTRY_HEAD_BYTES: usize = 16;

/// The bits of the byte that has everything which is there or not.
const REJECT: u8 = 1;
const SNAPSHOT: u8 = 2;

/// All kinds; the place of each is what it is written as.
const KINDS: [MessageKind; 13] = [
    MessageKind::Append,
    MessageKind::AppendResponse,
    MessageKind::Vote,
    MessageKind::VoteResponse,
    MessageKind::PreVote,
    MessageKind::PreVoteResponse,
    MessageKind::Heartbeat,
    MessageKind::HeartbeatResponse,
    MessageKind::Snapshot,
    MessageKind::TimeoutNow,
    MessageKind::ReadIndex,
    MessageKind::ReadIndexResponse,
    MessageKind::TransferLeader,
];

/// Why bytes are no message, or a message cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The bytes end too early, go on too long, or say what means nothing.
    #[error("the message is damaged")]
    Unreadable,
    /// A newer host wrote it.
    #[error(
        "the message has format {0}, this program reads formats up to {FORMAT}; run the newer program"
    )]
    Newer(u8),
    /// Something takes more than it may.
    #[error("the message has {found} {what}, at most {max} are allowed")]
    TooMuch {
        /// What it has too much of.
        what: &'static str,
        /// How much it has.
        found: usize,
        /// How much it may have.
        max: usize,
    },
}

impl From<Unreadable> for MessageError {
    fn from(_: Unreadable) -> Self {
        Self::Unreadable
    }
}

/// The connection that a message of a kind takes.
#[must_use]
pub fn lane(kind: MessageKind) -> ReplicaLane {
    match kind {
        MessageKind::Append | MessageKind::AppendResponse | MessageKind::Snapshot => {
            ReplicaLane::Append
        }
        MessageKind::Vote
        | MessageKind::VoteResponse
        | MessageKind::PreVote
        | MessageKind::PreVoteResponse
        | MessageKind::Heartbeat
        | MessageKind::HeartbeatResponse
        | MessageKind::TimeoutNow
        | MessageKind::ReadIndex
        | MessageKind::ReadIndexResponse
        | MessageKind::TransferLeader => ReplicaLane::Control,
    }
}

/// A message as it is sent.
///
/// # Errors
/// [`MessageError::TooMuch`]: nobody would read it.
pub fn encode(message: &Message) -> Result<Bytes, MessageError> {
    let data: usize = message.entries.iter().map(|entry| entry.data.len()).sum();
    // Before memory is taken; what else there is counts at the end.
    within("bytes", data, MESSAGE_BYTES_MAX)?;
    within("entries", message.entries.len(), ENTRIES_MAX)?;
    let heads = message.entries.len() * ENTRY_HEAD_BYTES;
    let mut writer = Writer::with_capacity(data + heads + HEAD_BYTES);
    writer.byte(FORMAT);
    writer.byte(kind_to_byte(message.kind));
    writer
        .byte(u8::from(message.reject) * REJECT + u8::from(message.snapshot.is_some()) * SNAPSHOT);
    for number in [
        message.to,
        message.from,
        message.term,
        message.log_term,
        message.index,
        message.commit,
        message.commit_term,
        message.reject_hint,
        message.request_snapshot,
        zigzag(message.priority),
    ] {
        writer.number(number);
    }
    within("bytes of context", message.context.len(), CONTEXT_BYTES_MAX)?;
    writer.text(&message.context);
    writer.number(message.entries.len() as u64);
    for entry in &message.entries {
        within("bytes in an entry", entry.data.len(), ENTRY_BYTES_MAX)?;
        writer.number(entry.index);
        writer.number(entry.term);
        writer.byte(match entry.kind {
            EntryKind::Normal => 0,
            EntryKind::Change => 1,
        });
        writer.text(&entry.data);
    }
    if let Some(snapshot) = &message.snapshot {
        writer.number(snapshot.index);
        writer.number(snapshot.term);
        let members = &snapshot.members;
        for list in [
            &members.voters,
            &members.learners,
            &members.outgoing,
            &members.learners_next,
        ] {
            within("members", list.len(), MEMBERS_MAX)?;
            writer.number(list.len() as u64);
            for member in list {
                writer.number(*member);
            }
        }
        writer.byte(members.auto_leave.into());
    }
    let bytes = writer.finish();
    within("bytes", bytes.len(), MESSAGE_BYTES_MAX)?;
    Ok(bytes)
}

/// Reads what [`encode`] wrote. Takes memory for what is there, never for what is said to be there.
///
/// # Errors
/// See [`MessageError`].
pub fn decode(bytes: Bytes) -> Result<Message, MessageError> {
    within("bytes", bytes.len(), MESSAGE_BYTES_MAX)?;
    let mut reader = Reader::new(bytes);
    let format = reader.byte()?;
    if format == 0 {
        return Err(MessageError::Unreadable);
    }
    if format > FORMAT {
        return Err(MessageError::Newer(format));
    }
    let kind = reader.byte()?;
    let kind = *KINDS
        .get(usize::from(kind))
        .ok_or(MessageError::Unreadable)?;
    let flags = reader.byte()?;
    if flags & !(REJECT | SNAPSHOT) != 0 {
        return Err(MessageError::Unreadable);
    }
    Ok(Message {
        kind,
        to: reader.number()?,
        from: reader.number()?,
        term: reader.number()?,
        log_term: reader.number()?,
        index: reader.number()?,
        commit: reader.number()?,
        commit_term: reader.number()?,
        reject: flags & REJECT != 0,
        reject_hint: reader.number()?,
        request_snapshot: reader.number()?,
        priority: unzigzag(reader.number()?),
        context: text(&mut reader, "bytes of context", CONTEXT_BYTES_MAX)?,
        entries: entries(&mut reader)?,
        snapshot: if flags & SNAPSHOT == 0 {
            None
        } else {
            Some(snapshot(&mut reader)?)
        },
    })
    .and_then(|message| {
        if reader.is_at_end() {
            Ok(message)
        } else {
            Err(MessageError::Unreadable)
        }
    })
}

fn entries(reader: &mut Reader) -> Result<Vec<Entry>, MessageError> {
    let count = count(reader, "entries", ENTRIES_MAX)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(Entry {
            index: reader.number()?,
            term: reader.number()?,
            kind: match reader.byte()? {
                0 => EntryKind::Normal,
                1 => EntryKind::Change,
                _ => return Err(MessageError::Unreadable),
            },
            data: text(reader, "bytes in an entry", ENTRY_BYTES_MAX)?,
        });
    }
    Ok(entries)
}

fn snapshot(reader: &mut Reader) -> Result<Snapshot, MessageError> {
    Ok(Snapshot {
        index: reader.number()?,
        term: reader.number()?,
        members: Members {
            voters: members(reader)?,
            learners: members(reader)?,
            outgoing: members(reader)?,
            learners_next: members(reader)?,
            auto_leave: match reader.byte()? {
                0 => false,
                1 => true,
                _ => return Err(MessageError::Unreadable),
            },
        },
    })
}

fn members(reader: &mut Reader) -> Result<Vec<u64>, MessageError> {
    let count = count(reader, "members", MEMBERS_MAX)?;
    (0..count).map(|_| Ok(reader.number()?)).collect()
}

/// How many of something follow.
fn count(reader: &mut Reader, what: &'static str, max: usize) -> Result<usize, MessageError> {
    let count = usize::try_from(reader.number()?).unwrap_or(usize::MAX);
    within(what, count, max)?;
    Ok(count)
}

fn text(reader: &mut Reader, what: &'static str, max: usize) -> Result<Vec<u8>, MessageError> {
    let length = count(reader, what, max)?;
    Ok(reader.raw(length)?.to_vec())
}

fn within(what: &'static str, found: usize, max: usize) -> Result<(), MessageError> {
    if found > max {
        return Err(MessageError::TooMuch { what, found, max });
    }
    Ok(())
}

fn kind_to_byte(kind: MessageKind) -> u8 {
    match kind {
        MessageKind::Append => 0,
        MessageKind::AppendResponse => 1,
        MessageKind::Vote => 2,
        MessageKind::VoteResponse => 3,
        MessageKind::PreVote => 4,
        MessageKind::PreVoteResponse => 5,
        MessageKind::Heartbeat => 6,
        MessageKind::HeartbeatResponse => 7,
        MessageKind::Snapshot => 8,
        MessageKind::TimeoutNow => 9,
        MessageKind::ReadIndex => 10,
        MessageKind::ReadIndexResponse => 11,
        MessageKind::TransferLeader => 12,
    }
}

/// Small numbers of either sign as small numbers.
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}
