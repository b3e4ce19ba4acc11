//! `bookshop-host storage dump`.

use super::folder::{Problem, Service};
use super::readable::{Readable, moment};
use super::{Place, folder, host};
use crate::cli::failure::Failure;
use crate::cli::output::{self, Style};
use crate::config::HostName;
use crate::os::Os;
use crate::replica::bytes::Unreadable;
use crate::replica::entry::{Entry, Kind};
use crate::replica::keyspace::{self, DATA, MESSAGE, META, MessageId, Meta, SESSION, TIMER_ORDER};
use crate::replica::sessions::{self, Kept};
use crate::replica::wit::EntryKind;
use crate::replica::{member, messages, timers};
use crate::state::View;
use crate::supervisor::chain;
use bytes::Bytes;
use clap::Args;
use serde::Serialize;
use std::error::Error;

mod text;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The host
    #[arg(long, value_name = "NAME", value_parser = str::parse::<HostName>)]
    host: HostName,
    /// Only this service; otherwise all that keep something on the host
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Also the entries of the log
    #[arg(long)]
    entries: bool,
    /// Print at most so many of each kind; of entries the last ones
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// What a host keeps.
#[derive(Debug, Serialize)]
struct Dump {
    host: String,
    services: Vec<ServiceDump>,
    problems: Vec<Problem>,
}

/// What a service keeps.
#[derive(Debug, Serialize)]
struct ServiceDump {
    service: String,
    position: u64,
    checkpoint: u64,
    meta: MetaDump,
    keys: Listed<PairDump>,
    timers: Listed<TimerDump>,
    messages: Listed<MessageDump>,
    sessions: Listed<SessionDump>,
    /// None if they were not asked for.
    entries: Option<Listed<EntryDump>>,
}

/// Some of a number of things.
#[derive(Debug, Serialize)]
struct Listed<T> {
    /// How many there are.
    total: u64,
    shown: Vec<T>,
}

/// The state as a whole.
#[derive(Debug, Serialize)]
struct MetaDump {
    time: String,
    time_ms: u64,
    data_bytes: u64,
    session_bytes: u64,
    expired_sessions: u64,
    message_bytes: u64,
}

#[derive(Debug, Serialize)]
struct PairDump {
    key: Readable,
    value: Readable,
    bytes: usize,
}

#[derive(Debug, Serialize)]
struct TimerDump {
    key: Readable,
    due: String,
    due_ms: u64,
    payload: Readable,
}

#[derive(Debug, Serialize)]
struct MessageDump {
    /// Entry and ordinal.
    id: String,
    service: String,
    function: String,
    arguments: String,
    tag: String,
}

#[derive(Debug, Serialize)]
struct SessionDump {
    /// The first half of the key's SHA-256.
    key_hash: String,
    /// When it was answered; none if the answer is gone.
    answered: Option<String>,
    answer_bytes: Option<usize>,
}

#[derive(Debug, Serialize)]
struct EntryDump {
    index: u64,
    /// The term of the leader that made it.
    term: u64,
    /// `term`: the first entry of a leader, which changes nothing; `members`: a change of the members.
    kind: &'static str,
    /// None if nothing ran; so below.
    time: Option<String>,
    /// The first bytes of the SHA-256 of the component that ran.
    version: Option<String>,
    writes: Vec<WriteDump>,
}

#[derive(Debug, Serialize)]
struct WriteDump {
    /// What the key is for.
    kind: &'static str,
    key: Readable,
    /// None: it was deleted.
    value: Option<Readable>,
}

/// Prints what a host keeps.
///
/// # Errors
/// The host runs, keeps nothing of that service, its disk cannot be read, or something that it keeps is not what was written.
pub fn run(arguments: &Arguments, os: &Os) -> Result<(), Failure> {
    let config = arguments.place.config(os)?;
    let name = host(&config, &arguments.host)?;
    let Some(folder) = folder(&config, name, os)? else {
        let path = config.cluster.data.join(name.as_str());
        return Err(Failure::failed(format!(
            "host {name} keeps nothing: there is neither a log nor a state store in {}",
            path.display()
        )));
    };
    let found = folder.read(arguments.entries)?;
    let mut dump = Dump {
        host: name.to_string(),
        services: Vec::new(),
        problems: found.problems,
    };
    let wanted = |service: &&Service| {
        let name = arguments.service.as_ref();
        name.is_none_or(|name| *name == service.name)
    };
    for service in found.services.iter().filter(wanted) {
        match ServiceDump::of(service, arguments) {
            Ok(service) => dump.services.push(service),
            Err(error) => dump.problems.push(Problem {
                file: folder.path().to_path_buf(),
                offset: None,
                what: format!("service {}: {}", service.name, chain(error.as_ref())),
            }),
        }
    }
    if let (Some(service), true, true) = (
        &arguments.service,
        dump.services.is_empty(),
        dump.problems.is_empty(),
    ) {
        let known: Vec<&str> = found.services.iter().map(|it| it.name.as_str()).collect();
        let known = known.join(", ");
        return Err(Failure::failed(format!(
            "host {name} keeps nothing of service {service}; it has {known}"
        )));
    }
    if arguments.json {
        output::json(&dump)?;
    } else {
        output::line(&text::text(&dump, Style::of_stdout()))?;
    }
    if dump.problems.is_empty() {
        Ok(())
    } else {
        Err(Failure::reported(false))
    }
}

type Dumped<T> = Result<T, Box<dyn Error>>;

impl ServiceDump {
    fn of(service: &Service, arguments: &Arguments) -> Dumped<Self> {
        let (view, meta, position) = service.group.committed();
        let limit = arguments.limit;
        Ok(Self {
            service: service.name.clone(),
            position,
            checkpoint: service.checkpoint,
            meta: meta.into(),
            keys: list(view, DATA, limit, |key, value| {
                Ok(PairDump {
                    key: key[1..].into(),
                    value: value.as_ref().into(),
                    bytes: value.len(),
                })
            })?,
            timers: list(view, TIMER_ORDER, limit, |key, _| timer(view, &key))?,
            messages: list(view, MESSAGE, limit, |key, _| message(view, &key))?,
            sessions: list(view, SESSION, limit, |key, value| session(&key, value))?,
            entries: arguments
                .entries
                .then(|| entries(&service.entries, limit))
                .transpose()?,
        })
    }
}

/// The pairs whose keys begin with a byte.
fn list<T>(
    view: &View,
    prefix: u8,
    limit: usize,
    mut read: impl FnMut(Bytes, Bytes) -> Dumped<T>,
) -> Dumped<Listed<T>> {
    let mut listed = Listed {
        total: 0,
        shown: Vec::new(),
    };
    for pair in view.scan(&[prefix], Some(&[prefix + 1]), false) {
        let (key, value) = pair?;
        listed.total += 1;
        if listed.shown.len() < limit {
            listed.shown.push(read(key, value)?);
        }
    }
    Ok(listed)
}

fn timer(view: &View, key: &Bytes) -> Dumped<TimerDump> {
    let (due_ms, key) = keyspace::split_numbered(key)?;
    let timer = timers::read(view, &(due_ms, key))?;
    let (key, payload) = timer.ok_or("a timer is listed that is not there")?;
    Ok(TimerDump {
        key: key.as_bytes().into(),
        due: moment(due_ms),
        due_ms,
        payload: payload.as_ref().into(),
    })
}

fn message(view: &View, key: &Bytes) -> Dumped<MessageDump> {
    let id = MessageId::from_key(key)?;
    let message = messages::read(view, id)?.ok_or(Unreadable)?;
    Ok(MessageDump {
        id: format!("{}.{}", id.index, id.ordinal),
        service: message.service,
        function: format!("{}.{}", message.interface, message.function),
        arguments: message.arguments,
        tag: message.tag,
    })
}

fn session(key: &Bytes, value: Bytes) -> Dumped<SessionDump> {
    let key_hash = hex::encode(&key[1..]);
    Ok(match sessions::kept(value)? {
        Kept::Answer { time_ms, bytes } => SessionDump {
            key_hash,
            answered: Some(moment(time_ms)),
            answer_bytes: Some(bytes),
        },
        Kept::Used => SessionDump {
            key_hash,
            answered: None,
            answer_bytes: None,
        },
    })
}

fn entries(entries: &[(u64, Bytes)], limit: usize) -> Dumped<Listed<EntryDump>> {
    let last = entries.iter().skip(entries.len().saturating_sub(limit));
    let shown: Dumped<Vec<EntryDump>> = last
        .map(|record| {
            let logged = member::decode_record(record.clone())?;
            let made = |kind, entry: Option<Entry>| EntryDump {
                index: logged.index,
                term: logged.term,
                kind,
                time: entry.as_ref().map(|entry| moment(entry.time_ms)),
                version: entry.as_ref().map(|entry| hex::encode(entry.version)),
                writes: entry.map_or_else(Vec::new, |entry| {
                    entry.writes.iter().map(WriteDump::of).collect()
                }),
            };
            Ok(match logged.kind {
                EntryKind::Change => made("members", None),
                EntryKind::Normal if logged.data.is_empty() => made("term", None),
                EntryKind::Normal => {
                    let entry = Entry::from_bytes(logged.data.clone())?;
                    let kind = match entry.kind {
                        Kind::Command => "command",
                        Kind::Timer => "timer",
                        Kind::Reply => "reply",
                    };
                    made(kind, Some(entry))
                }
            })
        })
        .collect();
    Ok(Listed {
        total: entries.len() as u64,
        shown: shown?,
    })
}

impl WriteDump {
    fn of((key, value): &(Bytes, Option<Bytes>)) -> Self {
        let (kind, rest) = match key.split_first() {
            _ if key.as_ref() == META => ("meta", &key[1..]),
            _ if key.as_ref() == keyspace::MIGRATED => ("migrated", &key[1..]),
            Some((&DATA, rest)) => ("key", rest),
            Some((&SESSION, rest)) => ("session", rest),
            Some((&(keyspace::SESSION_ORDER | keyspace::EXPIRED_ORDER), rest)) => {
                ("session-order", rest)
            }
            Some((&keyspace::TIMER, rest)) => ("timer", rest),
            Some((&TIMER_ORDER, rest)) => ("timer-order", rest),
            Some((&MESSAGE, rest)) => ("message", rest),
            Some(_) | None => ("unknown", key.as_ref()),
        };
        Self {
            kind,
            key: rest.into(),
            value: value.as_ref().map(|value| value.as_ref().into()),
        }
    }
}

impl From<Meta> for MetaDump {
    fn from(meta: Meta) -> Self {
        Self {
            time: moment(meta.time_ms),
            time_ms: meta.time_ms,
            data_bytes: meta.data_bytes,
            session_bytes: meta.session_bytes,
            expired_sessions: meta.expired_sessions,
            message_bytes: meta.message_bytes,
        }
    }
}
