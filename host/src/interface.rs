//! Names of interfaces: which of two versions may stand for one another, and what the host itself offers.

/// The name by which interfaces are matched: the version is reduced to what semantic versioning calls compatible.
///
/// `a:b/c@1.2.3` → `a:b/c@1`, `a:b/c@0.1.5` → `a:b/c@0.1`; `0.0.x` and pre-releases stay as they are, and so does a name without a version.
#[must_use]
pub fn compatible(name: &str) -> String {
    let Some((path, version)) = name.split_once('@') else {
        return name.to_owned();
    };
    let parts: Vec<&str> = version.split('.').collect();
    match parts.as_slice() {
        _ if version.contains('-') => name.to_owned(),
        ["0", "0", _] => name.to_owned(),
        ["0", minor, _] => format!("{path}@0.{minor}"),
        [major, _, _] => format!("{path}@{major}"),
        _ => name.to_owned(),
    }
}

/// The name without its version.
#[must_use]
pub fn without_version(name: &str) -> &str {
    name.split_once('@').map_or(name, |(path, _)| path)
}

/// Whether the host, and not a service, provides interfaces of this name.
#[must_use]
pub fn is_platform(name: &str) -> bool {
    name.starts_with("wasi:") || name.starts_with("bookshop:platform/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: &str) {
        assert_eq!(compatible(name), expected);
    }

    #[test]
    fn versions_are_reduced_to_what_is_compatible() {
        check("a:b/c@1.2.3", "a:b/c@1");
        check("a:b/c@0.1.5", "a:b/c@0.1");
        check("a:b/c@0.0.5", "a:b/c@0.0.5");
        check(
            "wasi:config/store@0.2.0-rc.1",
            "wasi:config/store@0.2.0-rc.1",
        );
        check("a:b/c", "a:b/c");
    }
}
