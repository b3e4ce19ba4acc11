//! Finds what a mistyped word was probably meant to be.

/// The candidate that a few slips of the finger turn into `typed`; none if all are too different.
pub(super) fn nearest<'a>(
    typed: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let typed = normal(typed);
    // A third of the word may be wrong: enough for two slips in a long key, too little to turn `time` into `wasm`.
    let slips_max = (typed.chars().count() / 3).clamp(1, 3);
    let scored = candidates
        .into_iter()
        .map(|candidate| (distance(&typed, &normal(candidate)), candidate));
    scored
        .filter(|(slips, _)| *slips <= slips_max)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// Case and the kind of dash are not slips.
fn normal(word: &str) -> String {
    word.to_lowercase().replace('_', "-")
}

/// Letters to insert, delete, replace or swap with their neighbour to make one word of the other
/// (optimal string alignment).
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before_previous: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=to.len()).collect();
    for (row, letter) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let replaced = previous[column] + usize::from(letter != other);
            let mut least = replaced
                .min(previous[column + 1] + 1)
                .min(current[column] + 1);
            if row > 0 && column > 0 && *letter == to[column - 1] && from[row - 1] == *other {
                least = least.min(before_previous[column - 1] + 1);
            }
            current.push(least);
        }
        before_previous = std::mem::replace(&mut previous, current);
    }
    previous[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found() {
        check("limts", Some("limits"));
        check("limitis", Some("limits"));
        check("lmiits", Some("limits"));
        check("Limits", Some("limits"));
        check("log_lines_per_second", Some("log-lines-per-second"));
        check("tiem", Some("time"));
    }

    #[test]
    fn other_words_are_not() {
        check("replicas", None);
        check("tame-me", None);
        check("", None);
    }

    #[track_caller]
    fn check(typed: &str, expected: Option<&str>) {
        assert_eq!(
            nearest(typed, ["limits", "log-lines-per-second", "time", "wasm"]),
            expected
        );
    }
}
