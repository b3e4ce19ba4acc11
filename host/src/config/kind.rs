//! The types that values of a cluster file can have: how each is written, and what is said of a value that is not.

use serde::Serialize;

use super::error::InvalidValue;

/// What a value is, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A table of further keys.
    Table,
    /// Any number of tables, `[[key]]` each.
    Tables,
    /// Any text.
    Text,
    /// Texts under keys that the file chooses.
    Texts,
    /// A kebab-case name.
    Name,
    /// A WIT interface.
    Interface,
    /// A path of a file or folder; relative to the folder of the cluster file.
    Path,
    /// A prefix of a URL's path.
    UrlPath,
    /// An IP address with a port.
    Address,
    /// Bytes.
    Size,
    /// A length of time.
    Duration,
    /// A whole number.
    Count,
    /// Yes or no.
    Boolean,
    /// All hosts or a list of them.
    Hosts,
    /// How long an instance lives.
    Instance,
    /// How long state lives.
    Storage,
    /// A list of capabilities.
    Grants,
    /// A list of functions that only read.
    Queries,
}

impl Kind {
    /// The type in words, with its units: `size (B, KiB, MiB, GiB)`.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Tables => "tables",
            Self::Text => "text",
            Self::Texts => "table of texts",
            Self::Name => "name (kebab-case, at most 63 characters)",
            Self::Interface => "interface (namespace:package/interface)",
            Self::Path => "path",
            Self::UrlPath => "path of a URL",
            Self::Address => "address (IP:PORT)",
            Self::Size => "size (B, KiB, MiB, GiB)",
            Self::Duration => "duration (us, ms, s, min, h)",
            Self::Count => "whole number",
            Self::Boolean => "boolean (true or false)",
            Self::Hosts => "\"all\" or list of host names",
            Self::Instance => "\"per-call\" or \"pooled\"",
            Self::Storage => "\"volatile\"",
            Self::Grants => {
                "list of \"http:HOST:PORT\", \"tcp:HOST:PORT\", \"listen:IP:PORT\", \"env:NAME\""
            }
            Self::Queries => "list of \"INTERFACE\", \"INTERFACE.FUNCTION\"",
        }
    }

    /// A default or an example as it would stand in the file.
    #[must_use]
    pub fn literal(self, value: &str) -> String {
        match self {
            Self::Table | Self::Tables | Self::Texts | Self::Count | Self::Boolean => {
                value.to_owned()
            }
            Self::Hosts | Self::Grants | Self::Queries if value.starts_with('[') => {
                value.to_owned()
            }
            Self::Text
            | Self::Name
            | Self::Interface
            | Self::Path
            | Self::UrlPath
            | Self::Address
            | Self::Size
            | Self::Duration
            | Self::Hosts
            | Self::Instance
            | Self::Storage
            | Self::Grants
            | Self::Queries => format!("{value:?}"),
        }
    }

    /// The error for a text that is not of this kind, with an example: what was probably meant, if that is known.
    pub(super) fn invalid(self, text: &str, meant: Option<&str>) -> InvalidValue {
        self.mistyped(&format!("{text:?}"), meant)
    }

    /// The same for any value, given as it was typed.
    pub(super) fn mistyped(self, source: &str, meant: Option<&str>) -> InvalidValue {
        let (noun, form, example) = self.words();
        let example = self.literal(meant.unwrap_or(example));
        InvalidValue(format!(
            "{source} is not {noun}; write {form}, for example {example}"
        ))
    }

    /// The kind as a noun, the form to write, an example.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Table => (
                "a table",
                "keys in braces or below a header",
                "{ key = \"value\" }",
            ),
            Self::Tables => (
                "a list of tables",
                "one header in double brackets for each",
                "[[host]]",
            ),
            Self::Text => ("text", "it in quotes", "value"),
            Self::Texts => (
                "a table of texts",
                "keys in braces or below a header",
                "{ threshold = \"0.8\" }",
            ),
            Self::Name => (
                "a name",
                "lower-case letters, digits and single hyphens, a letter first, at most 63 characters",
                "fraud-detection",
            ),
            Self::Interface => (
                "an interface",
                "namespace:package/interface in kebab-case, with or without @version",
                "bookshop:shop/suggestions",
            ),
            Self::Path => ("a path", "it in quotes", "fraud_detection.wasm"),
            Self::UrlPath => (
                "a path prefix",
                "a slash, then names divided by slashes, no slash at the end",
                "/api",
            ),
            Self::Address => ("an address", "IP:PORT", "127.0.0.1:8080"),
            Self::Size => ("a size", "a number with B, KiB, MiB or GiB", "64MiB"),
            Self::Duration => ("a duration", "a number with us, ms, s, min or h", "250ms"),
            Self::Count => ("a whole number", "digits without quotes", "128"),
            Self::Boolean => ("a boolean", "true or false without quotes", "true"),
            Self::Hosts => (
                "a choice of hosts",
                "\"all\" or a list of names",
                "[\"alpha\", \"beta\"]",
            ),
            Self::Storage => ("a way to keep state", "\"volatile\"", "volatile"),
            Self::Instance => (
                "a way to keep instances",
                "\"per-call\" or \"pooled\"",
                "per-call",
            ),
            Self::Grants => (
                "a grant",
                "\"http:HOST:PORT\", \"tcp:HOST:PORT\", \"listen:IP:PORT\" or \"env:NAME\"",
                "http:api.example.org:443",
            ),
            Self::Queries => (
                "an interface or a function of one",
                "namespace:package/interface or namespace:package/interface.function in kebab-case, with or without @version",
                "bookshop:shop/order-queue.depth",
            ),
        }
    }
}
