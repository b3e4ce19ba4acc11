//! One replica whose every step is a test's.

use super::super::engine::{Action, Event, MessageKind, Output, Replica, Role, Save};
use super::disk::{Disk, Shared};
use std::cell::RefCell;
use std::rc::Rc;

/// One replica whose every step is the test's.
pub struct Lone {
    pub disk: Rc<RefCell<Disk>>,
    pub replica: Replica<Shared>,
    pub now_ms: u64,
    pub last: Output,
}

impl Lone {
    pub fn start(disk: Disk) -> Self {
        let boot = disk.boot(1, 7);
        let disk = Rc::new(RefCell::new(disk));
        let (replica, last) = Replica::start(&boot, Shared(Rc::clone(&disk)));
        let mut lone = Self {
            disk,
            replica,
            now_ms: 1000,
            last,
        };
        lone.keep();
        lone
    }

    pub fn keep(&mut self) {
        for save in self.saves() {
            self.disk.borrow_mut().save(&save);
        }
    }

    pub fn step(&mut self, events: Vec<Event>) -> &Output {
        self.last = self.replica.step(self.now_ms, events);
        self.keep();
        &self.last
    }

    /// Everything that was saved is on the disk.
    pub fn persist(&mut self) -> &Output {
        let tokens = self.saves().into_iter().map(|save| save.token);
        let events = tokens.map(Event::Persisted).collect();
        self.step(events)
    }

    /// Until there is nothing more to save.
    pub fn settle(&mut self) {
        while !self.saves().is_empty() {
            self.persist();
        }
    }

    pub fn saves(&self) -> Vec<Save> {
        let saves = self.last.actions.iter().filter_map(|action| match action {
            Action::Save(save) => Some(save.clone()),
            _ => None,
        });
        saves.collect()
    }

    pub fn sent(&self) -> Vec<MessageKind> {
        let sent = self.last.actions.iter().filter_map(|action| match action {
            Action::Send(message) => Some(message.kind),
            _ => None,
        });
        sent.collect()
    }

    /// Lets the next ones pass, as late as it allows.
    pub fn wait_ms(&mut self, ms: u64) {
        let end_ms = self.now_ms + ms;
        while self.now_ms < end_ms {
            self.now_ms = end_ms.min(self.now_ms + self.last.next_ms.max(1));
            self.step(vec![]);
        }
    }

    pub fn role(&self) -> Role {
        self.replica.status().standing.role
    }

    pub fn term(&self) -> u64 {
        self.replica.status().standing.term
    }
}
