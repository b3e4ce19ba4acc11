//! The search for an order.

use crate::{Call, Model};
use std::collections::HashSet;
use std::fmt;

/// Steps after which a search is given up: some seconds, and some hundred megabytes. Histories of clients that wait for each answer need far fewer.
const STEPS_MAX: u64 = 5_000_000;
/// Calls that a verdict shows.
const SHOWN: usize = 12;

/// Whether a history is linearizable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<O> {
    /// There is an order that explains all results.
    Linearizable,
    /// There is none.
    Not {
        /// The most calls that one order explains, the last ones of it.
        explained: Vec<O>,
        /// Calls that can come next by their times, and cannot by their results.
        next: Vec<O>,
    },
    /// It takes too long to say.
    Unknown,
}

impl<O: fmt::Debug> fmt::Display for Verdict<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linearizable => f.write_str("linearizable"),
            Self::Not { explained, next } => write!(
                f,
                "not linearizable: after {explained:?} the results of none of {next:?} are possible"
            ),
            Self::Unknown => write!(f, "not decided after {STEPS_MAX} steps"),
        }
    }
}

/// One beginning or end of a call, in a list of those that are left.
#[derive(Clone, Copy)]
struct Entry {
    call: usize,
    is_end: bool,
    before: usize,
    after: usize,
}

/// What is left of a history, in order. The first entry is none: it stands for both ends of the list.
struct List {
    entries: Vec<Entry>,
    /// Where each call begins and ends in it.
    places: Vec<(usize, Option<usize>)>,
}

impl List {
    fn of<O>(calls: &[Call<O>]) -> Self {
        let begins = calls
            .iter()
            .enumerate()
            .map(|(n, call)| (call.began, n, false));
        let ends = calls.iter().enumerate();
        let ends = ends.filter_map(|(n, call)| Some((call.ended?, n, true)));
        let mut moments: Vec<(u64, usize, bool)> = begins.chain(ends).collect();
        moments.sort_unstable();
        let mut places = vec![(0, None); calls.len()];
        let count = moments.len();
        let mut entries = vec![Entry {
            call: 0,
            is_end: false,
            before: count,
            after: usize::from(count > 0),
        }];
        for (at, (_, call, is_end)) in (1..).zip(moments) {
            match is_end {
                true => places[call].1 = Some(at),
                false => places[call].0 = at,
            }
            entries.push(Entry {
                call,
                is_end,
                before: at - 1,
                after: if at == count { 0 } else { at + 1 },
            });
        }
        Self { entries, places }
    }

    fn unlink(&mut self, at: usize) {
        let Entry { before, after, .. } = self.entries[at];
        self.entries[before].after = after;
        self.entries[after].before = before;
    }

    /// Undoes the last [`unlink`](Self::unlink) that is not undone.
    fn link(&mut self, at: usize) {
        let Entry { before, after, .. } = self.entries[at];
        self.entries[before].after = at;
        self.entries[after].before = at;
    }

    fn take(&mut self, call: usize) {
        let (begin, end) = self.places[call];
        self.unlink(begin);
        if let Some(end) = end {
            self.unlink(end);
        }
    }

    fn put_back(&mut self, call: usize) {
        let (begin, end) = self.places[call];
        if let Some(end) = end {
            self.link(end);
        }
        self.link(begin);
    }
}

/// Which calls are in an order.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Set(Vec<u64>);

impl Set {
    fn flip(&mut self, call: usize) {
        self.0[call / 64] ^= 1 << (call % 64);
    }
}

/// Whether there is an order of these calls that explains their results, from the model's first state.
#[must_use]
pub fn check<M: Model>(calls: &[Call<M::Operation>]) -> Verdict<M::Operation> {
    let mut list = List::of(calls);
    let mut missing = calls.iter().filter(|call| call.ended.is_some()).count();
    let mut state = M::State::default();
    let mut chosen = Set(vec![0; calls.len().div_ceil(64)]);
    let mut tried: HashSet<(Set, M::State)> = HashSet::new();
    // The calls in the order so far, with the state before each.
    let mut order: Vec<(usize, M::State)> = Vec::new();
    let mut longest: Vec<usize> = Vec::new();
    let mut at = list.entries[0].after;
    for _ in 0..STEPS_MAX {
        // Calls that never end may be left out.
        if missing == 0 {
            return Verdict::Linearizable;
        }
        let entry = list.entries[at];
        if at != 0 && !entry.is_end {
            let call = entry.call;
            let next = M::step(&state, &calls[call].operation);
            let next = next.filter(|next| {
                chosen.flip(call);
                let is_new = tried.insert((chosen.clone(), next.clone()));
                if !is_new {
                    chosen.flip(call);
                }
                is_new
            });
            if let Some(next) = next {
                order.push((call, std::mem::replace(&mut state, next)));
                missing -= usize::from(calls[call].ended.is_some());
                list.take(call);
                at = list.entries[0].after;
                continue;
            }
            at = entry.after;
            continue;
        }
        // What ended here would have to be in the order by now, or nothing is left to try: the last choice was wrong.
        if order.len() > longest.len() {
            longest = order.iter().map(|(call, _)| *call).collect();
        }
        let Some((call, before)) = order.pop() else {
            return refuted(calls, &longest);
        };
        state = before;
        chosen.flip(call);
        missing += usize::from(calls[call].ended.is_some());
        list.put_back(call);
        at = list.entries[list.places[call].0].after;
    }
    Verdict::Unknown
}

fn refuted<O: Clone>(calls: &[Call<O>], longest: &[usize]) -> Verdict<O> {
    let left = || (0..calls.len()).filter(|call| !longest.contains(call));
    let first_end = left().filter_map(|call| calls[call].ended).min();
    let next = left().filter(|call| first_end.is_none_or(|end| calls[*call].began < end));
    let of = |call: usize| calls[call].operation.clone();
    Verdict::Not {
        explained: longest[longest.len().saturating_sub(SHOWN)..]
            .iter()
            .map(|call| of(*call))
            .collect(),
        next: next.take(SHOWN).map(of).collect(),
    }
}
