//! No path of anybody's machine: what is in the repository works wherever it is cloned.

use super::Problem;
use super::tree::Tree;

/// Beginnings of such paths. Put together here, or this file would break its own rule.
const PATHS: [&str; 5] = [
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
    concat!("C:", "\\"),
];

/// See the module.
pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in &tree.files {
        for (line, text) in (1..).zip(file.text.lines()) {
            for path in PATHS.iter().filter(|path| has_path(text, path)) {
                let message = format!(
                    "names {path} of some machine; write it relative to the repository, or take it from the environment"
                );
                problems.push(Problem {
                    file: file.path.clone(),
                    line,
                    rule: "machine",
                    message,
                });
            }
        }
    }
    problems
}

/// Whether `path` stands in `text` where an absolute path begins, and not in the middle of one or of a URL.
fn has_path(text: &str, path: &str) -> bool {
    let continues = |last: char| last.is_alphanumeric() || "_-./}".contains(last);
    text.match_indices(path)
        .any(|(at, _)| !text[..at].ends_with(continues))
}

#[cfg(test)]
mod tests {
    use super::super::testing;

    #[track_caller]
    fn check(text: &str, found: Option<&str>) {
        let expected: Vec<String> = found
            .map(|path| format!("a.md:1: names {path} of some machine; write it relative to the repository, or take it from the environment"))
            .into_iter()
            .collect();
        testing::check(
            super::check,
            &[("a.md", text)],
            &expected.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    }

    #[test]
    fn absolute_paths_of_people_are_found() {
        let path = super::PATHS[1];
        check(&format!("see {path}somebody/code"), Some(path));
        check(&format!("\"{path}somebody\""), Some(path));
    }

    #[test]
    fn parts_of_paths_and_addresses_are_fine() {
        let path = super::PATHS[1];
        check(
            &format!("https://example.org{path}page and target{path}x"),
            None,
        );
        check("/etc/hosts", None);
    }
}
