//! What is kept, as keys and bytes: one key for each thing, and a version in front of each value.

use crate::bindings::exports::bookshop::control::registry::{
    Canary, Component, Outcome, RevisionEntry, Standing, Turn, Value,
};
use keys::Bytes;
use keys::bytes::{Reader, Unreadable, Writer};

/// The version of every value here, except those of [`WITH_CANARIES`].
const VERSION: u64 = 1;

/// The version of files some of whose services have a canary. Those of others stay as they were, so that hosts that know no canaries can read them.
const WITH_CANARIES: u64 = 2;

/// Key of the revision that is in force.
pub const CURRENT: &[u8] = b"current";

/// Key of who has the turn.
pub const TURN: &[u8] = b"turn";

/// What the keys of revisions begin with.
pub const ENTRIES: &[u8] = b"entry/";

/// What the keys of files begin with.
pub const VALUES: &[u8] = b"value/";

/// What the keys of standings begin with.
pub const STANDINGS: &[u8] = b"host/";

/// The key of a revision below a prefix: keys are in the order of the revisions.
pub fn numbered(prefix: &[u8], revision: u64) -> Bytes {
    [prefix, &revision.to_be_bytes()].concat()
}

/// The key of what a host reported.
pub fn standing_key(host: &str) -> Bytes {
    [STANDINGS, host.as_bytes()].concat()
}

/// Reads what this version wrote. Anything else is from a later one, and the call ends: guessing could undo what that one knew.
pub fn read<T>(
    what: &str,
    bytes: &[u8],
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, Unreadable>,
) -> T {
    read_versions(what, bytes, |version, reader| match version {
        VERSION => read(reader),
        _ => Err(Unreadable),
    })
}

fn read_versions<T>(
    what: &str,
    bytes: &[u8],
    read: impl FnOnce(u64, &mut Reader<'_>) -> Result<T, Unreadable>,
) -> T {
    let mut reader = Reader::new(bytes);
    let value = reader
        .number()
        .and_then(|version| read(version, &mut reader));
    match value {
        Ok(value) if reader.rest().is_empty() => value,
        _ => panic!("{what} in storage cannot be read; run the version of the host that wrote it"),
    }
}

fn write(write: impl FnOnce(&mut Writer)) -> Bytes {
    write_version(VERSION, write)
}

fn write_version(version: u64, write: impl FnOnce(&mut Writer)) -> Bytes {
    let mut writer = Writer::default();
    writer.number(version);
    write(&mut writer);
    writer.finish()
}

/// A number.
pub fn number(number: u64) -> Bytes {
    write(|writer| writer.number(number))
}

/// The version of the standing of a host that is ready. Those of others stay as they were.
const READY: u64 = 2;

/// A revision without its file; whether that is kept is seen by its key.
pub fn entry(entry: &RevisionEntry) -> Bytes {
    write(|writer| {
        writer.number(entry.revision);
        writer.text(&entry.applied_by);
        writer.number(entry.applied_at_ms);
        writer.text(&entry.summary);
    })
}

/// See [`entry`].
pub fn read_entry(bytes: &[u8]) -> RevisionEntry {
    read("a revision", bytes, |reader| {
        Ok(RevisionEntry {
            revision: reader.number()?,
            applied_by: reader.text()?.to_owned(),
            applied_at_ms: reader.number()?,
            summary: reader.text()?.to_owned(),
            has_config: false,
        })
    })
}

/// A file with what it names.
pub fn value(value: &Value) -> Bytes {
    let has_canaries = value.components.iter().any(|it| it.canary.is_some());
    let version = if has_canaries { WITH_CANARIES } else { VERSION };
    write_version(version, |writer| {
        writer.number(value.revision);
        writer.text(&value.config);
        writer.list(&value.components, |writer, component| {
            writer.text(&component.service);
            writer.text(&component.digest);
            writer.number(component.bytes);
            if has_canaries {
                writer.option(component.canary.as_ref(), canary);
            }
        });
        writer.text(&value.applied_by);
        writer.number(value.applied_at_ms);
    })
}

fn canary(writer: &mut Writer, canary: &Canary) {
    writer.text(&canary.digest);
    writer.number(canary.bytes);
    writer.number(canary.percent.into());
    writer.list(&canary.then, |writer, percent| {
        writer.number((*percent).into());
    });
    writer.number(canary.every_ms);
}

fn read_canary(reader: &mut Reader<'_>) -> Result<Canary, Unreadable> {
    Ok(Canary {
        digest: reader.text()?.to_owned(),
        bytes: reader.number()?,
        percent: reader.small()?,
        then: reader.list(Reader::small)?,
        every_ms: reader.number()?,
    })
}

/// See [`value`].
pub fn read_value(bytes: &[u8]) -> Value {
    read_versions("a file", bytes, |version, reader| {
        if !(VERSION..=WITH_CANARIES).contains(&version) {
            return Err(Unreadable);
        }
        Ok(Value {
            revision: reader.number()?,
            config: reader.text()?.to_owned(),
            components: reader.list(|reader| {
                Ok(Component {
                    service: reader.text()?.to_owned(),
                    digest: reader.text()?.to_owned(),
                    bytes: reader.number()?,
                    canary: match version {
                        WITH_CANARIES => reader.option(read_canary)?,
                        _ => None,
                    },
                })
            })?,
            applied_by: reader.text()?.to_owned(),
            applied_at_ms: reader.number()?,
        })
    })
}

/// What a host reported.
pub fn standing(standing: &Standing) -> Bytes {
    let version = match &standing.outcome {
        Outcome::Ready => READY,
        Outcome::Running | Outcome::Failed(_) => VERSION,
    };
    write_version(version, |writer| {
        writer.text(&standing.host);
        writer.number(standing.revision);
        let reason = match &standing.outcome {
            Outcome::Running | Outcome::Ready => None,
            Outcome::Failed(reason) => Some(reason),
        };
        writer.option(reason, |writer, reason| writer.text(reason));
        writer.number(standing.at_ms);
    })
}

/// See [`standing`].
pub fn read_standing(bytes: &[u8]) -> Standing {
    read_versions("the standing of a host", bytes, |version, reader| {
        if !(VERSION..=READY).contains(&version) {
            return Err(Unreadable);
        }
        Ok(Standing {
            host: reader.text()?.to_owned(),
            revision: reader.number()?,
            outcome: match reader.option(|reader| Ok(reader.text()?.to_owned()))? {
                None if version == READY => Outcome::Ready,
                None => Outcome::Running,
                Some(reason) => Outcome::Failed(reason),
            },
            at_ms: reader.number()?,
        })
    })
}

/// Who has the turn.
pub fn turn(turn: &Turn) -> Bytes {
    write(|writer| {
        writer.text(&turn.host);
        writer.number(turn.revision);
        writer.number(turn.since_ms);
        writer.number(turn.until_ms);
    })
}

/// See [`turn`].
pub fn read_turn(bytes: &[u8]) -> Turn {
    read("the turn", bytes, |reader| {
        Ok(Turn {
            host: reader.text()?.to_owned(),
            revision: reader.number()?,
            since_ms: reader.number()?,
            until_ms: reader.number()?,
        })
    })
}
