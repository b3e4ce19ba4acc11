//! The books that the shop sells, and which of them were bought together.
//!
//! `books.csv` and `baskets.csv` are the data, made into tables when this is built. Used by every component that has to know a book;
//! how many copies are left at the moment is not known here.

include!(concat!(env!("OUT_DIR"), "/tables.rs"));

/// A book that the shop sells.
#[derive(Debug, PartialEq, Eq)]
pub struct Book {
    /// Its identity: lowercase letters, digits and dashes, at most 64. No other book has it.
    pub id: &'static str,
    /// Its title, which no other book has.
    pub title: &'static str,
    /// Its author or authors.
    pub author: &'static str,
    /// What kind of book it is.
    pub genre: &'static str,
    /// What one copy costs, in cents.
    pub price_cents: u32,
    /// Copies that the shop has when it opens.
    pub stock: u32,
}

/// Every book, in the order of the shop's shelves.
pub fn books() -> &'static [Book] {
    BOOKS
}

/// The book with this title or identity, without regard to the case of English letters and to space around it.
pub fn find(title_or_id: &str) -> Option<&'static Book> {
    let wanted = title_or_id.trim();
    let is_wanted = |text: &str| text.eq_ignore_ascii_case(wanted);
    BOOKS
        .iter()
        .find(|book| is_wanted(book.title) || is_wanted(book.id))
}

/// The books that past customers had in one basket with this one and how many of them did, the most frequent first.
///
/// Empty for a book that is not one of [`books`].
pub fn bought_with(book: &Book) -> impl Iterator<Item = (&'static Book, u32)> {
    let place = BOOKS.iter().position(|other| other.id == book.id);
    let pairs = place.map_or([].as_slice(), |place| PAIRS[place]);
    pairs.iter().map(|(place, times)| (&BOOKS[*place], *times))
}

#[cfg(test)]
mod tests;
