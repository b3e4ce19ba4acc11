//! What a path of the endpoint asks for.

use super::error::ApiError;

/// Longest path that is repeated in an answer.
const SHOWN_CHARACTERS_MAX: usize = 100;

/// A path, with its names decoded.
#[derive(Debug, PartialEq, Eq)]
pub enum Path {
    /// `/`
    About,
    /// `/functions`
    Functions,
    /// `/types/{target}/{function}`
    Types {
        /// An interface or a service.
        target: String,
        /// A function of it.
        function: String,
    },
    /// `/call/{target}/{function}`
    Call {
        /// An interface or a service.
        target: String,
        /// A function of it.
        function: String,
    },
}

impl Path {
    /// Reads a path. The target may contain slashes, as names of interfaces do; the function is what follows the last one.
    ///
    /// # Errors
    /// [`ApiError::NoSuchPath`], and [`ApiError::Malformed`] for a bad percent-encoding.
    pub fn parse(path: &str) -> Result<Self, ApiError> {
        let unknown = || ApiError::NoSuchPath {
            path: path.chars().take(SHOWN_CHARACTERS_MAX).collect(),
        };
        match path {
            "/" => return Ok(Self::About),
            "/functions" => return Ok(Self::Functions),
            _ => {}
        }
        let names = |rest: &str| {
            let (target, function) = rest.rsplit_once('/').ok_or_else(unknown)?;
            if target.is_empty() || function.is_empty() {
                return Err(unknown());
            }
            Ok((decode(target)?, decode(function)?))
        };
        if let Some(rest) = path.strip_prefix("/call/") {
            let (target, function) = names(rest)?;
            return Ok(Self::Call { target, function });
        }
        if let Some(rest) = path.strip_prefix("/types/") {
            let (target, function) = names(rest)?;
            return Ok(Self::Types { target, function });
        }
        Err(unknown())
    }
}

fn decode(text: &str) -> Result<String, ApiError> {
    let malformed = || {
        ApiError::Malformed(format!(
            "{text:?} in the path is not percent-encoded UTF-8; write % and two hexadecimal digits for each byte"
        ))
    };
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut pieces = text.split('%');
    let mut bytes: Vec<u8> = pieces.next().unwrap_or_default().into();
    for piece in pieces {
        let digits = piece.get(..2).ok_or_else(malformed)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(malformed());
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| malformed())?);
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, target: &str, function: &str) {
        let (target, function) = (target.to_owned(), function.to_owned());
        assert_eq!(
            Path::parse(&format!("/call/{path}")),
            Ok(Path::Call {
                target: target.clone(),
                function: function.clone()
            })
        );
        assert_eq!(
            Path::parse(&format!("/types/{path}")),
            Ok(Path::Types { target, function })
        );
    }

    #[test]
    fn the_function_is_what_follows_the_last_slash() {
        check("suggestions/recommend", "suggestions", "recommend");
        check(
            "bookshop:shop/suggestions@0.1.0/recommend",
            "bookshop:shop/suggestions@0.1.0",
            "recommend",
        );
        check(
            "bookshop%3Ashop%2Fsuggestions%400.1.0/recommend",
            "bookshop:shop/suggestions@0.1.0",
            "recommend",
        );
        check("a%c3%A9/f", "aé", "f");
    }

    #[test]
    fn the_other_paths_are_whole_ones() {
        assert_eq!(Path::parse("/"), Ok(Path::About));
        assert_eq!(Path::parse("/functions"), Ok(Path::Functions));
        for path in [
            "",
            "/functions/",
            "/call",
            "/call/",
            "/call/a",
            "/call//f",
            "/call/a/",
            "/calls/a/f",
            "//call/a/f",
        ] {
            let path = path.to_owned();
            assert_eq!(Path::parse(&path), Err(ApiError::NoSuchPath { path }));
        }
    }

    #[test]
    fn what_is_no_encoding_is_malformed() {
        for path in [
            "/call/a/%",
            "/call/a/%4",
            "/call/a/%4g",
            "/call/a/%+4",
            "/call/a/%ff",
            "/call/%é/f",
        ] {
            assert!(
                matches!(Path::parse(path), Err(ApiError::Malformed(_))),
                "{path}"
            );
        }
    }
}
