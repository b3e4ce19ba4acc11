//! Random values of a type.

use crate::random::Random;
use bookshop_host::codec::{MessageType, Shape};
use wasmtime::component::Val;

/// Elements of a list, for a type with a few levels of lists to stay small.
const ELEMENTS_MAX: usize = 4;

const TEXTS: [&str; 6] = [
    "",
    "a",
    "Tõnu",
    "€ 12",
    "🐛🐛",
    "a longer text, so that its length is more than one digit",
];
const CHARACTERS: [char; 6] = ['\0', 'a', 'õ', '€', '🐛', char::MAX];

/// A value for each part; none if a part has no value, or none that fits into a test.
pub fn of_message(ty: &MessageType, random: &mut Random) -> Option<Vec<Val>> {
    let parts = ty.parts().iter();
    parts.map(|(_, shape)| value(shape, random)).collect()
}

fn value(shape: &Shape, random: &mut Random) -> Option<Val> {
    Some(match shape {
        Shape::Bool => Val::Bool(random.below(2) == 1),
        Shape::S8 => Val::S8(number(random) as i8),
        Shape::U8 => Val::U8(number(random) as u8),
        Shape::S16 => Val::S16(number(random) as i16),
        Shape::U16 => Val::U16(number(random) as u16),
        Shape::S32 => Val::S32(number(random) as i32),
        Shape::U32 => Val::U32(number(random) as u32),
        Shape::S64 => Val::S64(number(random) as i64),
        Shape::U64 => Val::U64(number(random)),
        Shape::F32 => Val::Float32(f32::from_bits(random.next() as u32)),
        Shape::F64 => Val::Float64(f64::from_bits(random.next())),
        Shape::Char => Val::Char(*random.pick(&CHARACTERS)),
        Shape::String => Val::String((*random.pick(&TEXTS)).to_owned()),
        Shape::List(element) => {
            let count = random.below(ELEMENTS_MAX + 1);
            Val::List(elements(element, count, random)?)
        }
        Shape::FixedList(element, count) => {
            let count = *count as usize;
            if count > 10 {
                return None;
            }
            Val::FixedLengthList(elements(element, count, random)?)
        }
        Shape::Map(key, of_key) => {
            let count = random.below(ELEMENTS_MAX + 1);
            let entry = |_| Some((value(key, random)?, value(of_key, random)?));
            Val::Map((0..count).map(entry).collect::<Option<_>>()?)
        }
        Shape::Record(fields) => {
            let field = |(name, shape): &(String, Shape)| {
                let value = value(shape, random)?;
                Some((name.clone(), value))
            };
            Val::Record(fields.iter().map(field).collect::<Option<_>>()?)
        }
        Shape::Tuple(shapes) => {
            let values = shapes.iter().map(|shape| value(shape, random));
            Val::Tuple(values.collect::<Option<_>>()?)
        }
        Shape::Variant(cases) => {
            if cases.is_empty() {
                return None;
            }
            let (name, shape) = random.pick(cases);
            Val::Variant(name.clone(), payload(shape.as_ref(), random)?)
        }
        Shape::Enum(names) => {
            if names.is_empty() {
                return None;
            }
            Val::Enum(random.pick(names).clone())
        }
        Shape::Option(some) => {
            let shape = (random.below(2) == 1).then_some(&**some);
            Val::Option(payload(shape, random)?)
        }
        Shape::Result(ok, error) => Val::Result(if random.below(2) == 1 {
            Ok(payload(ok.as_deref(), random)?)
        } else {
            Err(payload(error.as_deref(), random)?)
        }),
        Shape::Flags(names) => {
            let set = names.iter().filter(|_| random.below(2) == 1);
            Val::Flags(set.cloned().collect())
        }
    })
}

/// Small and large ones alike: every length of a number occurs.
fn number(random: &mut Random) -> u64 {
    let shift = random.below(64);
    let number = random.next() >> shift;
    if random.below(2) == 1 {
        number.wrapping_neg()
    } else {
        number
    }
}

fn elements(shape: &Shape, count: usize, random: &mut Random) -> Option<Vec<Val>> {
    (0..count).map(|_| value(shape, random)).collect()
}

/// A payload if the case has one; the outer none if that has no value.
#[allow(
    clippy::option_option,
    reason = "one says that there is no payload, the other that there can be none"
)]
fn payload(shape: Option<&Shape>, random: &mut Random) -> Option<Option<Box<Val>>> {
    match shape {
        Some(shape) => value(shape, random).map(|value| Some(Box::new(value))),
        None => Some(None),
    }
}
