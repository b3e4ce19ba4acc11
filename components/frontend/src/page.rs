//! The shop page and the description of this interface: files that are part of the component.

use crate::reply::Reply;

/// A file that is given as it is.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is served.
    path: &'static str,
    /// What it is, as in `Content-Type`.
    pub content_type: &'static str,
    body: &'static str,
}

/// What a browser may do for the page: nothing but what comes from this very server.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const YAML: &str = "application/yaml";

const fn file(path: &'static str, content_type: &'static str, body: &'static str) -> File {
    File {
        path,
        content_type,
        body,
    }
}

static FILES: [File; 11] = [
    file("/", HTML, include_str!("../page/index.html")),
    file("/openapi.yaml", YAML, include_str!("../openapi.yaml")),
    file(
        "/page/icon.svg",
        "image/svg+xml",
        include_str!("../page/icon.svg"),
    ),
    file("/page/style.css", CSS, include_str!("../page/style.css")),
    file("/page/main.js", SCRIPT, include_str!("../page/main.js")),
    file(
        "/page/elements.js",
        SCRIPT,
        include_str!("../page/elements.js"),
    ),
    file("/page/basket.js", SCRIPT, include_str!("../page/basket.js")),
    file(
        "/page/catalogue.js",
        SCRIPT,
        include_str!("../page/catalogue.js"),
    ),
    file(
        "/page/checkout.js",
        SCRIPT,
        include_str!("../page/checkout.js"),
    ),
    file("/page/order.js", SCRIPT, include_str!("../page/order.js")),
    file(
        "/page/diagram.js",
        SCRIPT,
        include_str!("../page/diagram.js"),
    ),
];

/// The file at this path.
pub fn find(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

/// The file as a response. A browser asks again each time: a swap of this component may have changed it.
pub fn reply(file: &'static File) -> Reply {
    let reply = Reply::new(200, file.content_type, file.body.as_bytes())
        .with_header("cache-control", "no-cache")
        .with_header("x-content-type-options", "nosniff");
    if file.content_type == HTML {
        reply
            .with_header("content-security-policy", CONTENT_SECURITY_POLICY)
            .with_header("referrer-policy", "same-origin")
    } else {
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that the page names as a file of its own.
    fn named(text: &str) -> impl Iterator<Item = &str> {
        text.split(['"', '\'', '`'])
            .filter(|part| part.starts_with("/page/") || part.starts_with("./"))
            .filter(|part| !part.ends_with('/'))
    }

    #[test]
    fn every_file_that_a_file_names_is_there() {
        for file in &FILES {
            for name in named(file.body) {
                let path = name.replace("./", "/page/");
                assert!(find(&path).is_some(), "{} names {name}", file.path);
            }
        }
    }

    #[test]
    fn every_file_is_named_by_another_or_an_address_of_its_own() {
        let all: Vec<String> = FILES
            .iter()
            .flat_map(|file| named(file.body))
            .map(|name| name.replace("./", "/page/"))
            .collect();
        for file in FILES.iter().filter(|file| file.path.starts_with("/page/")) {
            assert!(all.iter().any(|name| name == file.path), "{}", file.path);
        }
    }

    #[test]
    fn nothing_comes_from_elsewhere() {
        let spaces = ["http://www.w3.org/2000/svg"];
        for file in FILES.iter().filter(|file| file.content_type != YAML) {
            let body = spaces
                .iter()
                .fold(file.body.to_owned(), |body, space| body.replace(space, ""));
            assert!(
                !body.contains("://") && !body.contains("\"//"),
                "{}",
                file.path
            );
        }
    }

    #[test]
    fn the_page_may_use_only_this_server() {
        let page = find("/").expect("the page is there");
        let headers = reply(page).headers;
        let policy = headers
            .iter()
            .find(|(name, _)| *name == "content-security-policy");
        assert!(policy.is_some_and(|(_, value)| value.starts_with("default-src 'none'; ")));
        assert!(!page.body.contains("style=") && !page.body.contains("<style"));
    }
}
