//! Chooses what to suggest.

use crate::catalogue::{CATALOGUE, Entry};

/// How many books are suggested.
const SUGGESTIONS: usize = 3;

/// The books that follow, in the catalogue, the last one of the basket that the catalogue has; none of them is in the basket.
///
/// The end of the catalogue is followed by its beginning. A basket of unknown titles gets the first books.
pub fn choose(basket: &[&str]) -> impl Iterator<Item = Entry> {
    let place = basket
        .iter()
        .rev()
        .find_map(|title| CATALOGUE.iter().position(|book| is_same(book.title, title)));
    let (before, after) = CATALOGUE.split_at(place.map_or(0, |place| place + 1));
    after
        .iter()
        .chain(before)
        .filter(|book| !basket.iter().any(|title| is_same(book.title, title)))
        .take(SUGGESTIONS)
        .copied()
}

fn is_same(title: &str, other: &str) -> bool {
    title.eq_ignore_ascii_case(other.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(basket: &[&str], expected: &[&str]) {
        let ids: Vec<&str> = choose(basket).map(|book| book.id).collect();
        assert_eq!(ids, expected);
    }

    #[test]
    fn suggests_what_follows_the_last_known_book() {
        check(
            &["Book A"],
            &["book-b", "learning-python", "javascript-the-good-parts"],
        );
        check(
            &["Dracula", "Jane Eyre"],
            &["wuthering-heights", "frankenstein", "the-time-machine"],
        );
    }

    #[test]
    fn begins_again_after_the_last_book() {
        check(&["War and Peace"], &["book-a", "book-b", "learning-python"]);
    }

    #[test]
    fn never_suggests_what_is_in_the_basket() {
        check(
            &["Book B", " book a "],
            &[
                "learning-python",
                "javascript-the-good-parts",
                "domain-driven-design",
            ],
        );
    }

    #[test]
    fn unknown_titles_and_an_empty_basket_get_the_first_books() {
        check(&["No Such Book"], &["book-a", "book-b", "learning-python"]);
        check(&[], &["book-a", "book-b", "learning-python"]);
    }

    #[test]
    fn suggests_fewer_when_the_basket_has_almost_everything() {
        let titles: Vec<&str> = CATALOGUE.iter().map(|book| book.title).collect();
        check(&titles, &[]);
        check(&titles[1..], &["book-a"]);
    }

    #[test]
    fn identities_and_titles_are_unique() {
        for (place, book) in CATALOGUE.iter().enumerate() {
            let same = |other: &Entry| other.id == book.id || is_same(other.title, book.title);
            assert!(
                !CATALOGUE[..place].iter().any(same),
                "{} is there twice",
                book.id
            );
        }
    }
}
