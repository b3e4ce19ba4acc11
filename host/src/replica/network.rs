//! How replicas reach each other, as far as a group has to know: what it hands over, what it is told, and whom it may ask.
//!
//! Implemented by `transport::replicas` between hosts, and by whatever stands for it in a simulation. Messages are bytes here
//! ([`message`](super::message) makes them), so what a host passes on it need not understand.

use super::bytes::{Reader, Unreadable, Writer};
use crate::config::HostName;
use bytes::Bytes;
use std::pin::Pin;
use std::sync::Arc;

/// Longest part of a snapshot, in bytes: a few of them keep a link busy, and a receiver has room for one of each group that is behind.
pub const CHUNK_BYTES_MAX: usize = 4 << 20;
/// Longest key that a part may begin after. Keys of services have at most 4,000 bytes, and one before that says whose they are.
pub const AFTER_BYTES_MAX: usize = 8 << 10;
/// Longest answer to the first question that a host asks another.
pub const HELLO_BYTES_MAX: usize = 256 << 10;
/// The only form of questions so far.
const FORMAT: u8 = 1;

/// Which of the two connections to a peer a message takes, so that small ones never wait for large ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicaLane {
    /// Entries, and the answers to them.
    Append,
    /// Votes, heartbeats, reads, handing over, and the answers to them: small, and late is as bad as lost.
    Control,
}

impl ReplicaLane {
    /// All of them, in the order of their indexes.
    pub const ALL: [Self; 2] = [Self::Append, Self::Control];

    /// Its place among the connections to one peer, and what it is called in a first message.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Append => 0,
            Self::Control => 1,
        }
    }

    /// A word for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Control => "control",
        }
    }
}

/// A message of a group on its way to another replica.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Whose group.
    pub service: Arc<str>,
    /// How.
    pub lane: ReplicaLane,
    /// What: an encoded message.
    pub body: Bytes,
}

/// What came from other hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A message of a group. Its bytes count towards what may wait to be taken in until the last slice of `body` is dropped, so
    /// copy what is kept.
    Message {
        /// Who sent it, as its certificate says.
        from: HostName,
        /// Whose group, in the sender's words.
        service: Box<str>,
        /// An encoded message, checked for nothing but damage.
        body: Bytes,
    },
    /// Messages go both ways now.
    Connected(HostName),
    /// They do not any more: the peer's process is gone, or cannot be reached. Once for each [`Connected`](Incoming::Connected).
    Lost(HostName),
}

/// Sends messages to other replicas.
pub trait ReplicaNetwork: Send + Sync {
    /// Fire and forget: lost if the peer is not connected, or if so much waits for it already that this would be late anyway.
    fn send(&self, to: &HostName, frame: Frame);

    /// Whether messages go both ways.
    fn is_connected(&self, to: &HostName) -> bool;
}

/// An answer on its way.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Bytes, FetchError>> + Send + 'a>>;

/// Asks other hosts for what is not sent by itself.
pub trait ReplicaRequests: Send + Sync {
    /// The next part of a snapshot of a service that another host has.
    fn fetch_chunk<'a>(
        &'a self,
        from: &'a HostName,
        service: &'a str,
        request: ChunkRequest,
    ) -> Fetching<'a>;

    /// What another host answers to those that have not met it yet: the answer of its [`HelloSource`].
    fn hello<'a>(&'a self, of: &'a HostName, question: Bytes) -> Fetching<'a>;
}

/// A part of a snapshot that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkRequest {
    /// The entry that the snapshot is of.
    pub index: u64,
    /// The last key that is there already; none at the beginning.
    pub after: Option<Bytes>,
    /// What the part may take, at most [`CHUNK_BYTES_MAX`].
    pub bytes_max: usize,
}

/// Why there is no part of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// The host has no snapshot of that entry any more; begin again with another.
    #[error("the snapshot is gone")]
    Gone,
    /// The host has no replica of that service, or it is not ready.
    #[error("the service's state is not served there")]
    NotServing,
}

/// Why there is no answer from another host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// See [`ChunkError::Gone`].
    #[error("the snapshot is gone")]
    Gone,
    /// See [`ChunkError::NotServing`].
    #[error("the service's state is not served there")]
    NotServing,
    /// It did not answer; it may do later.
    #[error("host {0}")]
    Unreachable(String),
    /// What came is not what was asked for. Asking again is fine, since bytes may have been damaged on their way.
    #[error("host {0}")]
    Unreadable(String),
}

/// A part of a snapshot being read.
pub type Chunk<'a> = Pin<Box<dyn Future<Output = Result<Bytes, ChunkError>> + Send + 'a>>;

/// What this host answers to others that ask for parts of snapshots. Called on the serving threads.
pub trait SnapshotSource: Send + Sync {
    /// A part of at most `request.bytes_max` bytes; nobody looks into it on the way.
    fn chunk<'a>(&'a self, service: &'a str, request: ChunkRequest) -> Chunk<'a>;
}

/// An answer being made.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Bytes> + Send + 'a>>;

/// What this host answers to those that have not met it yet. Called on the serving threads.
pub trait HelloSource: Send + Sync {
    /// At most [`HELLO_BYTES_MAX`] bytes; nobody looks into it on the way. The host that asks is the one that its certificate names.
    fn hello(&self, from: HostName, question: Bytes) -> Answering<'_>;
}

impl ChunkRequest {
    /// As it is sent.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let after_bytes = self.after.as_ref().map_or(0, Bytes::len);
        let mut writer = Writer::with_capacity(after_bytes + 24);
        writer.byte(FORMAT);
        writer.number(self.index);
        writer.number(self.bytes_max as u64);
        writer.byte(self.after.is_some().into());
        if let Some(after) = &self.after {
            writer.text(after);
        }
        writer.finish()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; asks for no more than [`CHUNK_BYTES_MAX`].
    ///
    /// # Errors
    /// [`Unreadable`]: it is no such request, or one of a newer host.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, Unreadable> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != FORMAT {
            return Err(Unreadable);
        }
        let index = reader.number()?;
        let bytes_max = usize::try_from(reader.number()?).unwrap_or(usize::MAX);
        let after = match reader.byte()? {
            0 => None,
            1 => Some(reader.text()?),
            _ => return Err(Unreadable),
        };
        let is_too_long = after
            .as_ref()
            .is_some_and(|after| after.len() > AFTER_BYTES_MAX);
        if is_too_long || !reader.is_at_end() {
            return Err(Unreadable);
        }
        Ok(Self {
            index,
            after,
            bytes_max: bytes_max.min(CHUNK_BYTES_MAX),
        })
    }
}

impl From<ChunkError> for FetchError {
    fn from(error: ChunkError) -> Self {
        match error {
            ChunkError::Gone => Self::Gone,
            ChunkError::NotServing => Self::NotServing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(after: Option<Bytes>, bytes_max: usize) -> ChunkRequest {
        ChunkRequest {
            index: 300,
            after,
            bytes_max,
        }
    }

    #[test]
    fn a_request_is_read_as_it_was_written_and_nowhere_when_cut() {
        for after in [None, Some(Bytes::new()), Some(Bytes::from_static(b"key"))] {
            let written = request(after, 1 << 20).to_bytes();
            let read = ChunkRequest::from_bytes(written.clone()).expect("it is whole");
            assert_eq!(read.to_bytes(), written);
            for length in 0..written.len() {
                let read = ChunkRequest::from_bytes(written.slice(..length));
                assert_eq!(read, Err(Unreadable), "{length}");
            }
        }
    }

    #[test]
    fn a_request_gets_no_more_than_anybody() {
        let read = ChunkRequest::from_bytes(request(None, usize::MAX).to_bytes());
        assert_eq!(read, Ok(request(None, CHUNK_BYTES_MAX)));
        let long = Bytes::from(vec![0; AFTER_BYTES_MAX + 1]);
        let read = ChunkRequest::from_bytes(request(Some(long), 1).to_bytes());
        assert_eq!(read, Err(Unreadable));
    }
}
