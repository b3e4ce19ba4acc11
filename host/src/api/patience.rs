//! Ends connections that are of no use: whose other end is silent while nothing is under way, or does not read what it asked for.

use crate::os::Clock;
use crate::os::clock::Sleep;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A client may be silent this long between requests, and before the first. One that speaks HTTP/2 is pinged and answers.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// What was written has to be taken within this time.
const STALL_MAX: Duration = Duration::from_secs(30);

/// Requests under way on a connection.
#[derive(Clone, Default)]
pub struct UnderWay(Arc<AtomicUsize>);

/// One request under way, until it is dropped.
pub struct Request(Arc<AtomicUsize>);

impl UnderWay {
    /// Counts one more.
    pub fn begin(&self) -> Request {
        self.0.fetch_add(1, Ordering::Relaxed);
        Request(Arc::clone(&self.0))
    }

    fn is_none(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that fails with `TimedOut` once its other end has tried our patience.
pub struct Patient<S> {
    stream: S,
    clock: Arc<dyn Clock>,
    under_way: UnderWay,
    /// When something was last read. The timer is not set anew for each read; it looks at this when it goes off.
    heard: Duration,
    silence: Sleep,
    stall: Option<Sleep>,
}

impl<S> Patient<S> {
    /// Watches `stream`.
    pub fn new(stream: S, clock: Arc<dyn Clock>, under_way: UnderWay) -> Self {
        let heard = clock.monotonic();
        let silence = clock.sleep_until(heard.saturating_add(SILENCE_MAX));
        Self {
            stream,
            clock,
            under_way,
            heard,
            silence,
            stall: None,
        }
    }

    fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.silence.as_mut().poll(context));
            let now = self.clock.monotonic();
            if !self.under_way.is_none() {
                self.heard = now;
            }
            let until = self.heard.saturating_add(SILENCE_MAX);
            if until <= now {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.silence = self.clock.sleep_until(until);
        }
    }

    /// Passes on what became of a write, or its failure if it has been pending for too long.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stall = None;
            return written;
        }
        let clock = &self.clock;
        let stall = self
            .stall
            .get_or_insert_with(|| clock.sleep_until(clock.monotonic().saturating_add(STALL_MAX)));
        ready!(stall.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(context, buffer) {
            this.heard = this.clock.monotonic();
            return Poll::Ready(read);
        }
        this.poll_silence(context).map(Err)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    /// A clock that jumps to the end of every sleep at once, as tokio's paused one does when nothing else is to be done.
    #[derive(Default)]
    struct Jumping(Arc<Mutex<Duration>>);

    impl Clock for Jumping {
        fn monotonic(&self) -> Duration {
            *self.0.lock().unwrap()
        }

        fn wall(&self) -> Duration {
            self.monotonic()
        }

        fn sleep_until(&self, moment: Duration) -> Sleep {
            let now = Arc::clone(&self.0);
            Box::pin(async move {
                // Whatever is ready has its turn before time passes.
                crate::os::task::yield_now().await;
                let mut now = now.lock().unwrap();
                *now = moment.max(*now);
            })
        }
    }

    fn kind<T>(result: io::Result<T>) -> Option<io::ErrorKind> {
        result.err().map(|error| error.kind())
    }

    #[tokio::test]
    async fn a_silent_client_is_cut_off_unless_it_waits_for_an_answer() {
        let clock: Arc<dyn Clock> = Arc::new(Jumping::default());
        let (stream, _client) = duplex(64);
        let under_way = UnderWay::default();
        let mut patient = Patient::new(stream, Arc::clone(&clock), under_way.clone());
        let request = under_way.begin();
        let mut buffer = [0; 8];
        let read = patient.read(&mut buffer);
        tokio::pin!(read);
        let passes = async {
            while clock.monotonic() < SILENCE_MAX * 3 {
                crate::os::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            result = &mut read => panic!("cut off in the middle of a call: {result:?}"),
            () = passes => {}
        }
        let answered = clock.monotonic();
        drop(request);
        assert_eq!(kind(read.await), Some(io::ErrorKind::TimedOut));
        let silent = clock.monotonic() - answered;
        assert!(silent <= SILENCE_MAX, "{silent:?}");
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_cut_off() {
        let clock: Arc<dyn Clock> = Arc::new(Jumping::default());
        let (stream, mut client) = duplex(4);
        let under_way = UnderWay::default();
        let _request = under_way.begin();
        let mut patient = Patient::new(stream, Arc::clone(&clock), under_way.clone());
        let mut four = [0; 4];
        patient.write_all(b"1234").await.unwrap();
        client.read_exact(&mut four).await.unwrap();
        assert_eq!(clock.monotonic(), Duration::ZERO);
        assert_eq!(
            kind(patient.write_all(b"12345").await),
            Some(io::ErrorKind::TimedOut)
        );
        assert_eq!(clock.monotonic(), STALL_MAX);
    }
}
