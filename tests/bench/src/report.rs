//! What is printed: tables in Markdown, and with `--json` the same rows as lines of JSON.

use serde_json::{Map, Value, json};

/// Where rows go.
pub struct Report {
    is_json: bool,
    measurement: &'static str,
    columns: Vec<&'static str>,
}

impl Report {
    /// Markdown to standard output; with `is_json`, JSON there and Markdown to standard error.
    #[must_use]
    pub fn new(is_json: bool) -> Self {
        Self {
            is_json,
            measurement: "",
            columns: Vec::new(),
        }
    }

    /// Begins a table. `measurement` is the name that the JSON lines carry.
    pub fn begin(&mut self, measurement: &'static str, title: &str) {
        self.measurement = measurement;
        self.columns.clear();
        self.text(&format!("\n{title}\n"));
    }

    /// Adds a row. Its table gets the columns of its first row.
    pub fn row(&mut self, row: &Row) {
        if self.columns.is_empty() {
            self.columns = row.0.iter().map(|(column, _)| *column).collect();
            self.text(&format!("| {} |", self.columns.join(" | ")));
            self.text(&format!("|{}", "---|".repeat(self.columns.len())));
        }
        let cells: Vec<String> = row.0.iter().map(|(_, cell)| cell.to_string()).collect();
        self.text(&format!("| {} |", cells.join(" | ")));
        if self.is_json {
            println!("{}", row.json(self.measurement));
        }
    }

    /// Says something that is not a number of a table.
    pub fn note(&self, text: &str) {
        self.text(&format!("\n{text}"));
    }

    fn text(&self, text: &str) {
        if self.is_json {
            eprintln!("{text}");
        } else {
            println!("{text}");
        }
    }
}

enum Cell {
    Text(String),
    Number { value: f64, decimals: usize },
}

impl std::fmt::Display for Cell {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Number { value, decimals } => formatter.write_str(&grouped(*value, *decimals)),
        }
    }
}

/// A row of a table: cells with the names of their columns.
#[derive(Default)]
pub struct Row(Vec<(&'static str, Cell)>);

impl Row {
    /// A row that says first `what` was measured.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self::default().text("what", what)
    }

    /// Adds words.
    #[must_use]
    pub fn text(mut self, column: &'static str, text: impl Into<String>) -> Self {
        self.0.push((column, Cell::Text(text.into())));
        self
    }

    /// Adds a number that is shown with so many decimals; its unit is in the name of its column.
    #[must_use]
    pub fn number(mut self, column: &'static str, value: f64, decimals: usize) -> Self {
        self.0.push((column, Cell::Number { value, decimals }));
        self
    }

    /// Adds a number of things.
    #[must_use]
    pub fn count(self, column: &'static str, count: usize) -> Self {
        let value = u32::try_from(count).unwrap_or(u32::MAX);
        self.number(column, value.into(), 0)
    }

    fn json(&self, measurement: &str) -> Value {
        let mut object = Map::new();
        object.insert("bench".into(), json!(measurement));
        for (column, cell) in &self.0 {
            let value = match cell {
                Cell::Text(text) => json!(text),
                Cell::Number { value, .. } => json!(value),
            };
            object.insert(key(column), value);
        }
        Value::Object(object)
    }
}

/// A column's name as other programs like it: `p99 µs` is `p99_us`, `calls/s` is `calls_per_s`.
fn key(column: &str) -> String {
    column
        .replace('µ', "u")
        .replace('/', " per ")
        .replace('%', "percent")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join("_")
        .replace('-', "_")
        .to_lowercase()
}

/// `12345.6` with one decimal is `12,345.6`.
#[must_use]
pub fn grouped(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let plain = format!("{value:.decimals$}");
    let (sign, digits) = plain
        .strip_prefix('-')
        .map_or(("", plain.as_str()), |digits| ("-", digits));
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let first = whole.len() % 3;
    let mut groups: Vec<&str> = Vec::new();
    if first > 0 {
        groups.push(&whole[..first]);
    }
    groups.extend(
        (first..whole.len())
            .step_by(3)
            .map(|start| &whole[start..start + 3]),
    );
    format!("{sign}{}{fraction}", groups.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_in_threes() {
        let check =
            |value, decimals, expected: &str| assert_eq!(grouped(value, decimals), expected);
        check(0.0, 0, "0");
        check(999.96, 1, "1,000.0");
        check(1_234_567.0, 0, "1,234,567");
        check(-1_234.5, 1, "-1,234.5");
        check(12.0, 2, "12.00");
        check(f64::NAN, 1, "–");
    }

    #[test]
    fn keys_are_words_with_underscores() {
        let check = |column, expected: &str| assert_eq!(key(column), expected);
        check("p99.9 µs", "p99.9_us");
        check("calls/s", "calls_per_s");
        check("CPU-ms per call", "cpu_ms_per_call");
        check("steal %", "steal_percent");
    }
}
