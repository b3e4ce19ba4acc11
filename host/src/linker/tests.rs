//! What is said of components that do not fit their configuration.

use std::path::Path;

use expect_test::{Expect, expect};
use wasmtime::component::Component;

use super::*;
use crate::config::Config;
use crate::engine;

/// Sets timers.
const TIMERS: &str = r#"
(import "bookshop:platform/timers@0.1.0" (instance
    (export "cancel" (func (param "key" string) (result bool)))))"#;

/// Has a function `depth`, exported below `NAME`.
const QUEUE: &str = r#"
(core module $module (func (export "depth") (result i32) i32.const 1))
(core instance $instance (instantiate $module))
(func $depth (result u32) (canon lift (core func $instance "depth")))
(instance $queue (export "depth" (func $depth)))
(export "NAME" (instance $queue))"#;

fn queue(name: &str) -> String {
    QUEUE.replace("NAME", name)
}

/// A service called `a`, with these lines in its section.
fn service(lines: &str) -> ServiceConfig {
    let text = format!(
        r#"
        [cluster]
        name = "test"
        [[host]]
        name = "alpha"
        http = "127.0.0.1:0"
        peer = "127.0.0.1:0"
        api = "127.0.0.1:0"
        admin = "127.0.0.1:0"
        [service.a]
        wasm = "a.wasm"
        {lines}"#
    );
    let config = Config::parse(Path::new("test.toml"), &text).expect("a good file");
    config.service("a").expect("it is there").clone()
}

fn loaded(engine: &Engine, component: &str) -> Loaded {
    let text = format!("(component {component})");
    let bytes = wat::parse_str(text).expect("a component's text");
    Loaded {
        digest: String::new(),
        bytes: bytes.len(),
        component: Component::new(engine, bytes).expect("a component"),
    }
}

#[track_caller]
fn check(lines: &str, component: &str, expected: Expect) {
    let engine = engine::compiler().expect("an engine");
    let linker = ServiceLinker::new(&engine).expect("a linker");
    let linked = linker.link(
        &service(lines),
        &loaded(&engine, component),
        &Exporters::new(),
    );
    let message = linked.err().map(|error| error.to_string());
    expected.assert_eq(&message.unwrap_or_default());
}

const REPLICATED: &str = "replicated = { replicas = 1 }";

#[test]
fn timers_need_a_replicated_service_that_hears_them() {
    check(
        "",
        TIMERS,
        expect![[
            r#"a imports bookshop:platform/timers@0.1.0, which it is not granted; add to [service.a]: replicated = { replicas = 1 } # with several hosts also hosts = ["HOST"], or replicas = 3 and three of them: each has the state"#
        ]],
    );
    check(
        "storage = \"volatile\"",
        TIMERS,
        expect![[
            r#"a imports bookshop:platform/timers@0.1.0, which it is not granted; add to [service.a]: replicated = { replicas = 1 } # with several hosts also hosts = ["HOST"], or replicas = 3 and three of them: each has the state"#
        ]],
    );
    check(
        REPLICATED,
        TIMERS,
        expect![
            "a imports bookshop:platform/timers@0.1.0, for which the host calls bookshop:platform/timer-handler of the same component; export that"
        ],
    );
}

#[test]
fn a_handler_is_called_by_the_host_alone() {
    let import = r#"
        (import "bookshop:platform/timer-handler@0.1.0" (instance
            (export "on-timer" (func (param "key" string)))))"#;
    check(
        REPLICATED,
        import,
        expect!["a imports bookshop:platform/timer-handler@0.1.0, which this host does not offer"],
    );
}

#[test]
fn queries_are_among_the_exports() {
    let queries = |queries: &str| format!("replicated = {{ replicas = 1, queries = [{queries}] }}");
    let queue = queue("bookshop:shop/order-queue@0.1.0");
    for query in [
        "bookshop:shop/order-queue",
        "bookshop:shop/order-queue.depth",
        "bookshop:shop/order-queue@0.1.7.depth",
    ] {
        check(&queries(&format!("{query:?}")), &queue, expect![""]);
    }
    check(
        &queries("\"bookshop:shop/order-queue.deph\""),
        &queue,
        expect![
            "a has bookshop:shop/order-queue.deph among its queries and does not export it; it exports bookshop:shop/order-queue.depth"
        ],
    );
    check(
        &queries("\"bookshop:shop/order-queue@0.2.0.depth\""),
        &queue,
        expect![
            "a has bookshop:shop/order-queue@0.2.depth among its queries and does not export it; it exports bookshop:shop/order-queue.depth"
        ],
    );
    check(
        &queries("\"bookshop:shop/orders\""),
        "",
        expect![
            "a has bookshop:shop/orders among its queries and does not export it; it exports nothing that services call"
        ],
    );
}

/// A handler writes, so it is no query even if the configuration says so.
#[test]
fn a_handler_is_no_query() {
    check(
        "replicated = { replicas = 1, queries = [\"bookshop:platform/timer-handler\"] }",
        &queue("bookshop:platform/timer-handler@0.1.0"),
        expect![
            "a has bookshop:platform/timer-handler among its queries and does not export it; it exports nothing that services call"
        ],
    );
}
