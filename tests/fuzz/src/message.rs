//! The type of a message, chosen by bytes.

use bookshop_host::codec::{MessageType, Shape};

/// The first bytes of an input choose the type, the others are the message.
pub const TYPE_BYTES: usize = 32;

/// Types within types within types. More would only make most inputs fail sooner.
const DEPTH_MAX: usize = 5;

/// Counts of lists of fixed length: those that people write, and the most absurd one.
const FIXED_COUNTS: [u32; 8] = [0, 1, 2, 3, 5, 8, 1000, u32::MAX];

/// The type that the first bytes of `input` stand for, and the rest of it. Missing bytes are zero.
#[must_use]
pub fn of_input(input: &[u8]) -> (MessageType, &[u8]) {
    let (head, body) = input.split_at(input.len().min(TYPE_BYTES));
    let mut choices = Choices(head);
    let parts = 1 + choices.next(3);
    let part = |index| (format!("p{index}"), choices.shape(0));
    (MessageType::new((0..parts).map(part).collect()), body)
}

struct Choices<'bytes>(&'bytes [u8]);

impl Choices<'_> {
    /// A number below `count`.
    fn next(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        usize::from(*first) % count
    }

    fn shape(&mut self, depth: usize) -> Shape {
        const SCALARS: [Shape; 13] = [
            Shape::U8,
            Shape::Bool,
            Shape::S8,
            Shape::U16,
            Shape::S16,
            Shape::U32,
            Shape::S32,
            Shape::U64,
            Shape::S64,
            Shape::F32,
            Shape::F64,
            Shape::Char,
            Shape::String,
        ];
        let kinds = SCALARS.len() + 10;
        let kind = self.next(if depth < DEPTH_MAX {
            kinds
        } else {
            SCALARS.len()
        });
        if let Some(scalar) = SCALARS.get(kind) {
            return scalar.clone();
        }
        let deeper = depth + 1;
        match kind - SCALARS.len() {
            0 => Shape::List(Box::new(self.shape(deeper))),
            1 => {
                let count = FIXED_COUNTS[self.next(FIXED_COUNTS.len())];
                Shape::FixedList(Box::new(self.shape(deeper)), count)
            }
            2 => Shape::Map(Box::new(self.shape(deeper)), Box::new(self.shape(deeper))),
            3 => Shape::Record(self.named(4, |choices| choices.shape(deeper))),
            4 => {
                let count = self.next(4);
                Shape::Tuple((0..count).map(|_| self.shape(deeper)).collect())
            }
            5 => Shape::Variant(self.named(4, |choices| choices.payload(deeper))),
            6 => Shape::Enum(self.names(300)),
            7 => Shape::Option(Box::new(self.shape(deeper))),
            8 => {
                let (ok, error) = (self.payload(deeper), self.payload(deeper));
                Shape::Result(ok.map(Box::new), error.map(Box::new))
            }
            _ => Shape::Flags(self.names(40)),
        }
    }

    fn payload(&mut self, depth: usize) -> Option<Shape> {
        (self.next(2) == 1).then(|| self.shape(depth))
    }

    fn named<T>(&mut self, count: usize, mut one: impl FnMut(&mut Self) -> T) -> Vec<(String, T)> {
        let names = self.names(count);
        names.into_iter().map(|name| (name, one(self))).collect()
    }

    fn names(&mut self, count: usize) -> Vec<String> {
        let count = self.next(count);
        (0..count).map(|index| format!("n{index}")).collect()
    }
}
