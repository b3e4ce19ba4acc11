//! The terms of all entries of a log, as runs: few, since a term changes only with an election.

use crate::TermRun;

/// Terms from the entry before the first to the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// First entry and term of each run, in order; never empty.
    runs: Vec<(u64, u64)>,
    last: u64,
}

impl Terms {
    /// The terms from `base` to `last`. What the host does not say is term 0, which only the entry 0 has.
    pub fn new(base: u64, last: u64, said: &[TermRun]) -> Self {
        let mut runs: Vec<(u64, u64)> = said.iter().map(|run| (run.index, run.term)).collect();
        runs.sort_unstable();
        if runs.first().is_none_or(|(index, _)| *index > base) {
            runs.insert(0, (base, 0));
        }
        let mut terms = Self { runs, last };
        terms.compact(base);
        terms
    }

    /// The term of an entry; none if it is not between the ends.
    pub fn of(&self, index: u64) -> Option<u64> {
        let is_inside = self.runs.first().is_some_and(|(base, _)| *base <= index);
        if !is_inside || index > self.last {
            return None;
        }
        let after = self.runs.partition_point(|(first, _)| *first <= index);
        self.runs.get(after.checked_sub(1)?).map(|(_, term)| *term)
    }

    /// The last entry.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Adds an entry; it replaces the one with its index and everything after it.
    pub fn append(&mut self, index: u64, term: u64) {
        if index <= self.last {
            while self.runs.len() > 1 && self.runs.last().is_some_and(|(first, _)| *first >= index)
            {
                self.runs.pop();
            }
        }
        self.last = index;
        if self.runs.last().is_none_or(|(_, newest)| *newest != term) {
            self.runs.push((index, term));
        }
    }

    /// Forgets what comes before `base`.
    pub fn compact(&mut self, base: u64) {
        let after = self.runs.partition_point(|(first, _)| *first <= base);
        if let Some(keep) = after.checked_sub(1) {
            self.runs.drain(..keep);
            if let Some(run) = self.runs.first_mut() {
                run.0 = run.0.max(base);
            }
        }
    }

    /// Begins again after an entry.
    pub fn restart(&mut self, base: u64, term: u64) {
        *self = Self {
            runs: vec![(base, term)],
            last: base,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(terms: &Terms, expected: &[(u64, Option<u64>)]) {
        for (index, term) in expected {
            assert_eq!(terms.of(*index), *term, "of {index} in {terms:?}");
        }
    }

    fn runs(of: &[(u64, u64)]) -> Vec<TermRun> {
        let run = |(index, term): &(u64, u64)| TermRun {
            index: *index,
            term: *term,
        };
        of.iter().map(run).collect()
    }

    #[test]
    fn an_empty_log_begins_after_entry_0_of_term_0() {
        let mut terms = Terms::new(0, 0, &[]);
        check(&terms, &[(0, Some(0)), (1, None)]);
        terms.append(1, 1);
        check(&terms, &[(0, Some(0)), (1, Some(1)), (2, None)]);
    }

    #[test]
    fn entries_are_found_in_their_runs() {
        let terms = Terms::new(4, 12, &runs(&[(4, 2), (6, 3), (10, 7)]));
        check(
            &terms,
            &[
                (3, None),
                (4, Some(2)),
                (5, Some(2)),
                (6, Some(3)),
                (9, Some(3)),
                (12, Some(7)),
                (13, None),
            ],
        );
    }

    #[test]
    fn a_newer_entry_replaces_everything_after_it() {
        let mut terms = Terms::new(4, 12, &runs(&[(4, 2), (6, 3), (10, 7)]));
        terms.append(8, 9);
        check(&terms, &[(7, Some(3)), (8, Some(9)), (9, None)]);
        terms.append(6, 10);
        check(&terms, &[(5, Some(2)), (6, Some(10)), (7, None)]);
    }

    #[test]
    fn what_was_compacted_is_forgotten_except_for_the_entry_before_the_first() {
        let mut terms = Terms::new(4, 12, &runs(&[(4, 2), (6, 3), (10, 7)]));
        terms.compact(8);
        check(&terms, &[(7, None), (8, Some(3)), (10, Some(7))]);
        terms.restart(20, 9);
        check(&terms, &[(12, None), (20, Some(9)), (21, None)]);
    }
}
