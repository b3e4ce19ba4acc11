//! The command line against a running cluster, and on files.

use crate::cluster::{Cluster, KEEPER, shop, until};
use crate::paths;
use crate::test_host::written;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;
use tokio::process::Command;

async fn run(arguments: &[&str]) -> Output {
    let output = Command::new(paths::program())
        .args(arguments)
        .current_dir(paths::repository())
        .output()
        .await;
    output.expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[track_caller]
fn assert_fails(output: &Output, code: i32, parts: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.starts_with("error: "), "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
}

#[tokio::test]
async fn status_has_the_documented_shape() {
    let cluster = Cluster::start(&["alpha", "beta"], &shop(), &[]).await;
    let admin = cluster.host("beta").admin.to_string();
    let status: Value = until("every group has a leader", async || {
        let output = run(&["status", "--json", "--admin", &admin]).await;
        let status: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let groups = status["groups"].as_array().expect("groups");
        groups
            .iter()
            .all(|group| group["leader"].is_string())
            .then_some(status)
    })
    .await;
    assert_eq!(status["cluster"], "test");
    let groups = status["groups"].as_array().expect("groups");
    let kept: Vec<_> = groups
        .iter()
        .map(|group| (&group["service"], &group["leader"]))
        .collect();
    let keeper = json!(KEEPER);
    let (queue, orders) = (json!("order-queue"), json!("orders"));
    assert_eq!(kept, [(&queue, &keeper), (&orders, &keeper)]);
    for group in groups {
        assert_eq!(
            (&group["partition"], &group["term"]),
            (&json!(0), &json!(2))
        );
        let replicas = group["replicas"].as_array().expect("replicas");
        let [replica] = replicas.as_slice() else {
            panic!("{replicas:?}");
        };
        assert_eq!(
            (&replica["host"], &replica["role"]),
            (&keeper, &json!("leader"))
        );
        assert!(replica.get("state_hash").is_some());
        for key in [
            "applied",
            "data_bytes",
            "session_bytes",
            "timers",
            "messages",
        ] {
            assert!(replica[key].is_u64(), "{key}");
        }
    }
    for host in status["hosts"].as_array().expect("hosts") {
        assert_eq!(host["state"], "running");
        assert!(host["name"].is_string() && host["pid"].is_u64() && host["uptime_s"].is_u64());
    }
    let services = status["services"].as_array().expect("services");
    assert_eq!(services.len(), 7);
    for service in services {
        let hosts = match service["name"].as_str() {
            Some("orders" | "order-queue") => json!([KEEPER]),
            Some(_) | None => json!(["alpha", "beta"]),
        };
        assert_eq!(
            (&service["state"], &service["hosts"]),
            (&json!("running"), &hosts)
        );
        assert!(
            service["kind"].is_string() && service["calls"].is_u64() && service["errors"].is_u64()
        );
        assert!(service["version"]["digest"].is_string() && service["version"]["ordinal"] == 1);
        assert!(service.get("p50_us").is_some() && service.get("p99_us").is_some());
    }
    cluster.terminate().await;
}

#[tokio::test]
async fn a_function_is_called_by_interface_or_service_and_answers_as_text_or_json() {
    let cluster = Cluster::start(&["alpha"], &shop(), &[]).await;
    let api = cluster.host("alpha").api.to_string();
    let basket = r#"[{name: "Book A", quantity: 1}]"#;
    for target in [
        "bookshop:shop/suggestions",
        "bookshop:shop/suggestions@0.1.0",
        "suggestions",
    ] {
        let output = run(&[
            "call",
            &format!("{target}.recommend"),
            basket,
            "--api",
            &api,
        ])
        .await;
        assert!(stdout(&output).starts_with("ok([{id: "), "{output:?}");
    }
    let output = run(&[
        "call",
        "suggestions.recommend",
        basket,
        "--json",
        "--api",
        &api,
    ])
    .await;
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["ok"].as_array().map(Vec::len), Some(3));
    let wrong = run(&["call", "suggestions.recommend", "{", "--api", &api]).await;
    assert_fails(
        &wrong,
        2,
        &[
            "argument items of bookshop:shop/suggestions@0.1.recommend is not WAVE text",
            "list<record",
        ],
    );
    let unknown = run(&["call", "suggestions.nothing", "--api", &api]).await;
    assert_fails(
        &unknown,
        1,
        &[
            "suggestions: it exports no function nothing; it exports clear, init, recommend, suggest",
        ],
    );
    let no_dot = run(&["call", "suggestions", "--api", &api]).await;
    assert!(!no_dot.status.success());
    let nobody = run(&["call", "suggestions.recommend", "--api", "127.0.0.1:1"]).await;
    assert_fails(&nobody, 3, &["no host answers at 127.0.0.1:1", "`api`"]);
    cluster.terminate().await;
}

#[tokio::test]
async fn a_service_is_stopped_and_started_on_every_host() {
    let cluster = Cluster::start(&["alpha", "beta"], &shop(), &[]).await;
    let admin = cluster.host("alpha").admin.to_string();
    let output = run(&["stop", "fraud-detection", "--admin", &admin]).await;
    assert_eq!(
        stdout(&output),
        "service fraud-detection is stopped on alpha, beta\n"
    );
    for host in ["alpha", "beta"] {
        let (status, answer) = cluster
            .checkout(host, &crate::processes::good_order())
            .await
            .expect("it answers");
        assert_eq!(
            (status, &answer["error"]["code"]),
            (503, &json!("SERVICE_UNAVAILABLE"))
        );
        assert!(
            answer["error"]["message"]
                .as_str()
                .is_some_and(|message| message.contains("fraud-detection"))
        );
    }
    let output = run(&["start", "fraud-detection", "--admin", &admin]).await;
    assert_eq!(
        stdout(&output),
        "service fraud-detection runs on alpha, beta\n"
    );
    for host in ["alpha", "beta"] {
        let (status, _) = cluster
            .checkout(host, &crate::processes::good_order())
            .await
            .expect("it answers");
        assert_eq!(status, 200);
    }
    let unknown = run(&["stop", "nobody", "--admin", &admin]).await;
    assert_fails(&unknown, 1, &["no service nobody in the configuration"]);
    cluster.terminate().await;
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_exit_code_three() {
    let output = run(&["status", "--admin", "127.0.0.1:1"]).await;
    assert_fails(
        &output,
        3,
        &["no host answers at 127.0.0.1:1", "bookshop-host run"],
    );
}

#[tokio::test]
async fn inspect_says_what_a_component_is_and_what_a_file_is_not() {
    let output = run(&[
        "inspect",
        &paths::guest("fixture-ungranted").display().to_string(),
    ])
    .await;
    let said = stdout(&output);
    for part in [
        "sha256",
        "fixture:hostile/fetcher",
        "wasi:http/outgoing-handler",
        "grants = [\"http:HOST:PORT\"]",
    ] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    let module = written("module.wasm", &wat::parse_str("(module)").expect("valid"));
    let output = run(&["inspect", &module.display().to_string()]).await;
    assert_fails(&output, 1, &["is a core module, not a component"]);
    let output = run(&["inspect", "README.md"]).await;
    assert_fails(&output, 1, &["README.md is not a WebAssembly component"]);
}

#[tokio::test]
async fn check_finds_what_would_not_run_without_running_it() {
    let fine = run(&["check", "config/cluster.toml"]).await;
    assert_eq!(fine.status.code(), Some(0), "{fine:?}");
    let (file, _) = crate::cluster::write_config(
        &["alpha"],
        &format!(
            "\n[service.ungranted]\nwasm = \"{}\"\n",
            paths::guest("fixture-ungranted").display()
        ),
    );
    let output = run(&["check", &file.display().to_string()]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let all = stdout(&output) + &String::from_utf8_lossy(&output.stderr);
    assert!(all.contains("grants = [\"http:HOST:PORT\"]"), "{all}");
    let output = run(&["check", "Cargo.toml"]).await;
    assert_fails(&output, 2, &["Cargo.toml:"]);
}

#[tokio::test]
async fn the_view_without_async_is_that_of_the_interfaces() {
    let output = run(&["wit", "sync", "--check"]).await;
    assert!(
        output.status.success(),
        "run `bookshop-host wit sync`: {output:?}"
    );
    assert!(
        Path::new(&paths::repository())
            .join("wit/sync/shop/orchestrator.wit")
            .is_file()
    );
}
