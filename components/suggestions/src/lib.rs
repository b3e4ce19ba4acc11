//! Suggests books that go with a basket.
//!
//! Called by the orchestrator through `bookshop:shop/suggestions`. Keeps nothing: equal baskets get equal suggestions.

#[allow(
    unsafe_code,
    missing_docs,
    reason = "generated: values cross the component's border as raw memory, and the documentation is in the WIT"
)]
mod bindings;
mod catalogue;
mod choice;

use bindings::bookshop::platform::call_error::CallError;
use bindings::bookshop::shop::types::{Book, Item};
use bindings::exports::bookshop::shop::suggestions::Guest;

/// The component.
pub struct Suggestions;

impl Guest for Suggestions {
    async fn suggest(items: Vec<Item>) -> Result<Vec<Book>, CallError> {
        let titles: Vec<&str> = items.iter().map(|item| item.name.as_str()).collect();
        let books = choice::choose(&titles);
        Ok(books
            .map(|book| Book {
                id: book.id.into(),
                title: book.title.into(),
                author: book.author.into(),
            })
            .collect())
    }
}
