//! Folds what was applied into the state store from time to time, so that the log stays short and a start does not take long.

use super::handle::{CheckpointAsked, Request};
use super::journal::{Fatal, Journal, Order};
use crate::os::Os;
use crate::os::clock::sleep;
use crate::os::task;
use crate::state::{Fold, GroupId, Store, StoreError};
use crate::supervisor::chain;
use crate::telemetry::Log;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How often it is looked whether the log has grown enough.
const LOOK: Duration = Duration::from_millis(250);

/// What checkpoints are made of.
pub struct Checkpoints {
    /// Where state goes.
    pub store: Store,
    /// Where it comes from.
    pub journal: Journal,
    /// The groups.
    pub groups: Vec<(GroupId, mpsc::WeakSender<Request>)>,
    /// Longest time between two, if anything changed.
    pub interval: Duration,
    /// A checkpoint is made when the log has so many bytes that are not in the state store.
    pub log_bytes: u64,
    /// Who wants one now.
    pub asked: mpsc::Receiver<CheckpointAsked>,
    /// Where to report.
    pub log: Log,
    /// Where to say that the host must stop.
    pub fatal: Fatal,
    /// The outside.
    pub os: Os,
}

/// Makes checkpoints until it is dropped.
pub async fn run(mut checkpoints: Checkpoints) {
    let clock = std::sync::Arc::clone(&checkpoints.os.clock);
    let mut last = clock.monotonic();
    let mut is_full = false;
    loop {
        let asked = tokio::select! {
            biased;
            Some(asked) = checkpoints.asked.recv() => Some(asked),
            () = sleep(clock.as_ref(), LOOK) => None,
        };
        checkpoints.journal.order(Order::Mark);
        let is_due = clock.monotonic().saturating_sub(last) >= checkpoints.interval;
        if asked.is_none() && !is_due && checkpoints.journal.live_bytes() < checkpoints.log_bytes {
            continue;
        }
        last = clock.monotonic();
        let made = checkpoints.make().await;
        if let Some(asked) = asked {
            // Whoever asked may have gone.
            let _ = asked.send(match &made {
                Ok(()) => Ok(()),
                Err(Failed::Full) => Err("the disk is full".into()),
                Err(Failed::Broken(reason)) => Err(reason.clone()),
            });
        }
        match made {
            Ok(()) => is_full = false,
            Err(Failed::Full) => {
                if !is_full {
                    checkpoints.log.warn(
                        None,
                        "the disk is full: no checkpoint could be made; commands are refused once the log has no room either",
                    );
                }
                is_full = true;
            }
            Err(Failed::Broken(reason)) => {
                checkpoints
                    .fatal
                    .report(&format!("the state store: {reason}"));
                return;
            }
        }
    }
}

enum Failed {
    /// The disk has no room; what is in memory and in the log is enough.
    Full,
    /// The host must stop.
    Broken(String),
}

impl Checkpoints {
    async fn make(&self) -> Result<(), Failed> {
        let mut folds = Vec::new();
        for (group, requests) in &self.groups {
            let Some(requests) = requests.upgrade() else {
                continue;
            };
            let (reply, frozen) = oneshot::channel();
            if requests.send(Request::Freeze(reply)).await.is_err() {
                continue;
            }
            if let Ok(Some((applied, layer))) = frozen.await {
                folds.push(Fold {
                    group: *group,
                    applied,
                    layer,
                });
            }
        }
        if folds.is_empty() {
            return Ok(());
        }
        let through: Vec<(GroupId, u64)> = folds
            .iter()
            .map(|fold| (fold.group, fold.applied))
            .collect();
        let (reply, folded) = oneshot::channel();
        let store = self.store.clone();
        let thread = task::thread("checkpoint", move || {
            // Nobody waits any more when the host stops; the next start folds again.
            let _ = reply.send(store.fold(&folds));
            // What was staged in vain or replaced is freed a piece at a time. An error comes again with the next fold.
            while let Ok(true) = store.sweep() {}
        });
        thread.map_err(|error| Failed::Broken(format!("cannot start a thread: {error}")))?;
        let folded = folded
            .await
            .map_err(|_| Failed::Broken("the thread of the checkpoint panicked".into()))?;
        match folded {
            Ok(()) => {
                for (group, _) in &through {
                    let base = self
                        .store
                        .base(*group)
                        .map_err(|error| Failed::Broken(chain(&error)))?;
                    self.tell(*group, Request::Folded(base)).await;
                }
                Ok(())
            }
            Err(StoreError::Full { .. }) => {
                for (group, _) in &through {
                    self.tell(*group, Request::Unfreeze).await;
                }
                Err(Failed::Full)
            }
            Err(error) => Err(Failed::Broken(chain(&error))),
        }
    }

    async fn tell(&self, group: GroupId, request: Request) {
        let known = self.groups.iter().find(|(id, _)| *id == group);
        if let Some(requests) = known.and_then(|(_, requests)| requests.upgrade()) {
            let _ = requests.send(request).await;
        }
    }
}
