//! Keeps pages in browsers out: they can reach loopback too, and must not be able to call services or stop them.
//!
//! Shared by `api` and `admin`. A page that sends a request to another origin says so in `Origin`; one whose own name was made
//! to point here (DNS rebinding) cannot help saying that name in `Host`.

use http::Request;
use http::header::{HOST, ORIGIN};
use std::net::{IpAddr, SocketAddr};

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// A page in a browser sent it.
    #[error(
        "the request has an Origin header, so a page in a browser sent it; only programs are served here"
    )]
    Page,
    /// It came by a name.
    #[error(
        "the Host header {0:?} is not an address; only requests to addresses and to localhost are served here"
    )]
    Name(String),
}

/// Whether a program sent the request, to an address.
///
/// # Errors
/// See [`OriginError`].
pub fn check<B>(request: &Request<B>) -> Result<(), OriginError> {
    let (headers, uri) = (request.headers(), request.uri());
    if headers.contains_key(ORIGIN) {
        return Err(OriginError::Page);
    }
    // HTTP/2 has the host in the request line.
    let host = match (headers.get(HOST), uri.authority()) {
        (Some(host), _) => host.to_str().unwrap_or_default(),
        (None, Some(authority)) => authority.as_str(),
        (None, None) => "",
    };
    if is_address(host) || host.split(':').next() == Some("localhost") {
        Ok(())
    } else {
        Err(OriginError::Name(host.to_owned()))
    }
}

fn is_address(host: &str) -> bool {
    host.parse::<SocketAddr>().is_ok()
        || host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
            .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_host(host: &str, is_served: bool) {
        let old = Request::get("/").header(HOST, host).body(()).unwrap();
        assert_eq!(check(&old).is_ok(), is_served, "{host}");
    }

    #[test]
    fn addresses_and_localhost_are_served_and_names_are_not() {
        check_host("127.0.0.1:7201", true);
        check_host("127.0.0.1", true);
        check_host("[::1]:7201", true);
        check_host("[::1]", true);
        check_host("localhost", true);
        check_host("localhost:7201", true);
        check_host("shop.example", false);
        check_host("shop.example:7201", false);
        check_host("localhost.example:7201", false);
        check_host("", false);
    }

    #[test]
    fn the_host_of_http_2_counts_too() {
        let by = |uri: &str| check(&Request::get(uri).body(()).unwrap());
        assert_eq!(by("http://127.0.0.1:7201/"), Ok(()));
        assert_eq!(
            by("http://shop.example/"),
            Err(OriginError::Name("shop.example".into()))
        );
        assert_eq!(by("/"), Err(OriginError::Name(String::new())));
    }

    #[test]
    fn a_page_is_not_served_whatever_its_origin() {
        for origin in ["https://shop.example", "null", "http://127.0.0.1:7201"] {
            let request = Request::post("/").header(HOST, "127.0.0.1:7201");
            let request = request.header(ORIGIN, origin).body(()).unwrap();
            assert_eq!(check(&request), Err(OriginError::Page));
        }
    }
}
