//! What clients do in a simulation, and what they expect. Written for each application.

use super::random::Random;
use crate::call_error::CallError;
use crate::replica::entry::Kind;
use serde_json::Value;
use std::fmt;

/// A call that a client makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The service, by its name in the configuration.
    pub service: String,
    /// Its interface, as in WIT without a version.
    pub interface: String,
    /// The function.
    pub function: String,
    /// A JSON array of the arguments.
    pub arguments: Value,
    /// Its idempotency key. With one it is repeated until there is an answer.
    pub key: Option<String>,
}

/// What a client learns.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// The result, as JSON; null if the function has none.
    Result(Value),
    /// An error that says that nothing was executed, or what was wrong.
    Error(CallError),
    /// Nothing: the host ended, or the answer got lost, and the call had no key to repeat it with.
    Nothing,
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Result(result) => write!(f, "{result}"),
            Self::Error(error) => write!(f, "that it failed: {error}"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

/// An entry that is committed for good. They come in the order of the log, each once, whatever crashes there were.
#[derive(Debug)]
pub struct Committed<'a> {
    /// The service.
    pub service: &'a str,
    /// Its index.
    pub index: u64,
    /// What was called.
    pub kind: Kind,
    /// The service's time in the call, in milliseconds since 1970-01-01T00:00:00Z.
    pub time_ms: u64,
    /// The client and its call, if it was one.
    pub request: Option<(usize, &'a Request)>,
    /// The function and arguments of a message from another service, if it was one.
    pub message: Option<(&'a str, &'a str)>,
    /// The key of a timer, if it was one.
    pub timer: Option<&'a str>,
    /// The tag of a message, if it was the answer of one.
    pub reply: Option<&'a str>,
    /// The result, as JSON; null if there is none.
    pub result: &'a Value,
}

/// A query, or a command that changed nothing, has seen a service's state as its last committed entry left it.
#[derive(Debug)]
pub struct Looked<'a> {
    /// The service.
    pub service: &'a str,
    /// The client.
    pub client: usize,
    /// What it called.
    pub request: &'a Request,
    /// Whether it is a query: those follow the wall clock where that is ahead of the service's time.
    pub is_query: bool,
    /// The service's time in the call, in milliseconds since 1970-01-01T00:00:00Z.
    pub time_ms: u64,
    /// The result, as JSON; null if there is none.
    pub result: &'a Value,
}

/// Asks services for what they know, at the end.
pub trait Look {
    /// The result of a query, as JSON.
    ///
    /// # Errors
    /// As the service says.
    fn ask(
        &mut self,
        service: &str,
        interface: &str,
        function: &str,
        arguments: Value,
    ) -> Result<Value, CallError>;

    /// The time of a service in such a query, in milliseconds since 1970-01-01T00:00:00Z.
    fn time_ms(&self, service: &str) -> u64;
}

/// How services know whoever calls them in a simulation, where nobody says otherwise.
pub const CALLER: &str = "simulation";

/// What clients do and expect. Every method may find that something must not be so, and says what.
pub trait Workload {
    /// The services that it needs, by their names in the configuration; all if there is none here.
    fn services(&self) -> &'static [&'static str] {
        &[]
    }

    /// Services whose component is replaced in the middle of it, with those by the names in the configuration whose component takes its place, and migrates
    /// what it wrote.
    fn upgrades(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// How services know a client.
    fn caller(&self, _client: usize) -> &'static str {
        CALLER
    }

    /// The next call of a client; none if it has nothing to do for now.
    fn next(&mut self, client: usize, random: &mut Random) -> Option<Request>;

    /// A client has an answer. A result is that of a call that was told of before by [`committed`](Self::committed) or [`looked`](Self::looked).
    ///
    /// # Errors
    /// What must not be so.
    fn heard(&mut self, client: usize, request: &Request, heard: &Heard) -> Result<(), String>;

    /// An entry is committed.
    ///
    /// # Errors
    /// What must not be so.
    fn committed(&mut self, committed: &Committed<'_>) -> Result<(), String>;

    /// Something was seen of a service, all of whose entries so far were told of.
    ///
    /// # Errors
    /// What must not be so.
    fn looked(&mut self, looked: &Looked<'_>) -> Result<(), String>;

    /// Everything is over, no message is on its way, and no fault happens any more.
    ///
    /// # Errors
    /// What must not be so.
    fn settled(&mut self, look: &mut dyn Look) -> Result<(), String>;
}
