//! Reads the body of a request: never more than the callee takes, and never more at once than the host has room for.

use super::error::ApiError;
use crate::call_error::CallError;
use bytes::Bytes;
use http_body_util::BodyExt;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Bytes of all bodies being read on this host. Twice the largest that one service can be configured to take, so that one such
/// call never has to wait for room; clients that send much and slowly cannot take more memory than this.
const ROOM_BYTES: usize = 512 << 20;
/// When a request that found no room may come again: by then others have been read.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Room for the bodies that are being read.
pub struct Room {
    free: AtomicUsize,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            free: AtomicUsize::new(ROOM_BYTES),
        }
    }
}

/// A whole body, and the room it takes until it is dropped.
pub struct Read<'a> {
    bytes: Vec<u8>,
    first: Bytes,
    taken: Taken<'a>,
}

struct Taken<'a> {
    room: &'a Room,
    bytes: usize,
}

impl Taken<'_> {
    fn more(&mut self, bytes: usize) -> bool {
        let taken = self
            .room
            .free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| {
                free.checked_sub(bytes)
            });
        if taken.is_ok() {
            self.bytes += bytes;
        }
        taken.is_ok()
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.room.free.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

impl Deref for Read<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        if self.bytes.is_empty() {
            &self.first
        } else {
            &self.bytes
        }
    }
}

/// Reads `body`, which may have `limit` bytes by the limits of `service`.
///
/// # Errors
/// [`ApiError::TooLarge`], before anything is read if the request says its length. [`CallError::Overloaded`]: no room.
/// [`ApiError::Malformed`]: the client broke off.
pub async fn read<'a, B>(
    mut body: B,
    limit: usize,
    room: &'a Room,
    service: &str,
) -> Result<Read<'a>, ApiError>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let too_large = || ApiError::TooLarge {
        service: service.to_owned(),
        limit,
    };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let taken = Taken { room, bytes: 0 };
    let mut read = Read {
        bytes: Vec::new(),
        first: Bytes::new(),
        taken,
    };
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|error| ApiError::Malformed(format!("the body cannot be read: {error}")))?;
        // Trailers say nothing that is of interest here.
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        if chunk.len() > limit.saturating_sub(read.taken.bytes) {
            return Err(too_large());
        }
        if !read.taken.more(chunk.len()) {
            return Err(CallError::Overloaded {
                service: service.to_owned(),
                retry_after: RETRY_AFTER,
            }
            .into());
        }
        // Most bodies are one chunk, which is used as it came. Of several each is copied: a small one may keep a large buffer.
        if read.first.is_empty() && read.bytes.is_empty() {
            read.first = chunk;
        } else {
            if read.bytes.is_empty() {
                read.bytes
                    .extend_from_slice(&std::mem::take(&mut read.first));
            }
            read.bytes.extend_from_slice(&chunk);
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::{Body, Frame, SizeHint};
    use http_body_util::Full;
    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    /// A body in these chunks, of a length that it does not say. Nothing may be read after `None`.
    struct Chunks(VecDeque<Option<&'static str>>);

    impl Chunks {
        fn new(chunks: &[&'static str]) -> Self {
            Self(chunks.iter().copied().map(Some).chain([None]).collect())
        }
    }

    impl Body for Chunks {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            let next = self.0.pop_front().expect("the end is read once");
            Poll::Ready(next.map(|chunk| match chunk {
                "broken" => Err("the client left"),
                _ => Ok(Frame::data(Bytes::from_static(chunk.as_bytes()))),
            }))
        }
    }

    /// A body that says how long it is and must not be read.
    struct Announced(u64);

    impl Body for Announced {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            unreachable!("the length was enough to refuse it")
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.0)
        }
    }

    const LIMIT: usize = 8;

    #[track_caller]
    fn check(chunks: &[&'static str], expected: Result<&str, ApiError>) {
        let room = Room::default();
        let runtime = crate::os::task::runtime().unwrap();
        let read = runtime.block_on(read(Chunks::new(chunks), LIMIT, &room, "orders"));
        let text = read.as_ref().map(|read| std::str::from_utf8(read).unwrap());
        assert_eq!(text, expected.as_ref().copied());
        drop(read);
        assert_eq!(room.free.load(Ordering::Relaxed), ROOM_BYTES);
    }

    fn too_large() -> ApiError {
        ApiError::TooLarge {
            service: "orders".into(),
            limit: LIMIT,
        }
    }

    #[test]
    fn a_body_is_read_whole_however_it_comes() {
        check(&[], Ok(""));
        check(&["12345678"], Ok("12345678"));
        check(&["", "1", "", "2345", "678"], Ok("12345678"));
    }

    #[test]
    fn a_body_beyond_the_limit_is_refused_where_it_crosses_it() {
        check(&["123456789"], Err(too_large()));
        check(&["1234", "5678", "9", "never read"], Err(too_large()));
    }

    #[test]
    fn a_body_that_breaks_off_says_so() {
        let message = "the body cannot be read: the client left".to_owned();
        check(&["1", "broken"], Err(ApiError::Malformed(message)));
    }

    #[tokio::test]
    async fn an_announced_length_is_refused_unread() {
        let room = Room::default();
        let refused = read(Announced(1 << 40), LIMIT, &room, "orders").await;
        assert_eq!(refused.err(), Some(too_large()));
    }

    #[tokio::test]
    async fn room_is_given_back_and_its_lack_is_overload() {
        let room = Room {
            free: AtomicUsize::new(10),
        };
        let body = || Full::new(Bytes::from_static(b"12345678"));
        let first = read(body(), LIMIT, &room, "orders").await;
        assert!(first.is_ok());
        let overloaded = ApiError::Call(CallError::Overloaded {
            service: "orders".into(),
            retry_after: RETRY_AFTER,
        });
        let second = read(body(), LIMIT, &room, "orders").await;
        assert_eq!(second.err(), Some(overloaded));
        drop(first);
        assert!(read(body(), LIMIT, &room, "orders").await.is_ok());
    }
}
