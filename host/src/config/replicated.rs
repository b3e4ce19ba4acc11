//! State that outlives the host, and which functions only read it: `[service.NAME.replicated]`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::error::{At, InvalidValue, Place};
use super::kind::Kind;
use super::name::{InterfaceName, is_kebab};
use super::section::Section;
use crate::dispatch::FunctionName;
use crate::interface;

/// How a service keeps state that outlives its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replicated {
    /// Hosts that keep the state: 1, 3, 5 or 7, and as many as the service has.
    pub replicas: u32,
    /// What only reads the state, without repetition. Every other function is a command.
    pub queries: Vec<Query>,
    /// How long the answer to an idempotency key is kept: 1 s to 720 h, 24 h unless set.
    pub session_age: Duration,
    /// What kept answers may take, in bytes: 64 KiB to 4 GiB, 16 MiB unless set.
    pub sessions_bytes: u64,
}

impl Replicated {
    /// Whether `function` only reads the state. Not for every call: it looks through all queries.
    #[must_use]
    pub fn is_query(&self, function: &FunctionName) -> bool {
        self.queries.iter().any(|query| query.matches(function))
    }
}

/// A function that only reads, or all functions of an interface that does nothing else. Displays as it would stand in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The interface by its compatible version, or without a version for all of them: `bookshop:shop/order-queue@0.1`.
    pub interface: String,
    /// The function; none for all of the interface.
    pub function: Option<String>,
}

impl Query {
    /// Whether it names `function`.
    #[must_use]
    pub fn matches(&self, function: &FunctionName) -> bool {
        self.has_interface(&function.interface)
            && self
                .function
                .as_ref()
                .is_none_or(|name| *name == function.function)
    }

    /// Whether it names all that `other` does.
    fn covers(&self, other: &Self) -> bool {
        self.has_interface(&other.interface)
            && (self.function.is_none() || self.function == other.function)
    }

    fn has_interface(&self, compatible: &str) -> bool {
        self.interface == compatible || self.interface == interface::without_version(compatible)
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.interface)?;
        match &self.function {
            Some(function) => write!(f, ".{function}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Query {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        // A version has dots too, so the last one begins a function only if the whole is no interface.
        let (interface, function) = match text.parse::<InterfaceName>() {
            Ok(interface) => (interface, None),
            Err(_) => text
                .rsplit_once('.')
                .filter(|(_, function)| is_kebab(function))
                .and_then(|(interface, function)| {
                    Some((interface.parse().ok()?, Some(function.to_owned())))
                })
                .ok_or_else(|| Kind::Queries.invalid(text, meant(text).as_deref()))?,
        };
        Ok(Self {
            interface: interface::compatible(interface.as_str()),
            function,
        })
    }
}

/// What was probably meant: the same without a version, of which errors and `inspect` show only the part that matters.
fn meant(text: &str) -> Option<String> {
    let (path, rest) = text.split_once('@')?;
    path.parse::<InterfaceName>().ok()?;
    let function = rest.rsplit('.').next().filter(|last| is_kebab(last));
    Some(match function {
        Some(function) => format!("{path}.{function}"),
        None => path.to_owned(),
    })
}

/// What stands in the file, with the place of the whole; the replicas are none if they are missing or wrong.
pub(super) struct RawReplicated {
    pub place: Place,
    pub replicas: Option<u32>,
    rest: Replicated,
}

impl RawReplicated {
    pub fn read(section: Section<'_>) -> Self {
        let replicas = section.number("replicas", replicas);
        let rest = Replicated {
            replicas: 0,
            queries: read_queries(&section),
            session_age: section.duration("session-age"),
            sessions_bytes: section.size("sessions"),
        };
        let place = section.place.clone();
        section.finish();
        Self {
            place,
            replicas: replicas.map(|at| at.value),
            rest,
        }
    }

    /// None if part of it could not be read, which was noted then.
    pub fn complete(self) -> Option<Replicated> {
        Some(Replicated {
            replicas: self.replicas?,
            ..self.rest
        })
    }
}

fn replicas(number: i128) -> Result<u32, InvalidValue> {
    match number {
        1 => Ok(1),
        3 => Ok(3),
        5 => Ok(5),
        7 => Ok(7),
        // More than half have to agree, so an even one more can only fail.
        2 | 4 | 6 => Err(InvalidValue(format!(
            "{number} replicas survive no more failures than {}; write 1, 3, 5 or 7",
            number - 1
        ))),
        8.. => Err(InvalidValue(format!(
            "a service has at most 7 replicas, not {number}; write 1, 3, 5 or 7"
        ))),
        _ => Err(InvalidValue(format!(
            "a service has at least one replica, not {number}; write 1, 3, 5 or 7"
        ))),
    }
}

fn read_queries(section: &Section<'_>) -> Vec<Query> {
    let mut queries: Vec<Query> = Vec::new();
    for At {
        value: query,
        place,
    } in section.list("queries", str::parse).unwrap_or_default()
    {
        let other = queries
            .iter()
            .find(|other| other.covers(&query) || query.covers(other));
        match other {
            None => queries.push(query),
            Some(other) if *other == query => {
                section.problem(&place, format!("\"{query}\" is named twice; remove one"));
            }
            Some(other) => {
                let (part, whole) = if other.covers(&query) {
                    (&query, other)
                } else {
                    (other, &query)
                };
                section.problem(
                    &place,
                    format!("\"{part}\" is part of \"{whole}\"; remove one"),
                );
            }
        }
    }
    queries
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(query: &str, function: &str, expected: bool) {
        let (interface, function) = function.rsplit_once('.').expect("interface and function");
        let replicated = Replicated {
            replicas: 1,
            queries: vec![query.parse().expect("a query")],
            session_age: Duration::ZERO,
            sessions_bytes: 0,
        };
        let function = FunctionName {
            interface: interface.to_owned(),
            function: function.to_owned(),
        };
        assert_eq!(
            replicated.is_query(&function),
            expected,
            "{query}: {function}"
        );
    }

    #[test]
    fn an_interface_without_version_is_every_version_of_it() {
        check("a:b/c.d", "a:b/c@0.1.d", true);
        check("a:b/c.d", "a:b/c@7.d", true);
        check("a:b/c.d", "a:b/c.d", true);
        check("a:b/c.d", "a:b/c@0.1.e", false);
        check("a:b/c.d", "a:b/cc@0.1.d", false);
        check("a:b/c", "a:b/c@0.1.anything", true);
        check("a:b/c", "a:b/d@0.1.anything", false);
    }

    #[test]
    fn an_interface_with_a_version_is_what_is_compatible_with_it() {
        check("a:b/c@0.1.3.d", "a:b/c@0.1.d", true);
        check("a:b/c@0.1.3.d", "a:b/c@0.1.e", false);
        check("a:b/c@0.1.3.d", "a:b/c@0.2.d", false);
        check("a:b/c@1.2.3", "a:b/c@1.d", true);
        check("a:b/c@1.2.3", "a:b/c@2.d", false);
        check("a:b/c@1.2.3", "a:b/c.d", false);
        check("a:b/c@0.2.0-draft", "a:b/c@0.2.0-draft.d", true);
    }

    #[test]
    fn a_function_outside_any_interface_is_a_command() {
        check("a:b/c", ".d", false);
    }

    #[track_caller]
    fn check_refused(text: &str, expected: Expect) {
        let message = text.parse::<Query>().expect_err("no query").to_string();
        expected.assert_eq(&message);
    }

    #[test]
    fn what_is_no_query_is_refused_with_what_was_probably_meant() {
        check_refused(
            "depth",
            expect![[
                r#""depth" is not an interface or a function of one; write namespace:package/interface or namespace:package/interface.function in kebab-case, with or without @version, for example "bookshop:shop/order-queue.depth""#
            ]],
        );
        check_refused(
            "bookshop:shop/order-queue.",
            expect![[
                r#""bookshop:shop/order-queue." is not an interface or a function of one; write namespace:package/interface or namespace:package/interface.function in kebab-case, with or without @version, for example "bookshop:shop/order-queue.depth""#
            ]],
        );
        check_refused(
            "bookshop:shop/order-queue.Depth",
            expect![[
                r#""bookshop:shop/order-queue.Depth" is not an interface or a function of one; write namespace:package/interface or namespace:package/interface.function in kebab-case, with or without @version, for example "bookshop:shop/order-queue.depth""#
            ]],
        );
        check_refused(
            "bookshop:shop/order-queue@0.1.depth",
            expect![[
                r#""bookshop:shop/order-queue@0.1.depth" is not an interface or a function of one; write namespace:package/interface or namespace:package/interface.function in kebab-case, with or without @version, for example "bookshop:shop/order-queue.depth""#
            ]],
        );
        check_refused(
            "bookshop:shop/order-queue@0.1",
            expect![[
                r#""bookshop:shop/order-queue@0.1" is not an interface or a function of one; write namespace:package/interface or namespace:package/interface.function in kebab-case, with or without @version, for example "bookshop:shop/order-queue""#
            ]],
        );
        check_refused(
            "",
            expect![[
                r#""" is not an interface or a function of one; write namespace:package/interface or namespace:package/interface.function in kebab-case, with or without @version, for example "bookshop:shop/order-queue.depth""#
            ]],
        );
    }
}
