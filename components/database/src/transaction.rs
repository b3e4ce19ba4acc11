//! Conditions and operations of a transaction, on a draft.

use crate::bindings::exports::bookshop::shop::database::{
    AccessError, Addition, Condition, Operation, OperationResult, Pair, Shortage, Test,
    TransactionError,
};
use crate::bounds;
use crate::draft::Draft;
use keys::Keys;

/// All of it keeps to its bounds; looked at before anything is done.
///
/// # Errors
/// [`AccessError::OutOfBounds`].
pub fn check(
    conditions: &[Condition],
    then: &[Operation],
    otherwise: &[Operation],
) -> Result<(), AccessError> {
    bounds::conditions(conditions.len())?;
    for condition in conditions {
        bounds::key(&condition.key)?;
    }
    for operations in [then, otherwise] {
        bounds::operations(operations.len())?;
        for operation in operations {
            match operation {
                Operation::Set(Pair { key, value }) => {
                    bounds::key(key)?;
                    bounds::value(value)?;
                }
                Operation::Delete(key)
                | Operation::Get(key)
                | Operation::Add(Addition { key, .. }) => bounds::key(key)?,
            }
        }
    }
    Ok(())
}

/// Whether a condition holds.
///
/// # Errors
/// [`TransactionError::NotANumber`], [`TransactionError::Unusable`].
pub fn holds<K: Keys>(
    condition: &Condition,
    draft: &mut Draft<K>,
) -> Result<bool, TransactionError> {
    let key = &condition.key;
    let stored = draft.get(key)?;
    Ok(match &condition.test {
        Test::Exists => stored.is_some(),
        Test::Absent => stored.is_none(),
        Test::AtRevision(revision) => stored.is_some_and(|it| it.revision == *revision),
        Test::Equals(value) => {
            let has_length = stored.is_some_and(|it| it.value.bytes() == value.len() as u64);
            has_length && draft.value(key)?.as_ref() == Some(value)
        }
        Test::AtLeast(least) => number(key, draft)? >= *least,
    })
}

/// Carries out an operation.
///
/// # Errors
/// Any but [`TransactionError::Call`].
pub fn perform<K: Keys>(
    operation: Operation,
    draft: &mut Draft<K>,
) -> Result<OperationResult, TransactionError> {
    Ok(match operation {
        Operation::Set(Pair { key, value }) => {
            draft.set(&key, value)?;
            OperationResult::Set
        }
        Operation::Delete(key) => OperationResult::Deleted(draft.delete(&key)?),
        Operation::Get(key) => OperationResult::Got(draft.entry(key)?),
        Operation::Add(addition) => OperationResult::Added(add(addition, draft)?),
    })
}

fn add<K: Keys>(addition: Addition, draft: &mut Draft<K>) -> Result<u64, TransactionError> {
    let Addition { key, amount } = addition;
    let number = number(&key, draft)?;
    let Some(sum) = number.checked_add_signed(amount) else {
        return Err(if amount < 0 {
            TransactionError::Insufficient(Shortage {
                key,
                available: number,
                wanted: amount.unsigned_abs(),
            })
        } else {
            TransactionError::Overflow(key)
        });
    };
    draft.set(&key, sum.to_le_bytes().into())?;
    Ok(sum)
}

/// A key without a value counts as 0.
fn number<K: Keys>(key: &str, draft: &mut Draft<K>) -> Result<u64, TransactionError> {
    // A number is in its line, so nothing large is read to find that it is none.
    let Some(stored) = draft.get(key)? else {
        return Ok(0);
    };
    stored
        .value
        .number()
        .ok_or_else(|| TransactionError::NotANumber(key.into()))
}
