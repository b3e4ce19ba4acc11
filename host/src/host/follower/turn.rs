//! When a host may take something up: once all that are there could, and one after another.

use super::{FollowError, Follower};
use crate::config::HostName;
use crate::control::registry::{Outcome, TurnError};
use crate::os::clock::sleep;
use crate::replica::standing::Role;
use crate::transport::peers::Health;
use std::time::Duration;

/// How often a host that waits asks again.
const TURN_POLL: Duration = Duration::from_millis(200);
/// A host that is there says that it is ready once it has fetched, compiled and linked everything. One that does not for so long has other troubles, and must
/// not keep the others from what they are to run.
const READY_MAX: Duration = Duration::from_secs(60);

impl Follower {
    /// Waits until all hosts that are there could run `revision`, so that none begins with what another cannot run. A host that leads a service which is
    /// `swapped` waits until all others run it: what it writes from then on, whoever leads next can read. False if a host cannot, or it is not to be taken up
    /// any more.
    pub(super) async fn all_ready(
        &self,
        hosts: &[HostName],
        swapped: Option<&str>,
        revision: u64,
    ) -> Result<bool, FollowError> {
        let clock = self.os.clock.as_ref();
        let until = clock.monotonic().saturating_add(READY_MAX);
        loop {
            let leads = swapped.is_some_and(|service| self.leads(service));
            let standings = self.registry.standings().await?;
            let mut missing = Vec::new();
            for host in hosts.iter().filter(|host| **host != self.host) {
                let standing = standings.iter().find(|it| it.host == host.as_str());
                match standing.filter(|it| it.revision >= revision) {
                    Some(standing) if standing.revision > revision => return Ok(false),
                    Some(standing) => match &standing.outcome {
                        Outcome::Failed(_) => {
                            self.stays(host.as_str(), revision);
                            return Ok(false);
                        }
                        Outcome::Ready if leads && self.is_there(host) => {
                            missing.push(host.as_str());
                        }
                        Outcome::Ready | Outcome::Running => {}
                    },
                    None if self.is_there(host) => missing.push(host.as_str()),
                    // It takes up whatever is in force when it is back.
                    None => {}
                }
            }
            if missing.is_empty() {
                return Ok(true);
            }
            if clock.monotonic() >= until {
                let line = format!(
                    "does not wait any longer until {} could run revision {revision}",
                    missing.join(", ")
                );
                self.log.warn(None, &line);
                return Ok(true);
            }
            sleep(clock, TURN_POLL).await;
        }
    }

    /// Whether the replica of a service on this host leads.
    fn leads(&self, service: &str) -> bool {
        let group = self
            .services
            .find(service)
            .and_then(|slot| slot.group.as_ref());
        group.is_some_and(|group| group.standing().borrow().role == Role::Leader)
    }

    /// Whether another host answers.
    fn is_there(&self, host: &HostName) -> bool {
        let mut peers = self.peers.indexes().map(|index| self.peers.get(index));
        let peer = peers.find(|peer| peer.name == *host);
        peer.is_some_and(|peer| matches!(peer.view().health, Health::Up))
    }

    fn stays(&self, host: &str, revision: u64) {
        let line = format!(
            "stays with revision {}, since {host} could not run revision {revision}",
            self.taken.taken.revision()
        );
        self.log.warn(None, &line);
    }

    /// Waits for the turn of this host. False if the revision is not to be taken up any more.
    pub(super) async fn turn(&self, revision: u64) -> Result<bool, FollowError> {
        loop {
            match self.registry.take_turn(&self.host, revision).await {
                Ok(()) => return Ok(true),
                Err(TurnError::Busy(_)) => sleep(self.os.clock.as_ref(), TURN_POLL).await,
                // The next look finds the newer one.
                Err(TurnError::Superseded(_)) => return Ok(false),
                Err(TurnError::Failed(host)) => {
                    self.stays(&host, revision);
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
