//! What may be ordered at once.

use crate::bindings::bookshop::shop::types::Item;
use crate::reason::Reason;
use std::ops::RangeInclusive;

/// Lines of one basket.
const LINES_MAX: usize = 100;

/// Copies of one book. The end is far from where sums over a basket overflow.
const QUANTITY: RangeInclusive<i32> = 1..=1_000_000;

/// Refuses baskets that are empty or too long, and lines without a book or with an impossible quantity.
pub fn verify(items: &[Item]) -> Result<(), Reason> {
    if items.is_empty() {
        return Err(Reason::EmptyItems);
    }
    if items.len() > LINES_MAX {
        return Err(Reason::TooManyItems);
    }
    if items.iter().any(|item| item.name.trim().is_empty()) {
        return Err(Reason::InvalidItem);
    }
    if items.iter().any(|item| !QUANTITY.contains(&item.quantity)) {
        return Err(Reason::InvalidQuantity);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(items: &[(&str, i32)], expected: Result<(), Reason>) {
        let items: Vec<Item> = items
            .iter()
            .map(|&(name, quantity)| Item {
                name: name.into(),
                quantity,
            })
            .collect();
        assert_eq!(verify(&items), expected);
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
}
