//! Where everything is kept: the host's storage, or a map in tests.

use crate::bindings::bookshop::platform::storage;

/// A key, or a value.
pub type Bytes = Vec<u8>;

/// Ordered keys with values, as `bookshop:platform/storage` has them.
pub trait Keys {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Option<Bytes>;

    /// Gives a key a value.
    fn set(&self, key: &[u8], value: &[u8]);

    /// Takes a key's value away.
    fn delete(&self, key: &[u8]);

    /// The first of the keys from `low` up to, but without, `high`.
    fn first(&self, low: &[u8], high: &[u8]) -> Option<(Bytes, Bytes)>;
}

/// The storage of the host.
#[derive(Debug, Clone, Copy)]
pub struct Storage;

impl Keys for Storage {
    fn get(&self, key: &[u8]) -> Option<Bytes> {
        storage::get(key)
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        storage::set(key, value);
    }

    fn delete(&self, key: &[u8]) {
        storage::delete(key);
    }

    fn first(&self, low: &[u8], high: &[u8]) -> Option<(Bytes, Bytes)> {
        storage::scan(low, Some(high), 1, false).pop()
    }
}

/// Keys and values in a map.
#[cfg(test)]
#[derive(Default)]
pub struct Memory(pub std::cell::RefCell<std::collections::BTreeMap<Bytes, Bytes>>);

#[cfg(test)]
impl Keys for Memory {
    fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.0.borrow().get(key).cloned()
    }

    fn set(&self, key: &[u8], value: &[u8]) {
        self.0.borrow_mut().insert(key.into(), value.into());
    }

    fn delete(&self, key: &[u8]) {
        self.0.borrow_mut().remove(key);
    }

    fn first(&self, low: &[u8], high: &[u8]) -> Option<(Bytes, Bytes)> {
        let keys = self.0.borrow();
        let mut range = keys.range(low.to_vec()..high.to_vec());
        range
            .next()
            .map(|(key, value)| (key.clone(), value.clone()))
    }
}
