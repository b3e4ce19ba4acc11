//! What of a checkout may start when: the partial order of the events, made into a plan.
//!
//! Pure: it is told what has finished, and says what may start. The services check the same order themselves, and may be stricter:
//! an event that one of them refuses waits for what it misses.

use checkout::Service;
use checkout::bindings::bookshop::shop::types::Event;

/// How often parts of one checkout may be asked for again. A service that keeps losing orders would otherwise keep it busy
/// until its deadline.
const REPEATS_MAX: u32 = 4;

/// One call of a checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Handing the order over to a service.
    Init(Service),
    /// An event.
    Event(Event),
}

impl Work {
    /// All of them. Those that may start together start in this order.
    pub const ALL: [Self; 9] = [
        Self::Init(Service::TransactionVerification),
        Self::Init(Service::FraudDetection),
        Self::Init(Service::Suggestions),
        Self::Event(Event::VerifyItems),
        Self::Event(Event::VerifyUser),
        Self::Event(Event::VerifyCard),
        Self::Event(Event::CheckUserFraud),
        Self::Event(Event::CheckCardFraud),
        Self::Event(Event::Suggest),
    ];

    /// The service that does it.
    pub fn service(self) -> Service {
        match self {
            Self::Init(service) => service,
            Self::Event(event) => event.service(),
        }
    }

    /// The place in [`Work::ALL`].
    fn place(self) -> usize {
        match self {
            Self::Init(service) => service as usize - 1,
            Self::Event(event) => event as usize + 3,
        }
    }
}

/// How far a part of the plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Done,
}

/// There were too many repeats; the checkout has to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenUp;

/// How far a checkout is.
#[derive(Debug)]
pub struct Plan {
    states: [State; Work::ALL.len()],
    /// What a service demanded beyond the plan: the first event only after the second.
    demanded: Vec<(Event, Event)>,
    repeats_left: u32,
    is_stopped: bool,
}

impl Plan {
    /// Nothing has started.
    pub fn new() -> Self {
        Self {
            states: [State::Waiting; Work::ALL.len()],
            demanded: Vec::new(),
            repeats_left: REPEATS_MAX,
            is_stopped: false,
        }
    }

    /// Starts one more part, if one may start now.
    pub fn start(&mut self) -> Option<Work> {
        let work = Work::ALL.into_iter().find(|work| self.may_start(*work))?;
        self.states[work.place()] = State::Running;
        Some(work)
    }

    /// A part is done.
    pub fn finish(&mut self, work: Work) {
        self.states[work.place()] = State::Done;
    }

    /// The service did not know the order when it was asked for the event: it gets the order again, and then does the event.
    ///
    /// # Errors
    /// [`GivenUp`].
    pub fn repeat(&mut self, event: Event) -> Result<(), GivenUp> {
        self.states[Work::Event(event).place()] = State::Waiting;
        let handover = &mut self.states[Work::Init(event.service()).place()];
        // Another event may have found out before, and the order be on its way.
        if *handover == State::Done {
            *handover = State::Waiting;
        }
        self.count_repeat()
    }

    /// The service refused to do the event before `missing`: it does it after them.
    ///
    /// # Errors
    /// [`GivenUp`].
    pub fn postpone(&mut self, event: Event, missing: &[Event]) -> Result<(), GivenUp> {
        self.states[Work::Event(event).place()] = State::Waiting;
        self.demanded
            .extend(missing.iter().map(|&before| (event, before)));
        self.count_repeat()
    }

    /// Starts nothing any more.
    pub fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// Whether every event is done.
    pub fn is_complete(&self) -> bool {
        Event::ALL
            .into_iter()
            .all(|event| self.is_done(Work::Event(event)))
    }

    /// Whether a part is done.
    pub fn is_done(&self, work: Work) -> bool {
        self.states[work.place()] == State::Done
    }

    fn may_start(&self, work: Work) -> bool {
        if self.is_stopped || self.states[work.place()] != State::Waiting {
            return false;
        }
        let Work::Event(event) = work else {
            return true;
        };
        let is_done = |event: &Event| self.is_done(Work::Event(*event));
        let mut demanded = self.demanded.iter().filter(|(after, _)| *after == event);
        self.is_done(Work::Init(event.service()))
            && event.after().iter().all(is_done)
            && demanded.all(|(_, before)| is_done(before))
    }

    fn count_repeat(&mut self) -> Result<(), GivenUp> {
        self.repeats_left = self.repeats_left.checked_sub(1).ok_or(GivenUp)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
