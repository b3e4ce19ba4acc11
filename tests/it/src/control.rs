//! Three hosts that keep the state of their cluster themselves: files are applied through any of them, and survive all of them.

use crate::cluster::{PATIENCE, until};
use crate::groups_scene::{operate, run};
use crate::replicas_cluster::{HOSTS, Trio};
use bookshop_host::admin::client;
use bookshop_host::component;
use bookshop_host::config::Config;
use bookshop_host::control::components::digests;
use serde_json::{Value, json};
use std::path::Path;

/// The service that has the state.
const CONTROL: &str = "control";

/// Three hosts that run what they were started with, which is the first value.
pub async fn start() -> Trio {
    let mut trio = Trio::prepare_with("control = true\n");
    trio.launch_all();
    trio.until_settled().await;
    until_all_run(&trio, 1).await;
    trio
}

/// Waits until all hosts say that they run a revision.
pub async fn until_all_run(trio: &Trio, revision: u64) {
    until(&format!("all run revision {revision}"), async || {
        let (code, stdout, _) = control(trio, "alpha").await;
        let state: Value = (code == 0).then(|| serde_json::from_str(&stdout).expect("JSON"))?;
        let standings = state["standings"].as_array()?;
        let runs = |host: &&str| {
            let standing = |it: &&Value| it["host"] == **host && it["revision"] == revision;
            let standing = standings.iter().find(standing);
            standing.is_some_and(|it| it["outcome"] == "running")
        };
        HOSTS.iter().all(runs).then_some(())
    })
    .await;
}

async fn control(trio: &Trio, at: &str) -> (i32, String, String) {
    let admin = trio.address(at).admin.to_string();
    run(&["control", "--json", "--admin", &admin]).await
}

/// The one of these hosts that leads the service.
async fn leader(trio: &Trio, among: &[&'static str]) -> &'static str {
    until(&format!("one of {among:?} leads {CONTROL}"), async || {
        for host in among {
            let replica = trio.replica(host, CONTROL).await?;
            if replica.role == "leader" {
                return Some(*host);
            }
        }
        None
    })
    .await
}

/// `bookshop-host control` at a host.
pub async fn shown(trio: &Trio, at: &str) -> Value {
    operate(trio, at, &["control"]).await
}

/// `bookshop-host apply` of a file at a host, without asking.
pub async fn apply(trio: &Trio, at: &str, file: &Path) -> Value {
    let file = file.display().to_string();
    operate(trio, at, &["apply", &file, "--yes"]).await
}

/// Another file beside that of the hosts, which they were not started with.
pub fn edited(trio: &Trio, from: &str, to: &str) -> std::path::PathBuf {
    let text = std::fs::read_to_string(&trio.file).expect("it was written");
    assert!(text.contains(from), "{from} in {text}");
    let file = trio.file.with_file_name("edited.toml");
    std::fs::write(&file, text.replace(from, to)).expect("it can be written");
    file
}

/// What `apply` sends for a file.
fn application(trio: &Trio, base: u64, file: &Path) -> Value {
    let text = std::fs::read_to_string(file).expect("it was written");
    let config = Config::parse(file, &text).expect("a good file");
    let components = digests(&config, Path::new(""), &trio.os).expect("they were built");
    json!({ "base": base, "config": text, "components": components, "by": "test", "summary": "a test" })
}

/// Has a host apply it; the status and the answer, or why not.
async fn post(trio: &Trio, at: &str, body: &Value) -> (u16, String) {
    let (os, admin) = (&trio.os, trio.address(at).admin);
    let answer = client::request(os, admin, "/v1/control/apply", Some(body), PATIENCE).await;
    let (status, answer) = answer.expect("the host answers");
    let message = answer["error"]["message"].as_str().map(str::to_owned);
    (status.as_u16(), message.unwrap_or(answer.to_string()))
}

fn revisions(shown: &Value) -> Vec<u64> {
    let history = shown["history"].as_array().expect("a list");
    let number = |entry: &Value| entry["revision"].as_u64().expect("a number");
    history.iter().map(number).collect()
}

#[tokio::test]
async fn files_are_applied_through_any_host_and_outlive_all_of_them() {
    let mut trio = start().await;
    let first = shown(&trio, "alpha").await;
    let text = std::fs::read_to_string(&trio.file).expect("it was written");
    assert_eq!(first["current"]["config"], text);
    let same = apply(&trio, "gamma", &trio.file).await;
    assert_eq!(same, json!({ "base": 1, "changes": [], "revision": null }));

    let file = edited(&trio, "storage = \"512MiB\"", "storage = \"256MiB\"");
    let path = file.display().to_string();
    let dry = operate(&trio, "beta", &["apply", &path, "--dry-run"]).await;
    assert_eq!(dry["changes"].as_array().map(Vec::len), Some(2), "{dry}");
    assert_eq!(dry["changes"][0]["after"], "256MiB");
    assert_eq!(shown(&trio, "alpha").await["current"]["revision"], 1);
    assert_eq!(apply(&trio, "beta", &file).await["revision"], 2);

    // Whoever compared with the first file must look again.
    let late = edited(&trio, "storage = \"512MiB\"", "storage = \"128MiB\"");
    let (status, said) = post(&trio, "gamma", &application(&trio, 1, &late)).await;
    assert_eq!(status, 409);
    assert!(said.contains("revision 2 is in force now"), "{said}");

    // The host that leads is killed: the others go on.
    let killed = leader(&trio, &HOSTS).await;
    trio.kill(killed).await;
    let others = Trio::others(killed);
    leader(&trio, &others).await;
    let admin = trio.address(others[0]).admin.to_string();
    let path = late.display().to_string();
    let (code, _, said) = run(&["apply", &path, "--yes", "--wait", "5s", "--admin", &admin]).await;
    assert_eq!(code, 1, "{said}");
    let expected = format!("revision 3 is in force, but {killed} did not take it up");
    assert!(said.contains(&expected), "{said}");
    // Back again, it takes up what it missed.
    trio.launch(killed);
    until_all_run(&trio, 3).await;

    for host in HOSTS {
        trio.kill(host).await;
    }
    trio.launch_all();
    trio.until_settled().await;
    until_all_run(&trio, 3).await;
    for host in HOSTS {
        let state = shown(&trio, host).await;
        assert_eq!(revisions(&state), [3, 2, 1], "{host}: {state}");
        let late = std::fs::read_to_string(&late).expect("it was written");
        assert_eq!(state["current"]["config"], late);
        let summary = &state["history"][0]["summary"];
        let expected = "~ service database: limits.storage 256MiB → 128MiB\n~ service order-queue: limits.storage 256MiB → 128MiB";
        assert_eq!(summary, expected);
    }
    trio.0.stop_all().await;
}

#[tokio::test]
async fn what_cannot_be_applied_is_refused_with_what_to_do() {
    let trio = start().await;

    // By the command, with the place in the file.
    let renamed = edited(&trio, "name = \"test\"", "name = \"other\"");
    let admin = trio.address("beta").admin.to_string();
    let path = renamed.display().to_string();
    let (code, _, said) = run(&["apply", &path, "--yes", "--admin", &admin]).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("edited.toml:2:1: cluster.name: "), "{said}");
    // And by the host, whoever asks it.
    let (status, said) = post(&trio, "beta", &application(&trio, 1, &renamed)).await;
    assert_eq!(status, 409);
    assert!(said.contains("keeps its name"), "{said}");

    // Nobody is there to ask.
    let changed = edited(&trio, "storage = \"512MiB\"", "storage = \"256MiB\"");
    let path = changed.display().to_string();
    let (code, _, said) = run(&["apply", &path, "--admin", &admin]).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("--yes"), "{said}");

    // Code that no host has could be lost with the one that has it.
    let mut unknown = application(&trio, 1, &changed);
    let bytes = b"\0asm of another component";
    let digest = component::digest(bytes);
    unknown["components"][0]["digest"] = json!(digest);
    let (status, said) = post(&trio, "beta", &unknown).await;
    assert_eq!(status, 409);
    let expected = format!(
        "component {} of database: its bytes are not on this host; apply the file with `bookshop-host apply`, which sends them",
        &digest[..12]
    );
    assert_eq!(said, expected);

    // Programs outside may look, and change nothing.
    let arguments = json!([1, "", [], "somebody", ""]);
    let refused = trio.call("gamma", "control.apply", &arguments).await;
    assert_eq!(
        refused.expect("an answer"),
        json!({ "err": { "not-allowed": "api" } })
    );
    let turn = trio
        .call("gamma", "control.take-turn", &json!(["gamma", 1]))
        .await;
    assert_eq!(
        turn.expect("an answer"),
        json!({ "err": { "not-allowed": "api" } })
    );
    let state = shown(&trio, "gamma").await;
    assert_eq!((revisions(&state), &state["turn"]), (vec![1], &Value::Null));
    trio.0.stop_all().await;
}
