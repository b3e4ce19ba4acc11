//! What a replica has in the log beside its entries: who it is, what it promised, and where its log begins.
//!
//! It is one small record, written whole together with what it speaks of, and the log keeps the last one.

use super::bytes::{Reader, Unreadable, Writer};
use super::roster::Roster;
use super::wit::HardState;
use bytes::Bytes;

/// The format that this program writes, and the only one it reads. Format 1 was of a time without replicas.
pub const FORMAT: u8 = 2;

/// Numbers of replicas in one generation of a group. A group that goes on from a part of it, or from a backup, takes the numbers of the next generation: so a replica that was not
/// there is told from its number, whatever it takes itself for.
pub const GENERATION: u64 = 1_000_000;

/// The first number of the generation after that of `next_id`.
#[must_use]
pub fn next_generation(next_id: u64) -> u64 {
    (next_id / GENERATION + 1) * GENERATION + 1
}

/// The index and the term of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Its index.
    pub index: u64,
    /// Its term.
    pub term: u64,
}

/// How far a replica is with coming into being.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Birth {
    /// It exists, and must not take part before every other first member does.
    Prepared,
    /// It takes part.
    Started,
    /// It took part and does no more. It keeps what it has until the group takes it in again, under another number.
    Removed,
    /// The group takes it in again, and what it had is void.
    Void,
}

/// Who a replica is and what it must not forget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The service.
    pub service: String,
    /// Its number in the group.
    pub id: u64,
    /// Whether it takes part.
    pub birth: Birth,
    /// Whom the group began with; nobody, if it was added later.
    pub first: Roster,
    /// Its term, its vote, and what it knows to be committed.
    pub hard: HardState,
    /// The entry before the first one that is kept.
    pub start: Position,
    /// A snapshot that is being put in place; whether it was, the state store knows.
    pub installing: Option<Position>,
}

impl Identity {
    /// Of a replica that begins with a group: its log begins after a state that all have, at index 1 and term 1.
    #[must_use]
    pub fn first(service: &str, id: u64, roster: Roster, birth: Birth) -> Self {
        Self {
            service: service.to_owned(),
            id,
            birth,
            first: roster,
            hard: HardState {
                term: 1,
                vote: 0,
                commit: 1,
            },
            start: Position { index: 1, term: 1 },
            installing: None,
        }
    }

    /// Of a replica that is added to a group: it has nothing.
    #[must_use]
    pub fn added(service: &str, id: u64) -> Self {
        Self {
            service: service.to_owned(),
            id,
            birth: Birth::Started,
            first: Roster::empty(),
            hard: HardState {
                term: 0,
                vote: 0,
                commit: 0,
            },
            start: Position::default(),
            installing: None,
        }
    }

    /// As it is kept.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut writer = Writer::with_capacity(128);
        writer.byte(FORMAT);
        writer.text(&self.service);
        writer.number(self.id);
        writer.byte(match self.birth {
            Birth::Prepared => 0,
            Birth::Started => 1,
            Birth::Removed => 2,
            Birth::Void => 3,
        });
        writer.text(self.first.to_bytes());
        for number in [
            self.hard.term,
            self.hard.vote,
            self.hard.commit,
            self.start.index,
            self.start.term,
        ] {
            writer.number(number);
        }
        let installing = self.installing.unwrap_or_default();
        writer.number(installing.index);
        writer.number(installing.term);
        writer.finish()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// [`Unreadable`]: something else did.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, Unreadable> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != FORMAT {
            return Err(Unreadable);
        }
        let service = reader.text()?;
        let service = std::str::from_utf8(&service).map_err(|_| Unreadable)?;
        let id = reader.number()?;
        let birth = match reader.byte()? {
            0 => Birth::Prepared,
            1 => Birth::Started,
            2 => Birth::Removed,
            3 => Birth::Void,
            _ => return Err(Unreadable),
        };
        let first = Roster::from_bytes(reader.text()?)?;
        let mut number = || reader.number();
        let hard = HardState {
            term: number()?,
            vote: number()?,
            commit: number()?,
        };
        let mut position = || -> Result<Position, Unreadable> {
            Ok(Position {
                index: number()?,
                term: number()?,
            })
        };
        let (start, installing) = (position()?, position()?);
        if !reader.is_at_end() {
            return Err(Unreadable);
        }
        Ok(Self {
            service: service.to_owned(),
            id,
            birth,
            first,
            hard,
            start,
            installing: Some(installing).filter(|position| position.index > 0),
        })
    }
}

/// Through which entry the state store may have what the log never had, by the record of a replica: what is being put in place, or, at the very beginning, what all
/// begin with. Of a replica that is void, whatever it has.
#[must_use]
pub fn elsewhere(record: &[u8]) -> u64 {
    let identity = Identity::from_bytes(Bytes::copy_from_slice(record));
    identity.map_or(0, |identity| {
        if identity.birth == Birth::Void {
            return u64::MAX;
        }
        let installing = identity.installing.map_or(0, |position| position.index);
        installing.max(identity.start.index)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_as_it_was_written_and_not_if_it_is_cut_short() {
        let roster = Roster::first([&"alpha".parse().unwrap(), &"beta".parse().unwrap()]);
        let mut identity = Identity::first("orders", 2, roster, Birth::Prepared);
        identity.installing = Some(Position { index: 9, term: 3 });
        let bytes = identity.to_bytes();
        assert_eq!(Identity::from_bytes(bytes.clone()), Ok(identity));
        for length in 0..bytes.len() {
            assert_eq!(
                Identity::from_bytes(bytes.slice(..length)),
                Err(Unreadable),
                "{length}"
            );
        }
    }
}
