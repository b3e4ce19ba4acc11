//! The component, as the engine's own tests see it: they run here as well, and what a seed does has to be the same.

pub use crate::replica::wit::{
    Action, Boot, ChangeKind, ChangeProposal, Changed, Entry, EntryKind, Event, HardState,
    MemberChange, Members, Message, MessageKind, Output, Proposal, Role, Save, Snapshot, Standing,
    Status, TermRun,
};

use super::cluster::disk::Shared;
use crate::consensus::{Engines, Instance};
use crate::replica::consensus::Consensus;
use crate::replica::window::Window;
use std::cell::RefCell;

/// The host's log.
pub trait Log {
    fn entries(&self, low: u64, high: u64, bytes_max: u64) -> Vec<Entry>;
    fn snapshot(&self) -> Snapshot;
}

/// One replica.
pub struct Replica<L> {
    instance: RefCell<Instance>,
    log: L,
}

impl Replica<Shared> {
    pub fn start(boot: &Boot, log: Shared) -> (Self, Output) {
        let engines = Engines::new().unwrap();
        let (instance, output) = engines.start(window(&log), boot).unwrap();
        let instance = RefCell::new(instance);
        (Self { instance, log }, output)
    }

    pub fn step(&mut self, now_ms: u64, events: Vec<Event>) -> Output {
        let instance = self.instance.get_mut();
        *instance.window_mut() = window(&self.log);
        instance.step(now_ms, &events).unwrap()
    }

    pub fn status(&self) -> Status {
        self.instance.borrow_mut().status().unwrap()
    }
}

/// The log in memory, as the component's imports read it.
fn window(log: &Shared) -> Window {
    let (index, term) = log.base();
    let mut window = Window::new(index, term);
    window.append(log.entries(index + 1, u64::MAX, u64::MAX));
    window.offer(log.snapshot());
    window
}
