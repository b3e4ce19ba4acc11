//! What may be ordered at once.

use crate::reason::Reason;
use crate::submission::Line;
use std::ops::RangeInclusive;

/// Lines of one basket.
const LINES_MAX: usize = 100;

/// Copies of one book. The end is far from where sums over a basket overflow.
const QUANTITY: RangeInclusive<i32> = 1..=1_000_000;

/// Refuses baskets that are empty or too long, and lines without a book of the catalogue or with an impossible quantity.
pub fn verify(lines: &[Line]) -> Result<(), Reason> {
    if lines.is_empty() {
        return Err(Reason::EmptyItems);
    }
    if lines.len() > LINES_MAX {
        return Err(Reason::TooManyItems);
    }
    if lines.iter().any(|line| line.name.trim().is_empty()) {
        return Err(Reason::InvalidItem);
    }
    if lines.iter().any(|line| !QUANTITY.contains(&line.quantity)) {
        return Err(Reason::InvalidQuantity);
    }
    if lines
        .iter()
        .any(|line| catalogue::find(line.name).is_none())
    {
        return Err(Reason::UnknownBook);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[(&str, i32)], expected: Result<(), Reason>) {
        let lines = lines
            .iter()
            .map(|&(name, quantity)| Line { name, quantity });
        assert_eq!(verify(&lines.collect::<Vec<_>>()), expected);
    }

    #[test]
    fn a_basket_has_1_to_100_lines() {
        check(&[], Err(Reason::EmptyItems));
        check(&[("Book A", 1)], Ok(()));
        check(&[("Book A", 1); 100], Ok(()));
        check(&[("Book A", 1); 101], Err(Reason::TooManyItems));
    }

    #[test]
    fn every_line_names_a_book() {
        check(&[("Book A", 1), ("", 1)], Err(Reason::InvalidItem));
        check(&[(" ", 1)], Err(Reason::InvalidItem));
    }

    #[test]
    fn every_quantity_is_positive_and_not_absurd() {
        check(
            &[("Book A", 1), ("Book B", 0)],
            Err(Reason::InvalidQuantity),
        );
        check(&[("Book A", -1)], Err(Reason::InvalidQuantity));
        check(&[("Book A", 999)], Ok(()));
        check(&[("Book A", 1_000_000)], Ok(()));
        check(&[("Book A", 1_000_001)], Err(Reason::InvalidQuantity));
    }

    #[test]
    fn every_book_is_in_the_catalogue() {
        check(&[(" book a ", 1)], Ok(()));
        check(&[("book-a", 1)], Ok(()));
        check(
            &[("Book A", 1), ("No Such Book", 1)],
            Err(Reason::UnknownBook),
        );
    }
}
