//! Timers as they are kept: one record by key, and one line by time.

use super::bytes::{Reader, Writer};
use super::draft::{Draft, DraftError};
use super::keyspace::{TIMER, TIMER_ORDER, numbered, prefixed};
use super::work::Alarm;
use crate::state::View;
use bytes::Bytes;

/// Time in milliseconds, and key.
pub type Timer = (u64, Bytes);

/// The key and payload of a timer that is still set for that time.
///
/// # Errors
/// The state cannot be read.
pub fn read(view: &View, (due_ms, key): &Timer) -> Result<Option<(String, Bytes)>, DraftError> {
    let Some(bytes) = view.get(&prefixed(TIMER, key))? else {
        return Ok(None);
    };
    let mut reader = Reader::new(bytes);
    if reader.number()? != *due_ms {
        return Ok(None);
    }
    let key = String::from_utf8(key.to_vec()).map_err(|_| super::bytes::Unreadable)?;
    Ok(Some((key, reader.rest())))
}

/// A timer has gone off.
///
/// # Errors
/// The state cannot be read.
pub fn end(draft: &mut Draft<'_>, (due_ms, key): &Timer) -> Result<(), DraftError> {
    draft.delete(prefixed(TIMER, key));
    draft.delete(numbered(TIMER_ORDER, *due_ms, key));
    draft.meta.timers = draft.meta.timers.saturating_sub(1);
    Ok(())
}

/// Sets or cancels a timer.
///
/// # Errors
/// The state cannot be read.
pub fn change(draft: &mut Draft<'_>, key: &str, alarm: Option<Alarm>) -> Result<(), DraftError> {
    let record = prefixed(TIMER, key.as_bytes());
    if let Some(bytes) = draft.get(&record)? {
        let due_ms = Reader::new(bytes).number()?;
        draft.delete(numbered(TIMER_ORDER, due_ms, key.as_bytes()));
        draft.meta.timers = draft.meta.timers.saturating_sub(1);
    }
    let Some(alarm) = alarm else {
        draft.delete(record);
        return Ok(());
    };
    let mut writer = Writer::with_capacity(10 + alarm.payload.len());
    writer.number(alarm.due_ms);
    writer.raw(&alarm.payload);
    draft.set(record, writer.finish());
    draft.set(
        numbered(TIMER_ORDER, alarm.due_ms, key.as_bytes()),
        Bytes::new(),
    );
    draft.meta.timers += 1;
    Ok(())
}
