//! What a request is about, by its method and path.

use crate::refusal::Refusal;

/// Something this interface can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Show what there is.
    Page,
    /// Check an order out.
    Checkout,
    /// Tell a browser what a page from elsewhere may do.
    Preflight {
        /// The methods that the path has, as in `Allow`.
        methods: &'static str,
    },
}

/// Finds what `method` on `path_with_query` asks for.
///
/// # Errors
/// - [`Refusal::NotFound`]: there is no such path.
/// - [`Refusal::MethodNotAllowed`]: the path has other methods only.
pub fn find(method: &str, path_with_query: &str) -> Result<Route, Refusal> {
    let path = path_with_query
        .split_once('?')
        .map_or(path_with_query, |(path, _)| path);
    let (route, own_methods, methods) = match path {
        "/" => (
            Route::Page,
            ["GET", "HEAD"].as_slice(),
            "GET, HEAD, OPTIONS",
        ),
        "/checkout" => (Route::Checkout, ["POST"].as_slice(), "POST, OPTIONS"),
        _ => return Err(Refusal::NotFound),
    };
    match method {
        "OPTIONS" => Ok(Route::Preflight { methods }),
        _ if own_methods.contains(&method) => Ok(route),
        _ => Err(Refusal::MethodNotAllowed { methods }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, path: &str, expected: Result<Route, Refusal>) {
        assert_eq!(find(method, path), expected);
    }

    #[test]
    fn finds_what_is_asked_for() {
        check("GET", "/", Ok(Route::Page));
        check("HEAD", "/", Ok(Route::Page));
        check("POST", "/checkout", Ok(Route::Checkout));
    }

    #[test]
    fn a_query_does_not_matter() {
        check("GET", "/?from=here", Ok(Route::Page));
        check("POST", "/checkout?", Ok(Route::Checkout));
    }

    #[test]
    fn other_paths_are_not_found() {
        for path in [
            "",
            "/checkout/",
            "/Checkout",
            "/checkout/1",
            "/favicon.ico",
            "/%63heckout",
        ] {
            check("POST", path, Err(Refusal::NotFound));
            check("OPTIONS", path, Err(Refusal::NotFound));
        }
    }

    #[test]
    fn other_methods_are_told_the_right_ones() {
        check(
            "GET",
            "/checkout",
            Err(Refusal::MethodNotAllowed {
                methods: "POST, OPTIONS",
            }),
        );
        check(
            "post",
            "/checkout",
            Err(Refusal::MethodNotAllowed {
                methods: "POST, OPTIONS",
            }),
        );
        check(
            "POST",
            "/",
            Err(Refusal::MethodNotAllowed {
                methods: "GET, HEAD, OPTIONS",
            }),
        );
        check(
            "BREW",
            "/",
            Err(Refusal::MethodNotAllowed {
                methods: "GET, HEAD, OPTIONS",
            }),
        );
    }

    #[test]
    fn browsers_may_ask_first() {
        check(
            "OPTIONS",
            "/checkout",
            Ok(Route::Preflight {
                methods: "POST, OPTIONS",
            }),
        );
        check(
            "OPTIONS",
            "/",
            Ok(Route::Preflight {
                methods: "GET, HEAD, OPTIONS",
            }),
        );
    }
}
