//! What the database knows of itself without looking at its keys.

use crate::bindings::exports::bookshop::shop::database::AccessError;
use crate::bounds::unreadable;
use keys::Keys;
use keys::bytes::{Reader, Unreadable, Writer};

/// Where the totals are.
const TOTALS: &[u8] = b"t";

/// The form of everything together: whoever changes what is where raises it.
const FORM: u64 = 1;

/// How far the database is, and how large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Its revision.
    pub revision: u64,
    /// How many keys have values.
    pub keys: u64,
    /// The bytes of these keys and of their values.
    pub bytes: u64,
    /// The first revision that the history has; one more than `revision` if it has none.
    pub first: u64,
    /// How many changes the history has, all its revisions together.
    pub changes: u64,
}

impl Totals {
    /// Of a database that was never written to.
    const EMPTY: Self = Self {
        revision: 0,
        keys: 0,
        bytes: 0,
        first: 1,
        changes: 0,
    };

    /// Reads them.
    ///
    /// # Errors
    /// [`AccessError::Unusable`]: something else is in their place.
    pub fn load<K: Keys>(keys: &K) -> Result<Self, AccessError> {
        match keys.get(TOTALS) {
            Some(bytes) => Self::read(Reader::new(&bytes)).map_err(unreadable("the database")),
            None => Ok(Self::EMPTY),
        }
    }

    fn read(mut reader: Reader) -> Result<Self, Unreadable> {
        if reader.number()? != FORM {
            return Err(Unreadable);
        }
        Ok(Self {
            revision: reader.number()?,
            keys: reader.number()?,
            bytes: reader.number()?,
            first: reader.number()?,
            changes: reader.number()?,
        })
    }

    /// Writes them.
    pub fn save<K: Keys>(&self, keys: &K) {
        let mut writer = Writer::with_capacity(32);
        writer.number(FORM);
        writer.number(self.revision);
        writer.number(self.keys);
        writer.number(self.bytes);
        writer.number(self.first);
        writer.number(self.changes);
        keys.set(TOTALS, &writer.finish());
    }
}
