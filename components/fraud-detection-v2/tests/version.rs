//! What makes this package version 2, and keeps it the same as version 1 otherwise.

use fraud_detection_v2::model::{Current, Model, Trees};

/// The manifest of the package that this one is a version of.
const FIRST: &str = include_str!("../../fraud-detection/Cargo.toml");

/// The manifest of this package.
const SECOND: &str = include_str!("../Cargo.toml");

#[test]
fn it_decides_by_boosted_trees() {
    assert_eq!(Current::NAME, Trees::NAME);
}

#[test]
fn both_versions_depend_on_the_same() {
    let dependencies = |manifest: &'static str, section: &str| -> Vec<&'static str> {
        let lines = manifest.lines().skip_while(|line| *line != section).skip(1);
        lines
            .take_while(|line| !line.starts_with('['))
            .filter(|line| !line.trim().is_empty())
            .collect()
    };
    for section in ["[dependencies]", "[dev-dependencies]"] {
        let (first, second) = (dependencies(FIRST, section), dependencies(SECOND, section));
        assert_eq!(first, second, "{section}");
    }
    assert!(!dependencies(FIRST, "[dependencies]").is_empty());
}
