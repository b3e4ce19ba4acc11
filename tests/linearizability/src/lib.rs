//! Whether a history is linearizable: whether each call can have taken effect in one moment between its beginning and its end, so that all results are those
//! of one copy that carries out calls one after the other (Herlihy and Wing, *Linearizability: A Correctness Condition for Concurrent Objects*, 1990).
//!
//! The search is that of Wing and Gong (*Testing and Verifying Concurrent Objects*, 1993), with Lowe's memory of what was tried (*Testing for Linearizability*,
//! 2017): the same calls in another order that lead to the same state are not tried again. A history of several keys is linearizable if that of each key is
//! (locality, Herlihy and Wing, theorem 1), so each is checked alone: the search takes exponential time in the calls that are under way together.

mod history;
pub mod register;
mod search;

pub use history::{Call, History, Number};
pub use search::{Verdict, check};

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

/// What one copy would do.
pub trait Model {
    /// What it has.
    type State: Clone + Eq + Hash + Default;
    /// A call with its result, as far as that is known.
    type Operation: Clone + Debug;

    /// What it has after the operation; none if the operation cannot have had that result.
    fn step(state: &Self::State, operation: &Self::Operation) -> Option<Self::State>;
}

/// Checks the history of each key. The first key whose history is not linearizable, or could not be decided, with the verdict.
///
/// # Errors
/// The key, and what is wrong.
pub fn check_keys<M: Model>(
    histories: &BTreeMap<String, History<M::Operation>>,
) -> Result<(), (String, Verdict<M::Operation>)> {
    for (key, history) in histories {
        match check::<M>(&history.calls()) {
            Verdict::Linearizable => {}
            wrong => return Err((key.clone(), wrong)),
        }
    }
    Ok(())
}
