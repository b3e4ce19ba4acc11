//! Reads frames from a connection, and takes no more memory for them than there is room for.

use super::frame::{FrameError, HEADER_BYTES, Header};
use crate::os::task;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is read at once: the most that TLS has in one piece.
const READ_BYTES: usize = 16 << 10;
/// Others get their turn after so many of those.
const READS_PER_TURN: usize = 16;
/// What a small message takes besides its bytes.
const MESSAGE_BYTES_MIN: usize = 256;

/// Why there is no further frame.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// What came means nothing here.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The connection is at its end.
    #[error("{0}")]
    Ended(String),
}

/// Frames from a connection.
pub struct Frames<S> {
    stream: S,
    buffer: BytesMut,
    begun: Option<Begun>,
    reads: usize,
}

/// A frame that is not complete.
struct Begun {
    header: Header,
    body: Vec<u8>,
    permit: Option<OwnedSemaphorePermit>,
}

/// A body with the room that it takes, which is given back with its last slice.
struct Held {
    body: Vec<u8>,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl<S: AsyncRead + Unpin> Frames<S> {
    /// The frames of `stream`.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: BytesMut::with_capacity(READ_BYTES),
            begun: None,
            reads: 0,
        }
    }

    /// The connection, to write to it.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The connection, without what was read of it.
    pub fn into_stream(self) -> S {
        self.stream
    }

    /// The body of the next frame, which may take `bytes_max`, once `room` has place for it. May be dropped at any time without losing anything.
    ///
    /// # Errors
    /// See [`StreamError`]. Nothing that follows can be read then.
    pub async fn next(
        &mut self,
        bytes_max: usize,
        room: Option<&Arc<Semaphore>>,
    ) -> Result<Bytes, StreamError> {
        loop {
            if let Some(begun) = &mut self.begun {
                let missing = begun.header.length - begun.body.len();
                let there = missing.min(self.buffer.len());
                begun.body.extend_from_slice(&self.buffer[..there]);
                self.buffer.advance(there);
                let missing = missing - there;
                if missing >= READ_BYTES {
                    // Without the way through the buffer.
                    let mut rest = (&mut begun.body).limit(missing);
                    ended(self.stream.read_buf(&mut rest).await)?;
                    self.reads += 1;
                    if self.reads.is_multiple_of(READS_PER_TURN) {
                        // Decrypting megabytes takes milliseconds, and heartbeats come in on this thread too.
                        task::yield_now().await;
                    }
                } else if missing > 0 {
                    self.fill().await?;
                } else if let Some(whole) = self.begun.take() {
                    return Ok(whole.finish()?);
                }
                continue;
            }
            let Some(header) = self.buffer.first_chunk::<HEADER_BYTES>() else {
                self.fill().await?;
                continue;
            };
            let header = Header::read(*header, bytes_max)?;
            let permit = match room {
                Some(room) if header.length > 0 => {
                    let bytes = header.length.max(MESSAGE_BYTES_MIN);
                    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                    let permit = Arc::clone(room).acquire_many_owned(bytes).await;
                    Some(permit.map_err(|_| StreamError::Ended("this host stops".into()))?)
                }
                Some(_) | None => None,
            };
            self.buffer.advance(HEADER_BYTES);
            self.begun = Some(Begun {
                body: Vec::with_capacity(header.length),
                header,
                permit,
            });
        }
    }

    /// Reads some more.
    async fn fill(&mut self) -> Result<(), StreamError> {
        self.buffer.reserve(READ_BYTES);
        ended(self.stream.read_buf(&mut self.buffer).await)
    }
}

impl Begun {
    fn finish(self) -> Result<Bytes, FrameError> {
        let Self {
            header,
            body,
            permit,
        } = self;
        header.check(&body)?;
        Ok(match permit {
            None => body.into(),
            Some(permit) => Bytes::from_owner(Held {
                body,
                _permit: permit,
            }),
        })
    }
}

/// The outcome of reading: nothing means that there is nothing more.
fn ended(read: std::io::Result<usize>) -> Result<(), StreamError> {
    match read {
        Ok(0) => Err(StreamError::Ended("it closed the connection".into())),
        Ok(_) => Ok(()),
        Err(error) => Err(StreamError::Ended(match error.kind() {
            std::io::ErrorKind::UnexpectedEof => "its end of the connection is gone".into(),
            _ => error.to_string(),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame;
    use super::*;
    use crate::replica::network::ReplicaLane;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;
    use tokio::io::AsyncWriteExt;

    fn frame(message: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        assert!(frame::put_message(
            &mut out,
            "orders",
            message,
            ReplicaLane::Append
        ));
        out
    }

    fn message(body: Bytes) -> Bytes {
        frame::read_message(body).expect("it is one").1
    }

    #[tokio::test]
    async fn frames_are_read_however_they_come_in_pieces() {
        let messages = [vec![1; 3], vec![2; 40_000], Vec::new(), vec![3; 100_000]];
        let bytes: Vec<u8> = messages.iter().flat_map(|message| frame(message)).collect();
        for piece in [7, 4_096, 16 << 10, bytes.len()] {
            let (mut ours, theirs) = tokio::io::duplex(1 << 20);
            let pieces = bytes.clone();
            let writing = task::spawn(async move {
                for part in pieces.chunks(piece) {
                    ours.write_all(part).await.expect("there is room");
                }
            });
            let mut frames = Frames::new(theirs);
            for expected in &messages {
                let body = frames.next(1 << 20, None).await.expect("a frame");
                assert_eq!(&message(body)[..], expected);
            }
            writing.await.expect("everything was read");
            let end = frames.next(1 << 20, None).await;
            assert!(matches!(end, Err(StreamError::Ended(_))), "{end:?}");
        }
    }

    #[tokio::test]
    async fn what_has_no_room_is_not_read() {
        let (mut ours, theirs) = tokio::io::duplex(1 << 20);
        let room = Arc::new(Semaphore::new(1_000));
        let mut frames = Frames::new(theirs);
        for _ in 0..2 {
            ours.write_all(&frame(&[7; 600])).await.expect("room");
        }
        let first = frames.next(1 << 20, Some(&room)).await.expect("a frame");
        let slice = message(first);
        {
            let mut second = pin!(frames.next(1 << 20, Some(&room)));
            let is_waiting =
                poll_fn(|context| Poll::Ready(second.as_mut().poll(context).is_pending()));
            assert!(is_waiting.await);
        }
        drop(slice);
        let second = frames.next(1 << 20, Some(&room)).await.expect("a frame");
        assert_eq!(message(second).len(), 600);
        assert_eq!(room.available_permits(), 1_000);
    }

    #[tokio::test]
    async fn a_length_beyond_the_bound_ends_it_before_anything_is_taken() {
        let (mut ours, theirs) = tokio::io::duplex(1 << 10);
        ours.write_all(&[0xff; 8]).await.expect("room");
        let room = Arc::new(Semaphore::new(0));
        let refused = Frames::new(theirs).next(1 << 20, Some(&room)).await;
        let too_long = FrameError::TooLong {
            length: u32::MAX as usize,
            max: 1 << 20,
        };
        assert_eq!(refused, Err(StreamError::Frame(too_long)));
    }
}
