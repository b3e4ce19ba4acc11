//! Answers that wait for whoever asked to read them, on one connection.
//!
//! HTTP/2 takes a body that comes in one piece whole, however little its reader takes; in slices it takes no more than the reader has room
//! for, and the rest waits here and is counted. A reader that only asks gets no further answers then, instead of this host's memory. Used for
//! connections of peers and of programs outside.

use crate::call_error::CallError;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

/// What HTTP/2 is given of an answer at once: a few frames.
const SLICE_BYTES: usize = 64 << 10;
/// Bytes of answers that may wait on one connection; as many seconds as its reader needs for them are no use to anybody.
const UNREAD_BYTES_MAX: usize = 64 << 20;
/// When a reader that was refused may come again: by then it has read some.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// The answers of one connection; clones count together.
#[derive(Debug, Clone, Default)]
pub struct Unread(Arc<AtomicUsize>);

/// What is left of one answer.
pub struct Answer {
    rest: Bytes,
    unread: Unread,
}

impl Unread {
    /// Whether a call of `service` may begin. Another look is taken at its end, since many may begin before the first ends.
    ///
    /// # Errors
    /// [`CallError::Overloaded`]: too much waits to be read.
    pub fn check(&self, service: &str) -> Result<(), CallError> {
        if self.is_full() {
            return Err(CallError::Overloaded {
                service: service.to_owned(),
                retry_after: RETRY_AFTER,
            });
        }
        Ok(())
    }

    /// An answer with the results of `service`.
    ///
    /// # Errors
    /// [`CallError::Unavailable`]: too much waits to be read, so this is thrown away.
    pub fn answer(&self, bytes: Bytes, service: &str) -> Result<Answer, CallError> {
        if self.is_full() {
            return Err(CallError::Unavailable {
                service: service.to_owned(),
                message: format!(
                    "the call was executed, and its answer thrown away, since more than {} MiB of earlier ones were not read on this connection",
                    UNREAD_BYTES_MAX >> 20
                ),
                maybe_executed: true,
            });
        }
        Ok(self.refusal(bytes))
    }

    /// An answer that is small, such as those that say why there is no other: it is sent whatever waits.
    #[must_use]
    pub fn refusal(&self, bytes: Bytes) -> Answer {
        self.0.fetch_add(bytes.len(), Ordering::Relaxed);
        Answer {
            rest: bytes,
            unread: self.clone(),
        }
    }

    fn is_full(&self) -> bool {
        self.0.load(Ordering::Relaxed) > UNREAD_BYTES_MAX
    }

    fn taken(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(SLICE_BYTES);
        let slice = self.rest.split_to(length);
        self.unread.taken(slice.len());
        Poll::Ready(Some(Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.unread.taken(self.rest.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn an_answer_comes_whole_in_slices_and_is_then_forgotten() {
        let (unread, bytes) = (Unread::default(), Bytes::from(vec![7; 150_000]));
        let answer = unread
            .answer(bytes.clone(), "orders")
            .expect("nothing waits");
        assert_eq!(unread.0.load(Ordering::Relaxed), bytes.len());
        assert_eq!(answer.size_hint().exact(), Some(150_000));
        let collected = answer.collect().await.expect("it cannot fail").to_bytes();
        assert_eq!((collected, unread.0.load(Ordering::Relaxed)), (bytes, 0));
    }

    #[test]
    fn who_does_not_read_gets_no_more_until_what_waits_is_dropped() {
        let unread = Unread::default();
        let bytes = Bytes::from(vec![7; UNREAD_BYTES_MAX]);
        let first = unread.answer(bytes, "orders").expect("nothing waits");
        assert_eq!(unread.check("orders"), Ok(()));
        let second = unread.answer(Bytes::from_static(b"a"), "orders");
        let second = second.expect("no more than the bound waits");
        let refused = unread.check("orders").expect_err("too much waits");
        assert_eq!(refused.code(), "overloaded");
        let thrown = unread.answer(Bytes::new(), "orders").err();
        assert_eq!(thrown.map(|error| error.code()), Some("unavailable"));
        drop((first, second));
        assert_eq!(unread.check("orders"), Ok(()));
    }
}
