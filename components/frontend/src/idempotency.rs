//! The header `Idempotency-Key`: how a client sends a checkout again without ordering again.

use crate::refusal::Refusal;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Bytes of a key.
const KEY_BYTES_MAX: usize = 255;

/// The key that a request has, from all values of its header.
///
/// # Errors
/// [`Refusal::InvalidRequest`]: there are several values, or the one is not 1 to 255 visible characters of ASCII.
pub fn key(values: &[Vec<u8>]) -> Result<Option<String>, Refusal> {
    let refused = |problem: &str| {
        Err(Refusal::InvalidRequest(format!(
            "the header Idempotency-Key {problem}"
        )))
    };
    match values {
        [] => Ok(None),
        [key] if key.is_empty() || key.len() > KEY_BYTES_MAX => {
            refused("must have 1 to 255 characters")
        }
        [key] => match str::from_utf8(key) {
            Ok(key) if key.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Some(key.to_owned())),
            _ => refused("must be visible ASCII characters"),
        },
        [_, _, ..] => refused("is there more than once"),
    }
}

/// What tells one request from another with the same key. Nothing of the body can be read off it.
pub fn fingerprint(body: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(body) {
        write!(text, "{byte:02x}").expect("a text can be written to");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[&str], expected: Result<Option<&str>, &str>) {
        let values: Vec<_> = values
            .iter()
            .map(|value| value.as_bytes().to_vec())
            .collect();
        let expected = expected
            .map(|key| key.map(str::to_owned))
            .map_err(|problem| {
                Refusal::InvalidRequest(format!("the header Idempotency-Key {problem}"))
            });
        assert_eq!(key(&values), expected);
    }

    #[test]
    fn a_request_has_at_most_one_key() {
        check(&[], Ok(None));
        check(&["8e03978e-40d5"], Ok(Some("8e03978e-40d5")));
        check(&["a", "b"], Err("is there more than once"));
        check(&["a", "b", "c"], Err("is there more than once"));
    }

    #[test]
    fn a_key_is_1_to_255_visible_characters() {
        check(&[&"k".repeat(255)], Ok(Some(&"k".repeat(255))));
        check(&[&"k".repeat(256)], Err("must have 1 to 255 characters"));
        check(&[""], Err("must have 1 to 255 characters"));
        check(&["two words"], Err("must be visible ASCII characters"));
        check(&["clé"], Err("must be visible ASCII characters"));
    }

    #[test]
    fn bodies_that_differ_have_other_fingerprints() {
        assert_eq!(
            fingerprint(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_ne!(fingerprint(b"{}"), fingerprint(b"{ }"));
    }
}
