//! A value on trial: whether the host serves with it.

use super::Follower;
use crate::control::taken::{Before, Trial};
use crate::groups::GroupHandle;
use crate::os::clock::sleep;
use crate::services::{Slot, State};
use crate::supervisor::chain;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

/// How often a host on trial looks whether it serves.
const TRIAL_POLL: Duration = Duration::from_millis(50);
/// How long a service that cannot be loaded is tried again: what fails for longer does not mend itself.
const LOADING_MAX: Duration = Duration::from_secs(5);
/// How long the groups of a host on trial may take to know their leaders. Less than the turn lasts.
const TRIAL_MAX: Duration = Duration::from_secs(60);
/// How long to wait until what cannot be written is written again.
const WRITE_PAUSE: Duration = Duration::from_secs(1);

/// What keeps a host from serving.
enum Hindrance {
    /// A service cannot be loaded.
    Failed(String),
    /// Something takes its time.
    Late(String),
}

impl Follower {
    /// Waits until the host serves with the value on trial, and settles on it, or goes back.
    pub(super) async fn stand_trial(&mut self, trial: Trial) {
        let clock = Arc::clone(&self.os.clock);
        let began = clock.monotonic();
        let reason = loop {
            let passed = clock.monotonic().saturating_sub(began);
            match self.hindrance(&trial.before) {
                None => break None,
                Some(Hindrance::Failed(reason)) if passed >= LOADING_MAX => break Some(reason),
                Some(Hindrance::Late(reason)) if passed >= TRIAL_MAX => break Some(reason),
                Some(_) => sleep(clock.as_ref(), TRIAL_POLL).await,
            }
        };
        let revision = trial.value.revision;
        match reason {
            None => {
                self.taken.taken.settle(trial.value);
                self.log.info(
                    None,
                    &format!("runs revision {revision} of the cluster file"),
                );
                self.write().await;
            }
            Some(reason) => {
                let line = format!(
                    "cannot run revision {revision} of the cluster file and goes back to what it ran before: {reason}"
                );
                self.log.error(None, &line);
                self.taken.taken.fail(reason);
                self.write().await;
                self.begin_anew().await;
            }
        }
    }

    /// How the services of this host are now.
    pub(super) fn before(&self) -> Before {
        let named = |is_such: fn(&Slot) -> bool| {
            let such = self.services.iter().filter(|slot| is_such(slot));
            such.map(|slot| slot.service.name.to_string()).collect()
        };
        Before {
            ailing: named(|slot| matches!(&*slot.state(), State::Failed { .. })),
            led: named(|slot| slot.group.as_ref().is_some_and(knows_leader)),
        }
    }

    /// What keeps the host from serving as it did before.
    fn hindrance(&self, before: &Before) -> Option<Hindrance> {
        self.services.iter().find_map(|slot| {
            let name = slot.service.name.as_ref();
            let is_among = |names: &[String]| names.iter().any(|it| it == name);
            match &*slot.state() {
                State::Failed { reason } if !is_among(&before.ailing) => {
                    return Some(Hindrance::Failed(format!("service {name}: {reason}")));
                }
                State::Starting => {
                    return Some(Hindrance::Late(format!("service {name} does not start")));
                }
                _ => {}
            }
            let group = slot.group.as_ref().filter(|_| is_among(&before.led))?;
            let is_well = group.is_removed() || knows_leader(group);
            (!is_well).then(|| Hindrance::Late(format!("the replica of {name} finds no leader")))
        })
    }

    /// Writes until it is written: a host that forgot this would begin with something else next time.
    async fn write(&self) {
        while let Err(error) = self.taken.write() {
            self.log.error(None, &chain(&error));
            sleep(self.os.clock.as_ref(), WRITE_PAUSE).await;
        }
    }

    async fn begin_anew(&self) {
        match self.restart.ask() {
            Ok(()) => pending().await,
            // It runs what it cannot run well, until somebody starts it again.
            Err(error) => self.log.error(None, &chain(&error)),
        }
    }
}

fn knows_leader(group: &GroupHandle) -> bool {
    group.standing().borrow().leader.is_some()
}
