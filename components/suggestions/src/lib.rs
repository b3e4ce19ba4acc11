//! Suggests books that go with a basket.
//!
//! Called by the orchestrator through `bookshop:shop/suggestions`. Equal baskets get equal suggestions. The library `checkout` keeps
//! the basket between the events and sees to it that they come in turn.

mod basket;
#[allow(
    unsafe_code,
    missing_docs,
    reason = "generated: values cross the component's border as raw memory, and the documentation is in the WIT"
)]
mod bindings;
mod choice;

use bindings::exports::bookshop::shop::suggestions::{Guest, Suggestion};
use checkout::Service;
use checkout::bindings::bookshop::platform::call_error::CallError;
use checkout::bindings::bookshop::shop::types::{
    Book, ClearError, Event, EventError, Item, Progress, VectorClock,
};
use checkout::store::Scratch;

/// The component.
pub struct Suggestions;

impl Guest for Suggestions {
    async fn init(
        order_id: String,
        items: Vec<Item>,
        progress: Progress,
    ) -> Result<VectorClock, CallError> {
        let data = basket::to_bytes(&items);
        checkout::init(&Scratch, SERVICE, &order_id, &progress, &data)
    }

    async fn suggest(order_id: String, progress: Progress) -> Result<Suggestion, EventError> {
        let event = Event::Suggest;
        let performed = checkout::perform(&Scratch, event, &order_id, &progress, |data| {
            Ok(choose(&basket::from_bytes(data)?))
        })?;
        Ok(Suggestion {
            books: performed.answer,
            clock: performed.clock,
        })
    }

    async fn clear(order_id: String, final_clock: VectorClock) -> Result<(), ClearError> {
        checkout::clear(&Scratch, SERVICE, &order_id, final_clock)
    }

    async fn recommend(items: Vec<Item>) -> Result<Vec<Book>, CallError> {
        let names: Vec<&str> = items.iter().map(|item| item.name.as_str()).collect();
        Ok(choose(&names))
    }
}

const SERVICE: Service = Service::Suggestions;

fn choose(names: &[&str]) -> Vec<Book> {
    let books = choice::choose(names).into_iter();
    let books = books.map(|book| Book {
        id: book.id.into(),
        title: book.title.into(),
        author: book.author.into(),
    });
    books.collect()
}
