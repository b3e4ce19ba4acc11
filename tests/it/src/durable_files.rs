//! What is on a host's disk, as the operator sees it: whole, in use, damaged, or missing.

use crate::cluster::{replicated, until};
use crate::durable_hosts::Hosts;
use crate::paths;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Output;
use tokio::process::Command;

/// A host that has counted to three, with a timer that will not go off soon.
async fn counted() -> Hosts {
    let queries = ["fixture:hostile/keeper.counted"];
    let wasm = paths::guest("fixture-neighbour");
    let neighbour = format!("\n[service.neighbour]\nwasm = \"{}\"\n", wasm.display());
    let section = replicated("keeper", "fixture-keeper", "alpha", &queries, "");
    let hosts = Hosts::start(&["alpha"], &(section + &neighbour)).await;
    for count in 1..=3 {
        let counted = hosts
            .call("alpha", "keeper.count", &json!(["counter"]))
            .await;
        assert_eq!(counted, Ok(json!(count)));
    }
    let set = hosts
        .call("alpha", "keeper.count-later", &json!(["later", 3_600_000]))
        .await;
    assert_eq!(set, Ok(Value::Null));
    hosts
}

async fn storage(hosts: &Hosts, arguments: &[&str]) -> Output {
    let (verb, rest) = arguments.split_first().expect("check or dump");
    let output = Command::new(paths::program())
        .args(["storage", verb])
        .arg(&hosts.file)
        .args(rest)
        .output();
    output.await.expect("the program starts")
}

async fn storage_json(hosts: &Hosts, arguments: &[&str], code: i32) -> Value {
    let output = storage(hosts, &[arguments, &["--json"]].concat()).await;
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn log_file(hosts: &Hosts) -> PathBuf {
    let folder = hosts.folder("alpha").join("log");
    let files = std::fs::read_dir(folder).expect("there is a log");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths.remove(0)
}

/// Has the host run until something is in its state store, and stops it.
async fn until_checkpoint(hosts: &mut Hosts) {
    let store = hosts.folder("alpha").join("state/state.redb");
    let changed = || {
        std::fs::metadata(&store)
            .and_then(|file| file.modified())
            .ok()
    };
    loop {
        let before = changed();
        let arguments = json!(["counter"]);
        let count = hosts.call("alpha", "keeper.count", &arguments).await;
        count.expect("the keeper answers");
        until("the store changes", async || {
            (changed() != before).then_some(())
        })
        .await;
        hosts.stop("alpha").await;
        let check = storage_json(hosts, &["check"], 0).await;
        if check["hosts"][0]["services"][0]["checkpoint"] != 0 {
            return;
        }
        hosts.launch("alpha");
        hosts.serves("alpha").await;
    }
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = std::fs::read(path).expect("the file is there");
    bytes[offset] ^= 1;
    std::fs::write(path, bytes).expect("the file can be written");
}

#[tokio::test]
async fn a_host_that_runs_is_left_alone() {
    let hosts = counted().await;
    for arguments in [vec!["check"], vec!["dump", "--host", "alpha"]] {
        let output = storage(&hosts, &arguments).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for part in [
            "host alpha runs",
            "is in use",
            "bookshop-host stop-host alpha",
        ] {
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
    }
    hosts.stop_all().await;
}

#[tokio::test]
async fn what_a_stopped_host_keeps_is_counted_and_shown_and_not_changed() {
    let mut hosts = counted().await;
    hosts.kill("alpha").await;
    let before = std::fs::read(log_file(&hosts)).expect("there is a log");
    let check = storage_json(&hosts, &["check"], 0).await;
    assert_eq!(check["ok"], true, "{check}");
    let service = &check["hosts"][0]["services"][0];
    for (key, expected) in [
        ("service", json!("keeper")),
        ("position", json!(6)),
        ("keys", json!(1)),
        ("timers", json!(1)),
        ("messages", json!(0)),
    ] {
        assert_eq!(service[key], expected, "{key} of {service}");
    }
    let dump = [
        "dump",
        "--host",
        "alpha",
        "--service",
        "keeper",
        "--entries",
    ];
    let dump = storage_json(&hosts, &dump, 0).await;
    let keeper = &dump["services"][0];
    let pair = &keeper["keys"]["shown"][0];
    assert_eq!(
        (&pair["key"], &pair["value"]),
        (
            &json!({ "text": "counter" }),
            &json!({ "hex": "0000000000000003" })
        )
    );
    assert_eq!(
        keeper["timers"]["shown"][0]["key"],
        json!({ "text": "later" })
    );
    let entries = keeper["entries"]["shown"].as_array().expect("entries");
    assert!(
        entries
            .iter()
            .all(|entry| entry["kind"] == "command" || entry["kind"] == "term"),
        "{keeper}"
    );
    let unknown = storage(&hosts, &["dump", "--host", "alpha", "--service", "nobody"]).await;
    let said = String::from_utf8_lossy(&unknown.stderr);
    assert!(
        said.contains("keeps nothing of service nobody; it has keeper"),
        "{said}"
    );
    let after = std::fs::read(log_file(&hosts)).expect("there is a log");
    assert!(before == after, "the log was changed");
    hosts.launch("alpha");
    hosts.serves("alpha").await;
    let count = hosts
        .call("alpha", "keeper.counted", &json!(["counter"]))
        .await;
    assert_eq!(count, Ok(json!(3)));
    hosts.stop_all().await;
}

#[tokio::test]
async fn a_damaged_log_is_named_with_its_place_by_the_check_and_by_the_host_that_refuses_to_start()
{
    let mut hosts = counted().await;
    hosts.stop("alpha").await;
    let log = log_file(&hosts);
    // In the second sector: a batch with others behind it.
    flip(&log, 700);
    let check = storage_json(&hosts, &["check"], 1).await;
    let problem = &check["hosts"][0]["problems"][0];
    assert_eq!(problem["file"], json!(log), "{check}");
    assert_eq!(problem["offset"], 512, "{check}");
    let what = problem["what"].as_str().expect("a problem has words");
    let words = format!("{} at byte 512: {what}", log.display());
    let text = storage(&hosts, &["check"]).await;
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    let way_out = format!(
        "Put a copy of {} from before back",
        hosts.folder("alpha").display()
    );
    for part in [words.as_str(), way_out.as_str()] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    hosts.launch("alpha");
    let said = hosts.ended("alpha").await;
    for part in [words.as_str(), "bookshop-host storage check"] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    flip(&log, 700);
    hosts.launch("alpha");
    hosts.serves("alpha").await;
    let count = hosts
        .call("alpha", "keeper.counted", &json!(["counter"]))
        .await;
    assert_eq!(count, Ok(json!(3)));
    hosts.stop_all().await;
}

#[tokio::test]
async fn a_damaged_state_store_is_named_by_the_check_and_by_the_host_that_refuses_to_start() {
    let mut hosts = counted().await;
    hosts.stop("alpha").await;
    let store = hosts.folder("alpha").join("state/state.redb");
    let whole = std::fs::read(&store).expect("there is a store");
    // Every page in it, the first bytes of ours excepted.
    let mut damaged = whole.clone();
    for byte in damaged.iter_mut().skip(4096).step_by(1001) {
        *byte ^= 1;
    }
    std::fs::write(&store, damaged).expect("it can be written");
    let check = storage_json(&hosts, &["check"], 1).await;
    let problem = &check["hosts"][0]["problems"][0];
    assert_eq!(problem["file"], json!(store), "{check}");
    hosts.launch("alpha");
    let said = hosts.ended("alpha").await;
    let words = format!("state store {} is damaged", store.display());
    for part in [words.as_str(), "bookshop-host storage check"] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    std::fs::write(&store, whole).expect("it can be written");
    hosts.launch("alpha");
    hosts.serves("alpha").await;
    hosts.stop_all().await;
}

#[tokio::test]
async fn a_missing_half_is_noticed() {
    let mut hosts = counted().await;
    until_checkpoint(&mut hosts).await;
    for (half, words) in [
        ("state", "the state store is missing"),
        ("log", "entries that were acknowledged may be missing"),
    ] {
        let folder = hosts.folder("alpha").join(half);
        let aside = folder.with_extension("aside");
        std::fs::rename(&folder, &aside).expect("it can be moved");
        let check = storage_json(&hosts, &["check"], 1).await;
        let problems = check["hosts"][0]["problems"].to_string();
        assert!(problems.contains(words), "{words:?} is not in {problems}");
        std::fs::rename(&aside, &folder).expect("it can be moved back");
    }
    let check = storage_json(&hosts, &["check"], 0).await;
    assert_eq!(check["ok"], true, "{check}");
    hosts.stop_all().await;
}
