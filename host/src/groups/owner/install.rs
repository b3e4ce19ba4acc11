//! Fetching another replica's state, and putting it in the place of this one's.

use super::{Ended, Owner};
use crate::config::HostName;
use crate::groups::journal::Order;
use crate::groups::snapshots::{self, Fetch, Staged};
use crate::os::task;
use crate::replica::identity::Position;
use crate::replica::member::Input;
use crate::state::{Base, Staging, StoreError, View};
use crate::supervisor::chain;
use std::time::Duration;
use tokio::sync::oneshot;

/// How soon a disk without room is tried again.
const FULL_PAUSE: Duration = Duration::from_millis(250);

impl Owner {
    pub(super) fn fetch(&mut self, from: HostName, at: Position) {
        let Some(asking) = self.parts.asking.clone() else {
            return;
        };
        self.parts.log.info(
            None,
            &format!(
                "{} is too far behind to catch up from the log: it fetches the state as of entry {} from {from}",
                self.parts.name, at.index
            ),
        );
        let fetch = Fetch {
            service: self.parts.name.clone(),
            from,
            at,
            staging: self.parts.store.stage(self.parts.id),
            asking,
            os: self.parts.os.clone(),
        };
        let sender = self.staged_sender.clone();
        self.fetching = Some(task::spawn(async move {
            // The replica's task may have ended.
            let _ = sender.send(snapshots::fetch(fetch).await);
        }));
    }

    pub(super) fn fetched(&mut self, staged: Staged) -> Result<(), Ended> {
        self.fetching = None;
        match staged.staging {
            Ok(staging) => {
                let mut before = self.staged.iter();
                if before.any(|(_, staging)| staging.is_in_place()) {
                    return Err(self.half_installed());
                }
                self.staged = Some((staged.at, staging));
                Ok(())
            }
            Err(reason) => {
                let line = format!(
                    "the state of {} could not be fetched: {reason}",
                    self.parts.name
                );
                self.parts.log.warn(None, &line);
                Ok(self.tell(Input::NotFetched)?)
            }
        }
    }

    /// A state is in the store, the disk had no room to say so, and another leader has another one by now. What the replica has is older than what the store
    /// has; its own record says that this may be, so a start makes them fit again.
    fn half_installed(&self) -> Ended {
        self.parts.fatal.report(&format!(
            "the state of {} was put in place on a full disk, and is not wanted any more; the next start goes on with it",
            self.parts.name
        ));
        Ended::Alone
    }

    /// Whether a fetched state can be put in place now: not while a checkpoint folds the old one.
    pub(super) fn is_installable(&self) -> bool {
        let now = self.parts.os.clock.monotonic();
        self.staged.is_some() && self.folding.is_none() && now >= self.install_not_before
    }

    /// Puts a fetched state in place. Nothing else happens to this replica meanwhile.
    pub(super) async fn install(&mut self) -> Result<(), Ended> {
        let Some((at, staging)) = self.staged.take() else {
            return Ok(());
        };
        if !self.member.wants(at) {
            if staging.is_in_place() {
                return Err(self.half_installed());
            }
            self.tell(Input::NotFetched)?;
            return Ok(());
        }
        // A crash from here on is understood by this record.
        let record = self.member.installing(at);
        let (done, recorded) = oneshot::channel();
        self.parts
            .journal
            .order(Order::Record(self.parts.id, record, done));
        recorded.await.map_err(|_| self.log_ended())?;
        let (reply, installed) = oneshot::channel();
        let thread = task::thread("install", move || {
            let mut staging: Staging = staging;
            let installed: Result<Base, StoreError> = staging.install(at.index);
            // Nobody waits any more if the host stops.
            let _ = reply.send((staging, installed));
        });
        let failed = |reason: String| {
            self.parts
                .fatal
                .report(&format!("the state store: {reason}"));
            Ended::Alone
        };
        thread.map_err(|error| failed(format!("cannot start a thread: {error}")))?;
        let gone = |_| failed("the thread that puts a state in place ended".into());
        match installed.await.map_err(gone)? {
            (_, Ok(base)) => {
                self.tell(Input::Installed(Box::new(View::new(base))))?;
                self.alarm(None);
                let line = format!(
                    "{} has the state as of entry {}, and follows the log from there",
                    self.parts.name, at.index
                );
                self.parts.log.info(None, &line);
            }
            (staging, Err(StoreError::Full { .. })) => {
                self.staged = Some((at, staging));
                self.install_not_before = self.parts.os.clock.monotonic() + FULL_PAUSE;
            }
            (_, Err(error)) => return Err(failed(chain(&error))),
        }
        Ok(())
    }
}
