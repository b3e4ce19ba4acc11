//! An order that a service keeps, from `init` to `clear`: its data, the service's clock, and the answers to the events so far.
//!
//! What is kept is one value in the [`Store`]. Calls about one order overlap, so it is replaced only as it was read, and read
//! again if it was not so any more.

use crate::bindings::bookshop::platform::call_error::{CallError, Failure, Overload};
use crate::bindings::bookshop::shop::types::{
    ClearError, Event, EventError, EventOrder, Progress, VectorClock,
};
use crate::bytes::{Reader, Unreadable, Writer};
use crate::clock::Service;
use crate::event::missing;
use crate::record::Record;
use crate::store::{ScratchError, Store};

/// How long an order is kept after the last call about it: several times as long as a checkout may take, so that only what
/// was given up by its orchestrator runs out.
const TTL_MS: u64 = 30_000;

/// How often a call tries to replace what others replace too. Two events of an order overlap at most, so few is plenty.
const ATTEMPTS_MAX: u32 = 16;

/// When a caller may come back to a service that has no room for another order.
const RETRY_AFTER_MS: u64 = 1_000;

/// The form in which an order is kept. A service of another version may have written another.
const FORM: u64 = 1;

/// An event that is done, now or before.
#[derive(Debug, PartialEq)]
pub struct Performed<A> {
    /// What the service says.
    pub answer: A,
    /// The service's clock when it was done.
    pub clock: VectorClock,
    /// Whether it was done by this call.
    pub is_new: bool,
}

/// Keeps an order that `data` has all of. One that is there already stays as it is, but its clock moves.
///
/// # Errors
/// There is no room, or the order's identity is too long.
pub fn init(
    store: &impl Store,
    service: Service,
    order_id: &str,
    progress: &Progress,
    data: &[u8],
) -> Result<VectorClock, CallError> {
    let key = key(order_id);
    let clock = progress.clock.tick(service);
    let new = Kept::new(clock, data).to_bytes();
    let mut error = match store.put_if(&key, None, &new, TTL_MS) {
        Ok(_) => return Ok(clock),
        Err(error) => error,
    };
    for _ in 0..ATTEMPTS_MAX {
        if !matches!(error, ScratchError::Conflict(_)) {
            break;
        }
        let present = store.get(&key);
        let (kept, revision) = match &present {
            Some((bytes, revision)) => (Kept::from_bytes(bytes).ok(), Some(*revision)),
            None => (None, None),
        };
        let (clock, bytes) = match kept {
            Some(mut kept) => {
                kept.clock = kept.clock.merge(progress.clock).tick(service);
                (kept.clock, kept.to_bytes())
            }
            None => (clock, new.clone()),
        };
        match store.put_if(&key, revision, &bytes, TTL_MS) {
            Ok(_) => return Ok(clock),
            Err(next) => error = next,
        }
    }
    Err(call_error(service, error))
}

/// Does an event of an order: `work` gets the order's data, and its answer is kept with it.
///
/// An event that was done before gets the answer that it got then, whatever `progress` says.
///
/// # Errors
/// - [`EventError::UnknownOrder`]: the order is not here, or in a form that this version cannot read.
/// - [`EventError::OutOfOrder`]: it is not the event's turn.
/// - [`EventError::Call`]: there is no room for the answer.
pub fn perform<A: Record>(
    store: &impl Store,
    event: Event,
    order_id: &str,
    progress: &Progress,
    work: impl Fn(&[u8]) -> Result<A, Unreadable>,
) -> Result<Performed<A>, EventError> {
    let unknown = || EventError::UnknownOrder(order_id.to_owned());
    let service = event.service();
    let key = key(order_id);
    let mut error = ScratchError::Conflict(None);
    let mut new = None;
    for _ in 0..ATTEMPTS_MAX {
        let (bytes, revision) = store.get(&key).ok_or_else(unknown)?;
        let mut kept = Kept::from_bytes(&bytes).map_err(|_| unknown())?;
        if let Some(answer) = kept.answers[event as usize] {
            return read_answer(answer).map_err(|_| unknown());
        }
        let missing = missing(event, progress);
        if !missing.is_empty() {
            return Err(EventError::OutOfOrder(EventOrder { event, missing }));
        }
        let answer = match new.take() {
            Some(answer) => answer,
            None => work(kept.data).map_err(|_| unknown())?,
        };
        let clock = kept.clock.merge(progress.clock).tick(service);
        let answer_bytes = write_answer(clock, &answer);
        kept.clock = clock;
        kept.answers[event as usize] = Some(&answer_bytes);
        match store.put_if(&key, Some(revision), &kept.to_bytes(), TTL_MS) {
            Ok(_) => {
                return Ok(Performed {
                    answer,
                    clock,
                    is_new: true,
                });
            }
            Err(ScratchError::Conflict(now)) => {
                error = ScratchError::Conflict(now);
                new = Some(answer);
            }
            Err(error @ (ScratchError::Full | ScratchError::TooLarge)) => {
                return Err(EventError::Call(call_error(service, error)));
            }
        }
    }
    Err(EventError::Call(call_error(service, error)))
}

/// Forgets an order if `final_clock` covers everything that the service has seen of it. One that is not here is forgotten.
///
/// # Errors
/// - [`ClearError::Ahead`]: it does not. The order stays.
/// - [`ClearError::Call`]: others are changing the order all the time.
pub fn clear(
    store: &impl Store,
    service: Service,
    order_id: &str,
    final_clock: VectorClock,
) -> Result<(), ClearError> {
    let key = key(order_id);
    let mut error = ScratchError::Conflict(None);
    for _ in 0..ATTEMPTS_MAX {
        let Some((bytes, revision)) = store.get(&key) else {
            return Ok(());
        };
        // What cannot be read has no clock that anybody could compare, and nobody can use it.
        if let Ok(kept) = Kept::from_bytes(&bytes) {
            let is_covered = kept.clock <= final_clock;
            if !is_covered {
                return Err(ClearError::Ahead(kept.clock));
            }
        }
        match store.delete_if(&key, revision) {
            Ok(()) => return Ok(()),
            Err(next) => error = next,
        }
    }
    Err(ClearError::Call(call_error(service, error)))
}

/// Orders share the store with whatever else the service keeps there.
fn key(order_id: &str) -> String {
    ["order/", order_id].concat()
}

fn call_error(service: Service, error: ScratchError) -> CallError {
    let service = service.name().to_owned();
    match error {
        ScratchError::TooLarge => CallError::Incompatible(Failure {
            service,
            message: "the order is too large to be kept".into(),
        }),
        ScratchError::Full | ScratchError::Conflict(_) => CallError::Overloaded(Overload {
            service,
            retry_after_ms: RETRY_AFTER_MS,
        }),
    }
}

/// What is kept of one order.
struct Kept<'a> {
    clock: VectorClock,
    /// In the order of [`Event::ALL`]; only the service's own are ever there.
    answers: [Option<&'a [u8]>; Event::ALL.len()],
    data: &'a [u8],
}

impl<'a> Kept<'a> {
    fn new(clock: VectorClock, data: &'a [u8]) -> Self {
        Self {
            clock,
            answers: [None; Event::ALL.len()],
            data,
        }
    }

    fn from_bytes(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let mut reader = Reader::new(bytes);
        if reader.number()? != FORM {
            return Err(Unreadable);
        }
        let mut kept = Self::new(VectorClock::read(&mut reader)?, &[]);
        for _ in 0..reader.small::<u8>()? {
            let event = Event::read(&mut reader)?;
            kept.answers[event as usize] = Some(reader.bytes()?);
        }
        kept.data = reader.rest();
        Ok(kept)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let answers = || Event::ALL.into_iter().zip(self.answers);
        let present = || answers().filter_map(|(event, answer)| Some((event, answer?)));
        let answer_bytes: usize = present().map(|(_, answer)| answer.len() + 4).sum();
        let mut writer = Writer::with_capacity(24 + answer_bytes + self.data.len());
        writer.number(FORM);
        self.clock.write(&mut writer);
        writer.number(present().count() as u64);
        for (event, answer) in present() {
            event.write(&mut writer);
            writer.bytes(answer);
        }
        writer.rest(self.data);
        writer.finish()
    }
}

fn write_answer<A: Record>(clock: VectorClock, answer: &A) -> Vec<u8> {
    let mut writer = Writer::default();
    clock.write(&mut writer);
    answer.write(&mut writer);
    writer.finish()
}

fn read_answer<A: Record>(bytes: &[u8]) -> Result<Performed<A>, Unreadable> {
    let mut reader = Reader::new(bytes);
    Ok(Performed {
        clock: VectorClock::read(&mut reader)?,
        answer: A::read(&mut reader)?,
        is_new: false,
    })
}

#[cfg(test)]
mod tests;
