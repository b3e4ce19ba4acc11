//! The tasks of one HTTP/2 connection, in the form in which hyper starts them.
//!
//! [`Tasks`] owns them: they end with it, at the latest. What hyper gets is an [`Executor`], which owns nothing,
//! so that a task that keeps one does not keep itself.

use super::task::{self, Task};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Tasks are looked through for finished ones when there are this many, and whenever their number has doubled since.
const SWEEP_AT_MIN: usize = 64;

/// Tasks of a connection; dropping this ends them at their next await.
#[derive(Default)]
pub struct Tasks(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    tasks: Vec<Task<()>>,
    sweep_at: usize,
}

/// Starts tasks that belong to a [`Tasks`]. After its end nothing is started.
#[derive(Clone)]
pub struct Executor(Weak<Mutex<Open>>);

impl Tasks {
    /// What starts tasks here.
    #[must_use]
    pub fn executor(&self) -> Executor {
        Executor(Arc::downgrade(&self.0))
    }
}

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        let Some(open) = self.0.upgrade() else { return };
        let task = task::spawn(future);
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.tasks.len() >= open.sweep_at {
            open.tasks.retain(|task| !task.is_finished());
            open.sweep_at = (open.tasks.len() * 2).max(SWEEP_AT_MIN);
        }
        open.tasks.push(task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::rt::Executor as _;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn tasks_end_with_their_owner_and_none_begins_after_it() {
        let tasks = Tasks::default();
        let executor = tasks.executor();
        let (kept, ended) = oneshot::channel::<()>();
        executor.execute(async move {
            let _kept = kept;
            std::future::pending::<()>().await;
        });
        drop(tasks);
        assert!(ended.await.is_err());
        let (kept, ended) = oneshot::channel::<()>();
        executor.execute(async move { assert!(kept.send(()).is_ok()) });
        assert!(ended.await.is_err());
    }

    #[tokio::test]
    async fn finished_tasks_are_forgotten() {
        let tasks = Tasks::default();
        for _ in 0..1_000 {
            tasks.executor().execute(async {});
            task::yield_now().await;
        }
        let open = tasks.0.lock().unwrap();
        assert!(open.tasks.len() <= SWEEP_AT_MIN, "{}", open.tasks.len());
    }
}
