//! Names of clusters, hosts, services and interfaces. Cheap to clone, since they travel with every call.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::InvalidValue;
use super::kind::Kind;

/// Names become parts of host names, of folders and of WIT packages; 63 is what a DNS label can hold.
const NAME_CHARACTERS_MAX: usize = 63;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidValue;

            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                $check(text)?;
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// Name of a cluster: kebab-case, 1 to 63 characters.
    ClusterName, check_kebab
}
name! {
    /// Name of a host, unique in its cluster: kebab-case, 1 to 63 characters.
    HostName, check_kebab
}
name! {
    /// Name of a service, unique in its cluster whatever version of it runs: kebab-case, 1 to 63 characters.
    ServiceName, check_kebab
}
name! {
    /// Name of a WIT interface: `namespace:package/interface`, with or without `@version`.
    InterfaceName, check_interface
}

fn check_kebab(text: &str) -> Result<(), InvalidValue> {
    if is_kebab(text) {
        return Ok(());
    }
    let kebab = kebab(text);
    Err(Kind::Name.invalid(text, is_kebab(&kebab).then_some(kebab.as_str())))
}

pub(super) fn is_kebab(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    text.len() <= NAME_CHARACTERS_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.split('-').all(word)
}

/// The nearest text that could be a name: `FraudDetection` and `fraud_detection` become `fraud-detection`.
fn kebab(text: &str) -> String {
    let mut kebab = String::new();
    let mut previous = None;
    for character in text.chars() {
        let starts_word = character.is_ascii_uppercase()
            && previous.is_some_and(|c: char| c.is_ascii_lowercase());
        if !character.is_ascii_alphanumeric() || starts_word {
            kebab.push('-');
        }
        if character.is_ascii_alphanumeric() {
            kebab.push(character.to_ascii_lowercase());
        }
        previous = Some(character);
    }
    kebab
        .split('-')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

fn check_interface(text: &str) -> Result<(), InvalidValue> {
    let (path, version) = text
        .split_once('@')
        .map_or((text, None), |(path, version)| (path, Some(version)));
    let named = path
        .split_once(':')
        .and_then(|(namespace, rest)| Some((namespace, rest.split_once('/')?)));
    let path_fits = named.is_some_and(|(namespace, (package, interface))| {
        is_kebab(namespace) && is_kebab(package) && is_kebab(interface)
    });
    if path_fits && version.is_none_or(is_version) {
        Ok(())
    } else {
        Err(Kind::Interface.invalid(text, None))
    }
}

/// Whether a text is a semantic version: three numbers, then perhaps a pre-release or build part.
fn is_version(text: &str) -> bool {
    let (numbers, rest) = text.split_at(text.find(['-', '+']).unwrap_or(text.len()));
    let number = |number: &str| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.');
    numbers.split('.').count() == 3
        && numbers.split('.').all(number)
        && rest.len() != 1
        && rest.chars().all(part)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[test]
    fn names_are_kebab_case() {
        for name in ["a", "alpha", "fraud-detection", "day-001", "h2"] {
            assert_eq!(name.parse::<ServiceName>().expect(name).to_string(), name);
        }
        for name in [
            "", "-a", "a-", "a--b", "2nd", "Alpha", "a_b", "a.b", "größe",
        ] {
            assert!(name.parse::<ServiceName>().is_err(), "{name:?}");
        }
        assert!("a".repeat(63).parse::<HostName>().is_ok());
        assert!("a".repeat(64).parse::<HostName>().is_err());
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_nearest_right_one() {
        check(
            "FraudDetection",
            expect![[r#"for example "fraud-detection""#]],
        );
        check(
            "fraud_detection",
            expect![[r#"for example "fraud-detection""#]],
        );
        check(
            "Fraud Detection 2",
            expect![[r#"for example "fraud-detection-2""#]],
        );
        check("!", expect![[r#"for example "fraud-detection""#]]);
    }

    #[test]
    fn interfaces_are_named_with_package_and_perhaps_version() {
        for name in [
            "bookshop:shop/suggestions",
            "wasi:http/handler@0.3.0-rc-2025",
            "a:b/c@1.2.3",
        ] {
            assert!(name.parse::<InterfaceName>().is_ok(), "{name}");
        }
        for name in [
            "suggestions",
            "bookshop:shop",
            "shop/suggestions",
            "a:b/c@1",
            "a:b/c@",
            "a:b/C",
            "a:b/c/d",
            "a:b/c@1.2.3-",
        ] {
            assert!(name.parse::<InterfaceName>().is_err(), "{name}");
        }
    }

    #[test]
    fn names_travel_as_json_text_and_are_checked_on_arrival() {
        let name: HostName = serde_json::from_str("\"alpha\"").expect("a name");
        assert_eq!(serde_json::to_string(&name).expect("text"), "\"alpha\"");
        assert!(serde_json::from_str::<HostName>("\"Alpha\"").is_err());
    }

    #[track_caller]
    fn check(name: &str, expected: Expect) {
        let message = name
            .parse::<ServiceName>()
            .expect_err("not a name")
            .to_string();
        expected.assert_eq(message.rsplit(", ").next().unwrap_or_default());
    }
}
