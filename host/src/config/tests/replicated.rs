//! State that outlives its host: what a good section becomes, and what is said of a bad one.

use expect_test::expect;

use super::*;

#[test]
fn a_replicated_service_is_read() {
    let text = format!(
        r#"{}
        [service.order-queue]
        wasm = "order_queue.wasm"
        [service.order-queue.replicated]
        replicas = 1
        queries = ["bookshop:shop/order-queue.depth", "bookshop:shop/database@0.1.3"]
        session-age = "1h"
        sessions = "1MiB"
        [service.echo]
        wasm = "echo.wasm"
        replicated = {{ replicas = 1 }}
        "#,
        BASE.replace(
            "[[host]]",
            "checkpoint-interval = \"5s\"\ncheckpoint-log = \"1MiB\"\n[[host]]"
        ),
    );
    let config = good(&text);
    assert_eq!(config.cluster.checkpoint_interval, Duration::from_secs(5));
    assert_eq!(config.cluster.checkpoint_log_bytes, 1 << 20);
    let replicated = |name| {
        config
            .service(name)
            .expect("it is there")
            .replicated
            .clone()
    };
    expect![[r#"
        Some(
            Replicated {
                replicas: 1,
                queries: [
                    Query {
                        interface: "bookshop:shop/order-queue",
                        function: Some(
                            "depth",
                        ),
                    },
                    Query {
                        interface: "bookshop:shop/database@0.1",
                        function: None,
                    },
                ],
                session_age: 3600s,
                sessions_bytes: 1048576,
            },
        )
    "#]]
    .assert_debug_eq(&replicated("order-queue"));
    expect![[r#"
        Some(
            Replicated {
                replicas: 1,
                queries: [],
                session_age: 86400s,
                sessions_bytes: 16777216,
            },
        )
    "#]]
    .assert_debug_eq(&replicated("echo"));
}

#[test]
fn replicas_are_an_odd_number() {
    let replicated =
        |replicas: &str| format!("[service.a]\nwasm = \"a.wasm\"\nreplicated = {{ {replicas} }}");
    check(
        &replicated(""),
        expect!["c:11:1: service.a.replicated.replicas: is missing; add replicas = 1"],
    );
    check(
        &replicated("replicas = 2"),
        expect![
            "c:11:27: service.a.replicated.replicas: 2 replicas survive no more failures than 1; write 1, 3, 5 or 7"
        ],
    );
    check(
        &replicated("replicas = 8"),
        expect![
            "c:11:27: service.a.replicated.replicas: a service has at most 7 replicas, not 8; write 1, 3, 5 or 7"
        ],
    );
    check(
        &replicated("replicas = 0"),
        expect![
            "c:11:27: service.a.replicated.replicas: a service has at least one replica, not 0; write 1, 3, 5 or 7"
        ],
    );
    check(
        &replicated("replicas = -1"),
        expect![
            "c:11:27: service.a.replicated.replicas: a service has at least one replica, not -1; write 1, 3, 5 or 7"
        ],
    );
    check(
        &replicated("replicas = \"1\""),
        expect![[
            r#"c:11:27: service.a.replicated.replicas: "1" is not a whole number; write digits without quotes, for example 128"#
        ]],
    );
    check(
        &replicated("replicas = 1, copies = 2"),
        expect![
            "c:11:30: service.a.replicated.copies: unknown key; known here: replicas, queries, session-age, sessions"
        ],
    );
    check(
        "[service.a]\nwasm = \"a.wasm\"\nreplicated = 1",
        expect![
            "c:11:14: service.a.replicated: 1 is not a table; write keys in braces or below a header, for example { replicas = 1 }"
        ],
    );
}

#[test]
fn bounds_of_sessions_are_checked() {
    check(
        "[service.a]\nwasm = \"a.wasm\"\nreplicated = { replicas = 1, session-age = \"1d\", sessions = \"8TB\" }",
        expect![[r#"
            c:11:44: service.a.replicated.session-age: "1d" is not a duration; write a number with us, ms, s, min or h, for example "250ms"
            c:11:61: service.a.replicated.sessions: "8TB" is not a size; write a number with B, KiB, MiB or GiB, for example "64MiB""#]],
    );
    check(
        "[service.a]\nwasm = \"a.wasm\"\nreplicated = { replicas = 1, session-age = \"721h\", sessions = \"1KiB\" }",
        expect![[r#"
            c:11:44: service.a.replicated.session-age: "721h" is out of range; write a value from "1s" to "720h"
            c:11:63: service.a.replicated.sessions: "1KiB" is out of range; write a value from "64KiB" to "4GiB""#]],
    );
}

#[test]
fn a_replicated_service_reaches_nothing_outside() {
    check(
        "[service.a]\nwasm = \"a.wasm\"\nreplicated = { replicas = 1 }\nstorage = \"volatile\"\nhttp = {}\ngrants = [\"env:HOME\"]",
        expect![[r#"
            c:12:1: service.a.storage: a replicated service keeps its state on disk, so it cannot be volatile; remove this key, or replicated
            c:13:1: service.a.http: a replicated service answers no HTTP, since an answer could leave before what it rests on is safe on disk; remove this key, and let another service answer that calls this one
            c:14:1: service.a.grants: a replicated service reaches nothing outside, since what it did there could not be taken back with the call; remove this key, and tell other services by bookshop:platform/outbox"#]],
    );
    check(
        "[service.a]\nwasm = \"a.wasm\"\nreplicated = { replicas = 1 }\ngrants = []\ninstance = \"pooled\"",
        expect![""],
    );
}

#[test]
fn the_state_of_one_replica_is_on_one_host() {
    let service = |hosts: &str| {
        format!("{BETA}[service.a]\nwasm = \"a.wasm\"\nreplicated = {{ replicas = 1 }}\n{hosts}")
    };
    check(
        &service(""),
        expect![[
            r#"c:17:1: service.a.replicated: the state of one replica is on one host, and this service has several; add hosts = ["alpha"]"#
        ]],
    );
    check(
        &service("hosts = \"all\""),
        expect![[
            r#"c:18:1: service.a.hosts: the state of one replica is on one host, and this service has several; write hosts = ["alpha"]"#
        ]],
    );
    check(
        &service("hosts = [\"beta\", \"alpha\"]"),
        expect![[
            r#"c:18:1: service.a.hosts: the state of one replica is on one host, and this service has several; write hosts = ["alpha"]"#
        ]],
    );
    check(&service("hosts = [\"beta\"]"), expect![""]);
    // Where there is one host, it is clear which.
    check(
        "[service.a]\nwasm = \"a.wasm\"\nreplicated = { replicas = 1 }",
        expect![""],
    );
}

#[test]
fn each_replica_has_a_host() {
    let hosts = |count: usize| {
        let more = |index: usize| {
            let name = ["beta", "gamma", "delta", "epsilon"][index];
            let port = 2000 + index * 10;
            format!(
                "[[host]]\nname = \"{name}\"\nhttp = \"127.0.0.1:{port}\"\npeer = \"127.0.0.1:{}\"\napi = \"127.0.0.1:{}\"\nadmin = \"127.0.0.1:{}\"\n",
                port + 1,
                port + 2,
                port + 3
            )
        };
        (0..count - 1).map(more).collect::<String>()
    };
    let service = |count, replicas: u32, placed: &str| {
        format!(
            "{}[service.a]\nwasm = \"a.wasm\"\nreplicated = {{ replicas = {replicas} }}\n{placed}",
            hosts(count)
        )
    };
    for good in [
        service(3, 3, ""),
        service(3, 3, "hosts = \"all\""),
        service(5, 3, "hosts = [\"gamma\", \"alpha\", \"delta\"]"),
        service(5, 5, ""),
    ] {
        check(&good, expect![""]);
    }
    check(
        &service(5, 3, ""),
        expect![[
            r#"c:35:1: service.a.replicated: 3 replicas are on 3 hosts, and this service has 5; add hosts = ["alpha", "beta", "gamma"]"#
        ]],
    );
    check(
        &service(5, 3, "hosts = [\"delta\", \"beta\"]"),
        expect![[
            r#"c:36:1: service.a.hosts: 3 replicas are on 3 hosts, and this service has 2; write hosts = ["beta", "delta", "alpha"]"#
        ]],
    );
    check(
        &service(3, 1, "hosts = [\"beta\", \"alpha\"]"),
        expect![[
            r#"c:24:1: service.a.hosts: the state of one replica is on one host, and this service has several; write hosts = ["alpha"]"#
        ]],
    );
    check(
        &service(2, 3, ""),
        expect![
            "c:17:1: service.a.replicated: 3 replicas need 3 hosts, and this file has 2; add hosts, or write replicas = 1"
        ],
    );
    check(
        &service(4, 5, "hosts = [\"alpha\"]"),
        expect![
            "c:29:1: service.a.replicated: 5 replicas need 5 hosts, and this file has 4; add hosts, or write replicas = 3"
        ],
    );
}

#[test]
fn an_election_waits_for_several_heartbeats() {
    let cluster = |lines: &str| BASE.replace("[[host]]", &format!("{lines}\n[[host]]"));
    check_text(&cluster("heartbeat-interval = \"40ms\""), expect![""]);
    check_text(
        &cluster("heartbeat-interval = \"41ms\""),
        expect![[
            r#"c:3:1: cluster.heartbeat-interval: election-timeout (200ms) is less than 5 times heartbeat-interval (41ms), so one late heartbeat would end a leader; write election-timeout = "205ms" or more, or a shorter heartbeat-interval"#
        ]],
    );
    check_text(
        &cluster("heartbeat-interval = \"5ms\"\nelection-timeout = \"24ms\""),
        expect![[
            r#"c:4:1: cluster.election-timeout: election-timeout (24ms) is less than 5 times heartbeat-interval (5ms), so one late heartbeat would end a leader; write election-timeout = "25ms" or more, or a shorter heartbeat-interval"#
        ]],
    );
}

#[test]
fn queries_are_named_once_and_whole() {
    let queries = |queries: &str| {
        format!(
            "[service.a]\nwasm = \"a.wasm\"\nreplicated = {{ replicas = 1, queries = {queries} }}"
        )
    };
    check(
        &queries("[\"a:b/c.d\", \"a:b/c.e\", \"a:b/e\"]"),
        expect![""],
    );
    check(
        &queries("[\"a:b/c.d\", \"a:b/c.d\"]"),
        expect![[r#"c:11:52: service.a.replicated.queries: "a:b/c.d" is named twice; remove one"#]],
    );
    check(
        &queries("[\"a:b/c@0.1.2\", \"a:b/c@0.1.3\"]"),
        expect![[
            r#"c:11:56: service.a.replicated.queries: "a:b/c@0.1" is named twice; remove one"#
        ]],
    );
    check(
        &queries("[\"a:b/c\", \"a:b/c.d\"]"),
        expect![[
            r#"c:11:50: service.a.replicated.queries: "a:b/c.d" is part of "a:b/c"; remove one"#
        ]],
    );
    check(
        &queries("[\"a:b/c@0.1.2.d\", \"a:b/c\"]"),
        expect![[
            r#"c:11:58: service.a.replicated.queries: "a:b/c@0.1.d" is part of "a:b/c"; remove one"#
        ]],
    );
    check(
        &queries("\"a:b/c.d\""),
        expect![[
            r#"c:11:40: service.a.replicated.queries: "a:b/c.d" is not a list; write ["a:b/c.d"]"#
        ]],
    );
    check(
        &queries("[\"depth\", 5]"),
        expect![[r#"
        c:11:41: service.a.replicated.queries: "depth" is not an interface or a function of one; write namespace:package/interface or namespace:package/interface.function in kebab-case, with or without @version, for example "bookshop:shop/order-queue.depth"
        c:11:50: service.a.replicated.queries: 5 is not an interface or a function of one; write namespace:package/interface or namespace:package/interface.function in kebab-case, with or without @version, for example "bookshop:shop/order-queue.depth""#]],
    );
}

#[test]
fn checkpoints_have_bounds() {
    check_text(
        &BASE.replace(
            "[[host]]",
            "checkpoint-interval = \"500ms\"\ncheckpoint-log = \"64KiB\"\n[[host]]",
        ),
        expect![[r#"
            c:3:23: cluster.checkpoint-interval: "500ms" is out of range; write a value from "1s" to "1h"
            c:4:18: cluster.checkpoint-log: "64KiB" is out of range; write a value from "1MiB" to "16GiB""#]],
    );
}
