//! What clients did and saw, in the order in which they did and saw it.

use std::collections::BTreeMap;

/// Stands for a call until it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(u64);

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call<O> {
    /// What was called, and what came of it.
    pub operation: O,
    /// When it began. Moments are numbers that only have an order; no two are the same.
    pub began: u64,
    /// When its end was known; none if it never was. Such a call may have taken effect at any time after its beginning, or never.
    pub ended: Option<u64>,
}

/// A history that is being made. Moments are the order in which its methods are called.
#[derive(Debug, Clone)]
pub struct History<O> {
    now: u64,
    open: BTreeMap<Number, O>,
    ended: Vec<Call<O>>,
}

impl<O> Default for History<O> {
    fn default() -> Self {
        Self {
            now: 0,
            open: BTreeMap::new(),
            ended: Vec::new(),
        }
    }
}

impl<O: Clone> History<O> {
    /// A call begins. The operation is what is known of it if its end never is.
    pub fn begin(&mut self, operation: O) -> Number {
        self.now += 1;
        self.open.insert(Number(self.now), operation);
        Number(self.now)
    }

    /// It has ended, with a result.
    pub fn end(&mut self, number: Number, operation: O) {
        if self.open.remove(&number).is_some() {
            self.now += 1;
            self.ended.push(Call {
                operation,
                began: number.0,
                ended: Some(self.now),
            });
        }
    }

    /// It is certain that it had no effect, and it saw nothing.
    pub fn forget(&mut self, number: Number) {
        self.open.remove(&number);
    }

    /// How many calls have ended with a result.
    #[must_use]
    pub fn ended(&self) -> usize {
        self.ended.len()
    }

    /// All calls. Those that have not ended may still have an effect.
    #[must_use]
    pub fn calls(&self) -> Vec<Call<O>> {
        let open = self.open.iter().map(|(number, operation)| Call {
            operation: operation.clone(),
            began: number.0,
            ended: None,
        });
        self.ended.iter().cloned().chain(open).collect()
    }
}
