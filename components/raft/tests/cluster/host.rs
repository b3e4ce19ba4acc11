//! One host with one replica: it writes, applies, compacts, and dies.

use super::super::engine::Replica;
use super::super::engine::{
    Action, ChangeProposal, Changed, Event, MemberChange, Members, Output, Proposal, Role, Save,
    Standing, Status,
};
use super::disk::{Disk, Shared, digest};
use super::random::Random;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

/// The state after each entry, the same everywhere.
pub type States = Rc<RefCell<BTreeMap<u64, u64>>>;

/// Something to apply.
enum Due {
    Entry(u64),
    Changed(Changed),
}

pub struct Host {
    id: u64,
    states: States,
    replica: Option<Replica<Shared>>,
    memory: Rc<RefCell<Disk>>,
    durable: Disk,
    saves: VecDeque<(u64, Save)>,
    due: VecDeque<Due>,
    /// The last entry that was handed out.
    handed: u64,
    standing: Standing,
    next_ms: u64,
    /// The newest members that were told of.
    members: Members,
    pub reads: BTreeSet<u64>,
    pub reads_ready: BTreeMap<u64, u64>,
    pub reads_failed: BTreeSet<u64>,
    pub refused: Vec<u64>,
    /// How long the disk takes, at most.
    pub sync_ms: u64,
    /// How long applying waits, at most.
    pub lag_ms: u64,
    pub is_stuck: bool,
}

impl Host {
    pub fn new(id: u64, disk: Disk, states: States) -> Self {
        Self {
            id,
            states,
            replica: None,
            memory: Rc::new(RefCell::new(disk.clone())),
            members: disk.members.clone(),
            durable: disk,
            saves: VecDeque::new(),
            due: VecDeque::new(),
            handed: 0,
            standing: Standing {
                role: Role::Learner,
                term: 0,
                leader: 0,
            },
            next_ms: 0,
            reads: BTreeSet::new(),
            reads_ready: BTreeMap::new(),
            reads_failed: BTreeSet::new(),
            refused: vec![],
            sync_ms: 2,
            lag_ms: 2,
            is_stuck: false,
        }
    }

    pub fn start(&mut self, seed: u64, now_ms: u64) -> Vec<Action> {
        *self.memory.borrow_mut() = self.durable.clone();
        let boot = self.durable.boot(self.id, seed);
        self.handed = boot.applied;
        self.members = boot.members.clone();
        let (replica, output) = Replica::start(&boot, Shared(Rc::clone(&self.memory)));
        self.replica = Some(replica);
        self.take(output, now_ms)
    }

    pub fn kill(&mut self, random: &mut Random) {
        self.replica = None;
        // Some of what was being written got through.
        while !self.saves.is_empty() && random.chance(50) {
            let (_, save) = self.saves.pop_front().expect("there is one");
            self.write(&save);
        }
        self.saves.clear();
        self.due.clear();
        self.standing.role = Role::Learner;
        self.reads_failed.append(&mut self.reads);
    }

    pub fn runs(&self) -> bool {
        self.replica.is_some()
    }

    pub fn step(&mut self, now_ms: u64, events: Vec<Event>) -> Vec<Action> {
        for event in &events {
            if let Event::Read(id) = event {
                self.reads.insert(*id);
            }
        }
        let Some(replica) = &mut self.replica else {
            return vec![];
        };
        let output = replica.step(now_ms, events);
        self.take(output, now_ms)
    }

    fn take(&mut self, output: Output, now_ms: u64) -> Vec<Action> {
        self.next_ms = now_ms + output.next_ms;
        output.actions
    }

    pub fn is_due(&self, now_ms: u64) -> bool {
        self.next_ms <= now_ms
    }

    pub fn wait_ms(&self, now_ms: u64) -> u64 {
        self.next_ms - now_ms
    }

    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    pub fn status(&self) -> Status {
        self.replica.as_ref().expect("it runs").status()
    }

    pub fn applied(&self) -> u64 {
        self.memory.borrow().applied
    }

    pub fn last(&self) -> u64 {
        self.memory.borrow().last()
    }

    pub fn first(&self) -> u64 {
        self.memory.borrow().base.0 + 1
    }

    pub fn members(&self) -> &Members {
        &self.members
    }

    pub fn all_members(&self) -> BTreeSet<u64> {
        let members = &self.members;
        [&members.voters, &members.learners, &members.outgoing]
            .into_iter()
            .flatten()
            .copied()
            .collect()
    }

    pub fn stands(&mut self, standing: &Standing) {
        self.standing = *standing;
    }

    pub fn proposals(&self, data: Vec<Vec<u8>>) -> Vec<Event> {
        let term = self.standing.term;
        let proposal = |(index, data)| Event::Propose(Proposal { term, index, data });
        (self.last() + 1..).zip(data).map(proposal).collect()
    }

    pub fn change(&self, changes: Vec<MemberChange>) -> Event {
        Event::Change(ChangeProposal {
            term: self.standing.term,
            index: self.last() + 1,
            changes,
            context: b"why".to_vec(),
        })
    }

    /// What happened by now: syncs that are done, entries that were applied, a log that became shorter.
    pub fn passed(&mut self, now_ms: u64, random: &mut Random) -> Vec<Event> {
        let mut events = vec![];
        while self.saves.front().is_some_and(|(at, _)| *at <= now_ms) && !self.is_stuck {
            let (_, save) = self.saves.pop_front().expect("there is one");
            self.write(&save);
            events.push(Event::Persisted(save.token));
        }
        if !self.due.is_empty() && random.below(self.lag_ms + 1) == 0 {
            self.apply();
            events.push(Event::Applied(self.applied()));
        }
        events.extend(self.leave_joint(random));
        events
    }

    /// A joint configuration is left by its leader.
    fn leave_joint(&self, random: &mut Random) -> Option<Event> {
        let is_joint = self.standing.role == Role::Leader && !self.members.outgoing.is_empty();
        (is_joint && random.chance(10)).then(|| self.change(vec![]))
    }

    fn apply(&mut self) {
        let mut memory = self.memory.borrow_mut();
        while let Some(due) = self.due.pop_front() {
            match due {
                Due::Changed(changed) => {
                    assert_eq!(
                        changed.index, memory.applied,
                        "it comes right after its entry"
                    );
                    memory.members = changed.members;
                }
                Due::Entry(index) => {
                    assert_eq!(index, memory.applied + 1);
                    let state = digest(memory.state, memory.entry(index));
                    (memory.applied, memory.state) = (index, state);
                    let known = *self.states.borrow_mut().entry(index).or_insert(state);
                    assert_eq!(known, state, "state {index} differs on {}", self.id);
                }
            }
        }
    }

    /// Writes the state, and lets go of entries that it stands for.
    pub fn checkpoint(&mut self, keep: u64) -> Option<Event> {
        let mut memory = self.memory.borrow_mut();
        if !self.saves.is_empty() || self.replica.is_none() {
            return None;
        }
        self.durable.applied = memory.applied;
        self.durable.state = memory.state;
        self.durable.members = memory.members.clone();
        let through = memory.applied.saturating_sub(keep);
        if through <= memory.base.0 {
            return None;
        }
        memory.compact(through);
        self.durable.compact(through);
        Some(Event::Compacted(through))
    }

    fn write(&mut self, save: &Save) {
        self.durable.save(save);
        if let Some(snapshot) = &save.install {
            self.durable.applied = snapshot.index;
            self.durable.members = snapshot.members.clone();
            self.durable.state = self.states.borrow()[&snapshot.index];
        }
    }

    pub fn commit(&mut self, first: u64, last: u64) -> Vec<(u64, u64, Vec<u8>)> {
        assert_eq!(first, self.handed + 1, "handed out twice, or left out");
        self.handed = last;
        self.due.extend((first..=last).map(Due::Entry));
        let memory = self.memory.borrow();
        let entry = |index| {
            let entry = memory.entry(index);
            (index, entry.term, entry.data.clone())
        };
        (first..=last).map(entry).collect()
    }

    pub fn carry_out(&mut self, action: Action, now_ms: u64, random: &mut Random) {
        match action {
            Action::Save(save) => {
                let mut memory = self.memory.borrow_mut();
                memory.save(&save);
                if let Some(snapshot) = &save.install {
                    memory.applied = snapshot.index;
                    memory.members = snapshot.members.clone();
                    memory.state = self.states.borrow()[&snapshot.index];
                    self.members = snapshot.members.clone();
                    self.handed = snapshot.index;
                    self.due.clear();
                }
                let before = self.saves.back().map_or(0, |(at, _)| *at);
                let done_ms = before.max(now_ms + random.below(self.sync_ms + 1));
                self.saves.push_back((done_ms, save));
            }
            Action::Changed(changed) => {
                self.members = changed.members.clone();
                self.due.push_back(Due::Changed(changed));
            }
            Action::Refused(index) => self.refused.push(index),
            Action::ReadReady((id, index)) => {
                assert!(self.reads.remove(&id), "read {id} was answered twice");
                self.reads_ready.insert(id, index);
            }
            Action::ReadFailed(id) => {
                assert!(self.reads.remove(&id), "read {id} was answered twice");
                self.reads_failed.insert(id);
            }
            Action::Send(_) | Action::Commit(_) | Action::Standing(_) => {}
        }
    }
}
