//! Where in a message something is: collected on the way out of an error, so that nothing is kept on the way in.

use super::RESULT;
use std::fmt;

/// One step from a value to a value inside it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'plan> {
    Field(&'plan str),
    Case(&'plan str),
    Element(usize),
    /// The key of an entry of a map.
    Key(usize),
    /// The value of an entry of a map.
    Value(usize),
    Some,
    Ok,
    Error,
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Field(name) => write!(formatter, "field {name}"),
            Step::Case(name) => write!(formatter, "case {name}"),
            Step::Element(index) => write!(formatter, "element {index}"),
            Step::Key(index) => write!(formatter, "entry {index}, key"),
            Step::Value(index) => write!(formatter, "entry {index}, value"),
            Step::Some => formatter.write_str("some"),
            Step::Ok => formatter.write_str("ok"),
            Step::Error => formatter.write_str("error"),
        }
    }
}

/// Something that is wrong, and the steps to it.
#[derive(Debug)]
pub(super) struct At<'plan, W> {
    pub what: W,
    /// The innermost first.
    steps: Vec<Step<'plan>>,
}

impl<'plan, W> At<'plan, W> {
    /// Here. Boxed, so that the results of functions that seldom fail stay small.
    #[cold]
    pub fn here(what: W) -> Box<Self> {
        let steps = Vec::new();
        Box::new(Self { what, steps })
    }

    /// The same as seen from one value further out.
    #[cold]
    pub fn within(mut self: Box<Self>, step: Step<'plan>) -> Box<Self> {
        self.steps.push(step);
        self
    }

    /// The place in words, for example `argument order, field items, element 3`.
    pub fn place(&self, part: &str) -> String {
        let mut place = name_of(part);
        for step in self.steps.iter().rev() {
            place.push_str(", ");
            place.push_str(&step.to_string());
        }
        place
    }
}

/// A part of a message in words.
pub(super) fn name_of(part: &str) -> String {
    if part == RESULT {
        "result".to_owned()
    } else {
        format!("argument {part}")
    }
}
