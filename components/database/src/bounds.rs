//! What a call may ask for, and the errors that refuse the rest.

use crate::bindings::exports::bookshop::shop::database::{
    AccessError, Bounded, Breach, ChangesError, SwapError, TransactionError,
};
use keys::bytes::Unreadable;

/// Longest key, in bytes.
const KEY_BYTES_MAX: u64 = 1_024;

/// Largest value, in bytes: two do not fit into one call, but one with everything around it does.
const VALUE_BYTES_MAX: u64 = 512 << 10;

/// Most conditions, and most operations in each list of a transaction.
const STEPS_MAX: u64 = 128;

/// Most pairs to load at once.
const PAIRS_MAX: u64 = 1_000;

/// Most entries, or changes, of a page.
const PAGE_MAX: u64 = 1_000;

/// What one call writes and returns, in bytes. What is around it has room below 1 MiB, which is what the host allows for both unless told otherwise.
pub const CALL_BYTES_MAX: u64 = 768 << 10;

/// How large a key with its value counts: the key is also in a line of its own and in the history.
pub fn cost(key: &str, value_bytes: u64) -> u64 {
    value_bytes.saturating_add(3 * key.len() as u64)
}

/// A key is neither empty nor too long.
pub fn key(key: &str) -> Result<(), AccessError> {
    within(Bounded::KeyBytes, key.len() as u64, 1, KEY_BYTES_MAX)
}

/// A prefix, the end of a range or a cursor is not too long.
pub fn part_of_key(part: &str) -> Result<(), AccessError> {
    within(Bounded::KeyBytes, part.len() as u64, 0, KEY_BYTES_MAX)
}

/// A value is not too large.
pub fn value(value: &[u8]) -> Result<(), AccessError> {
    let bytes = value.len() as u64;
    within(Bounded::ValueBytes, bytes, 0, VALUE_BYTES_MAX)
}

/// There are not too many conditions.
pub fn conditions(count: usize) -> Result<(), AccessError> {
    within(Bounded::Conditions, count as u64, 0, STEPS_MAX)
}

/// There are not too many operations.
pub fn operations(count: usize) -> Result<(), AccessError> {
    within(Bounded::Operations, count as u64, 0, STEPS_MAX)
}

/// There are not too many pairs.
pub fn pairs(count: usize) -> Result<(), AccessError> {
    within(Bounded::Pairs, count as u64, 0, PAIRS_MAX)
}

/// A page has something, and not too much.
pub fn limit(limit: u32) -> Result<usize, AccessError> {
    within(Bounded::Limit, limit.into(), 1, PAGE_MAX)?;
    Ok(limit as usize)
}

/// A call neither writes nor returns too much.
pub fn call_bytes(bytes: u64) -> Result<(), AccessError> {
    within(Bounded::CallBytes, bytes, 0, CALL_BYTES_MAX)
}

fn within(what: Bounded, actual: u64, least: u64, most: u64) -> Result<(), AccessError> {
    if (least..=most).contains(&actual) {
        return Ok(());
    }
    Err(AccessError::OutOfBounds(Breach {
        what,
        actual,
        least,
        most,
    }))
}

/// What was kept in this place is not what this version writes.
pub fn unusable(what: &str) -> AccessError {
    AccessError::Unusable(format!(
        "{what} in storage cannot be read; run the version of this component that wrote it"
    ))
}

/// [`unusable`] for what a reader refused.
pub fn unreadable(what: &'static str) -> impl FnOnce(Unreadable) -> AccessError {
    move |Unreadable| unusable(what)
}

impl From<AccessError> for SwapError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Call(error) => Self::Call(error),
            AccessError::OutOfBounds(breach) => Self::OutOfBounds(breach),
            AccessError::Unusable(text) => Self::Unusable(text),
        }
    }
}

impl From<AccessError> for TransactionError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Call(error) => Self::Call(error),
            AccessError::OutOfBounds(breach) => Self::OutOfBounds(breach),
            AccessError::Unusable(text) => Self::Unusable(text),
        }
    }
}

impl From<AccessError> for ChangesError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Call(error) => Self::Call(error),
            AccessError::OutOfBounds(breach) => Self::OutOfBounds(breach),
            AccessError::Unusable(text) => Self::Unusable(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(least_and_most: [Result<(), AccessError>; 2], beyond: Result<(), AccessError>) {
        assert_eq!(least_and_most, [Ok(()), Ok(())]);
        assert!(matches!(beyond, Err(AccessError::OutOfBounds(_))));
    }

    #[test]
    fn each_bound_is_within_what_is_allowed() {
        let text = |bytes: usize| "k".repeat(bytes);
        let page = |count| limit(count).map(drop);
        check([key("k"), key(&text(1_024))], key(&text(1_025)));
        check([key("k"), key("é")], key(""));
        check(
            [part_of_key(""), part_of_key(&text(1_024))],
            part_of_key(&text(1_025)),
        );
        check(
            [value(b""), value(&[0; 512 << 10])],
            value(&[0; (512 << 10) + 1]),
        );
        check([conditions(0), conditions(128)], conditions(129));
        check([operations(0), operations(128)], operations(129));
        check([pairs(0), pairs(1_000)], pairs(1_001));
        check([page(1), page(1_000)], page(1_001));
        check([page(1), page(2)], page(0));
        check(
            [call_bytes(0), call_bytes(768 << 10)],
            call_bytes((768 << 10) + 1),
        );
    }

    #[test]
    fn a_breach_says_what_was_asked_and_what_is_allowed() {
        let breach = Breach {
            what: Bounded::Limit,
            actual: 0,
            least: 1,
            most: 1_000,
        };
        assert_eq!(limit(0), Err(AccessError::OutOfBounds(breach)));
    }
}
