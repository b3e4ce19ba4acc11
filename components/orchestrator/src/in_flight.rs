//! Calls that are under way at the same time.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A call that is under way.
pub type Call<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Calls, each with what it is for. A checkout has a handful, so looking at all of them costs less than knowing which one woke.
pub struct InFlight<'a, K, T>(Vec<(K, Call<'a, T>)>);

impl<'a, K: Copy, T> InFlight<'a, K, T> {
    /// None.
    pub fn new() -> Self {
        Self(Vec::with_capacity(4))
    }

    /// Adds a call. It begins when an answer is waited for.
    pub fn push(&mut self, key: K, call: Call<'a, T>) {
        self.0.push((key, call));
    }

    /// Waits for the next answer; `None` if no call is under way. Of answers that are there, the one that was asked for first.
    pub async fn next(&mut self) -> Option<(K, T)> {
        if self.0.is_empty() {
            return None;
        }
        Some(poll_fn(|context| self.poll(context)).await)
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<(K, T)> {
        for place in 0..self.0.len() {
            let (key, call) = &mut self.0[place];
            if let Poll::Ready(answer) = call.as_mut().poll(context) {
                let key = *key;
                // The first come stay the first asked.
                drop(self.0.remove(place));
                return Poll::Ready((key, answer));
            }
        }
        Poll::Pending
    }
}
