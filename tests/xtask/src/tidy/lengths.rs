//! A file is one noun: no longer than a person reads in one sitting. Exceptions are listed and only shrink.

use super::Problem;
use super::tree::{File, Tree};
use std::collections::BTreeMap;

/// Lines a file may have.
const LINES_MAX: usize = 500;

/// Files of these kinds are written and read by people.
const EXTENSIONS: [&str; 6] = ["html", "js", "py", "rs", "ts", "wit"];

/// Where the exceptions are.
const EXCEPTIONS: &str = "tests/xtask/long-files.txt";

/// See the module.
pub fn check(tree: &Tree) -> Vec<Problem> {
    let (exceptions, mut problems) = exceptions(tree);
    let measured = tree
        .files
        .iter()
        .filter(|file| EXTENSIONS.contains(&file.extension()) && !file.is_vendored());
    let mut lengths: BTreeMap<&str, usize> = measured
        .map(|file| (file.path.as_str(), file.text.lines().count()))
        .collect();
    for (path, (line, allowed)) in exceptions {
        let length = lengths.remove(path).unwrap_or(0);
        let at_list = |message| Problem {
            file: EXCEPTIONS.to_owned(),
            line,
            rule: "lengths",
            message,
        };
        if length <= LINES_MAX {
            problems.push(at_list(format!(
                "{path} is not longer than {LINES_MAX} lines any more; take it off this list"
            )));
        } else if length < allowed {
            problems.push(at_list(format!("{path} has shrunk to {length} lines; write that here, so that it does not grow again")));
        } else if length > allowed {
            problems.push(too_long(path, length, allowed));
        }
    }
    problems.extend(
        lengths
            .into_iter()
            .filter(|(_, length)| *length > LINES_MAX)
            .map(|(path, length)| too_long(path, length, LINES_MAX)),
    );
    problems
}

fn too_long(path: &str, length: usize, allowed: usize) -> Problem {
    Problem {
        file: path.to_owned(),
        line: 0,
        rule: "lengths",
        message: format!("has {length} lines of at most {allowed}; split it by its nouns"),
    }
}

/// The listed files with the line of the list and their length.
fn exceptions(tree: &Tree) -> (BTreeMap<&str, (usize, usize)>, Vec<Problem>) {
    let mut found = BTreeMap::new();
    let mut problems = Vec::new();
    let list = tree.files.iter().find(|file| file.path == EXCEPTIONS);
    for (line, entry) in list
        .into_iter()
        .flat_map(lines)
        .filter(|(_, entry)| !entry.starts_with('#') && !entry.is_empty())
    {
        let parsed = entry
            .rsplit_once(' ')
            .and_then(|(path, length)| Some((path.trim(), length.parse().ok()?)));
        match parsed {
            Some((path, length)) => drop(found.insert(path, (line, length))),
            None => problems.push(Problem {
                file: EXCEPTIONS.to_owned(),
                line,
                rule: "lengths",
                message: "is not PATH LINES".to_owned(),
            }),
        }
    }
    (found, problems)
}

fn lines(file: &File) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(file.text.lines().map(str::trim))
}

#[cfg(test)]
mod tests {
    use super::super::testing;

    #[track_caller]
    fn check(path: &str, length: usize, list: &str, expected: &[&str]) {
        testing::check(
            super::check,
            &[(path, &"\n".repeat(length)), (super::EXCEPTIONS, list)],
            expected,
        );
    }

    #[test]
    fn a_long_file_is_refused() {
        check("host/src/a.rs", 500, "", &[]);
        check(
            "host/src/a.rs",
            501,
            "",
            &["host/src/a.rs: has 501 lines of at most 500; split it by its nouns"],
        );
    }

    #[test]
    fn what_others_wrote_and_what_nobody_reads_may_be_long() {
        check("wit/deps/http.wit", 900, "", &[]);
        check("Cargo.lock", 900, "", &[]);
    }

    #[test]
    fn an_exception_may_only_shrink() {
        check("a.rs", 600, "# PATH LINES\na.rs 600", &[]);
        check(
            "a.rs",
            601,
            "a.rs 600",
            &["a.rs: has 601 lines of at most 600; split it by its nouns"],
        );
        let shrunk = "tests/xtask/long-files.txt:1: a.rs has shrunk to 599 lines; write that here, so that it does not grow again";
        check("a.rs", 599, "a.rs 600", &[shrunk]);
    }

    #[test]
    fn an_exception_nobody_needs_is_removed() {
        let unneeded = |path| {
            format!(
                "tests/xtask/long-files.txt:1: {path} is not longer than 500 lines any more; take it off this list"
            )
        };
        check("a.rs", 500, "a.rs 600", &[&unneeded("a.rs")]);
        check("a.rs", 1, "gone.rs 600", &[&unneeded("gone.rs")]);
        check(
            "a.rs",
            1,
            "a.rs",
            &["tests/xtask/long-files.txt:1: is not PATH LINES"],
        );
    }
}
