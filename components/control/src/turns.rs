//! How far hosts are with the revision in force, and which of them may take it up now.

use crate::bindings::exports::bookshop::control::registry::{Outcome, Standing, Turn, TurnRefusal};
use crate::{bounds, stored};
use keys::{Direction, Keys, prefix_end};

/// How long a host has the turn for itself: it drains, restarts and catches up in that time. In milliseconds.
const TURN_MS: u64 = 120_000;

/// Hosts that are remembered.
const STANDINGS_MAX: usize = 256;

/// Longest reason of a failure, in bytes.
const REASON_BYTES_MAX: usize = 1 << 10;

/// Turns and standings over the keys that they are kept in.
pub struct Turns<'a, K>(&'a K);

impl<'a, K: Keys> Turns<'a, K> {
    /// What these keys have.
    pub fn new(keys: &'a K) -> Self {
        Self(keys)
    }

    /// Gives `host` the turn for `revision`; `current` is the one in force.
    pub fn take(
        &self,
        host: &str,
        revision: u64,
        current: u64,
        now_ms: u64,
    ) -> Result<(), TurnRefusal> {
        if revision != current || current == 0 {
            return Err(TurnRefusal::Superseded(current));
        }
        // The host that failed may try again: what was in its way may be gone.
        let failed = |standing: &Standing| {
            standing.revision == current
                && standing.host != host
                && matches!(standing.outcome, Outcome::Failed(_))
        };
        if let Some(standing) = self.standings().into_iter().find(failed) {
            return Err(TurnRefusal::Failed(standing.host));
        }
        // A turn for an older revision counts too: that host may be in the middle of it.
        if let Some(turn) = self.current(now_ms) {
            if turn.host != host {
                return Err(TurnRefusal::Busy(turn.host));
            }
            if turn.revision == revision {
                return Ok(());
            }
        }
        let turn = Turn {
            host: host.to_owned(),
            revision,
            since_ms: now_ms,
            until_ms: now_ms.saturating_add(TURN_MS),
        };
        self.0.set(stored::TURN, &stored::turn(&turn));
        Ok(())
    }

    /// Notes what came of `revision` on `host`.
    pub fn report(&self, host: &str, revision: u64, outcome: Outcome, now_ms: u64) -> bool {
        if !(1..=bounds::NAME_BYTES_MAX).contains(&host.len()) {
            return false;
        }
        let outcome = match outcome {
            Outcome::Running => Outcome::Running,
            Outcome::Ready => Outcome::Ready,
            Outcome::Failed(reason) => {
                Outcome::Failed(keys::bytes::cut(&reason, REASON_BYTES_MAX).to_owned())
            }
        };
        let standing = Standing {
            host: host.to_owned(),
            revision,
            outcome,
            at_ms: now_ms,
        };
        self.0
            .set(&stored::standing_key(host), &stored::standing(&standing));
        self.forget(host);
        if self.turn().is_some_and(|turn| turn.host == host) {
            self.0.delete(stored::TURN);
        }
        true
    }

    /// What hosts reported, in the order of their names.
    pub fn standings(&self) -> Vec<Standing> {
        let end = prefix_end(stored::STANDINGS);
        // One may be more, while it is not forgotten yet.
        let limit = STANDINGS_MAX as u32 + 1;
        let lines = self
            .0
            .scan(stored::STANDINGS, end.as_deref(), limit, Direction::Forward);
        let standing = |(_, line): (_, Vec<u8>)| stored::read_standing(&line);
        lines.into_iter().map(standing).collect()
    }

    /// Who has the turn at this time.
    pub fn current(&self, now_ms: u64) -> Option<Turn> {
        self.turn().filter(|turn| now_ms < turn.until_ms)
    }

    fn turn(&self) -> Option<Turn> {
        let bytes = self.0.get(stored::TURN);
        bytes.map(|bytes| stored::read_turn(&bytes))
    }

    /// Forgets who said least recently anything, if that is one too many; never who just did.
    fn forget(&self, reporter: &str) {
        let standings = self.standings();
        if standings.len() <= STANDINGS_MAX {
            return;
        }
        let others = standings.iter().filter(|it| it.host != reporter);
        if let Some(oldest) = others.min_by_key(|standing| standing.at_ms) {
            self.0.delete(&stored::standing_key(&oldest.host));
        }
    }
}

#[cfg(test)]
mod tests;
