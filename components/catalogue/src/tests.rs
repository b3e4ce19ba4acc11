use super::*;
use std::collections::BTreeSet;

#[track_caller]
fn check_found(text: &str, expected: Option<&str>) {
    assert_eq!(find(text).map(|book| book.id), expected);
}

#[track_caller]
fn check_bought_with(id: &str, expected: &[(&str, u32)]) {
    let book = find(id).expect("the catalogue has it");
    let found: Vec<_> = bought_with(book)
        .map(|(book, times)| (book.id, times))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_book_is_found_by_title_or_identity() {
    check_found("Book A", Some("book-a"));
    check_found("book-a", Some("book-a"));
    check_found(" moby-DICK ", Some("moby-dick"));
    check_found("Les Misérables", Some("les-miserables"));
    check_found("Book", None);
    check_found("", None);
}

#[test]
fn the_books_of_the_original_shop_are_there() {
    for title in [
        "Book A",
        "Book B",
        "Learning Python",
        "JavaScript - The Good Parts",
        "Domain-Driven Design",
        "Design Patterns",
    ] {
        assert_eq!(find(title).map(|book| book.title), Some(title));
    }
    assert!(books().len() >= 66, "and at least 60 classics");
}

#[test]
fn what_was_bought_together_is_counted_both_ways() {
    check_bought_with(
        "book-a",
        &[("book-b", 4), ("emma", 2), ("the-time-machine", 2)],
    );
    for book in books() {
        for (other, times) in bought_with(book) {
            let back = bought_with(other).find(|(back, _)| *back == book);
            assert_eq!(
                back.map(|(_, times)| times),
                Some(times),
                "{} and {}",
                book.id,
                other.id
            );
        }
    }
}

#[test]
fn a_book_from_elsewhere_was_bought_with_nothing() {
    let book = Book {
        id: "elsewhere",
        title: "Elsewhere",
        author: "",
        genre: "",
        price_cents: 1,
        stock: 0,
    };
    assert_eq!(bought_with(&book).count(), 0);
}

#[test]
fn every_name_means_one_book() {
    let mut names = BTreeSet::new();
    for book in books() {
        assert!(names.insert(book.id.to_lowercase()), "{}", book.id);
        let title = book.title.to_lowercase();
        assert!(title == book.id || names.insert(title), "{}", book.title);
    }
}

#[test]
fn every_book_is_complete() {
    for book in books() {
        let id_is_plain = book
            .id
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        assert!(
            id_is_plain && (1..=64).contains(&book.id.len()),
            "{}",
            book.id
        );
        let texts = [book.title, book.author, book.genre];
        assert!(
            texts
                .iter()
                .all(|text| !text.is_empty() && text.trim() == *text),
            "{}",
            book.id
        );
        assert!(book.price_cents > 0 && book.stock == 1000, "{}", book.id);
    }
}

#[test]
fn every_book_was_bought_with_another() {
    let lonely: Vec<_> = books()
        .iter()
        .filter(|book| bought_with(book).next().is_none())
        .map(|book| book.id)
        .collect();
    assert_eq!(lonely, [""; 0]);
}
