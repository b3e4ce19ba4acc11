//! Tells the code of a Rust file from its comments and literals, so that rules about code do not stumble over prose.

/// A Rust file, taken apart.
pub struct Source {
    /// The file with everything but code turned into spaces: lines and columns stay where they are.
    pub code: String,
    /// The content of each string literal, escapes as written.
    pub literals: Vec<String>,
}

impl Source {
    /// Takes a file apart.
    pub fn of(text: &str) -> Self {
        let mut reader = Reader {
            rest: text,
            code: String::with_capacity(text.len()),
            literals: Vec::new(),
        };
        while !reader.rest.is_empty() {
            reader.step();
        }
        Self {
            code: reader.code,
            literals: reader.literals,
        }
    }

    /// The lines of code from 1 up to the tests, which by the rule of this house come last.
    pub fn lines_before_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..)
            .zip(self.code.lines())
            .take_while(|(_, line)| !line.trim_start().starts_with("#[cfg(test)]"))
    }
}

struct Reader<'text> {
    rest: &'text str,
    code: String,
    literals: Vec<String>,
}

impl Reader<'_> {
    fn step(&mut self) {
        let inside_word = self
            .code
            .ends_with(|last: char| last.is_alphanumeric() || last == '_');
        if self.rest.starts_with("//") {
            self.blank(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.blank(block_comment(self.rest));
        } else if let Some((start, end, length)) = raw_string(self.rest).filter(|_| !inside_word) {
            self.literals.push(self.rest[start..end].to_owned());
            self.blank(length);
        } else if self.rest.starts_with('"') {
            let length = quoted(self.rest, '"');
            self.literals
                .push(self.rest[1..(length - 1).max(1)].to_owned());
            self.blank(length);
        } else if let Some(length) = character(self.rest) {
            self.blank(length);
        } else {
            let mut characters = self.rest.chars();
            self.code.extend(characters.next());
            self.rest = characters.as_str();
        }
    }

    fn blank(&mut self, length: usize) {
        let (gone, rest) = self.rest.split_at(length);
        self.code.extend(
            gone.chars()
                .map(|character| if character == '\n' { '\n' } else { ' ' }),
        );
        self.rest = rest;
    }
}

/// Length of the comment that `text` starts with; comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        let (change, length) = match rest {
            [b'/', b'*', ..] => (1, 2),
            [b'*', b'/', ..] => (-1, 2),
            [..] => (0, 1),
        };
        depth += change;
        at += length;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// Start and end of the content, and length of the whole, of the raw string that `text` starts with.
fn raw_string(text: &str) -> Option<(usize, usize, usize)> {
    let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
        text.strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with(['#', '"']))
    })?;
    let hashes = text[prefix.len()..]
        .bytes()
        .take_while(|byte| *byte == b'#')
        .count();
    let start = prefix.len() + hashes + 1;
    // `r#match` is an identifier.
    text[prefix.len() + hashes..]
        .starts_with('"')
        .then_some(())?;
    let closing = format!("\"{}", "#".repeat(hashes));
    let end = text[start..]
        .find(&closing)
        .map_or(text.len(), |end| start + end);
    Some((start, end, (end + closing.len()).min(text.len())))
}

/// Length of the literal that `text` starts with, up to and with the closing quote.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        if !escaped && character == quote {
            return at + character.len_utf8();
        }
        escaped = !escaped && character == '\\';
    }
    text.len()
}

/// Length of the character literal that `text` starts with; none if the quote begins a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut characters = text.strip_prefix('\'')?.chars();
    let first = characters.next()?;
    (first == '\\' || characters.next() == Some('\'')).then(|| quoted(text, '\''))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, code: &str, literals: &[&str]) {
        let source = Source::of(text);
        assert_eq!(source.code, code);
        assert_eq!(source.literals, literals);
    }

    #[test]
    fn comments_are_not_code() {
        check("a // b\nc", "a     \nc", &[]);
        check("a /* b /* c */\n d */ e", "a             \n      e", &[]);
    }

    #[test]
    fn literals_are_not_code() {
        check(
            r#"f("a // b", "\"")"#,
            "f(        ,     )",
            &["a // b", r#"\""#],
        );
        check(r##"r#"a "b" c"#;"##, "            ;", &["a \"b\" c"]);
        check("r#match", "r#match", &[]);
        check("for\"x\"", "for   ", &["x"]);
    }

    #[test]
    fn a_lifetime_is_not_a_character() {
        check("&'a str, 'b', '\\'', '\"'", "&'a str,    ,     ,    ", &[]);
    }

    #[test]
    fn a_literal_that_never_ends_ends_with_the_file() {
        check("\"a", "  ", &[""]);
        check("/* a", "    ", &[]);
        check("r\"a", "   ", &["a"]);
    }

    #[test]
    fn tests_come_last() {
        let source = Source::of("a\n#[cfg(test)]\nmod tests {}\n");
        assert_eq!(source.lines_before_tests().collect::<Vec<_>>(), [(1, "a")]);
    }
}
