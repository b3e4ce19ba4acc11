//! The exported functions: the one replica of this instance.

use crate::bindings::bookshop::replica::{log, types};
use crate::bindings::exports::bookshop::replica::consensus::{Boot, Event, Guest, Output, Status};
use crate::replica::Replica;
use crate::store::Log;
use std::cell::RefCell;

/// The component.
pub struct Component;

/// The log that the host keeps.
struct HostLog;

thread_local! {
    static REPLICA: RefCell<Option<Replica<HostLog>>> = const { RefCell::new(None) };
}

impl Log for HostLog {
    fn entries(&self, low: u64, high: u64, bytes_max: u64) -> Vec<types::Entry> {
        log::entries(low, high, bytes_max)
    }

    fn snapshot(&self) -> types::Snapshot {
        log::current_snapshot()
    }
}

impl Guest for Component {
    fn start(boot: Boot) -> Output {
        let (replica, output) = Replica::start(&boot, HostLog);
        REPLICA.set(Some(replica));
        output
    }

    fn step(now_ms: u64, events: Vec<Event>) -> Output {
        with(|replica| replica.step(now_ms, events))
    }

    fn current_status() -> Status {
        with(|replica| replica.status())
    }
}

fn with<T>(work: impl FnOnce(&mut Replica<HostLog>) -> T) -> T {
    REPLICA.with_borrow_mut(|replica| {
        let replica = replica.as_mut().expect("the host calls `start` first");
        work(replica)
    })
}

// What `raft` draws is replaced before it counts (see `time`), so there is no need for real randomness, and nothing to import.
#[cfg(target_os = "unknown")]
fn no_randomness(buffer: &mut [u8]) -> Result<(), getrandom::Error> {
    buffer.fill(0);
    Ok(())
}

#[cfg(target_os = "unknown")]
getrandom::register_custom_getrandom!(no_randomness);
