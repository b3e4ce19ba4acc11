//! A basket in the form in which it is kept from `init` to `suggest`: the names of its books, and nothing else.

use checkout::bindings::bookshop::shop::types::Item;
use checkout::bytes::{Reader, Unreadable, Writer};

/// The form in which a basket is kept.
pub fn to_bytes(items: &[Item]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(64);
    writer.list(items, |writer, item| writer.text(&item.name));
    writer.finish()
}

/// Reads what [`to_bytes`] wrote.
///
/// # Errors
/// Something else wrote it.
pub fn from_bytes(bytes: &[u8]) -> Result<Vec<&str>, Unreadable> {
    Reader::new(bytes).list(Reader::text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_kept() {
        let items = ["Book A", "Õ"].map(|name| Item {
            name: name.into(),
            quantity: 2,
        });
        assert_eq!(from_bytes(&to_bytes(&items)), Ok(vec!["Book A", "Õ"]));
        assert_eq!(from_bytes(b"\x09"), Err(Unreadable));
    }
}
