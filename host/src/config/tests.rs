//! Whole files: what a good one becomes. What is said of a bad one is in [`mistakes`].

use std::path::Path;
use std::time::Duration;

use expect_test::{Expect, expect};

use super::*;

mod control;
mod mistakes;
mod replicated;

/// A cluster with one host; tests append what they are about.
const BASE: &str = r#"[cluster]
name = "bookshop"
[[host]]
name = "alpha"
http = "127.0.0.1:8080"
peer = "127.0.0.1:7101"
api = "127.0.0.1:7201"
admin = "127.0.0.1:9101"
"#;

const BETA: &str = r#"[[host]]
name = "beta"
http = "127.0.0.1:8081"
peer = "127.0.0.1:7102"
api = "127.0.0.1:7202"
admin = "127.0.0.1:9102"
"#;

#[test]
fn a_minimal_file_has_defaults_for_the_rest() {
    let config = good(&format!("{BASE}[service.echo]\nwasm = \"echo.wasm\"\n"));
    assert_eq!(config.cluster.data, Path::new("config/bookshop-data"));
    assert_eq!(
        config.cluster.certificates_folder(),
        Path::new("config/bookshop-data/certs")
    );
    assert_eq!(config.cluster.hops_max, 16);
    assert_eq!(config.cluster.drain_timeout, Duration::from_secs(10));
    assert_eq!(config.cluster.workers, 0);
    assert!(!config.chaos.enabled);
    let echo = config.service("echo").expect("it is there");
    assert_eq!(echo.hosts, [config.hosts[0].name.clone()]);
    assert_eq!(echo.instance, InstanceMode::PerCall);
    assert_eq!((&echo.http, &echo.build), (&None, &None));
    assert_eq!(echo.limits, Limits::default());
    assert!(echo.config.is_empty() && echo.grants.is_empty() && echo.links.is_empty());
    assert_eq!(
        echo.wasm_path(Path::new("target")),
        Path::new("config/echo.wasm")
    );
}

#[test]
fn every_key_is_read() {
    let text = format!(
        r#"{}
        [service.fraud-detection]
        wasm = "fraud_detection.wasm"
        build = {{ cargo = "fraud-detection" }}
        hosts = ["beta", "alpha"]
        instance = "pooled"
        retire-after = 50
        storage = "volatile"
        http = {{ path = "/fraud" }}
        config = {{ threshold = "0.8" }}
        grants = ["http:api.example.org:443", "env:REGION"]
        [service.fraud-detection.limits]
        memory = "32MiB"
        time = "250ms"
        cpu = "20ms"
        concurrency = 1_000
        queue = 0x10
        arguments = "64KiB"
        result = "2MiB"
        scratch = "8KiB"
        storage = "1GiB"
        log-lines-per-second = 0
        [service.fraud-detection.links]
        "bookshop:shop/suggestions" = {{ to = "fraud-detection" }}
        [chaos]
        enabled = true
        {BETA}"#,
        BASE.replace(
            "[[host]]",
            "data = \"../d\"\ncertificates = \"../c\"\nhops-max = 3\ndrain-timeout = \"1min\"\nworkers = 2\n[[host]]"
        ),
    );
    let config = good(&text);
    assert_eq!(config.cluster.data, Path::new("config/../d"));
    assert_eq!(
        config.cluster.certificates_folder(),
        Path::new("config/../c")
    );
    assert_eq!((config.cluster.hops_max, config.cluster.workers), (3, 2));
    assert!(config.chaos.enabled);
    let service = config.service("fraud-detection").expect("it is there");
    assert_eq!(
        service.wasm_path(Path::new("t")),
        Path::new("t/wasm32-wasip2/component/fraud_detection.wasm")
    );
    let beta = config.host("beta").expect("it is there");
    assert!(service.is_placed_on(&beta.name));
    assert!(
        service.link("bookshop:shop/suggestions@0.1.0").is_some()
            && service.link("bookshop:shop/orders").is_none()
    );
    expect![[r#"
        ServiceConfig {
            name: ServiceName(
                "fraud-detection",
            ),
            wasm: "fraud_detection.wasm",
            folder: "config",
            pinned: None,
            build: Some(
                Build {
                    cargo: "fraud-detection",
                },
            ),
            hosts: [
                HostName(
                    "alpha",
                ),
                HostName(
                    "beta",
                ),
            ],
            instance: Pooled {
                retire_after: 50,
            },
            storage: Some(
                Volatile,
            ),
            replicated: None,
            http: Some(
                Http {
                    path: "/fraud",
                },
            ),
            swap: Swap {
                watch: 2s,
                errors_max_permille: 5,
                latency_max_percent: 300,
            },
            limits: Limits {
                memory_bytes: 33554432,
                time: 250ms,
                cpu: 20ms,
                concurrency: 1000,
                queue: 16,
                arguments_bytes: 65536,
                result_bytes: 2097152,
                scratch_bytes: 8192,
                storage_bytes: 1073741824,
                log_lines_per_second: 0,
            },
            config: {
                "threshold": "0.8",
            },
            grants: [
                Http {
                    host: "api.example.org",
                    port: 443,
                },
                Env {
                    name: "REGION",
                },
            ],
            links: {
                InterfaceName(
                    "bookshop:shop/suggestions",
                ): ServiceName(
                    "fraud-detection",
                ),
            },
        }
    "#]]
    .assert_debug_eq(service);
}

#[test]
fn the_workspace_is_above_the_folder_of_the_file() {
    let workspace = |path: &str| {
        Config::parse(Path::new(path), BASE)
            .expect("good")
            .workspace()
    };
    assert_eq!(workspace("config/cluster.toml"), Path::new("."));
    assert_eq!(workspace("/a/config/cluster.toml"), Path::new("/a"));
    assert_eq!(workspace("cluster.toml"), Path::new(".."));
    assert_eq!(workspace("../cluster.toml"), Path::new("../.."));
    assert_eq!(
        good(BASE).cargo_target(None::<PathBuf>),
        Path::new("./target")
    );
    assert_eq!(good(BASE).cargo_target(Some("/b")), Path::new("/b"));
}

#[test]
fn hosts_are_found_by_name() {
    let config = good(&format!("{BASE}{BETA}"));
    assert_eq!(config.host_index("beta"), Ok(1));
    let unknown = config.host_index("btea").expect_err("no such host");
    expect![[
        r#"there is no host "btea"; did you mean "beta"? hosts of this cluster: alpha, beta"#
    ]]
    .assert_eq(&unknown.to_string());
}

/// Every prefix of a file, and the file without any one character: each is good or has problems, and none stops the host.
#[test]
fn no_damaged_file_is_a_panic() {
    let text = format!(
        "{BASE}[service.größe]\nwasm = \"a.wasm\"\nhosts = [\"alpha\"]\nhttp = {{ path = \"/\" }}\nlimits = {{ memory = \"1MiB\", queue = 0x1 }}\nlinks = {{ \"a:b/c\" = {{ to = \"größe\" }} }}\n[service.b]\nwasm = \"b.wasm\"\nreplicated = {{ replicas = 1, queries = [\"a:b/c@0.1.0.d\"] }}\n"
    );
    for (position, character) in text.char_indices() {
        let (before, after) = (&text[..position], &text[position + character.len_utf8()..]);
        problems(before);
        problems(&format!("{before}{after}"));
        problems(&format!("{before}\0{after}"));
    }
}

#[test]
fn both_ends_of_every_range_are_accepted_and_what_is_beyond_is_not() {
    for doc in reference() {
        let Some((least, greatest)) = doc.range else {
            continue;
        };
        for end in [least, greatest] {
            assert_eq!(
                problems(&with(doc, &doc.kind.literal(end))),
                "",
                "{} = {end}",
                doc.key
            );
        }
        let (below, above) = match doc.kind {
            Kind::Size => ("1B", "257GiB"),
            Kind::Duration => ("999us", "721h"),
            _ => ("-1", "99999999999999999999999999"),
        };
        for beyond in [below, above] {
            let problems = problems(&with(doc, &doc.kind.literal(beyond)));
            assert!(
                problems.contains("is out of range; write a value from"),
                "{} = {beyond}: {problems}",
                doc.key
            );
        }
    }
}

#[test]
fn writing_a_default_changes_nothing() {
    for doc in reference() {
        let Absent::Default(default) = doc.absent else {
            continue;
        };
        assert_eq!(
            good(&with(doc, &doc.kind.literal(default))),
            good(&with(doc, "")),
            "{}",
            doc.key
        );
    }
}

/// A good file in which one key has `value`, or is left out if that is empty.
fn with(doc: &KeyDoc, value: &str) -> String {
    let line = |table: &str| match doc.key.rsplit_once('.') {
        Some((place, name)) if place == table && !value.is_empty() => format!("{name} = {value}\n"),
        _ => String::new(),
    };
    let pooled = if doc.name() == "instance" {
        ""
    } else {
        "instance = \"pooled\"\n"
    };
    // Neither alone may be at both ends of its range.
    let other = match doc.key {
        "cluster.heartbeat-interval" => "election-timeout = \"1min\"\n",
        "cluster.election-timeout" => "heartbeat-interval = \"1ms\"\n",
        _ => "",
    };
    let base = BASE.replace("[[host]]", &format!("{}{other}[[host]]", line("cluster")));
    if doc.key.starts_with("service.NAME.replicated.") {
        // Not in the service below, which has what a replicated one may not have.
        let replicas = if doc.name() == "replicas" {
            ""
        } else {
            "replicas = 1\n"
        };
        return format!(
            "{base}[service.echo]\nwasm = \"echo.wasm\"\n[service.echo.replicated]\n{replicas}{}",
            line("service.NAME.replicated")
        );
    }
    format!(
        "{base}[service.echo]\nwasm = \"echo.wasm\"\n{pooled}{}[service.echo.http]\n{}[service.echo.swap]\n{}[service.echo.limits]\n{}[chaos]\n{}",
        line("service.NAME"),
        line("service.NAME.http"),
        line("service.NAME.swap"),
        line("service.NAME.limits"),
        line("chaos")
    )
}

fn good(text: &str) -> Config {
    Config::parse(Path::new("config/cluster.toml"), text)
        .unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What is said of [`BASE`] with `text` after it, from line 9.
#[track_caller]
fn check(text: &str, expected: Expect) {
    check_text(&format!("{BASE}{text}"), expected);
}

#[track_caller]
fn check_text(text: &str, expected: Expect) {
    expected.assert_eq(&problems(text));
}

fn problems(text: &str) -> String {
    Config::parse(Path::new("c"), text)
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default()
}
