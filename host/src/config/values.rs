//! Reads the values of one table: texts, addresses, numbers with and without a unit, booleans, lists.
//!
//! What is left out or wrong becomes the default that the [reference](mod@super::reference) documents, or `None`.

use std::net::SocketAddr;
use std::time::Duration;

use toml::de::{DeInteger, DeValue};

use super::error::{At, InvalidValue, Place};
use super::key_doc::Absent;
use super::kind::Kind;
use super::reference;
use super::section::{Key, Section, Value, join, place_at};
use super::{duration, size};

impl<'a> Section<'a> {
    /// A text, read by `parse`; none if it was left out or is wrong.
    pub fn text<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> Option<At<T>> {
        let (doc, _, value) = self.value(name)?;
        let place = self.place_of(name, value.span());
        let DeValue::String(text) = value.get_ref() else {
            self.mistyped(doc.kind, &place, value);
            return None;
        };
        match parse(text) {
            Ok(value) => Some(At { value, place }),
            Err(error) => {
                self.report.add(&place, error.to_string());
                None
            }
        }
    }

    /// A text, read by `parse`; the default, as if it stood at the header, if it was left out or is wrong.
    pub fn text_or_default<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, InvalidValue>,
    ) -> At<T> {
        let documented =
            || parse(self.default(name)).expect("defaults can be read: a test reads them all");
        let read = self.text(name, &parse);
        read.unwrap_or_else(|| At {
            value: documented(),
            place: self.place.clone(),
        })
    }

    /// An address.
    pub fn address(&self, name: &str) -> Option<At<SocketAddr>> {
        self.text(name, |text| {
            // People write the name, or the port alone, and mean this machine.
            let port = text
                .rsplit(':')
                .next()
                .unwrap_or_default()
                .parse::<u16>()
                .ok();
            let meant = port.map(|port| format!("127.0.0.1:{port}"));
            text.parse()
                .map_err(|_| Kind::Address.invalid(text, meant.as_deref()))
        })
    }

    /// Bytes; the default if left out.
    pub fn size(&self, name: &str) -> u64 {
        self.ranged(name, size::parse)
    }

    /// A length of time; the default if left out.
    pub fn duration(&self, name: &str) -> Duration {
        self.ranged(name, duration::parse)
    }

    /// A whole number; the default if left out. The reference's range says which integer type can hold it.
    pub fn count<T: TryFrom<i128>>(&self, name: &str) -> T {
        let count = self.ranged(name, |text| {
            text.parse::<i128>()
                .map_err(|_| Kind::Count.mistyped(text, None))
        });
        T::try_from(count).ok().expect(
            "the range in the reference fits the type: a test reads both ends of every range",
        )
    }

    /// A whole number, read by `parse`; none if it was left out or is wrong. For numbers that a range does not describe.
    pub fn number<T>(
        &self,
        name: &str,
        parse: impl FnOnce(i128) -> Result<T, InvalidValue>,
    ) -> Option<At<T>> {
        let (doc, _, value) = self.value(name)?;
        let place = self.place_of(name, value.span());
        let DeValue::Integer(number) = value.get_ref() else {
            self.mistyped(doc.kind, &place, value);
            return None;
        };
        match parse(integer(number)) {
            Ok(value) => Some(At { value, place }),
            Err(error) => {
                self.report.add(&place, error.to_string());
                None
            }
        }
    }

    /// Yes or no; the default if left out.
    pub fn boolean(&self, name: &str) -> bool {
        let documented = || self.default(name) == "true";
        let Some((doc, place, value)) = self.value(name) else {
            return documented();
        };
        if let DeValue::Boolean(value) = value.get_ref() {
            return *value;
        }
        self.mistyped(doc.kind, &place_at(&place, value), value);
        documented()
    }

    /// Whether the file has the key.
    pub fn place_if_present(&self, name: &str) -> Option<Place> {
        self.value(name).map(|(_, place, _)| place)
    }

    /// The texts of a list, each read by `parse`; none if the key was left out or is no list.
    pub fn list<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, InvalidValue>,
    ) -> Option<Vec<At<T>>> {
        let (doc, place, value) = self.value(name)?;
        let DeValue::Array(values) = value.get_ref() else {
            let (source, place) = (self.report.source(&value.span()), place_at(&place, value));
            if value.get_ref().is_str() {
                self.report
                    .add(&place, format!("{source} is not a list; write [{source}]"));
            } else {
                self.mistyped(doc.kind, &place, value);
            }
            return None;
        };
        if values.is_empty() && doc.kind == Kind::Hosts {
            self.report.add(
                &place_at(&place, value),
                "no host is named; name one, or write \"all\"",
            );
        }
        let mut read = Vec::new();
        for value in values {
            let place = place_at(&place, value);
            match value.get_ref() {
                DeValue::String(text) => match parse(text) {
                    Ok(value) => read.push(At { value, place }),
                    Err(error) => self.report.add(&place, error.to_string()),
                },
                _ => self.mistyped(
                    if doc.kind == Kind::Hosts {
                        Kind::Name
                    } else {
                        doc.kind
                    },
                    &place,
                    value,
                ),
            }
        }
        Some(read)
    }

    /// Whether the value of the key is a text (and not a list).
    pub fn is_text(&self, name: &str) -> bool {
        self.value(name)
            .is_some_and(|(_, _, value)| value.get_ref().is_str())
    }

    /// A table of texts under keys that the file chooses; empty if left out.
    pub fn texts(&self, name: &str) -> Vec<(String, String)> {
        let Some((doc, place, value)) = self.value(name) else {
            return Vec::new();
        };
        let Some(table) = self.as_table(doc.kind, &place, value) else {
            return Vec::new();
        };
        let read = |(key, value): (Key<'a>, Value<'a>)| {
            let key: &str = key.get_ref();
            let DeValue::String(text) = value.get_ref() else {
                self.mistyped(
                    Kind::Text,
                    &Place {
                        key: join(&place.key, key),
                        span: value.span(),
                    },
                    value,
                );
                return None;
            };
            Some((key.to_owned(), text.to_string()))
        };
        table.iter().filter_map(read).collect()
    }

    /// A number with a range, with or without a unit.
    fn ranged<T: PartialOrd>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, InvalidValue>,
    ) -> T {
        let documented =
            |text| parse(text).expect("the reference can be read: a test reads all of it");
        self.written(name, &parse)
            .unwrap_or_else(|| documented(self.default(name)))
    }

    fn written<T: PartialOrd>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        let (doc, _, value) = self.value(name)?;
        let place = self.place_of(name, value.span());
        let (text, typed) = match value.get_ref() {
            DeValue::String(text) if doc.kind != Kind::Count => {
                (text.to_string(), format!("{text:?}"))
            }
            DeValue::Integer(number) if doc.kind == Kind::Count => {
                (integer(number).to_string(), number.to_string())
            }
            _ => {
                self.mistyped(doc.kind, &place, value);
                return None;
            }
        };
        let number = parse(&text)
            .map_err(|error| self.report.add(&place, error.to_string()))
            .ok()?;
        let (least, greatest) = doc.range?;
        let bound = |text| parse(text).expect("the reference can be read: a test reads all of it");
        if number < bound(least) || number > bound(greatest) {
            let (least, greatest) = (doc.kind.literal(least), doc.kind.literal(greatest));
            self.report.add(
                &place,
                format!("{typed} is out of range; write a value from {least} to {greatest}"),
            );
            return None;
        }
        Some(number)
    }

    fn default(&self, name: &str) -> &'static str {
        match reference::key(&self.documented, name).absent {
            Absent::Default(default) => default,
            Absent::Refused(_) | Absent::Unused => {
                panic!("{name} of [{}] has no default", self.documented)
            }
        }
    }
}

/// A number of any base; one too large becomes the largest there is, which every range refuses.
fn integer(number: &DeInteger<'_>) -> i128 {
    i128::from_str_radix(number.as_str(), number.radix()).unwrap_or(i128::MAX)
}
