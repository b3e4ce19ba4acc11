//! Keeps keys and values with revisions, for whatever the shop has to agree on.
//!
//! Called by other services, and by people, through `bookshop:shop/database`. Everything is in the host's storage; whether that is replicated,
//! and on how many hosts, is said by the configuration. Gives no meaning to any value but that of a number.

#[allow(
    unsafe_code,
    missing_docs,
    reason = "generated: values cross the component's border as raw memory, and the documentation is in the WIT"
)]
mod bindings;
mod bounds;
mod configuration;
mod database;
mod draft;
mod history;
mod stored;
mod totals;
mod transaction;

use bindings::exports::bookshop::shop::database::{
    AccessError, ChangePage, ChangesError, Condition, Entry, Figures, Guest, Loaded, Operation,
    Outcome, Page, Pair, Selection, SwapError, TransactionError,
};
use configuration::history_max;
use database::Database;
use keys::Storage;

/// The component.
pub struct Service;

impl Guest for Service {
    async fn set(key: String, value: Vec<u8>) -> Result<u64, AccessError> {
        open()?.set(&key, value, history_max()?)
    }

    async fn update(key: String, value: Vec<u8>) -> Result<Option<u64>, AccessError> {
        open()?.update(&key, value, history_max()?)
    }

    async fn delete(key: String) -> Result<Option<u64>, AccessError> {
        open()?.delete(&key, history_max()?)
    }

    async fn get(key: String) -> Result<Option<Entry>, AccessError> {
        open()?.get(key)
    }

    async fn scan(
        selection: Selection,
        after: Option<String>,
        limit: u32,
        keys_only: bool,
    ) -> Result<Page, AccessError> {
        open()?.scan(&selection, after.as_deref(), limit, keys_only)
    }

    async fn compare_and_swap(
        key: String,
        expected: Option<u64>,
        value: Option<Vec<u8>>,
    ) -> Result<u64, SwapError> {
        open()?.compare_and_swap(key, expected, value, history_max()?)
    }

    async fn transaction(
        conditions: Vec<Condition>,
        then: Vec<Operation>,
        otherwise: Vec<Operation>,
    ) -> Result<Outcome, TransactionError> {
        open()?.transaction(&conditions, then, otherwise, history_max()?)
    }

    async fn load(pairs: Vec<Pair>) -> Result<Loaded, AccessError> {
        open()?.load(pairs, history_max()?)
    }

    async fn changes(after: u64, prefix: String, limit: u32) -> Result<ChangePage, ChangesError> {
        open()?.changes(after, &prefix, limit)
    }

    async fn status() -> Result<Figures, AccessError> {
        Ok(open()?.status())
    }
}

fn open() -> Result<Database<'static, Storage>, AccessError> {
    Database::open(&Storage)
}
