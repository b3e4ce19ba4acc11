//! Values of WIT types to bytes and back: what travels between hosts, and between a host and a program outside.
//!
//! The format is the component model's own for values: Binary.md of the component-model repository, section
//! [Value Definitions](https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md#-value-definitions).
//! A message is the values of all parameters, or of all results, one after the other: `val(t)` for each, with nothing in between.
//!
//! | WIT | bytes |
//! |---|---|
//! | `bool` | `00` or `01` |
//! | `u8`, `s8` | the byte |
//! | `u16` to `u64`, `s16` to `s64` | LEB128, at most 3, 5 or 10 bytes |
//! | `f32`, `f64` | IEEE 754, little-endian; the only NaNs are `0000c07f` and `000000000000f87f` |
//! | `char` | its UTF-8, 1 to 4 bytes |
//! | `string` | count of bytes as `u32`, then UTF-8 |
//! | `record`, `tuple` | the fields in order |
//! | `variant` | index of the case as `u32`, then the payload if the case has one |
//! | `list` | count of elements as `u32`, then the elements |
//! | `flags` of n names | n / 8 bytes, rounded up; the first name is the lowest bit of the first byte |
//! | `enum` | index as `u32` |
//! | `option` | `00`, or `01` and the value |
//! | `result` | `00` for ok or `01` for error, then the payload if there is one |
//!
//! The section has no rule yet for two kinds of types. We write what they stand for: `list<t, n>` as a tuple of n elements,
//! `map<k, v>` as `list<tuple<k, v>>`. It says nothing about the bits behind the last flag either; we demand zero.
//! A number may be padded within its greatest length, as in every format of WebAssembly; ours never are.
//!
//! # Bounds
//! Bytes come from outside and may say anything. A decoder has three bounds, each checked before memory is taken:
//! - **input**: the least that `count` elements can take is compared with the bytes that are left;
//! - **limit**: the values are counted as [`payload::value_bytes`](crate::payload::value_bytes) counts those of a local call;
//! - **memory**: a [`Val`] takes tens of bytes, a record's field names are copied into each value. What is asked of the allocator, each
//!   piece rounded up to 16 bytes, stays within 64 MiB, or, where the limit is so high that the engine allows more to a local call,
//!   within that: `bytes_max * size_of::<Val>()` and 1 MiB. No sequence of bytes gets more.
//!
//! Recursion is as deep as the type, and the engine bounds that.

mod decode;
mod encode;
mod hash;
mod input;
mod number;
mod place;
mod plan;
mod shape;
mod text;

#[cfg(test)]
mod tests;

pub use decode::DecodeError;
pub use encode::EncodeError;
pub use hash::{InvalidTypeHash, TypeHash};
pub use shape::{NotAValue, Shape};

use decode::Decoder;
use encode::Encoder;
use plan::Plan;
use shape::Reader;
use wasmtime::component::Val;
use wasmtime::component::types::ComponentFunc;

/// The name of a result, which has none. No parameter can be called so.
const RESULT: &str = "";

/// What the arguments, or the results, of one function look like; ready to write and read them.
#[derive(Debug, Clone)]
pub struct MessageType {
    parts: Vec<(String, Shape)>,
    plans: Vec<Plan>,
    hash: TypeHash,
}

impl MessageType {
    /// The arguments of `function`: a part for each parameter, with its name.
    ///
    /// # Errors
    /// A parameter is not a plain value, see [`NotAValue`].
    pub fn arguments(function: &ComponentFunc) -> Result<Self, NotAValue> {
        let mut reader = Reader::default();
        let part = |(name, ty): (&str, _)| {
            let shape = reader.read(&ty).map_err(|fault| fault.in_part(name))?;
            Ok((name.to_owned(), shape))
        };
        let parts = function.params().map(part).collect::<Result<_, _>>()?;
        Ok(Self::new(parts))
    }

    /// The results of `function`: none or one part, whose name is empty.
    ///
    /// # Errors
    /// The result is not a plain value, see [`NotAValue`].
    pub fn results(function: &ComponentFunc) -> Result<Self, NotAValue> {
        let mut reader = Reader::default();
        let part = |ty| {
            let shape = reader.read(&ty).map_err(|fault| fault.in_part(RESULT))?;
            Ok((RESULT.to_owned(), shape))
        };
        let parts = function.results().map(part).collect::<Result<_, _>>()?;
        Ok(Self::new(parts))
    }

    /// From a description that was received: the [`parts`](Self::parts) of another.
    #[must_use]
    pub fn new(parts: Vec<(String, Shape)>) -> Self {
        Self {
            plans: parts.iter().map(|(_, shape)| Plan::of(shape)).collect(),
            hash: TypeHash::of(&parts),
            parts,
        }
    }

    /// The same for two messages if, and only if, their parts are the same: names, shapes and order.
    #[must_use]
    pub fn hash(&self) -> TypeHash {
        self.hash
    }

    /// Name and shape of each value. The name of a result is empty.
    #[must_use]
    pub fn parts(&self) -> &[(String, Shape)] {
        &self.parts
    }

    /// Writes `values`, which have the types of the [`parts`](Self::parts). A NaN becomes the canonical one.
    ///
    /// # Errors
    /// A value does not have its type: a bug of whoever made it.
    pub fn encode(&self, values: &[Val]) -> Result<Vec<u8>, EncodeError> {
        if values.len() != self.plans.len() {
            return Err(EncodeError::count(values.len(), self.plans.len()));
        }
        let mut encoder = Encoder::default();
        for ((plan, value), (name, _)) in self.plans.iter().zip(values).zip(&self.parts) {
            encoder
                .value(plan, value)
                .map_err(|misfit| EncodeError::new(*misfit, name))?;
        }
        Ok(encoder.bytes)
    }

    /// Reads values from `bytes`, all of them. `bytes_max` is the limit that the values have to keep, in the units of
    /// [`payload::value_bytes`](crate::payload::value_bytes).
    ///
    /// # Errors
    /// See [`DecodeError`]. Nothing is allocated beyond the bounds that the module describes, whatever the bytes say.
    pub fn decode(&self, bytes: &[u8], bytes_max: usize) -> Result<Vec<Val>, DecodeError> {
        let mut decoder = Decoder::new(bytes, bytes_max);
        let mut values = Vec::with_capacity(self.plans.len());
        for (plan, (name, _)) in self.plans.iter().zip(&self.parts) {
            let value = decoder.value(plan);
            values.push(value.map_err(|fault| decoder.error(*fault, name))?);
        }
        decoder.finish()?;
        Ok(values)
    }
}

/// Both messages of one function.
#[derive(Debug, Clone)]
pub struct FunctionTypes {
    /// What it is called with.
    pub arguments: MessageType,
    /// What it answers.
    pub results: MessageType,
}

impl FunctionTypes {
    /// The messages of `function`. Whether it is `async` is no part of them.
    ///
    /// # Errors
    /// A parameter or the result is not a plain value, see [`NotAValue`].
    pub fn of(function: &ComponentFunc) -> Result<Self, NotAValue> {
        Ok(Self {
            arguments: MessageType::arguments(function)?,
            results: MessageType::results(function)?,
        })
    }

    /// Whether both messages are the same: names, shapes and order.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.hashes() == other.hashes()
    }

    /// The hashes of arguments and results.
    #[must_use]
    pub fn hashes(&self) -> (TypeHash, TypeHash) {
        (self.arguments.hash(), self.results.hash())
    }
}
