//! One replica of a group: what it decides with the others, and what it does with what was decided.
//!
//! [`Member`] joins the [`Group`], which makes and applies entries, with the consensus engine, which gets them into the log of a majority. Like both
//! it touches nothing outside: [`Member::take`] is told what happened, [`Member::turn`] gives the engine all of that at once, and both say what to do, in
//! order. Whoever drives it (`groups` in production, `simulation`) has a log, a network and guests.
//!
//! *Persist before speak* is the engine's rule: what must be on the disk first it says only after [`Input::Persisted`].

use super::consensus::{Consensus, EngineError};
use super::event::{Action, Event};
use super::group::Group;
use super::identity::{Identity, Position};
use super::mutant::Mutant;
use super::roster::Roster;
use super::standing::{Role, Standing};
use super::time::Now;
use super::wit;
use crate::config::HostName;
use crate::state::View;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

mod boot;
mod installing;
mod io;
mod members;
mod reads;
mod record;
mod saving;

use reads::Asker;
use saving::Saves;

pub use boot::{Boot, Timing, members as roster};
pub use io::{Input, MemberError, Output, Save};
pub use members::{Change, ChangeError};
pub use record::{Record, RecordError, decode as decode_record};

/// Of so many entries the state of one can be compared with that of other replicas. A power of two. A copy of it is a few reference counts, and is gone when it was compared.
const MARK_EVERY: u64 = 1024;
/// How often the engine is asked again in one turn. Each time it is told what came of its last actions; it needs two.
const ROUNDS_MAX: usize = 16;

/// One replica of a group.
pub struct Member<C> {
    group: Group,
    engine: C,
    identity: Identity,
    roster: Roster,
    /// Hosts of replicas that spoke and are not in the roster: it may be older than they are.
    met: BTreeMap<u64, HostName>,
    timing: Timing,
    seed: u64,
    events: Vec<wit::Event>,
    standing: wit::Standing,
    /// The first entry of its own term, if it leads. It serves once that is applied.
    first_own: Option<u64>,
    told: Standing,
    saves: Saves,
    /// Those whose question is not with the engine.
    asking: Vec<Asker>,
    /// Questions that are, by their number.
    asked: BTreeMap<u64, Vec<Asker>>,
    next_question: u64,
    /// When the last one was asked.
    asked_at: Duration,
    /// Those whose entry is known and not applied yet.
    reading: Vec<(u64, Asker)>,
    /// See [`take_marked`](Self::take_marked).
    marked: Option<(u64, View)>,
    /// The offer of a snapshot whose content is being fetched.
    offer: Option<wit::Message>,
    /// The state that was taken over, and the term of its offer, until the log is told to begin after it.
    restarting: Option<(Position, u64)>,
    /// Who is to lead as soon as nothing is under way, and until when that is tried.
    successor: Option<(u64, Duration)>,
    /// Whether the engine was told of the successor.
    is_handing: bool,
    /// When the engine wants to be asked.
    engine_tick: Duration,
    /// When an engine that failed is started again, and how often in a row it failed.
    broken: Option<Duration>,
    failures: u32,
    mutant: Option<Mutant>,
}

impl<C: Consensus> Member<C> {
    /// The group.
    #[must_use]
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// The group, for checkpoints.
    pub fn group_mut(&mut self) -> &mut Group {
        &mut self.group
    }

    /// Who belongs to the group.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Its own record.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// A state at an entry of which all replicas have one, as it was when that was applied. Taken once.
    pub fn take_marked(&mut self) -> Option<(u64, View)> {
        self.marked.take()
    }

    /// The first and the last of the entries that are kept.
    #[must_use]
    pub fn kept(&self) -> (u64, u64) {
        let window = self.engine.window();
        (window.first(), window.last())
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.identity.id
    }

    /// Its part in the group.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        &self.told
    }

    /// What the engine says of itself, for people.
    ///
    /// # Errors
    /// It failed.
    pub fn status(&mut self) -> Result<wit::Status, EngineError> {
        self.engine.status()
    }

    /// When [`turn`](Self::turn) is to be called at the latest, by the monotonic clock.
    pub fn next_tick(&mut self, now: Now) -> Duration {
        let engine = match self.broken {
            // Only what is on its way to the disk is waited for, and that is told.
            Some(_) if !self.saves.is_idle() => now.monotonic.saturating_add(boot::RESTART_MAX),
            Some(retry) => retry,
            None => self.engine_tick,
        };
        let group = self.group.next_tick(now);
        let handover = self.successor.map(|(_, until)| until);
        let question = self.next_question().filter(|_| self.broken.is_none());
        [group, handover, question]
            .into_iter()
            .flatten()
            .fold(engine, Duration::min)
    }

    /// Whether the engine has something to be told.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.events.is_empty() || self.next_question() == Some(Duration::ZERO)
    }

    /// Takes what happened.
    ///
    /// # Errors
    /// See [`MemberError`].
    pub fn take(
        &mut self,
        now: Now,
        input: Input,
        outputs: &mut Vec<Output>,
    ) -> Result<(), MemberError> {
        match input {
            Input::Group(event) => self.group_step(now, event, outputs)?,
            Input::Read(caller) => self.read(caller, outputs),
            Input::Message(from, message) => self.message(from, message, outputs),
            Input::Persisted(token) => self.persisted(token, outputs),
            Input::PeerLost(host) => {
                let lost = self.others_on(&host).map(wit::Event::PeerLost);
                self.events.extend(lost.collect::<Vec<_>>());
            }
            Input::PeerFound(host) => {
                let found = self.others_on(&host);
                // Its process may have been started again, and know nothing of a state that it was about to fetch.
                let found = found.flat_map(|id| {
                    let begun_anew = wit::Event::SnapshotSent((id, false));
                    [wit::Event::PeerFound(id), begun_anew]
                });
                self.events.extend(found.collect::<Vec<_>>());
            }
            Input::Installed(view) => {
                if let Some(offer) = self.offer.take() {
                    // The window is as the engine knows it only when the engine has been told of everything.
                    self.turn(now, outputs)?;
                    self.installed(offer, *view, outputs)?;
                }
            }
            Input::NotFetched => self.offer = None,
            Input::Sent(to, is_there) => {
                self.events.push(wit::Event::SnapshotSent((to, is_there)));
            }
            Input::Full(is_full) => {
                self.group.set_full(is_full);
                if is_full && self.roster.is_alone(self.identity.id) {
                    self.group_step(now, Event::Stuck, outputs)?;
                }
            }
            Input::Transfer(host) => {
                self.transfer(now, &host);
                self.tell(self.group.serves(), outputs);
            }
            Input::Change(change) => self.change(&change),
        }
        Ok(())
    }

    /// Gives the engine everything that happened, and has the group do what is due.
    ///
    /// # Errors
    /// See [`MemberError`].
    pub fn turn(&mut self, now: Now, outputs: &mut Vec<Output>) -> Result<(), MemberError> {
        if let Some(retry) = self.broken {
            if now.monotonic < retry || !self.saves.is_idle() {
                return Ok(());
            }
            self.revive(now, outputs)?;
        }
        self.hand_over(now);
        if now.monotonic >= self.engine_tick {
            // It may have been refused before, as during a handover.
            self.leave_joint();
        }
        for round in 0..ROUNDS_MAX {
            self.ask(now);
            let is_due = round == 0 && now.monotonic >= self.engine_tick;
            if self.events.is_empty() && !is_due {
                break;
            }
            let events = mem::take(&mut self.events);
            let stepped = self.engine.step(boot::millis(now.monotonic), &events);
            match stepped {
                Ok(output) => self.carry_out(now, output, outputs)?,
                Err(error) => {
                    self.fail(now, &error, outputs)?;
                    return Ok(());
                }
            }
        }
        self.group_step(now, Event::Tick, outputs)?;
        self.tell(self.group.serves(), outputs);
        Ok(())
    }

    /// Has the group take an event. What it wants to be logged goes to the engine with the next turn.
    fn group_step(
        &mut self,
        now: Now,
        event: Event,
        outputs: &mut Vec<Output>,
    ) -> Result<(), MemberError> {
        let mut actions = Vec::new();
        self.group.step(now, event, &mut actions)?;
        for action in actions {
            match action {
                Action::Append { index, entry } => {
                    self.events.push(wit::Event::Propose(wit::Proposal {
                        term: self.standing.term,
                        index,
                        data: entry.into(),
                    }));
                }
                Action::Confirm(id) => self.asking.push(Asker::Command(id)),
                action @ (Action::Run { .. }
                | Action::Abandon
                | Action::Answer { .. }
                | Action::Deliver(_)
                | Action::Publish) => outputs.push(Output::Group(action)),
            }
        }
        Ok(())
    }

    fn carry_out(
        &mut self,
        now: Now,
        output: wit::Output,
        outputs: &mut Vec<Output>,
    ) -> Result<(), MemberError> {
        self.failures = 0;
        self.engine_tick = now
            .monotonic
            .saturating_add(Duration::from_millis(output.next_ms));
        let mut answers = Vec::new();
        let before = self.group.committed().2;
        // The state that the engine was offered, before it goes on. Only if it is wanted: while somebody holds a state, each change copies what it touches.
        let offers = |action: &wit::Action| matches!(action, wit::Action::Send(message) if message.snapshot.is_some());
        let offered = output
            .actions
            .iter()
            .any(offers)
            .then(|| (before, self.group.committed().0.clone()));
        let mut applied = None;
        for action in output.actions {
            match action {
                wit::Action::Save(save) => self.save(save, outputs),
                wit::Action::Send(message) => self.send(message, offered.as_ref(), outputs),
                wit::Action::Commit((low, high)) => {
                    self.apply(low, high, &mut answers)?;
                    applied = Some(high);
                }
                wit::Action::Refused(index) => {
                    self.group_step(now, Event::Refused(index), outputs)?;
                }
                wit::Action::ReadReady((question, index)) => {
                    let askers = self.asked.remove(&question).unwrap_or_default();
                    self.reading
                        .extend(askers.into_iter().map(|asker| (index, asker)));
                }
                wit::Action::ReadFailed(question) => {
                    let askers = self.asked.remove(&question).unwrap_or_default();
                    outputs.extend(askers.into_iter().map(Asker::failed));
                }
                // What was taken over from another replica has it already.
                wit::Action::Changed(changed) if changed.index <= before => {}
                wit::Action::Changed(changed) => self.changed(changed, outputs)?,
                wit::Action::Standing(standing) => self.stand(now, standing, outputs)?,
            }
        }
        let index = self.group.committed().2;
        if index > before {
            self.offer_state();
            if !self.has(Mutant::ForgetPublish) {
                // Queries see it before its callers hear of it.
                outputs.push(Output::Group(Action::Publish));
            }
        }
        self.events.extend(applied.map(wit::Event::Applied));
        // The engine takes no change before it knows that the one before is applied.
        self.leave_joint();
        outputs.extend(answers.into_iter().map(Output::Group));
        self.answer_reads(outputs);
        self.serve(now, outputs)
    }

    fn send(
        &mut self,
        message: wit::Message,
        offered: Option<&(u64, View)>,
        outputs: &mut Vec<Output>,
    ) {
        let Some(to) = self.host_of(message.to) else {
            return;
        };
        if let Some(snapshot) = &message.snapshot {
            match offered {
                Some((index, view)) if *index == snapshot.index => outputs.push(Output::Pin {
                    index: *index,
                    view: Box::new(view.clone()),
                }),
                // It waited for the disk, and that state is gone: the engine offers another.
                Some(_) | None => {
                    self.events
                        .push(wit::Event::SnapshotSent((message.to, false)));
                    return;
                }
            }
        }
        outputs.push(Output::Send { to, message });
    }

    fn host_of(&self, id: u64) -> Option<HostName> {
        let known = self.roster.hosts.get(&id).or_else(|| self.met.get(&id));
        known.cloned()
    }

    fn apply(&mut self, low: u64, high: u64, answers: &mut Vec<Action>) -> Result<(), MemberError> {
        // A state that was taken over may have what the engine says of entries that were in the log already.
        let low = low.max(self.group.committed().2 + 1);
        for index in low..=high {
            let entry = self.engine.window().get(index);
            let entry =
                entry.expect("what is committed was saved here, and is kept until it is applied");
            let data = match entry.kind {
                wit::EntryKind::Normal => entry.data.clone(),
                wit::EntryKind::Change => Bytes::new(),
            };
            self.group.apply(index, &data, answers)?;
            // Who the members are becomes part of the state only after this: not of such an entry.
            if index.is_multiple_of(MARK_EVERY) && !data.is_empty() {
                self.mark(index);
            }
        }
        Ok(())
    }

    /// Keeps the state for whoever compares it with that of others. Replicas may be busy at different times, so of two the one is kept that more of them keep.
    fn mark(&mut self, index: u64) {
        let is_better =
            |(marked, _): &(u64, View)| index.trailing_zeros() >= marked.trailing_zeros();
        if self.marked.as_ref().is_none_or(is_better) {
            self.marked = Some((index, self.group.committed().0.clone()));
        }
    }

    /// The state that can be sent to others is the newest one. Not before all of an output is carried out: what the engine wants to be sent
    /// is of the state that was offered when it was asked.
    fn offer_state(&mut self) {
        let index = self.group.committed().2;
        let window = self.engine.window_mut();
        let term = window.term(index).unwrap_or_default();
        window.offer(wit::Snapshot {
            index,
            term,
            members: self.roster.members.clone(),
        });
    }

    fn stand(
        &mut self,
        now: Now,
        standing: wit::Standing,
        outputs: &mut Vec<Output>,
    ) -> Result<(), MemberError> {
        let is_same = self.standing.term == standing.term;
        let led = self.standing.role == wit::Role::Leader;
        let leads = standing.role == wit::Role::Leader;
        self.standing = standing;
        if led && !(leads && is_same) {
            self.first_own = None;
            self.successor = None;
            self.is_handing = false;
            // Whoever is told to ask elsewhere looks here first for where that is.
            self.tell(false, outputs);
            self.forget_commands(outputs);
            self.group_step(now, Event::Follows, outputs)?;
        }
        if leads && !(led && is_same) {
            self.first_own = Some(u64::MAX);
        }
        Ok(())
    }

    /// Begins to serve once it has applied the first entry of its own term, and with it everything of earlier ones.
    fn serve(&mut self, now: Now, outputs: &mut Vec<Output>) -> Result<(), MemberError> {
        if self.first_own == Some(u64::MAX) {
            self.first_own = Some(self.engine.window().last());
        }
        let is_there = |first| self.group.committed().2 >= first || self.has(Mutant::ServeEarly);
        if self.first_own.is_some_and(is_there) && !self.group.leads() {
            self.group_step(now, Event::Leads, outputs)?;
            self.leave_joint();
        }
        Ok(())
    }

    /// Says what its part is now, if that has changed.
    fn tell(&mut self, serves: bool, outputs: &mut Vec<Output>) {
        let standing = Standing {
            role: match self.standing.role {
                wit::Role::Follower => Role::Follower,
                wit::Role::PreCandidate | wit::Role::Candidate => Role::Candidate,
                wit::Role::Leader => Role::Leader,
                wit::Role::Learner => Role::Learner,
            },
            serves,
            term: self.standing.term,
            leader: self.roster.hosts.get(&self.standing.leader).cloned(),
            has_others: !self.roster.is_alone(self.identity.id),
        };
        if standing != self.told {
            self.told = standing.clone();
            outputs.push(Output::Standing(standing));
        }
    }

    fn has(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}
