//! Paths as they stand in the file: of files and folders, and prefixes of URLs.

use super::error::InvalidValue;
use super::kind::Kind;

/// A prefix of the path of a URL: `/`, or `/api` without a slash at its end.
///
/// # Errors
/// It is something else; the error guesses what was meant.
pub(super) fn url_prefix(text: &str) -> Result<String, InvalidValue> {
    if is_prefix(text) {
        return Ok(text.to_owned());
    }
    let names: Vec<_> = text.split('/').filter(|name| !name.is_empty()).collect();
    let meant = format!("/{}", names.join("/"));
    Err(Kind::UrlPath.invalid(text, is_prefix(&meant).then_some(meant.as_str())))
}

/// Whether requests can arrive below this path: only characters that stand in a URL as they are.
fn is_prefix(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@".contains(c);
    let name =
        |name: &str| !name.is_empty() && name != "." && name != ".." && name.chars().all(plain);
    text == "/"
        || text
            .strip_prefix('/')
            .is_some_and(|names| names.split('/').all(name))
}

/// A path of a file or folder of this machine.
///
/// # Errors
/// It is empty, or the address of something elsewhere.
pub(super) fn file(text: &str) -> Result<String, InvalidValue> {
    if text.contains("://") {
        let message = format!("{text:?} is not on this machine; fetch the file and write its path");
        return Err(InvalidValue(message));
    }
    if text.is_empty() || text.contains('\0') {
        Err(Kind::Path.invalid(text, None))
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[test]
    fn prefixes_are_kept_as_they_are() {
        for prefix in ["/", "/api", "/api/v1", "/a-b_c.d~e"] {
            assert_eq!(url_prefix(prefix).expect(prefix), prefix);
        }
    }

    #[test]
    fn a_wrong_prefix_is_answered_with_the_nearest_right_one() {
        check("/api/", expect![[r#"for example "/api""#]]);
        check("api//v1", expect![[r#"for example "/api/v1""#]]);
        check("", expect![[r#"for example "/""#]]);
        check("/a b", expect![[r#"for example "/api""#]]);
        check("/a/../b", expect![[r#"for example "/api""#]]);
        check("/a?b", expect![[r#"for example "/api""#]]);
    }

    #[test]
    fn files_are_on_this_machine() {
        assert!(file("../a b/c.wasm").is_ok());
        assert!(file("").is_err());
        expect![[
            r#""oci://registry/name" is not on this machine; fetch the file and write its path"#
        ]]
        .assert_eq(
            &file("oci://registry/name")
                .expect_err("elsewhere")
                .to_string(),
        );
    }

    #[track_caller]
    fn check(prefix: &str, expected: Expect) {
        let message = url_prefix(prefix).expect_err("not a prefix").to_string();
        expected.assert_eq(message.rsplit(", ").next().unwrap_or_default());
    }
}
