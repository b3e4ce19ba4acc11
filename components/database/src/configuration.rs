//! What the operator may choose, by `config` in the configuration of the service.

use crate::bindings::exports::bookshop::shop::database::AccessError;
use crate::bindings::wasi::config::store;
use std::ops::RangeInclusive;

/// How many changes the history keeps.
const HISTORY_MAX: &str = "history-max";

/// How many it keeps unless told otherwise.
const HISTORY_MAX_DEFAULT: u64 = 100_000;

/// How many it may be told to keep. Each takes the bytes of its key and a few more in storage.
const HISTORY_MAX_RANGE: RangeInclusive<u64> = 1..=10_000_000;

/// `history-max`.
///
/// # Errors
/// [`AccessError::Unusable`]: it is no number, or too large, or the configuration cannot be read.
pub fn history_max() -> Result<u64, AccessError> {
    let text = store::get(HISTORY_MAX).map_err(|error| {
        AccessError::Unusable(format!("the configuration cannot be read: {error:?}"))
    })?;
    text.map_or(Ok(HISTORY_MAX_DEFAULT), |text| read_history_max(&text))
}

fn read_history_max(text: &str) -> Result<u64, AccessError> {
    let number = text.parse().ok();
    number
        .filter(|number| HISTORY_MAX_RANGE.contains(number))
        .ok_or_else(|| {
            AccessError::Unusable(format!(
                "{HISTORY_MAX} is \"{text}\", it must be a number from {} to {}",
                HISTORY_MAX_RANGE.start(),
                HISTORY_MAX_RANGE.end()
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<u64, &str>) {
        let expected = expected.map_err(|text| AccessError::Unusable(text.into()));
        assert_eq!(read_history_max(text), expected);
    }

    #[test]
    fn the_size_of_the_history_is_a_number_in_bounds() {
        check("1", Ok(1));
        check("10000000", Ok(10_000_000));
        let refusal = "history-max is \"0\", it must be a number from 1 to 10000000";
        check("0", Err(refusal));
        let refusal = "history-max is \"many\", it must be a number from 1 to 10000000";
        check("many", Err(refusal));
    }
}
