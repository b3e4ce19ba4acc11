use super::*;

const ORDER: &str = "01234567-89ab-4def-bedc-ba9876543210";
const TO_READ: &str = "GET, HEAD, OPTIONS";
const TO_SEND: &str = "POST, OPTIONS";

#[track_caller]
fn check(method: &str, path: &str, expected: Result<Route, Refusal>) {
    assert_eq!(find(method, path), expected);
}

#[track_caller]
fn check_file(path: &str, content_type: &str) {
    for method in ["GET", "HEAD"] {
        match find(method, path) {
            Ok(Route::File(file)) => assert_eq!(file.content_type, content_type),
            other => panic!("{path} leads to {other:?}"),
        }
    }
}

#[test]
fn finds_what_is_asked_for() {
    check("POST", "/checkout", Ok(Route::Checkout));
    check("GET", "/books", Ok(Route::Books));
    check("HEAD", "/books", Ok(Route::Books));
    check("GET", &format!("/orders/{ORDER}"), Ok(Route::Order(ORDER)));
    check_file("/", "text/html; charset=utf-8");
    check_file("/page/style.css", "text/css; charset=utf-8");
    check_file("/openapi.yaml", "application/yaml");
}

#[test]
fn a_query_does_not_matter() {
    check_file("/?from=here", "text/html; charset=utf-8");
    check("POST", "/checkout?", Ok(Route::Checkout));
    check("GET", "/books?genre=Gothic", Ok(Route::Books));
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
        "/books/emma",
        "/orders",
        "/orders/",
        "/orders/1/events",
        "/page/",
    ] {
        check("POST", path, Err(Refusal::NotFound));
        check("GET", path, Err(Refusal::NotFound));
        check("OPTIONS", path, Err(Refusal::NotFound));
    }
}

#[test]
fn an_order_that_cannot_be_is_unknown_to_those_who_ask_for_it() {
    check("GET", "/orders/1", Err(Refusal::UnknownOrder));
    check(
        "OPTIONS",
        "/orders/1",
        Ok(Route::Preflight { methods: TO_READ }),
    );
}

#[test]
fn other_methods_are_told_the_right_ones() {
    for (method, path, methods) in [
        ("GET", "/checkout", TO_SEND),
        ("HEAD", "/checkout", TO_SEND),
        ("post", "/checkout", TO_SEND),
        ("POST", "/", TO_READ),
        ("BREW", "/", TO_READ),
        ("PUT", "/books", TO_READ),
        ("DELETE", "/orders/1", TO_READ),
    ] {
        check(method, path, Err(Refusal::MethodNotAllowed { methods }));
    }
}

#[test]
fn browsers_may_ask_first() {
    check(
        "OPTIONS",
        "/checkout",
        Ok(Route::Preflight { methods: TO_SEND }),
    );
    check("OPTIONS", "/", Ok(Route::Preflight { methods: TO_READ }));
}
