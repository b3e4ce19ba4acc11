//! A disk that gets full: a whole host on real files, on a disk that can be told to have no more room.

use crate::cluster::{KEEPER, replicated, until};
use crate::faulty_disk::FaultyDisk;
use crate::hostile_host::neighbour;
use crate::paths;
use crate::test_host::cluster_file;
use bookshop_host::call_error::CallError;
use bookshop_host::certificates;
use bookshop_host::client::{CallOptions, Client, ClientError};
use bookshop_host::config::Config;
use bookshop_host::host::{self, Host};
use bookshop_host::os::Os;
use bookshop_host::parent::Parent;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

async fn start(name: &str, disk: &FaultyDisk) -> (Host, Client) {
    let queries = ["fixture:hostile/keeper.length"];
    let more = r#"limits = { storage = "512MiB" }"#;
    let section = replicated("keeper", "fixture-keeper", name, &queries, more);
    let file = cluster_file(name, &(section + &neighbour()))
        .replace("workers = 1", "workers = 1\ncheckpoint-interval = \"1s\"");
    let config = Config::parse(Path::new("test.toml"), &file).expect("the configuration is right");
    let os = Os {
        blocks: Arc::new(disk.clone()),
        ..Os::real()
    };
    certificates::prepare(&config, &os).expect("certificates can be made");
    let options = host::Options {
        config: Arc::new(config),
        name: name.to_owned(),
        program: paths::program(),
        parent: Parent::none(),
        restart: host::Restart::refused(),
        os: os.clone(),
    };
    let host = host::start(options).await.expect("the host starts");
    let client = Client::connect(host.api, &os).await;
    (host, client.expect("the host listens"))
}

async fn fill(client: &Client, number: u32) -> Result<Value, ClientError> {
    let arguments = json!([format!("key {number}"), 500_000]);
    let options = CallOptions::default();
    client
        .call_json("keeper", "fill", &arguments, &options)
        .await
}

async fn length(client: &Client, number: u32) -> Value {
    let arguments = json!([format!("key {number}")]);
    let options = CallOptions::default();
    let length = client
        .call_json("keeper", "length", &arguments, &options)
        .await;
    length.expect("queries go on")
}

/// More calls than fit into the log's segment and its spare.
const CALLS_MAX: u32 = 400;

#[tokio::test]
async fn a_full_disk_refuses_commands_and_answers_queries_until_there_is_room() {
    let disk = FaultyDisk::default();
    let name = paths::unique(KEEPER);
    let (host, client) = start(&name, &disk).await;
    fill(&client, 0).await.expect("there is room");
    disk.fill();
    let mut kept = 1;
    let refused = loop {
        assert!(kept < CALLS_MAX, "the disk never gets full");
        match fill(&client, kept).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    let ClientError::Refused(CallError::Unavailable {
        message,
        maybe_executed,
        ..
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert!(
        message.contains("the disk of its host is full"),
        "{message}"
    );
    // The call that met the full disk waits for room, and takes effect then; those after it are refused.
    assert!(maybe_executed, "{message}");
    assert_eq!(length(&client, kept).await, Value::Null);
    let refused = fill(&client, kept + 1).await;
    let Err(ClientError::Refused(CallError::Unavailable {
        maybe_executed: false,
        ..
    })) = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!(length(&client, kept + 1).await, Value::Null);
    for number in 0..kept {
        assert_eq!(length(&client, number).await, 500_000);
    }
    disk.make_room();
    until("commands are taken again", async || {
        fill(&client, kept + 1).await.ok()
    })
    .await;
    assert_eq!(host.stop().await, 0);

    let (host, client) = start(&name, &disk).await;
    for number in 0..=kept + 1 {
        assert_eq!(length(&client, number).await, 500_000, "key {number}");
    }
    assert_eq!(length(&client, kept + 2).await, Value::Null);
    assert_eq!(host.stop().await, 0);
    paths::remove_kept(&paths::data().join(name));
}
