//! The top level is fixed: more files are fine, more folders are not.

use super::Problem;
use super::tree::Tree;
use std::collections::BTreeSet;

/// What may lie at the top, besides files, build output, and folders whose name starts with a dot.
const FOLDERS: [&str; 5] = ["components", "config", "host", "tests", "wit"];

/// See the module.
pub fn check(tree: &Tree) -> Vec<Problem> {
    let tops: BTreeSet<&str> = tree
        .files
        .iter()
        .filter_map(|file| Some(file.path.split_once('/')?.0))
        .collect();
    let strangers = tops
        .into_iter()
        .filter(|top| !FOLDERS.contains(top) && !top.starts_with('.'));
    strangers.map(stranger).collect()
}

fn stranger(folder: &str) -> Problem {
    let message = format!(
        "is not a folder of the top level; put it below one of {}",
        FOLDERS.join(", ")
    );
    Problem {
        file: folder.to_owned(),
        line: 0,
        rule: "folders",
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;

    #[test]
    fn only_known_folders_lie_at_the_top() {
        let files = [
            ("host/src/main.rs", ""),
            (".ci/run", ""),
            ("README.md", ""),
            ("scripts/a.sh", ""),
        ];
        let expected = "scripts: is not a folder of the top level; put it below one of components, config, host, tests, wit";
        testing::check(super::check, &files, &[expected]);
    }
}
