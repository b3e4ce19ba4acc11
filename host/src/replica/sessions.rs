//! Answers kept by idempotency key, so that a call that is repeated has one effect and gets the same answer.
//!
//! An answer is kept for a time and in bounded room; of older keys only the fact that they were used is kept, for much longer. A key that was
//! used is therefore never executed again, as long as it is remembered at all (see [`EXPIRED_AGES`] and [`EXPIRED_MAX`]).

use super::bytes::{Reader, Unreadable, Writer};
use super::draft::{Draft, DraftError};
use super::keyspace::{
    EXPIRED_ORDER, KeyHash, SESSION, SESSION_ORDER, numbered, prefixed, split_numbered,
};
use crate::config::Replicated;
use crate::state::View;
use bytes::Bytes;

/// How often the time for which answers are kept fits into that for which used keys are.
const EXPIRED_AGES: u64 = 7;
/// Used keys without an answer that are kept, at most: about 100 MiB of the state store.
const EXPIRED_MAX: u64 = 1_000_000;
/// Sessions that one entry throws away, at most, so that it stays small. More than the one it adds, so it catches up.
const EVICTIONS_MAX: usize = 4;
/// What a session takes besides its answer, about.
const SESSION_BYTES: u64 = 160;

/// First byte of a session with an answer, and of one without.
const ANSWERED: u8 = 1;
const EXPIRED: u8 = 2;

/// A call's idempotency key, and what it calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionKey {
    /// Hash of the key.
    pub hash: KeyHash,
    /// Hash of function and arguments.
    pub call: KeyHash,
}

/// An answer, as bytes of the type that its hash names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Hash of the type of the results.
    pub type_hash: [u8; 16],
    /// The results.
    pub reply: Bytes,
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing: the call is executed.
    New,
    /// It was executed, and this was the answer.
    Answered(Recorded),
    /// The key stands for another call.
    Reused,
    /// It was executed, and the answer is gone.
    Expired,
}

/// How long and in how much room answers are kept.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Milliseconds of the group's time.
    pub age_ms: u64,
    /// Bytes in all.
    pub bytes: u64,
}

impl Bounds {
    /// Those of a service's configuration. A service that the configuration has no more gets no calls, and throws nothing away.
    #[must_use]
    pub fn of(replicated: Option<&Replicated>) -> Self {
        replicated.map_or(
            Self {
                age_ms: u64::MAX,
                bytes: u64::MAX,
            },
            |replicated| Self {
                age_ms: u64::try_from(replicated.session_age.as_millis()).unwrap_or(u64::MAX),
                bytes: replicated.sessions_bytes,
            },
        )
    }
}

/// Looks a key up.
///
/// # Errors
/// The state cannot be read, or holds something else there.
pub fn find(view: &View, key: &SessionKey) -> Result<Found, DraftError> {
    let Some(bytes) = view.get(&prefixed(SESSION, &key.hash))? else {
        return Ok(Found::New);
    };
    let mut reader = Reader::new(bytes);
    Ok(match reader.byte()? {
        ANSWERED => {
            let _time_ms = reader.number()?;
            if reader.array()? != key.call {
                return Ok(Found::Reused);
            }
            Found::Answered(Recorded {
                type_hash: reader.array()?,
                reply: reader.rest(),
            })
        }
        EXPIRED => Found::Expired,
        _ => return Err(Unreadable.into()),
    })
}

/// What is kept of a session, as an operator sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// An answer.
    Answer {
        /// When it was given, in the group's time.
        time_ms: u64,
        /// How long it is.
        bytes: usize,
    },
    /// Only that the key was used.
    Used,
}

/// Reads what is kept under the key of a session.
///
/// # Errors
/// [`Unreadable`]: it is something else.
pub fn kept(value: Bytes) -> Result<Kept, Unreadable> {
    let mut reader = Reader::new(value);
    Ok(match reader.byte()? {
        ANSWERED => {
            let time_ms = reader.number()?;
            let _call: KeyHash = reader.array()?;
            let _type_hash: KeyHash = reader.array()?;
            let bytes = reader.rest().len();
            Kept::Answer { time_ms, bytes }
        }
        EXPIRED => Kept::Used,
        _ => return Err(Unreadable),
    })
}

/// Keeps an answer, and throws away what there is no room or time for any more.
///
/// # Errors
/// See [`find`].
pub fn record(
    draft: &mut Draft<'_>,
    key: &SessionKey,
    recorded: &Recorded,
    time_ms: u64,
    bounds: Bounds,
) -> Result<(), DraftError> {
    let mut writer = Writer::with_capacity(64 + recorded.reply.len());
    writer.byte(ANSWERED);
    writer.number(time_ms);
    writer.raw(&key.call);
    writer.raw(&recorded.type_hash);
    writer.raw(&recorded.reply);
    let bytes = SESSION_BYTES + recorded.reply.len() as u64;
    let mut size = Writer::default();
    size.number(bytes);
    draft.set(prefixed(SESSION, &key.hash), writer.finish());
    draft.set(numbered(SESSION_ORDER, time_ms, &key.hash), size.finish());
    draft.meta.session_bytes += bytes;
    expire(draft, time_ms, bounds)?;
    forget(draft, time_ms, bounds)
}

/// Throws answers away.
fn expire(draft: &mut Draft<'_>, time_ms: u64, bounds: Bounds) -> Result<(), DraftError> {
    for (order, size) in draft.first(SESSION_ORDER, EVICTIONS_MAX)? {
        let (at_ms, hash) = split_numbered(&order)?;
        let is_old = at_ms.saturating_add(bounds.age_ms) <= time_ms;
        if !is_old && draft.meta.session_bytes <= bounds.bytes {
            break;
        }
        draft.delete(order);
        draft.set(prefixed(SESSION, &hash), Bytes::from_static(&[EXPIRED]));
        draft.set(numbered(EXPIRED_ORDER, at_ms, &hash), Bytes::new());
        draft.meta.session_bytes = draft
            .meta
            .session_bytes
            .saturating_sub(Reader::new(size).number()?);
        draft.meta.expired_sessions += 1;
    }
    Ok(())
}

/// Forgets used keys.
pub(super) fn forget(
    draft: &mut Draft<'_>,
    time_ms: u64,
    bounds: Bounds,
) -> Result<(), DraftError> {
    let age_ms = bounds.age_ms.saturating_mul(EXPIRED_AGES);
    for (order, _) in draft.first(EXPIRED_ORDER, EVICTIONS_MAX)? {
        let (at_ms, hash) = split_numbered(&order)?;
        let is_old = at_ms.saturating_add(age_ms) <= time_ms;
        if !is_old && draft.meta.expired_sessions <= EXPIRED_MAX {
            break;
        }
        draft.delete(order);
        draft.delete(prefixed(SESSION, &hash));
        draft.meta.expired_sessions = draft.meta.expired_sessions.saturating_sub(1);
    }
    Ok(())
}
