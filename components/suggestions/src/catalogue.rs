//! The books that can be suggested.

/// A book of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its identity, made from its title.
    pub id: &'static str,
    /// Its title.
    pub title: &'static str,
    /// Its author or authors.
    pub author: &'static str,
}

const fn book(id: &'static str, title: &'static str, author: &'static str) -> Entry {
    Entry { id, title, author }
}

/// Every book, in an order in which neighbours go well together.
pub const CATALOGUE: [Entry; 18] = [
    book("book-a", "Book A", "Author A"),
    book("book-b", "Book B", "Author B"),
    book("learning-python", "Learning Python", "Mark Lutz"),
    book(
        "javascript-the-good-parts",
        "JavaScript - The Good Parts",
        "Douglas Crockford",
    ),
    book("domain-driven-design", "Domain-Driven Design", "Eric Evans"),
    book(
        "design-patterns",
        "Design Patterns",
        "Erich Gamma, Richard Helm, Ralph Johnson, John Vlissides",
    ),
    book("pride-and-prejudice", "Pride and Prejudice", "Jane Austen"),
    book("emma", "Emma", "Jane Austen"),
    book("jane-eyre", "Jane Eyre", "Charlotte Brontë"),
    book("wuthering-heights", "Wuthering Heights", "Emily Brontë"),
    book("frankenstein", "Frankenstein", "Mary Shelley"),
    book("dracula", "Dracula", "Bram Stoker"),
    book("the-time-machine", "The Time Machine", "H. G. Wells"),
    book(
        "twenty-thousand-leagues-under-the-sea",
        "Twenty Thousand Leagues Under the Sea",
        "Jules Verne",
    ),
    book("moby-dick", "Moby-Dick", "Herman Melville"),
    book(
        "the-adventures-of-sherlock-holmes",
        "The Adventures of Sherlock Holmes",
        "Arthur Conan Doyle",
    ),
    book(
        "crime-and-punishment",
        "Crime and Punishment",
        "Fyodor Dostoevsky",
    ),
    book("war-and-peace", "War and Peace", "Leo Tolstoy"),
];
