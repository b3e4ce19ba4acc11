//! Hosts that cannot start: the message names the place and what to change, and a host that runs is not disturbed.

use crate::hostile_host::{assert_neighbour_serves, assert_parts, neighbour};
use crate::paths::{data, program, unique};
use crate::test_host::{TestHost, cluster_file};
use bookshop_host::supervisor::chain;
use std::path::Path;
use std::process::{Command, Output};

#[tokio::test]
async fn a_port_in_use_is_named_with_its_key() {
    let first = TestHost::start(&neighbour()).await;
    for (key, taken) in [("http", first.host.http), ("admin", first.host.admin)] {
        let name = unique("host");
        let free = format!("{key} = \"127.0.0.1:0\"");
        let file = cluster_file(&name, "").replace(&free, &format!("{key} = \"{taken}\""));
        let Err(error) = TestHost::try_start_file(&name, &file).await else {
            panic!("two hosts listen on {taken}");
        };
        let (place, fix) = (
            format!("host {name} cannot listen on {taken} (its {key})"),
            format!("change {key}"),
        );
        assert_parts(&chain(&error), &[&place, "the port is in use", &fix]);
        assert_neighbour_serves(&first).await;
    }
    first.stop().await;
}

#[tokio::test]
async fn a_data_folder_in_use_is_named_and_free_again_after_its_host_stopped() {
    let name = unique("host");
    let first = TestHost::try_start(&name, &neighbour())
        .await
        .expect("the folder is free");
    let Err(error) = TestHost::try_start(&name, &neighbour()).await else {
        panic!("two hosts use one folder");
    };
    let folder = data().join(&name).display().to_string();
    assert_parts(
        &chain(&error),
        &[&folder, "in use by another process", "--data"],
    );
    assert_neighbour_serves(&first).await;
    first.stop().await;
    let again = TestHost::try_start(&name, &neighbour())
        .await
        .expect("the folder is free again");
    assert_neighbour_serves(&again).await;
    again.stop().await;
}

#[test]
fn an_unknown_key_is_located_with_the_one_that_was_meant() {
    let said = refused(
        "unknown-key",
        "[service.shop]\nwasm = \"shop.wasm\"\nlimts = {}\n",
    );
    assert_parts(
        &said,
        &[
            "service.shop.limts",
            "unknown key",
            "did you mean `limits`?",
            ":16:1:",
        ],
    );
}

#[test]
fn a_wrong_unit_is_located_with_the_right_ones() {
    let section =
        "[service.shop]\nwasm = \"shop.wasm\"\nlimits = { memory = \"32MB\", time = \"250\" }\n";
    let said = refused("wrong-unit", section);
    let parts = [
        "service.shop.limits.memory",
        "\"32MB\" is not a size",
        "MiB",
        "service.shop.limits.time",
        "\"250\" is not a duration",
        ":16:",
    ];
    assert_parts(&said, &parts);
}

#[test]
fn a_missing_file_is_named_with_what_to_give_instead() {
    let output = run(Path::new("no/such/cluster.toml"));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let parts = [
        "cannot read no/such/cluster.toml",
        "give the path of a cluster file",
        "config/cluster.toml",
    ];
    assert_parts(&String::from_utf8_lossy(&output.stderr), &parts);
}

/// What the program says about a cluster file that ends with these sections, which begin on line 14.
fn refused(name: &str, sections: &str) -> String {
    let folder = data().join("mistakes");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let file = folder.join(unique(name) + ".toml");
    let text = cluster_file(name, sections).trim_start().to_owned();
    assert_eq!(
        text.lines().position(|line| line == "[service.shop]"),
        Some(13),
        "{text}"
    );
    std::fs::write(&file, text).expect("the file can be written");
    let output = run(&file);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8(output.stderr).expect("the program writes text");
    assert_parts(&said, &[&file.display().to_string()]);
    said
}

fn run(file: &Path) -> Output {
    Command::new(program())
        .arg("run")
        .arg(file)
        .output()
        .expect("the program starts")
}
