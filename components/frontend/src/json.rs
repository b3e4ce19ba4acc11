//! Reads JSON straight into what is wanted, without building a tree, and says where something has the wrong type.
//!
//! Messages name types and places, never values: a request holds a card.

mod token;

use crate::refusal::Refusal;

/// Objects and arrays within each other. Reading recurses, and the component's stack is small.
const DEPTH_MAX: usize = 32;

/// Elements of one array that is kept. Each becomes a value in memory, which a comma and a quote would otherwise pay for.
const ELEMENTS_MAX: usize = 1000;

/// Reads a body, all of it, with `read`.
///
/// # Errors
/// [`Refusal::InvalidRequest`]: it is not JSON, has another type where `read` wants one, is nested deeper than 32 levels, or an array
/// that `read` keeps has more than 1,000 elements. The message has the place.
pub fn read<'a, T>(
    body: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Problem>,
) -> Result<T, Refusal> {
    let text = str::from_utf8(body)
        .map_err(|_| Refusal::InvalidRequest("the body is not UTF-8".into()))?;
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
    };
    let result = read(&mut reader).and_then(|value| {
        reader.end()?;
        Ok(value)
    });
    result.map_err(|problem| Refusal::InvalidRequest(problem.explain(text)))
}

/// What is wrong with a body. Gets its way while it is handed up, so a body without a problem pays nothing for it.
#[derive(Debug)]
pub struct Problem {
    what: What,
    /// The steps to the place, the last one first, each as it is written in a JSON path.
    way: Vec<String>,
}

#[derive(Debug)]
enum What {
    /// This is not JSON from this byte on.
    Syntax(usize),
    /// This is not what has to be here.
    Wrong(String),
}

impl Problem {
    /// The value that was read last is not acceptable, for this reason: what follows the path in the message.
    pub fn wrong(reason: impl Into<String>) -> Self {
        Self {
            what: What::Wrong(reason.into()),
            way: Vec::new(),
        }
    }

    fn within(mut self, step: impl FnOnce() -> String) -> Self {
        self.way.push(step());
        self
    }

    fn explain(self, text: &str) -> String {
        match self.what {
            What::Wrong(reason) => {
                let way: String = self.way.into_iter().rev().collect();
                format!("${way} {reason}")
            }
            What::Syntax(at) if at >= text.len() => {
                "the body is not JSON: it ends too early".into()
            }
            What::Syntax(at) => {
                // A place between two bytes of a letter is not reached: the reader stops before what it does not know.
                let before = &text[..at];
                let line = before.matches('\n').count() + 1;
                let column = before.len() - before.rfind('\n').map_or(0, |end| end + 1) + 1;
                format!("the body is not JSON at line {line}, column {column}")
            }
        }
    }
}

/// A place in a body: before a value, which has to be read or skipped.
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// Reads an object. `member` gets the name of each member and has to read or skip its value; of two with one name, the last counts.
    pub fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &str) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        self.expect(b'{', "an object")?;
        self.enter()?;
        if !self.is_next(b'}') {
            loop {
                self.space();
                let name = self.quoted()?;
                self.punctuation(b':')?;
                member(self, &name).map_err(|problem| problem.within(|| format!(".{name}")))?;
                if self.is_next(b'}') {
                    break;
                }
                self.punctuation(b',')?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads an array, each element with `element`.
    pub fn array<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<T, Problem>,
    ) -> Result<Vec<T>, Problem> {
        let mut elements = Vec::new();
        self.each(|reader, index| {
            if index >= ELEMENTS_MAX {
                return Err(Problem::wrong(format!(
                    "is more than the {ELEMENTS_MAX} elements that an array may have"
                )));
            }
            elements.push(element(reader)?);
            Ok(())
        })?;
        Ok(elements)
    }

    fn each(
        &mut self,
        mut element: impl FnMut(&mut Self, usize) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        self.expect(b'[', "an array")?;
        self.enter()?;
        if !self.is_next(b']') {
            for index in 0.. {
                element(self, index).map_err(|problem| problem.within(|| format!("[{index}]")))?;
                if self.is_next(b']') {
                    break;
                }
                self.punctuation(b',')?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads a value that may be `null`.
    pub fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Problem>,
    ) -> Result<Option<T>, Problem> {
        self.space();
        if self.peek() == Some(b'n') {
            self.word("null")?;
            Ok(None)
        } else {
            read(self).map(Some)
        }
    }

    /// Reads a text.
    pub fn text(&mut self) -> Result<String, Problem> {
        self.space();
        match self.peek() {
            Some(b'"') => Ok(self.quoted()?.into_owned()),
            _ => Err(self.wrong_type("a string")),
        }
    }

    /// Reads a truth.
    pub fn boolean(&mut self) -> Result<bool, Problem> {
        self.space();
        match self.peek() {
            Some(b't') => self.word("true").map(|()| true),
            Some(b'f') => self.word("false").map(|()| false),
            _ => Err(self.wrong_type("true or false")),
        }
    }

    /// Reads an integer of at most 32 bits, however it is written: `1.0` and `1e0` are 1.
    pub fn integer(&mut self) -> Result<i32, Problem> {
        const EXPECTED: &str = "an integer of at most 32 bits";
        self.space();
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => {}
            _ => return Err(self.wrong_type(EXPECTED)),
        }
        let digits = self.number()?;
        digits
            .parse()
            .ok()
            .or_else(|| token::whole(digits))
            .ok_or_else(|| Problem::wrong(format!("must be {EXPECTED}, but is another number")))
    }

    /// Passes over a value of any type.
    pub fn skip(&mut self) -> Result<(), Problem> {
        self.space();
        match self.peek() {
            Some(b'{') => self.object(|reader, _| reader.skip()),
            Some(b'[') => self.each(|reader, _| reader.skip()),
            Some(b'"') => self.quoted().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => Err(self.syntax()),
        }
    }

    /// The problem that something else is next than `expected`.
    fn wrong_type(&self, expected: &str) -> Problem {
        let actual = match self.peek() {
            Some(b'n') => "null",
            Some(b't' | b'f') => "a boolean",
            Some(b'-' | b'0'..=b'9') => "a number",
            Some(b'"') => "a string",
            Some(b'[') => "an array",
            Some(b'{') => "an object",
            _ => return self.syntax(),
        };
        Problem::wrong(format!("must be {expected}, but is {actual}"))
    }

    fn syntax(&self) -> Problem {
        Problem {
            what: What::Syntax(self.at),
            way: Vec::new(),
        }
    }

    fn enter(&mut self) -> Result<(), Problem> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Problem::wrong(format!(
                "is nested deeper than {DEPTH_MAX} levels"
            )));
        }
        Ok(())
    }

    fn expect(&mut self, first: u8, expected: &str) -> Result<(), Problem> {
        self.space();
        if self.peek() != Some(first) {
            return Err(self.wrong_type(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn end(&mut self) -> Result<(), Problem> {
        self.space();
        if self.at < self.text.len() {
            return Err(self.syntax());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
