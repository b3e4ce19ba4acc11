//! `bookshop-host dev`: what is saved is built and takes its place while hosts serve; what does not build changes nothing.

use crate::between_cluster::call_with;
use crate::cluster::{Cluster, until, until_within, write_config_with};
use crate::durable_hosts::KEYS;
use crate::paths;
use bookshop_host::client::CallOptions;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

const HOSTS: [&str; 2] = ["alpha", "beta"];
/// A first build compiles all that a component depends on, beside other tests.
const BUILD_PATIENCE: Duration = Duration::from_secs(300);

/// A workspace with one component, a shelf that counts rows from 1, and the cluster file for it.
fn workspace(text: &str, file: &Path) -> (PathBuf, PathBuf) {
    let folder = file.with_file_name("workspace");
    let (source, repository) = (folder.join("shelf"), paths::repository());
    for new in ["config", "shelf/src", "shelf/wit"] {
        std::fs::create_dir_all(folder.join(new)).expect("the folder can be made");
    }
    for copied in ["Cargo.toml", "src/lib.rs", "wit/shelf.wit"] {
        let from = repository.join("tests/fixtures/shelf").join(copied);
        std::fs::copy(from, source.join(copied)).expect("it can be copied");
    }
    // The same versions as everywhere, so that nothing new is fetched.
    std::fs::copy(repository.join("Cargo.lock"), folder.join("Cargo.lock")).expect("it is there");
    std::fs::copy(
        repository.join("rust-toolchain.toml"),
        folder.join("rust-toolchain.toml"),
    )
    .expect("it is there");
    let manifest = std::fs::read_to_string(repository.join("Cargo.toml")).expect("it is there");
    let members = manifest
        .lines()
        .map(|line| match line.split(" = ").next() {
            Some("members") => "members = [\"shelf\"]",
            Some("default-members") => "",
            _ => line,
        })
        .collect::<Vec<_>>();
    std::fs::write(folder.join("Cargo.toml"), members.join("\n")).expect("it can be written");
    let file = folder.join("config/cluster.toml");
    std::fs::write(&file, text).expect("it can be written");
    (file, source.join("src/lib.rs"))
}

async fn row(cluster: &Cluster, host: &str) -> Option<Value> {
    let books = json!([[{ "title": "Emma", "pages": 474 }]]);
    let options = CallOptions::default();
    let put = call_with(cluster, host, "shelf.put", &books, &options).await;
    Some(put.ok()?["ok"][0]["row"].clone())
}

async fn until_row(cluster: &Cluster, number: u64) {
    for host in HOSTS {
        until(
            &format!("{host} puts books into row {number}"),
            async || (row(cluster, host).await? == number).then_some(()),
        )
        .await;
    }
}

fn edit(source: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(source).expect("it is there");
    assert!(text.contains(from), "{text}");
    std::fs::write(source, text.replace(from, to)).expect("it can be written");
}

#[tokio::test]
async fn what_is_saved_takes_its_place_and_what_does_not_build_changes_nothing() {
    let keys = format!("{KEYS}control = true\n");
    let section = format!(
        "\n[service.shelf]\nwasm = \"fixture_shelf.wasm\"\nbuild = {{ cargo = \"fixture-shelf\" }}\nhosts = {HOSTS:?}\nswap = {{ watch = \"50ms\" }}\n"
    );
    let (written, addresses) = write_config_with(&HOSTS, &keys, &section);
    let text = std::fs::read_to_string(&written).expect("it was written");
    let (file, source) = workspace(&text, &written);
    let cluster = Cluster::spawn_by("dev", &file, addresses, &[]);
    until_within(BUILD_PATIENCE, "all is built", async || {
        cluster.status_of("alpha").await
    })
    .await;
    for host in HOSTS {
        cluster.until_state(host, "running").await;
    }
    until_row(&cluster, 1).await;
    until("the cluster has its first value", async || {
        let state = cluster.admin("beta", "/v1/control", None).await?;
        (state["standings"].as_array()?.len() == HOSTS.len()).then_some(())
    })
    .await;
    let pid = cluster.until_state("alpha", "running").await["pid"].clone();

    edit(&source, "row: 1", "row: 5");
    until_row(&cluster, 5).await;
    cluster.until_said("all hosts run what was edited").await;

    edit(&source, "row: 5", "row: five");
    cluster.until_said("shelf cannot be built").await;
    assert_eq!(row(&cluster, "alpha").await, Some(json!(5)));

    edit(&source, "row: five", "row: 6");
    until_row(&cluster, 6).await;
    // The same process all the time.
    assert_eq!(cluster.until_state("alpha", "running").await["pid"], pid);
    let ended = cluster.terminate().await;
    assert!(ended.status.success(), "{}", ended.lines.join("\n"));
}
