//! Room for the answers of commands that ran, and wait until what they rest on is safe.
//!
//! Such a command has given its permit back, so `limits.concurrency` bounds them no more. Here they are bounded in bytes; a command that finds no room
//! keeps its permit until it is answered.

use crate::payload::values_bytes;
use wasmtime::component::Val;

/// Bytes of a group's answers. As many as of its entries that are not committed.
const ROOM_BYTES: usize = 16 << 20;
/// What a command takes besides its answer, with the task that waits for it, about.
const COMMAND_BYTES: usize = 4 << 10;
/// Memory that a byte of an answer may take as a dynamic value.
const VALUE_BYTES_PER_BYTE: usize = size_of::<Val>();

/// The room of one group.
#[derive(Default)]
pub(super) struct Room {
    taken: usize,
}

impl Room {
    /// Takes room for an answer; how much, to be given back. None if there is too little.
    pub fn take(&mut self, results: &[Val]) -> Option<usize> {
        let bytes = values_bytes(results).saturating_mul(VALUE_BYTES_PER_BYTE);
        let bytes = bytes.saturating_add(COMMAND_BYTES);
        let taken = self.taken.checked_add(bytes);
        self.taken = taken.filter(|taken| *taken <= ROOM_BYTES)?;
        Some(bytes)
    }

    /// Gives room back.
    pub fn give(&mut self, bytes: usize) {
        self.taken = self.taken.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_answers_are_bounded_by_their_number() {
        let mut room = Room::default();
        let taken: Vec<usize> = std::iter::from_fn(|| room.take(&[])).collect();
        assert_eq!(taken.len(), ROOM_BYTES / COMMAND_BYTES);
        room.give(taken[0]);
        assert!(room.take(&[]).is_some());
        assert!(room.take(&[]).is_none());
    }

    #[test]
    fn a_large_answer_takes_what_its_values_take_in_memory() {
        let mut room = Room::default();
        let large = [Val::List(vec![Val::U8(0); 300_000])];
        let bytes = room.take(&large).expect("there is room for one");
        assert!(bytes >= 300_000 * size_of::<Val>());
        assert!(room.take(&large).is_none(), "two are too much");
        assert!(room.take(&[]).is_some(), "a small one still fits");
        room.give(bytes);
        assert!(room.take(&large).is_some());
    }
}
