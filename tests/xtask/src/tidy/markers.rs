//! No marker of unfinished work: an issue keeps what is left to do, the code what is done.

use super::Problem;
use super::source::Source;
use super::tree::{File, Tree};

/// Words that mark unfinished work, in code, prose and comments. Put together here, or this file would mark itself.
const WORDS: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

/// Macros that stand for missing code, or that only their author wanted to run.
const MACROS: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

/// See the module.
pub fn check(tree: &Tree) -> Vec<Problem> {
    tree.files
        .iter()
        .filter(|file| !file.is_vendored() && file.extension() != "lock")
        .flat_map(of_file)
        .collect()
}

fn of_file(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut found = |line, marker: &str| {
        let message = format!(
            "{marker} marks unfinished work; finish it, or open an issue and say so in a sentence"
        );
        problems.push(Problem {
            file: file.path.clone(),
            line,
            rule: "markers",
            message,
        });
    };
    for (line, text) in (1..).zip(file.text.lines()) {
        WORDS
            .iter()
            .filter(|word| has_word(text, word))
            .for_each(|word| found(line, word));
    }
    if file.extension() == "rs" {
        for (line, code) in (1..).zip(Source::of(&file.text).code.lines()) {
            MACROS
                .iter()
                .filter(|name| has_word(code, name))
                .for_each(|name| found(line, name));
        }
    }
    problems
}

/// Whether `word` stands in `text` and is not part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing;

    #[track_caller]
    fn check(path: &str, text: &str, expected: &[&str]) {
        let sentence =
            "marks unfinished work; finish it, or open an issue and say so in a sentence";
        let expected: Vec<String> = expected
            .iter()
            .map(|place| format!("{place} {sentence}"))
            .collect();
        testing::check(
            super::check,
            &[(path, text)],
            &expected.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    }

    #[test]
    fn words_are_found_everywhere() {
        let marker = super::WORDS[0];
        check(
            "README.md",
            &format!("fine\n{marker}: more"),
            &[&format!("README.md:2: {marker}")],
        );
        check(
            "host/src/a.rs",
            &format!("// {marker} later"),
            &[&format!("host/src/a.rs:1: {marker}")],
        );
    }

    #[test]
    fn parts_of_words_are_fine() {
        check(
            "README.md",
            &format!("a {}S b{}", super::WORDS[0], super::WORDS[2]),
            &[],
        );
    }

    #[test]
    fn macros_are_found_in_code_only() {
        check(
            "host/src/a.rs",
            "fn f() { todo!() }",
            &["host/src/a.rs:1: todo!"],
        );
        check(
            "host/src/a.rs",
            "// Never todo!().\nconst A: &str = \"dbg!\";",
            &[],
        );
    }

    #[test]
    fn what_others_wrote_is_theirs() {
        check("wit/deps/http.wit", super::WORDS[0], &[]);
    }
}
