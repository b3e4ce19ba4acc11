//! The catalogue as the client reads it.

use crate::reply::Reply;
use serde::Serialize;

#[derive(Serialize)]
struct Catalogue {
    books: Vec<Book>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Book {
    book_id: &'static str,
    title: &'static str,
    author: &'static str,
    genre: &'static str,
    price: f64,
    stock: u32,
}

/// Every book that the shop sells.
pub fn reply() -> Reply {
    let books = catalogue::books().iter().map(Book::from).collect();
    Reply::json(200, &Catalogue { books })
}

impl From<&'static catalogue::Book> for Book {
    fn from(book: &'static catalogue::Book) -> Self {
        Self {
            book_id: book.id,
            title: book.title,
            author: book.author,
            genre: book.genre,
            price: f64::from(book.price_cents) / 100.0,
            stock: book.stock,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn every_book_is_there_with_its_price() {
        let body: Value = serde_json::from_slice(&reply().body).expect("a JSON body");
        let books = body["books"].as_array().expect("books are a list");
        assert_eq!(books.len(), catalogue::books().len());
        let emma = books.iter().find(|book| book["bookId"] == "emma");
        let expected = json!({"bookId": "emma", "title": "Emma", "author": "Jane Austen", "genre": "Novel of manners", "price": 8.99, "stock": 1000});
        assert_eq!(emma, Some(&expected));
    }

    #[test]
    fn prices_have_two_decimals_at_most() {
        let text = String::from_utf8(reply().body.into_owned()).expect("JSON is UTF-8");
        for price in text.split("\"price\":").skip(1) {
            let price = price.split(',').next().expect("a first part");
            let decimals = price
                .split_once('.')
                .map_or(0, |(_, decimals)| decimals.len());
            assert!(decimals <= 2, "{price}");
        }
    }
}
