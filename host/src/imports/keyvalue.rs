//! `wasi:keyvalue`: buckets of texts and values, among the keys of the service.
//!
//! The key `k` of the bucket `b` is the key `kv`, zero, `b`, zero, `k` of `bookshop:platform/storage`, so everything that is said there of a call's
//! writes holds here. Refusals are values here: a component that goes on after one has written nothing by it.

use crate::imports::storage::Refused;
use crate::imports::{CallState, NoState};
use crate::os::task;
use crate::replica::work::WorkError;
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTableError};

mod generated {
    #![allow(
        missing_docs,
        clippy::all,
        reason = "generated from WIT, documented there"
    )]
    wasmtime::component::bindgen!({
        path: "../wit/deps/keyvalue.wit",
        world: "wasi:keyvalue/imports",
        imports: {
            "wasi:keyvalue/store.[method]bucket.list-keys": async | trappable,
            default: trappable,
        },
        with: { "wasi:keyvalue/store.bucket": super::Bucket },
        trappable_error_type: { "wasi:keyvalue/store.error" => super::Fault },
    });
}
use generated::wasi::keyvalue::{atomics, batch, store};
use store::Error;

/// Longest name of a bucket, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// Keys in one answer of `list-keys`; the caller goes on with its cursor.
const PAGE_KEYS: usize = 1_000;
/// Begins the keys of all buckets.
const PREFIX: &[u8] = b"kv\0";
/// Ends the name of a bucket, which therefore cannot have it.
const END: u8 = 0;

/// An open bucket.
pub struct Bucket {
    /// Begins its keys.
    prefix: Vec<u8>,
    /// The cursor of the page that was listed last, and where the next one begins. Any other cursor is only a number of keys to pass over.
    listed: Option<(u64, Vec<u8>)>,
}

impl Bucket {
    /// None if no bucket can have this name.
    fn open(name: &str) -> Option<Self> {
        if name.len() > NAME_BYTES_MAX || name.bytes().any(|byte| byte == END) {
            return None;
        }
        Some(Self {
            prefix: [PREFIX, name.as_bytes(), &[END]].concat(),
            listed: None,
        })
    }

    fn key(&self, key: &str) -> Vec<u8> {
        [&self.prefix, key.as_bytes()].concat()
    }

    /// The first key that is beyond all of the bucket's.
    fn end(&self) -> Vec<u8> {
        let mut end = self.prefix.clone();
        if let Some(last) = end.last_mut() {
            *last = END + 1;
        }
        end
    }

    /// The text of one of its keys.
    fn text(&self, mut key: Vec<u8>) -> Result<String, Fault> {
        let text = String::from_utf8(key.split_off(self.prefix.len()));
        text.map_err(|_| {
            other("it has a key that is no text, which was set by bookshop:platform/storage")
        })
    }
}

/// Why a function has no result.
pub enum Fault {
    /// One of the interface's own errors.
    Answer(Error),
    /// Not the component's doing, or a use of the interface that has no error: the call ends.
    Trap(wasmtime::Error),
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Work(WorkError::ReadOnly) => Self::Answer(Error::AccessDenied),
            // What is kept cannot be read, and no component can do anything about that.
            Refused::Work(WorkError::Read(_)) => Self::Trap(refused.trap()),
            Refused::Full(_)
            | Refused::Work(
                WorkError::TooLong { .. } | WorkError::TooLarge { .. } | WorkError::Full(_),
            ) => other(&refused.to_string()),
        }
    }
}

impl From<NoState> for Fault {
    fn from(error: NoState) -> Self {
        Self::Trap(error.into())
    }
}

impl From<ResourceTableError> for Fault {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

fn other(message: &str) -> Fault {
    Fault::Answer(Error::Other(message.to_owned()))
}

/// A number in decimal digits, as other hosts of the interface keep it; zero of a key that is not there.
fn number(value: Option<&[u8]>) -> Result<u64, Fault> {
    let Some(value) = value else {
        return Ok(0);
    };
    let digits = std::str::from_utf8(value).ok();
    let number = digits.and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| other("the value is no number in decimal digits that fits into 64 bits"))
}

impl CallState {
    fn key_in(&self, bucket: &Resource<Bucket>, key: &str) -> Result<Vec<u8>, Fault> {
        Ok(self.table.get(bucket)?.key(key))
    }

    fn get_in(&mut self, bucket: &Resource<Bucket>, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        let key = self.key_in(bucket, key)?;
        Ok(self.place()?.get(&key)?)
    }

    fn set_in(
        &mut self,
        bucket: &Resource<Bucket>,
        key: &str,
        value: Vec<u8>,
    ) -> Result<(), Fault> {
        let key = self.key_in(bucket, key)?;
        Ok(self.place()?.set(key, value)?)
    }

    fn delete_in(&mut self, bucket: &Resource<Bucket>, key: &str) -> Result<(), Fault> {
        let key = self.key_in(bucket, key)?;
        self.place()?.delete(key)?;
        Ok(())
    }
}

impl store::Host for CallState {
    fn open(&mut self, identifier: String) -> Result<Resource<Bucket>, Fault> {
        // Now rather than at its first use, since then it is clear what is wrong.
        self.place()?;
        let bucket = Bucket::open(&identifier).ok_or(Fault::Answer(Error::NoSuchStore))?;
        Ok(self.table.push(bucket)?)
    }

    fn convert_error(&mut self, fault: Fault) -> wasmtime::Result<Error> {
        match fault {
            Fault::Answer(error) => Ok(error),
            Fault::Trap(error) => Err(error),
        }
    }
}

impl store::HostBucket for CallState {
    fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>, Fault> {
        self.get_in(&bucket, &key)
    }

    fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<(), Fault> {
        self.set_in(&bucket, &key, value)
    }

    fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<(), Fault> {
        self.delete_in(&bucket, &key)
    }

    fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<bool, Fault> {
        Ok(self.get_in(&bucket, &key)?.is_some())
    }

    /// A cursor is the number of keys before it. Within one call the next page is found at once; a cursor of an earlier call has its
    /// keys passed over, a page at a time, while others run.
    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<u64>,
    ) -> Result<store::KeyResponse, Fault> {
        let open = self.table.get(&bucket)?;
        let (end, cursor) = (open.end(), cursor.unwrap_or(0));
        let (mut passed, mut low) = match &open.listed {
            Some((known, low)) if *known == cursor => (cursor, low.clone()),
            Some(_) | None => (0, open.prefix.clone()),
        };
        loop {
            let is_wanted = passed == cursor;
            let limit = if is_wanted {
                PAGE_KEYS
            } else {
                usize::try_from(cursor - passed).map_or(PAGE_KEYS, |left| left.min(PAGE_KEYS))
            };
            let found = self.place()?.scan(&low, Some(&end), limit, false)?;
            passed += found.len() as u64;
            let is_last = found.len() < limit;
            if let Some((last, _)) = found.last() {
                // The least key after it.
                low = [last.as_slice(), &[0]].concat();
            }
            if is_wanted || is_last {
                let open = self.table.get_mut(&bucket)?;
                let listed = found.into_iter().filter(|_| is_wanted);
                let keys = listed
                    .map(|(key, _)| open.text(key))
                    .collect::<Result<_, _>>()?;
                let cursor = (!is_last).then_some(passed);
                open.listed = cursor.map(|cursor| (cursor, low));
                return Ok(store::KeyResponse { keys, cursor });
            }
            task::yield_now().await;
        }
    }

    fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for CallState {
    fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> Result<u64, Fault> {
        let before = number(self.get_in(&bucket, &key)?.as_deref())?;
        let sum = before.checked_add(delta);
        let sum =
            sum.ok_or_else(|| other(&format!("{before} and {delta} do not fit into 64 bits")))?;
        self.set_in(&bucket, &key, sum.to_string().into_bytes())?;
        Ok(sum)
    }
}

impl batch::Host for CallState {
    fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Vec<Option<(String, Vec<u8>)>>, Fault> {
        let get = |key: String| {
            let value = self.get_in(&bucket, &key)?;
            Ok(value.map(|value| (key, value)))
        };
        keys.into_iter().map(get).collect()
    }

    fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> Result<(), Fault> {
        let mut pairs = pairs.into_iter();
        pairs.try_for_each(|(key, value)| self.set_in(&bucket, &key, value))
    }

    fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Result<(), Fault> {
        keys.iter().try_for_each(|key| self.delete_in(&bucket, key))
    }
}

/// Adds the interfaces.
///
/// # Errors
/// A bug: one was added twice.
pub fn add_to_linker(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    store::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)?;
    atomics::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)?;
    batch::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_open(name: &str, expected: bool) {
        assert_eq!(
            Bucket::open(name).is_some(),
            expected,
            "{} bytes",
            name.len()
        );
    }

    /// Otherwise the bucket `a` with the key `b\0c` would be the bucket `a\0b` with the key `c`.
    #[test]
    fn the_name_of_a_bucket_is_bounded_and_cannot_run_into_a_key() {
        check_open("", true);
        check_open("a/b ü", true);
        check_open("a\0b", false);
        check_open(&"b".repeat(NAME_BYTES_MAX), true);
        check_open(&"b".repeat(NAME_BYTES_MAX + 1), false);
    }

    #[test]
    fn a_buckets_keys_are_all_before_its_end_and_no_other_buckets_are() {
        let [one, longer] = ["b", "b2"].map(|name| Bucket::open(name).expect("a name"));
        for key in ["", "\0", "k", "\u{10ffff}"] {
            assert!(
                one.prefix <= one.key(key) && one.key(key) < one.end(),
                "{key:?}"
            );
            assert!(longer.key(key) >= one.end(), "{key:?}");
        }
    }

    #[track_caller]
    fn check_number(value: &[u8], expected: Option<u64>) {
        assert_eq!(number(Some(value)).ok(), expected);
    }

    #[test]
    fn numbers_are_decimal_digits() {
        check_number(b"0", Some(0));
        check_number(b"18446744073709551615", Some(u64::MAX));
        check_number(b"18446744073709551616", None);
        check_number(b"", None);
        check_number(b"-1", None);
        check_number(&[1, 0, 0, 0, 0, 0, 0, 0xff], None);
        assert_eq!(number(None).ok(), Some(0));
    }
}
