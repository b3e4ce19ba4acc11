//! Values as they lie in the store: a CRC32C over group, key and value, then the value.

use super::GroupId;
use super::error::Fault;

/// Bytes before a stored value.
pub(super) const SEAL_BYTES: usize = 4;

/// Writes `value` with its checksum into a buffer of its length and [`SEAL_BYTES`].
pub(super) fn seal(group: GroupId, key: &[u8], value: &[u8], stored: &mut [u8]) {
    let (seal, rest) = stored.split_at_mut(SEAL_BYTES);
    seal.copy_from_slice(&checksum(group, key, value).to_le_bytes());
    rest.copy_from_slice(value);
}

/// The value without its checksum.
///
/// # Errors
/// It is not the value that was stored for this key of this group.
pub(super) fn unseal<'a>(group: GroupId, key: &[u8], stored: &'a [u8]) -> Result<&'a [u8], Fault> {
    let sealed = stored
        .split_first_chunk::<SEAL_BYTES>()
        .filter(|(seal, value)| u32::from_le_bytes(**seal) == checksum(group, key, value));
    match sealed {
        Some((_, value)) => Ok(value),
        None => Err(Fault::Damaged(format!(
            "the value of key {} of group {} is not what was written",
            key.escape_ascii(),
            group.0
        ))),
    }
}

/// The length of the key is part of it, so that no byte can move between key and value unnoticed.
fn checksum(group: GroupId, key: &[u8], value: &[u8]) -> u32 {
    let mut place = [0; 12];
    place[..4].copy_from_slice(&group.0.to_le_bytes());
    place[4..].copy_from_slice(&(key.len() as u64).to_le_bytes());
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&place), key);
    crc32c::crc32c_append(checksum, value)
}

#[cfg(test)]
mod tests {
    use super::{GroupId, SEAL_BYTES, seal, unseal};

    #[track_caller]
    fn check(group: u32, key: &[u8], change: impl Fn(&mut Vec<u8>), expected: Result<&[u8], &str>) {
        let mut stored = vec![0; SEAL_BYTES + 5];
        seal(GroupId(7), b"key", b"value", &mut stored);
        change(&mut stored);
        let found = unseal(GroupId(group), key, &stored).map_err(|fault| format!("{fault:?}"));
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[test]
    fn a_value_is_what_was_stored() {
        check(7, b"key", |_| {}, Ok(b"value"));
    }

    #[test]
    fn a_value_belongs_to_its_group_and_its_key() {
        let of = |key, group| {
            format!("Damaged(\"the value of key {key} of group {group} is not what was written\")")
        };
        check(8, b"key", |_| {}, Err(&of("key", 8)));
        check(7, b"kez", |_| {}, Err(&of("kez", 7)));
        // The key's end and the value's beginning, moved.
        check(
            7,
            b"keyv",
            |stored| {
                stored.remove(4);
            },
            Err(&of("keyv", 7)),
        );
    }

    #[test]
    fn a_changed_or_shortened_value_is_noticed() {
        let damaged = "Damaged(\"the value of key key of group 7 is not what was written\")";
        for byte in 0..9 {
            check(7, b"key", |stored| stored[byte] ^= 16, Err(damaged));
        }
        check(7, b"key", |stored| stored.truncate(8), Err(damaged));
        check(7, b"key", |stored| stored.truncate(3), Err(damaged));
    }
}
