//! Tasks and threads.
//!
//! A [`Task`] ends when its handle is dropped, so nothing runs without an owner.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A task of this thread's runtime; dropping the handle ends the task at its next await.
pub struct Task<T> {
    handle: tokio::task::JoinHandle<T>,
    is_released: bool,
}

/// The task ended without a result: it panicked, or its runtime is shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// A bug of the host; the panic message is on standard error.
    #[error("the task panicked")]
    Panicked,
    /// The runtime is shutting down.
    #[error("the task was cancelled")]
    Cancelled,
}

/// Starts `future` on the runtime of this thread.
pub fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Task {
        handle: tokio::spawn(future),
        is_released: false,
    }
}

impl<T> Task<T> {
    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// Lets the task run to its own end. Only for tasks that are bounded by a deadline and counted elsewhere.
    pub fn release(mut self) {
        self.is_released = true;
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = Pin::new(&mut self.handle).poll(context);
        polled.map_err(|error| ended(&error))
    }
}

fn ended(error: &tokio::task::JoinError) -> TaskError {
    if error.is_panic() {
        TaskError::Panicked
    } else {
        TaskError::Cancelled
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if !self.is_released {
            self.handle.abort();
        }
    }
}

/// Lets every other task that is ready run first.
pub async fn yield_now() {
    tokio::task::yield_now().await;
}

/// Starts a thread that runs `body` to its end.
///
/// # Errors
/// As the operating system says.
pub fn thread<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<std::thread::JoinHandle<T>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
}

/// Runs `work`, which may wait for a disk, on a thread that nothing else waits for. It runs to its end, whoever waits for it.
///
/// # Errors
/// It panicked, or the runtime is shutting down.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, TaskError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ended(&error))
}

/// A runtime that runs all its tasks on the thread that drives it.
///
/// # Errors
/// As the operating system says.
pub fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

/// Threads this machine can run at once; 1 if it does not say.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
