//! The one mapping between values of WIT types and JSON, used wherever people and scripts call functions.
//!
//! | WIT | JSON |
//! |---|---|
//! | `bool` | `true`, `false` |
//! | `u8` to `u32`, `s8` to `s32` | number |
//! | `u64`, `s64` | number; beyond 2^53, where other programs lose digits, text. Text is always accepted |
//! | `f32`, `f64` | number; `"nan"`, `"inf"` and `"-inf"` as text |
//! | `char`, `string` | text; a `char` is one character |
//! | `list<T>`, `list<T, N>`, `tuple<…>` | array. `list<u8>` is an array of numbers like any other |
//! | `map<string, T>` | object; with other keys an array of `[key, value]` |
//! | `record` | object with the field names of the WIT, all of them; a missing `option` field is none |
//! | `option<T>` | `null` or the value; an option in an option is `null` or `{"some": …}` |
//! | `result<T, E>` | `{"ok": …}` or `{"err": …}`, with `null` where there is no payload |
//! | `variant` | `"case"`, or `{"case": payload}` |
//! | `enum` | `"case"` |
//! | `flags` | array of the names that are set |
//!
//! Resources, streams and futures have no JSON: functions that use them are not called by people.

mod known;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use known::keep_known_fields;
pub use read::{JsonError, from_json};
pub use write::to_json;

/// Whole numbers up to this one are exact in every JSON reader, since they are exact in an `f64`.
const EXACT_MAX: u64 = 1 << 53;
/// How the three numbers that JSON lacks are written.
const NOT_A_NUMBER: &str = "nan";
const INFINITY: &str = "inf";
const NEGATIVE_INFINITY: &str = "-inf";
