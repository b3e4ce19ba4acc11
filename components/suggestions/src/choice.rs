//! Chooses what to suggest: what others bought with the books of the basket, else something like them.

use catalogue::Book;
use std::cmp::Reverse;

/// How many books are suggested.
const SUGGESTIONS: usize = 3;

/// What speaks for a book, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Affinity {
    /// How often it was bought with books of the basket.
    times_bought: u32,
    /// An author of the basket wrote it.
    is_same_author: bool,
    /// It is of a kind of the basket.
    is_same_genre: bool,
}

/// Up to three books that are not in the basket, the best first. Equally good ones come in the order of the catalogue, so a
/// basket without any known book gets the first books of the catalogue.
pub fn choose(names: &[&str]) -> Vec<&'static Book> {
    let basket: Vec<&Book> = names
        .iter()
        .filter_map(|name| catalogue::find(name))
        .collect();
    let bought: Vec<(&Book, u32)> = basket
        .iter()
        .flat_map(|book| catalogue::bought_with(book))
        .collect();
    let others = catalogue::books()
        .iter()
        .filter(|book| !basket.iter().any(|other| other.id == book.id));
    let mut ranked: Vec<(Affinity, &Book)> = others
        .map(|book| (affinity(book, &basket, &bought), book))
        .collect();
    // Stable, so that equals keep their order.
    ranked.sort_by_key(|(affinity, _)| Reverse(*affinity));
    let best = ranked.into_iter().take(SUGGESTIONS);
    best.map(|(_, book)| book).collect()
}

fn affinity(book: &Book, basket: &[&Book], bought: &[(&Book, u32)]) -> Affinity {
    let times = bought.iter().filter(|(other, _)| other.id == book.id);
    Affinity {
        times_bought: times.map(|(_, times)| times).sum(),
        is_same_author: basket.iter().any(|other| other.author == book.author),
        is_same_genre: basket.iter().any(|other| other.genre == book.genre),
    }
}

#[cfg(test)]
mod tests;
