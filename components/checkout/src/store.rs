//! Where a service keeps its orders: the host's scratch, or a map in tests.

use crate::bindings::bookshop::platform::scratch;

pub use scratch::ScratchError;

/// Values with revisions, as `bookshop:platform/scratch` has them.
pub trait Store {
    /// The value of a key and its revision.
    fn get(&self, key: &str) -> Option<(Vec<u8>, u64)>;

    /// Writes a value if the key still has that revision, for `ttl_ms` milliseconds. Returns the new revision.
    ///
    /// # Errors
    /// The host's.
    fn put_if(
        &self,
        key: &str,
        revision: Option<u64>,
        value: &[u8],
        ttl_ms: u64,
    ) -> Result<u64, ScratchError>;

    /// Deletes a value if the key still has that revision.
    ///
    /// # Errors
    /// The host's.
    fn delete_if(&self, key: &str, revision: u64) -> Result<(), ScratchError>;
}

/// The scratch of the host.
#[derive(Debug, Clone, Copy)]
pub struct Scratch;

impl Store for Scratch {
    fn get(&self, key: &str) -> Option<(Vec<u8>, u64)> {
        scratch::get(key)
    }

    fn put_if(
        &self,
        key: &str,
        revision: Option<u64>,
        value: &[u8],
        ttl_ms: u64,
    ) -> Result<u64, ScratchError> {
        scratch::put_if(key, revision, value, ttl_ms)
    }

    fn delete_if(&self, key: &str, revision: u64) -> Result<(), ScratchError> {
        scratch::delete_if(key, revision)
    }
}
