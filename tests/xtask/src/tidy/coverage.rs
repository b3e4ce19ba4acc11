//! A guest that no test names is dead weight: every fixture is used by a test of the host, and every component is tested.

use super::Problem;
use super::source::Source;
use super::tree::{File, Tree};
use std::collections::BTreeSet;

/// Folders whose tests run guests.
const TESTS: [&str; 4] = [
    "host/tests/",
    "tests/it/",
    "tests/bench/",
    "tests/simulation/",
];

/// See the module.
pub fn check(tree: &Tree) -> Vec<Problem> {
    let named: Vec<String> = TESTS
        .iter()
        .flat_map(|folder| tree.below(folder))
        .filter(|file| file.extension() == "rs")
        .flat_map(|file| Source::of(&file.text).literals)
        .collect();
    let is_named = |name: &str| {
        named
            .iter()
            .any(|literal| has_name(literal, name) || has_name(literal, &name.replace('-', "_")))
    };
    let fixtures = fixtures(tree)
        .into_iter()
        .filter(|(name, _)| !is_named(name))
        .map(|(name, path)| {
            let message = format!(
                "no test names this fixture (\"{name}\" in a string of a test); use it or delete it"
            );
            Problem {
                file: path,
                line: 0,
                rule: "coverage",
                message,
            }
        });
    let components = components(tree)
        .into_iter()
        .filter(|name| !is_named(name) && !has_own_tests(tree, name))
        .map(|name| {
            let message = "has no test of its own, and no test of the host names it".to_owned();
            Problem {
                file: format!("components/{name}"),
                line: 0,
                rule: "coverage",
                message,
            }
        });
    fixtures.chain(components).collect()
}

/// Name and path of each fixture: a crate, or a text component.
fn fixtures(tree: &Tree) -> BTreeSet<(String, String)> {
    let of_file = |file: &File| {
        let below = file.path.strip_prefix("tests/fixtures/")?;
        match below.split_once('/') {
            Some((name, "Cargo.toml")) => Some((name.to_owned(), format!("tests/fixtures/{name}"))),
            Some(_) => None,
            None => below
                .strip_suffix(".wat")
                .map(|name| (name.to_owned(), file.path.clone())),
        }
    };
    tree.files.iter().filter_map(of_file).collect()
}

fn components(tree: &Tree) -> BTreeSet<String> {
    let below = tree
        .below("components/")
        .filter_map(|file| file.path["components/".len()..].split_once('/'));
    below.map(|(name, _)| name.to_owned()).collect()
}

fn has_own_tests(tree: &Tree, component: &str) -> bool {
    tree.below(&format!("components/{component}/"))
        .any(|file| Source::of(&file.text).code.contains("#[test]"))
}

/// Whether a literal names a guest: `"hostile"`, `"hostile.wat"`, `"fixture_hostile.wasm"`, but not `"hostility"`.
fn has_name(literal: &str, name: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '-';
    literal.match_indices(name).any(|(at, _)| {
        let before = literal[..at]
            .trim_end_matches("fixture_")
            .trim_end_matches("fixture-");
        !before.ends_with(|last| is_part(last) || last == '_')
            && !literal[at + name.len()..].starts_with(|next| is_part(next) || next == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing;

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: &[&str]) {
        testing::check(super::check, files, expected);
    }

    const FIXTURE: (&str, &str) = ("tests/fixtures/wrong-type/Cargo.toml", "");
    const UNUSED: &str = "tests/fixtures/wrong-type: no test names this fixture (\"wrong-type\" in a string of a test); use it or delete it";

    #[test]
    fn a_fixture_is_named_by_a_test() {
        check(&[FIXTURE], &[UNUSED]);
        check(
            &[FIXTURE, ("tests/it/load.rs", "fixture(\"wrong-type\")")],
            &[],
        );
        check(
            &[FIXTURE, ("tests/it/load.rs", "\"fixture_wrong_type.wasm\"")],
            &[],
        );
        check(
            &[
                FIXTURE,
                (
                    "tests/it/load.rs",
                    "// wrong-type\n\"not-wrong-type wrong-types\"",
                ),
            ],
            &[UNUSED],
        );
    }

    #[test]
    fn a_text_component_is_a_fixture() {
        let unused = "tests/fixtures/cut.wat: no test names this fixture (\"cut\" in a string of a test); use it or delete it";
        check(&[("tests/fixtures/cut.wat", "")], &[unused]);
    }

    #[test]
    fn a_component_has_tests_of_its_own_or_is_named_by_one() {
        let untested =
            "components/orders: has no test of its own, and no test of the host names it";
        check(&[("components/orders/src/lib.rs", "")], &[untested]);
        check(
            &[("components/orders/src/lib.rs", "#[test] fn f() {}")],
            &[],
        );
        check(
            &[
                ("components/orders/src/lib.rs", ""),
                ("tests/it/shop.rs", "\"orders.place\""),
            ],
            &[],
        );
    }
}
