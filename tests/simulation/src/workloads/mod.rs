//! What clients do, and models of what the services promise: written from their interfaces, and knowing nothing of how they work.

mod control;
mod control_files;
mod control_model;
mod control_turns_model;
mod counter;
mod database;
mod database_model;
mod orders;
mod orders_model;
mod queue;
mod queue_model;
mod shop;

use bookshop_host::simulation::{Random, Request, Workload};
use clap::ValueEnum;
use serde_json::Value;

/// The workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Orders come into the queue, and workers carry them out or not.
    Queue,
    /// Keys and values.
    Database,
    /// Decisions are recorded, and approved orders go on to the queue, where nobody takes them.
    Orders,
    /// The same, with workers.
    Shop,
    /// Two counters with timers and messages.
    Counter,
    /// The cluster's own state: files, and hosts that take turns with them.
    Control,
    /// The two counters, which other versions take the place of that keep counts in another form.
    Upgrade,
}

impl Kind {
    /// Those that seeds take turns with.
    pub const TURNS: [Self; 6] = [
        Self::Queue,
        Self::Database,
        Self::Orders,
        Self::Shop,
        Self::Counter,
        Self::Control,
    ];

    /// The one that a seed runs if nothing else is asked for.
    pub fn of_seed(seed: u64) -> Self {
        let turns = Self::TURNS.len() as u64;
        match Self::TURNS[(seed % turns) as usize] {
            // In three of eight turns, with another number of hosts each.
            Self::Counter if matches!(seed / turns % 8, 1..=3) => Self::Upgrade,
            kind => kind,
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Database => "database",
            Self::Orders => "orders",
            Self::Shop => "shop",
            Self::Counter => "counter",
            Self::Control => "control",
            Self::Upgrade => "upgrade",
        }
    }

    /// A new one, of which nothing has happened yet.
    pub fn begin(self, clients: usize) -> Box<dyn Workload> {
        match self {
            Self::Queue => Box::new(queue::Queue::new(clients)),
            Self::Database => Box::new(database::Database::default()),
            Self::Orders => Box::new(shop::Shop::new(clients, shop::Workers::None)),
            Self::Shop => Box::new(shop::Shop::new(clients, shop::Workers::Some)),
            Self::Counter => Box::new(counter::Counter::default()),
            Self::Upgrade => Box::new(counter::Counter::upgraded()),
            Self::Control => Box::new(control::Control::new(clients)),
        }
    }
}

/// A call; two of three have an idempotency key.
fn request(
    random: &mut Random,
    service: &str,
    function: &str,
    arguments: Value,
    next_key: &mut u64,
) -> Request {
    let key = random.chance(660).then(|| {
        *next_key += 1;
        format!("key-{next_key}")
    });
    Request {
        service: service.into(),
        interface: format!("bookshop:shop/{service}"),
        function: function.into(),
        arguments,
        key,
    }
}

/// One of some things.
fn choose<'a, T>(random: &mut Random, things: &'a [T]) -> Option<&'a T> {
    things.get(random.below(things.len() as u64) as usize)
}

/// Nothing, if both are the same.
fn same(what: impl FnOnce() -> String, actual: &Value, expected: &Value) -> Result<(), String> {
    if actual == expected {
        return Ok(());
    }
    Err(format!(
        "{}: {actual}, where the model has {expected}",
        what()
    ))
}
