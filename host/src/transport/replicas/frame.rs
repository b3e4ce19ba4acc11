//! What is on a connection between replicas: frames, each with its length and checksum before it.
//!
//! ```text
//! frame    = length: u32 LE, crc32c of the body: u32 LE, body
//! greeting = version: u8, lane: u8, name of the cluster        (the body of the first frame)
//! welcome  = version: u8                                       (the body of the only frame that goes the other way)
//! message  = length of the name: u8, name of the service, encoded message
//! ```
//!
//! A frame without a body says that the sender is about to come again with a new connection. TLS finds bytes that somebody changed; the
//! checksum finds those that were wrong before they were encrypted or after, as in memory.

use crate::replica::message::MESSAGE_BYTES_MAX;
use crate::replica::network::ReplicaLane;
use bytes::Bytes;

/// The version of all this.
pub const VERSION: u8 = 1;
/// Bytes before each body.
pub const HEADER_BYTES: usize = 8;
/// Longest name of a service, and of a cluster.
const NAME_BYTES_MAX: usize = 255;
/// Longest body of each lane. On the control lane there are no entries, and its messages take less than a hundredth of this.
pub const BODY_BYTES_MAX: [usize; 2] = [MESSAGE_BYTES_MAX + NAME_BYTES_MAX + 1, 64 << 10];
/// Longest body of the first frame.
pub const GREETING_BYTES_MAX: usize = 2 + NAME_BYTES_MAX;

/// What is wrong with what came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It claims to be longer than any.
    #[error("it sends a frame of {length} bytes, at most {max} are allowed")]
    TooLong {
        /// What it claims.
        length: usize,
        /// What is allowed.
        max: usize,
    },
    /// The checksum is not that of the body.
    #[error("it sends a frame whose checksum is wrong")]
    Damaged,
    /// The body means nothing here.
    #[error("it sends a frame that is not what is expected here")]
    Malformed,
    /// It is of another program's.
    #[error(
        "it speaks version {0} of the protocol between replicas, this program speaks {VERSION}; run the same program on all hosts"
    )]
    OtherVersion(u8),
    /// It is of another cluster's.
    #[error("it says that it is of cluster {0:?}")]
    OtherCluster(String),
}

/// What is before a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the body.
    pub length: usize,
    checksum: u32,
}

impl Header {
    /// Reads a header of a body that may take `max` bytes.
    ///
    /// # Errors
    /// [`FrameError::TooLong`].
    pub fn read(bytes: [u8; HEADER_BYTES], max: usize) -> Result<Self, FrameError> {
        let [a, b, c, d, e, f, g, h] = bytes;
        let length = u32::from_le_bytes([a, b, c, d]);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > max {
            return Err(FrameError::TooLong { length, max });
        }
        let checksum = u32::from_le_bytes([e, f, g, h]);
        Ok(Self { length, checksum })
    }

    /// Compares the body with its checksum.
    ///
    /// # Errors
    /// [`FrameError::Damaged`].
    pub fn check(self, body: &[u8]) -> Result<(), FrameError> {
        if crc32c::crc32c(body) == self.checksum {
            Ok(())
        } else {
            Err(FrameError::Damaged)
        }
    }
}

/// Bytes of the frame of a message.
#[must_use]
pub fn message_bytes(service: &str, message: &[u8]) -> usize {
    HEADER_BYTES + 1 + service.len() + message.len()
}

/// Appends the frame of a message. Returns false, and appends nothing, if it is longer than any that is read.
#[must_use]
pub fn put_message(out: &mut Vec<u8>, service: &str, message: &[u8], lane: ReplicaLane) -> bool {
    let Ok(name_bytes) = u8::try_from(service.len()) else {
        return false;
    };
    let length = message_bytes(service, message) - HEADER_BYTES;
    if length > BODY_BYTES_MAX[lane.index()] {
        return false;
    }
    put(out, &[&[name_bytes], service.as_bytes(), message]);
    true
}

/// Service and encoded message of a body.
///
/// # Errors
/// [`FrameError::Malformed`].
pub fn read_message(mut body: Bytes) -> Result<(Box<str>, Bytes), FrameError> {
    let name_bytes = usize::from(*body.first().ok_or(FrameError::Malformed)?);
    let name = body
        .get(1..=name_bytes)
        .and_then(|name| std::str::from_utf8(name).ok())
        .filter(|name| !name.is_empty())
        .ok_or(FrameError::Malformed)?
        .into();
    Ok((name, body.split_off(1 + name_bytes)))
}

/// The first frame.
#[must_use]
pub fn greeting(cluster: &str, lane: ReplicaLane) -> Vec<u8> {
    let mut out = Vec::new();
    let lane = u8::try_from(lane.index()).expect("there are two");
    put(&mut out, &[&[VERSION, lane], cluster.as_bytes()]);
    out
}

/// The lane of a first body.
///
/// # Errors
/// See [`FrameError`].
pub fn read_greeting(body: &[u8], cluster: &str) -> Result<ReplicaLane, FrameError> {
    let (version, rest) = body.split_first().ok_or(FrameError::Malformed)?;
    if *version != VERSION {
        return Err(FrameError::OtherVersion(*version));
    }
    let (lane, name) = rest.split_first().ok_or(FrameError::Malformed)?;
    if name != cluster.as_bytes() {
        let theirs = String::from_utf8_lossy(name).into_owned();
        return Err(FrameError::OtherCluster(theirs));
    }
    let lanes = ReplicaLane::ALL.into_iter();
    let mut found = lanes.filter(|known| known.index() == usize::from(*lane));
    found.next().ok_or(FrameError::Malformed)
}

/// What the other side says when it begins to read.
#[must_use]
pub fn welcome() -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, &[&[VERSION]]);
    out
}

/// The frame before a connection is replaced.
#[must_use]
pub fn farewell() -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, &[]);
    out
}

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let length = u32::try_from(length).expect("bodies are far below 4 GiB");
    let checksum = parts
        .iter()
        .fold(0, |checksum, part| crc32c::crc32c_append(checksum, part));
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum.to_le_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body of a frame that is whole.
    fn body(frame: &[u8], max: usize) -> Result<Bytes, FrameError> {
        let (header, body) = frame.split_first_chunk().expect("it has a header");
        let header = Header::read(*header, max)?;
        assert_eq!(header.length, body.len());
        header.check(body)?;
        Ok(Bytes::copy_from_slice(body))
    }

    fn message() -> Vec<u8> {
        let mut out = Vec::new();
        assert!(put_message(
            &mut out,
            "orders",
            b"message",
            ReplicaLane::Control
        ));
        out
    }

    #[test]
    fn a_message_is_read_as_it_was_put() {
        let read = body(&message(), 100).and_then(read_message);
        assert_eq!(read, Ok(("orders".into(), Bytes::from_static(b"message"))));
        assert_eq!(message().len(), message_bytes("orders", b"message"));
        assert_eq!(body(&farewell(), 0), Ok(Bytes::new()));
    }

    #[test]
    fn a_frame_with_any_byte_changed_is_refused() {
        let whole = message();
        for place in HEADER_BYTES / 2..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            assert_eq!(body(&changed, 100), Err(FrameError::Damaged), "{place}");
        }
    }

    #[test]
    fn a_length_is_believed_up_to_a_bound() {
        let error = body(&message(), 13).expect_err("it has 14");
        assert_eq!(
            error.to_string(),
            "it sends a frame of 14 bytes, at most 13 are allowed"
        );
    }

    #[test]
    fn what_nobody_would_read_is_not_put() {
        let mut out = Vec::new();
        let long = vec![0; BODY_BYTES_MAX[1]];
        assert!(!put_message(
            &mut out,
            "orders",
            &long,
            ReplicaLane::Control
        ));
        assert!(put_message(&mut out, "orders", &long, ReplicaLane::Append));
        let name = "n".repeat(256);
        assert!(!put_message(&mut out, &name, b"", ReplicaLane::Append));
    }

    #[test]
    fn a_body_that_is_no_message_is_refused() {
        for bytes in [&b""[..], b"\0message", b"\x06order", b"\x02\xff\xfe"] {
            let read = read_message(Bytes::from_static(bytes));
            assert_eq!(read, Err(FrameError::Malformed), "{bytes:?}");
        }
    }

    #[test]
    fn a_greeting_of_another_kind_is_refused() {
        for lane in ReplicaLane::ALL {
            let greeting = body(&greeting("shop", lane), GREETING_BYTES_MAX).expect("whole");
            assert_eq!(read_greeting(&greeting, "shop"), Ok(lane));
            assert_eq!(
                read_greeting(&greeting, "other"),
                Err(FrameError::OtherCluster("shop".into()))
            );
        }
        for (bytes, expected) in [
            (&b""[..], FrameError::Malformed),
            (b"\x01", FrameError::Malformed),
            (b"\x01\x02shop", FrameError::Malformed),
            (b"\x02\0shop", FrameError::OtherVersion(2)),
        ] {
            assert_eq!(read_greeting(bytes, "shop"), Err(expected), "{bytes:?}");
        }
    }
}
