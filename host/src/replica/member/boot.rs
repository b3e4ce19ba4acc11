//! How a replica begins: from what its host kept, and again after its engine failed.

use super::{Asker, Member, MemberError, Output, Record, Saves, record};
use crate::replica::consensus::{Consensus, EngineError};
use crate::replica::group::{self, Group};
use crate::replica::identity::Identity;
use crate::replica::keyspace::ROSTER;
use crate::replica::roster::Roster;
use crate::replica::standing::Standing;
use crate::replica::time::Now;
use crate::replica::window::Window;
use crate::replica::wit;
use crate::state::View;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

/// After the engine failed it is started again after this long, then after twice as long, up to the maximum: what made it fail may come again.
const RESTART_MIN: Duration = Duration::from_millis(1);
pub(super) const RESTART_MAX: Duration = Duration::from_secs(1);
/// Ticks between two heartbeats. Two, so that neither is late by more than half an interval.
const HEARTBEAT_TICKS: u32 = 2;

/// How a group keeps time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How often a leader shows that it is there.
    pub heartbeat: Duration,
    /// How long its silence is borne, at least; at most twice as long.
    pub election: Duration,
}

impl Timing {
    /// The length of the engine's tick, in milliseconds.
    fn tick_ms(self) -> u64 {
        (millis(self.heartbeat) / u64::from(HEARTBEAT_TICKS)).max(1)
    }

    fn election_ticks(self) -> u32 {
        let ticks = millis(self.election).div_ceil(self.tick_ms());
        // Raft wants more than a heartbeat.
        u32::try_from(ticks)
            .unwrap_or(u32::MAX)
            .max(HEARTBEAT_TICKS + 1)
    }
}

/// What a replica begins with.
pub struct Boot {
    /// The service's.
    pub options: group::Options,
    /// The replica's own record.
    pub identity: Identity,
    /// The state at the last checkpoint.
    pub view: View,
    /// As of which entry; 0 if there was none.
    pub applied: u64,
    /// The log's entries.
    pub records: Vec<Record>,
    /// How it keeps time.
    pub timing: Timing,
    /// Randomises its timeouts.
    pub seed: u64,
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The members of a group as of a state of it that is with the replica of `identity`.
///
/// # Errors
/// See [`MemberError`].
pub fn members(view: &View, identity: &Identity) -> Result<Roster, MemberError> {
    Ok(roster(view)?.unwrap_or_else(|| identity.first.clone()))
}

/// The members that a state has.
pub(super) fn roster(view: &View) -> Result<Option<Roster>, MemberError> {
    let found = view.get(ROSTER)?;
    Ok(found.map(Roster::from_bytes).transpose()?)
}

impl<C: Consensus> Member<C> {
    /// Begins, with an engine that `start` makes.
    ///
    /// # Errors
    /// See [`MemberError`].
    pub fn start(
        boot: Boot,
        now: Now,
        start: impl FnOnce(Window, &wit::Boot) -> Result<(C, wit::Output), EngineError>,
        outputs: &mut Vec<Output>,
    ) -> Result<Self, MemberError> {
        let Boot {
            options,
            mut identity,
            mut view,
            mut applied,
            records,
            timing,
            seed,
        } = boot;
        let mutant = options.mutant;
        let roster = match roster(&view)? {
            Some(roster) => roster,
            None => {
                // Nothing was folded yet, so the state is the one that the group began with.
                let first = identity.first.clone();
                if !first.hosts.is_empty() {
                    view.apply([(Bytes::from_static(ROSTER), Some(first.to_bytes()))]);
                    applied = applied.max(1);
                }
                first
            }
        };
        let mut window = Window::new(identity.start.index, identity.start.term);
        let records = records.into_iter();
        for record in records.filter(|(index, _)| *index > identity.start.index) {
            window.push(record::decode(record)?);
        }
        let last = window.last();
        identity.hard.commit = committed(&identity, &roster, &window, applied);
        identity.hard.commit = identity.hard.commit.clamp(applied.min(last), last);
        let wit_boot = boot_of(&identity, &roster, &window, applied, timing, seed);
        window.offer(wit::Snapshot {
            index: applied,
            term: window.term(applied).unwrap_or_default(),
            members: roster.members.clone(),
        });
        let mut group = Group::recover(options, view, applied)?;
        group.set_alone(roster.is_alone(identity.id));
        let (engine, output) = start(window, &wit_boot)?;
        let mut member = Self {
            group,
            engine,
            identity,
            roster,
            met: BTreeMap::new(),
            timing,
            seed,
            events: Vec::new(),
            standing: wit::Standing {
                role: wit::Role::Follower,
                term: 0,
                leader: 0,
            },
            first_own: None,
            told: Standing::default(),
            saves: Saves::default(),
            asking: Vec::new(),
            asked: BTreeMap::new(),
            next_question: 0,
            asked_at: Duration::ZERO,
            reading: Vec::new(),
            marked: None,
            offer: None,
            restarting: None,
            successor: None,
            is_handing: false,
            engine_tick: now.monotonic,
            broken: None,
            failures: 0,
            mutant,
        };
        member.carry_out(now, output, outputs)?;
        Ok(member)
    }

    /// The engine failed: everything that rests on it is void, and it is started again once all that it ordered is on the disk.
    pub(super) fn fail(
        &mut self,
        now: Now,
        error: &EngineError,
        outputs: &mut Vec<Output>,
    ) -> Result<(), MemberError> {
        let delay = RESTART_MIN.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        self.broken = Some(now.monotonic.saturating_add(delay.min(RESTART_MAX)));
        self.events.clear();
        self.offer = None;
        self.saves.forget_engine();
        self.restart_log(outputs);
        outputs.push(Output::Failed(error.to_string()));
        let asked = mem::take(&mut self.asked).into_values().flatten();
        let asking = mem::take(&mut self.asking);
        outputs.extend(asked.chain(asking).map(Asker::failed));
        let standing = wit::Standing {
            role: wit::Role::Follower,
            term: self.standing.term,
            leader: 0,
        };
        self.stand(now, standing, outputs)?;
        self.tell(self.group.serves(), outputs);
        Ok(())
    }

    pub(super) fn revive(
        &mut self,
        now: Now,
        outputs: &mut Vec<Output>,
    ) -> Result<(), MemberError> {
        // Its contexts of reads must not be taken for those of the engine before.
        self.seed = self.seed.wrapping_add(1);
        let applied = self.group.committed().2;
        let window = self.engine.window();
        self.identity.hard.commit = self.identity.hard.commit.clamp(applied, window.last());
        let (identity, roster) = (&self.identity, &self.roster);
        let boot = boot_of(identity, roster, window, applied, self.timing, self.seed);
        self.broken = None;
        match self.engine.restart(&boot) {
            Ok(output) => {
                let failures = self.failures;
                self.carry_out(now, output, outputs)?;
                // Only a step that succeeds shows that it works again.
                self.failures = failures;
                Ok(())
            }
            Err(error) => self.fail(now, &error, outputs),
        }
    }
}

/// What is known to be committed. The only replica knows that all it has is, up to a change of that.
fn committed(identity: &Identity, roster: &Roster, window: &Window, applied: u64) -> u64 {
    if !roster.is_alone(identity.id) {
        return identity.hard.commit;
    }
    let entries = window.after(applied);
    let mut changes = entries.filter(|entry| entry.kind == wit::EntryKind::Change);
    changes.next().map_or(window.last(), |change| change.index)
}

fn boot_of(
    identity: &Identity,
    roster: &Roster,
    window: &Window,
    applied: u64,
    timing: Timing,
    seed: u64,
) -> wit::Boot {
    wit::Boot {
        id: identity.id,
        seed,
        tick_ms: timing.tick_ms(),
        election_ticks: timing.election_ticks(),
        heartbeat_ticks: HEARTBEAT_TICKS,
        hard: identity.hard,
        members: roster.members.clone(),
        applied,
        first: window.first(),
        last: window.last(),
        terms: window.runs(),
    }
}
