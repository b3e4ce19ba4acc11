//! Aligned tables for people.

use crate::cli::output::{Paint, Style};

/// One field of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    text: String,
    paint: Paint,
}

impl Cell {
    /// A field with a look.
    pub fn new(paint: Paint, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            paint,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(Paint::Plain, text)
    }
}

/// Where the fields of a column stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// Rows below a line of headings. Columns are as wide as their widest field and two spaces apart.
#[derive(Debug)]
pub struct Table {
    headings: Vec<(&'static str, Side)>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table. A heading that begins with `>` is that of a column of numbers, which stand on the right.
    pub fn new(headings: &[&'static str]) -> Self {
        let column = |heading: &&'static str| {
            heading
                .strip_prefix('>')
                .map_or((*heading, Side::Left), |heading| (heading, Side::Right))
        };
        Self {
            headings: headings.iter().map(column).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row with a field for each heading.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let row: Vec<Cell> = cells.into_iter().collect();
        assert_eq!(
            row.len(),
            self.headings.len(),
            "a row has a field for each heading"
        );
        self.rows.push(row);
    }

    /// The lines, headings first, without spaces at their ends.
    pub fn lines(&self, style: Style) -> Vec<String> {
        let headings: Vec<Cell> = self
            .headings
            .iter()
            .map(|(text, _)| Cell::new(Paint::Dim, *text))
            .collect();
        let rows = || std::iter::once(&headings).chain(&self.rows);
        let width = |column: usize| {
            rows()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.text.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.headings.len()).map(width).collect();
        rows().map(|row| self.line(row, &widths, style)).collect()
    }

    fn line(&self, row: &[Cell], widths: &[usize], style: Style) -> String {
        let mut line = String::new();
        for ((cell, width), (_, side)) in row.iter().zip(widths).zip(&self.headings) {
            let padding = " ".repeat(width - cell.text.chars().count());
            let text = style.paint(cell.paint, &cell.text);
            match side {
                Side::Left => line.extend([text, padding]),
                Side::Right => line.extend([padding, text]),
            }
            line.push_str("  ");
        }
        line.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn columns_are_aligned_and_numbers_stand_on_the_right() {
        let mut table = Table::new(&["SERVICE", ">CALLS", "STATE"]);
        table.row([
            "suggestions".into(),
            "7".into(),
            Cell::new(Paint::Good, "running"),
        ]);
        table.row(["größe".into(), "1200".into(), "".into()]);
        expect![[r#"
            SERVICE      CALLS  STATE
            suggestions      7  running
            größe         1200"#]]
        .assert_eq(&table.lines(Style::PLAIN).join("\n"));
    }
}
