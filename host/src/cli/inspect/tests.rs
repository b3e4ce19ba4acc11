use super::describe::{Description, describe};
use super::text::text;
use crate::cli::output::Style;
use expect_test::{Expect, expect};
use std::path::Path;

/// A component without code: what it exports is what it imports under another name.
const SHOP: &str = r#"(component
  (import "shop:books/prices@0.1.0" (instance
    (type $book' (record (field "title" string) (field "copies" u32)))
    (export "book" (type $book (eq $book')))
    (export "price" (func (param "book" $book) (result (option u64))))))
  (import "wasi:clocks/monotonic-clock@0.2.6" (instance $clock (export "now" (func (result u64)))))
  (import "wasi:http/outgoing-handler@0.2.6" (instance (export "handle" (func))))
  (import "wasi:nn/tensor@0.2.0" (instance (export "load" (func))))
  (export "shop:books/offers@0.1.0" (instance $clock)))"#;

fn described(file: &str, component: &str) -> Result<Description, String> {
    describe(
        Path::new(file),
        &wat::parse_str(component).expect("a component's text"),
    )
}

#[track_caller]
fn check(file: &str, component: &str, expected: Expect) {
    let shown = described(file, component).map_or_else(
        |error| error,
        |description| text(&description, Style::PLAIN),
    );
    // The digest stands for whatever bytes the text becomes.
    let lines = shown
        .lines()
        .filter(|line| !line.starts_with("  sha256") && !line.starts_with("  size"));
    expected.assert_eq(&lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_component_is_taken_apart() {
    check(
        "target/book_offers.wasm",
        SHOP,
        expect![[r#"
        book_offers.wasm
          kind    service

        exports
          shop:books/offers@0.1.0
            now: func() -> u64

        imports
          shop:books/prices@0.1.0            from another service
            price: func(book: book) -> option<u64>
          wasi:clocks/monotonic-clock@0.2.6  from the host
          wasi:http/outgoing-handler@0.2.6   from the host, with a grant
          wasi:nn/tensor@0.2.0               not offered by this host

        configuration
          [service.book-offers]
          wasm = "book_offers.wasm"
          grants = ["http:HOST:PORT"]

        WIT (without the packages of WASI; --wit prints all)
          package root:component;

          world root {
            import shop:books/prices@0.1.0;
            import wasi:clocks/monotonic-clock@0.2.6;
            import wasi:http/outgoing-handler@0.2.6;
            import wasi:nn/tensor@0.2.0;

            export shop:books/offers@0.1.0;
          }
          package shop:books@0.1.0 {
            interface prices {
              record book {
                title: string,
                copies: u32,
              }

              price: func(book: book) -> option<u64>;
            }
            interface offers {
              now: func() -> u64;
            }
          }"#]],
    );
}

#[test]
fn a_component_without_interfaces_is_one_too() {
    check(
        "7.wasm",
        "(component)",
        expect![[r#"
        7.wasm
          kind    service

        exports
          nothing: no other service can call it

        imports
          nothing

        configuration
          [service.service-7]
          wasm = "7.wasm"

        WIT (without the packages of WASI; --wit prints all)
          package root:component;

          world root {
          }"#]],
    );
}

#[test]
fn json_has_the_same_facts() {
    let description = described("offers.wasm", SHOP).expect("a component");
    let json = serde_json::to_value(&description).expect("JSON");
    assert_eq!(json["bytes"], description.bytes);
    assert_eq!(json["grants"][0], r#"grants = ["http:HOST:PORT"]"#);
    assert_eq!(json["imports"][0]["provider"], "service");
    assert!(
        json["wit"]
            .as_str()
            .is_some_and(|wit| wit.contains("package wasi:clocks@0.2.6"))
    );
}

#[test]
fn damage_is_named() {
    let bytes = wat::parse_str(SHOP).expect("a component's text");
    let error = describe(Path::new("half.wasm"), &bytes[..bytes.len() / 2])
        .expect_err("half of it is missing");
    assert!(error.contains("unexpected end"), "{error}");
}
