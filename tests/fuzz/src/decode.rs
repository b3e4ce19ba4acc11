//! Messages of other hosts and programs: `codec`.

use crate::message;
use bookshop_host::codec::MessageType;
use bookshop_host::payload::values_bytes;
use wasmtime::component::Val;

/// The limit of these messages. Small, so that a fuzzer comes to it.
const BYTES_MAX: usize = 1 << 14;

/// What the values of one message may take in memory, as `codec` promises for every limit up to a megabyte.
const MEMORY_BYTES_MAX: usize = 64 << 20;

/// Reads a message: the first bytes of `input` choose its type, the rest is the message.
///
/// # Panics
/// A promise of the decoder is broken.
pub fn decode(input: &[u8]) {
    let (ty, body) = message::of_input(input);
    check_bytes(&ty, body);
}

/// Reads `bytes` as a message of this type; whether they are one.
///
/// # Panics
/// It exceeds a bound, an error names no place, or what was read cannot be written and read again.
pub fn check_bytes(ty: &MessageType, bytes: &[u8]) -> bool {
    let values = match ty.decode(bytes, BYTES_MAX) {
        Ok(values) => values,
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains(", byte "), "no place: {error}");
            return false;
        }
    };
    assert!(values_bytes(&values) <= BYTES_MAX, "beyond the limit");
    let memory = values.iter().map(memory_bytes).sum::<usize>();
    assert!(memory <= MEMORY_BYTES_MAX, "{memory} bytes of memory");
    let written = ty.encode(&values).expect("what was read can be written");
    let again = ty.decode(&written, BYTES_MAX).expect("and read again");
    assert!(again == values, "{again:?} was {values:?}");
    assert_eq!(ty.encode(&again).expect("the same values"), written);
    true
}

/// What a value takes in memory besides itself.
fn memory_bytes(value: &Val) -> usize {
    let boxed = |value: &Option<Box<Val>>| {
        value
            .as_deref()
            .map_or(0, |value| size_of::<Val>() + memory_bytes(value))
    };
    match value {
        Val::String(text) | Val::Enum(text) => text.capacity(),
        Val::List(items) | Val::FixedLengthList(items) | Val::Tuple(items) => {
            let inside = items.iter().map(memory_bytes).sum::<usize>();
            items.capacity() * size_of::<Val>() + inside
        }
        Val::Map(entries) => {
            let entry = |(key, value): &(Val, Val)| memory_bytes(key) + memory_bytes(value);
            let inside = entries.iter().map(entry).sum::<usize>();
            entries.capacity() * size_of::<(Val, Val)>() + inside
        }
        Val::Record(fields) => {
            let field = |(name, value): &(String, Val)| name.capacity() + memory_bytes(value);
            let inside = fields.iter().map(field).sum::<usize>();
            fields.capacity() * size_of::<(String, Val)>() + inside
        }
        Val::Variant(name, payload) => name.capacity() + boxed(payload),
        Val::Option(payload) | Val::Result(Ok(payload) | Err(payload)) => boxed(payload),
        Val::Flags(names) => {
            let inside = names.iter().map(String::capacity).sum::<usize>();
            names.capacity() * size_of::<String>() + inside
        }
        Val::Bool(_)
        | Val::S8(_)
        | Val::U8(_)
        | Val::S16(_)
        | Val::U16(_)
        | Val::S32(_)
        | Val::U32(_)
        | Val::S64(_)
        | Val::U64(_)
        | Val::Float32(_)
        | Val::Float64(_)
        | Val::Char(_) => 0,
        Val::Resource(_) | Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => {
            panic!("not a plain value")
        }
    }
}
