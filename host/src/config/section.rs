//! Reads one table of the file by the [reference](mod@super::reference): places, types, defaults and ranges.
//!
//! Works on the spanned document and not through `serde` derives, which stop at the first mistake and do not know the
//! path of a key. Every mistake goes to the [`Report`]; what could not be read is then a default or `None`, so that the
//! rest of the file is still judged. Nothing read from a file with mistakes is ever used.

use std::cell::RefCell;
use std::ops::Range;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::error::{InvalidValue, Place, Report};
use super::key_doc::{Absent, KeyDoc};
use super::kind::Kind;
use super::nearest::nearest;
use super::reference;

/// A key and a value as they stand in the file.
pub(super) type Key<'a> = &'a Spanned<DeString<'a>>;
pub(super) type Value<'a> = &'a Spanned<DeValue<'a>>;

/// One table of the file.
pub(super) struct Section<'a> {
    pub(super) report: &'a Report<'a>,
    /// Path in the reference: `service.NAME`.
    pub(super) documented: String,
    /// Where it stands, and its path in the file: `service.fraud-detection`.
    pub(super) place: Place,
    /// Nothing if the table was left out: then every key has its default and none is missing.
    table: Option<&'a DeTable<'a>>,
    /// Keys that were read; the others are unknown.
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    /// The top of the file.
    pub fn root(report: &'a Report<'a>, table: &'a DeTable<'a>) -> Self {
        Self::new(
            report,
            String::new(),
            Place {
                key: String::new(),
                span: 0..0,
            },
            Some(table),
        )
    }

    /// A table of the reference that was left out of the file.
    pub fn empty(report: &'a Report<'a>, documented: &str) -> Self {
        Self::new(
            report,
            documented.to_owned(),
            Place {
                key: String::new(),
                span: 0..0,
            },
            None,
        )
    }

    fn new(
        report: &'a Report<'a>,
        documented: String,
        place: Place,
        table: Option<&'a DeTable<'a>>,
    ) -> Self {
        Self {
            report,
            documented,
            place,
            table,
            asked: RefCell::default(),
        }
    }

    /// Notes a problem at `place`.
    pub fn problem(&self, place: &Place, message: impl Into<String>) {
        self.report.add(place, message);
    }

    /// The table at `name`; one without keys if it was left out.
    pub fn child(&self, name: &str) -> Self {
        let (documented, place) = (
            join(&self.documented, name),
            self.place_of(name, self.place.span.clone()),
        );
        self.optional_child(name)
            .unwrap_or_else(|| Self::new(self.report, documented, place, None))
    }

    /// The table at `name`, if the file has it.
    pub fn optional_child(&self, name: &str) -> Option<Self> {
        let (doc, place, value) = self.value(name)?;
        let table = self.as_table(doc.kind, &place, value)?;
        Some(Self::new(
            self.report,
            join(&self.documented, name),
            place,
            Some(table),
        ))
    }

    /// The tables of `[[name]]`, in the order of the file.
    pub fn children(&self, name: &str) -> Vec<Self> {
        let Some((doc, place, value)) = self.value(name) else {
            return Vec::new();
        };
        let DeValue::Array(values) = value.get_ref() else {
            self.mistyped(doc.kind, &place, value);
            return Vec::new();
        };
        let read = |value| {
            let place = Place {
                key: place.key.clone(),
                span: Spanned::span(value),
            };
            let table = self.as_table(Kind::Table, &place, value)?;
            Some(Self::new(
                self.report,
                join(&self.documented, name),
                place,
                Some(table),
            ))
        };
        values.iter().filter_map(read).collect()
    }

    /// The tables below `[name.…]` under names that the file chooses, which the reference calls `called`.
    /// A wrong name is noted, and none here.
    pub fn named<T: FromStr<Err = InvalidValue>>(
        &self,
        name: &'static str,
        called: &str,
    ) -> Vec<(Option<T>, Self)> {
        self.asked.borrow_mut().push(name);
        let Some((key, value)) = self.table.and_then(|table| table.get_key_value(name)) else {
            return Vec::new();
        };
        let place = self.place_of(name, key.span());
        let Some(table) = self.as_table(Kind::Table, &place, value) else {
            return Vec::new();
        };
        let documented = join(&join(&self.documented, name), called);
        let read = |(key, value): (Key<'a>, Value<'a>)| {
            let text: &str = key.get_ref();
            let place = Place {
                key: join(&place.key, text),
                span: key.span(),
            };
            let read = text
                .parse()
                .map_err(|error: InvalidValue| self.report.add(&place, error.to_string()))
                .ok();
            let table = self.as_table(Kind::Table, &place, value)?;
            Some((
                read,
                Self::new(self.report, documented.clone(), place, Some(table)),
            ))
        };
        table.iter().filter_map(read).collect()
    }

    /// The same section, called by a name of its own instead of its place in a list: `host.alpha`.
    pub fn renamed(mut self, name: &str) -> Self {
        self.place.key = join(&self.place.key, name);
        self
    }

    /// Notes every key that nobody asked for, with what was probably meant.
    ///
    /// # Panics
    /// A documented key was not read: the reference promises what the reader does not keep.
    pub fn finish(self) {
        let Some(table) = self.table else { return };
        let asked = self.asked.borrow();
        let known: Vec<&str> = self.known();
        let unread = known.iter().find(|name| !asked.contains(name));
        assert!(
            unread.is_none(),
            "documented but never read: {unread:?} of [{}]",
            self.documented
        );
        for key in table
            .keys()
            .filter(|key| !known.contains(&key.get_ref().as_ref()))
        {
            let deeper = reference::keys_below(&self.documented)
                .find(|path| path.ends_with(&format!(".{}", key.get_ref())));
            let meant = nearest(key.get_ref(), known.iter().copied())
                .or(deeper.filter(|path| is_fixed(path)));
            let meant = meant
                .map(|meant| format!("did you mean `{meant}`? "))
                .unwrap_or_default();
            let place = Place {
                key: join(&self.place.key, key.get_ref()),
                span: key.span(),
            };
            self.report.add(
                &place,
                format!("unknown key; {meant}known here: {}", known.join(", ")),
            );
        }
    }

    /// Names of the keys that this table may have.
    fn known(&self) -> Vec<&'static str> {
        let first = |path: &'static str| path.split('.').next().unwrap_or(path);
        let mut known: Vec<_> = reference::keys_below(&self.documented).map(first).collect();
        known.dedup();
        known
    }

    /// The documentation, place of the key and value of a key; none if it was left out, which is noted if it must not be.
    pub(super) fn value(&self, name: &str) -> Option<(&'static KeyDoc, Place, Value<'a>)> {
        let doc = reference::key(&self.documented, name);
        let table = self.table?;
        let found = table
            .get_key_value(name)
            .map(|(key, value)| (doc, self.place_of(name, key.span()), value));
        let first_time = !self.asked.borrow().contains(&doc.name());
        if first_time {
            self.asked.borrow_mut().push(doc.name());
        }
        if let (true, None, Absent::Refused(example)) = (first_time, &found, doc.absent) {
            let remedy = match doc.kind {
                Kind::Table | Kind::Tables => format!("add a section {example}"),
                kind => format!("add {name} = {}", kind.literal(example)),
            };
            self.report.add(
                &self.place_of(name, self.place.span.clone()),
                format!("is missing; {remedy}"),
            );
        }
        found
    }

    pub(super) fn as_table(
        &self,
        kind: Kind,
        place: &Place,
        value: Value<'a>,
    ) -> Option<&'a DeTable<'a>> {
        if let DeValue::Table(table) = value.get_ref() {
            return Some(table);
        }
        self.mistyped(kind, &place_at(place, value), value);
        None
    }

    pub(super) fn mistyped(&self, kind: Kind, place: &Place, value: Value<'a>) {
        let source = self.report.source(&value.span());
        let is_scalar = !matches!(value.get_ref(), DeValue::Array(_) | DeValue::Table(_));
        let meant = match kind {
            // A number where a text is wanted just lacks its quotes.
            Kind::Text if is_scalar => Some(source.clone()),
            Kind::Table => self.example_of_table(place),
            // Other formats write these in quotes.
            Kind::Boolean => match value.get_ref().as_str() {
                Some(text @ ("true" | "false")) => Some(text.to_owned()),
                _ => None,
            },
            _ => None,
        };
        self.report
            .add(place, kind.mistyped(&source, meant.as_deref()).to_string());
    }

    /// The table at `place`, which is one of ours, with its first key.
    fn example_of_table(&self, place: &Place) -> Option<String> {
        let name = place.key.rsplit('.').next()?;
        let table = join(&self.documented, name);
        let doc = reference::reference().iter().find(|doc| {
            doc.key
                .strip_prefix(&table)
                .is_some_and(|rest| rest.starts_with('.'))
        })?;
        match doc.absent {
            Absent::Refused(value) | Absent::Default(value) => Some(format!(
                "{{ {} = {} }}",
                doc.name(),
                doc.kind.literal(value)
            )),
            Absent::Unused => None,
        }
    }

    pub(super) fn place_of(&self, name: &str, span: Range<usize>) -> Place {
        Place {
            key: join(&self.place.key, name),
            span,
        }
    }
}

pub(super) fn place_at(place: &Place, value: &Spanned<DeValue<'_>>) -> Place {
    Place {
        key: place.key.clone(),
        span: value.span(),
    }
}

/// A longer path of keys, quoted where TOML wants it: `service.a.links."shop:a/b"`.
pub(super) fn join(path: &str, name: &str) -> String {
    let is_bare = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let name = if is_bare {
        name.to_owned()
    } else {
        format!("{name:?}")
    };
    if path.is_empty() {
        name
    } else {
        format!("{path}.{name}")
    }
}

/// Whether a path has no part that the file chooses.
fn is_fixed(path: &str) -> bool {
    !path.chars().any(|character| character.is_ascii_uppercase())
}
