//! Hosts take up what is in force, one after another, while clients go on; what cannot be run stops nobody.

use crate::cluster::{Cluster, PATIENCE, until, write_config_with};
use crate::control::{apply, edited, shown, start, until_all_run};
use crate::durable_hosts::{Hosts, KEYS};
use crate::groups_scene::{enqueue, members, operate, queue, run};
use crate::hostile_host::report;
use crate::paths;
use crate::replicas_cluster::{HOSTS, Trio};
use crate::replicas_load::Load;
use bookshop_host::admin::client::request;
use bookshop_host::component;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// The component of the database with a section that means nothing: other bytes, which do the same.
fn another_database(folder: &Path) -> (PathBuf, String) {
    /// A custom section called `v2` (WebAssembly, Binary Format, 5.5.3).
    const SECTION: &[u8] = &[0, 3, 2, b'v', b'2'];
    let mut bytes = std::fs::read(paths::guest("database")).expect("it was built");
    bytes.extend_from_slice(SECTION);
    let file = folder.join("another-database.wasm");
    std::fs::write(&file, &bytes).expect("it can be written");
    (file, component::digest(&bytes))
}

/// A file beside that of the hosts whose database is this component.
fn with_database(trio: &Trio, component: &Path) -> PathBuf {
    let before = paths::guest("database").display().to_string();
    edited(trio, &before, &component.display().to_string())
}

/// The component that runs as the database on a host.
async fn database(trio: &Trio, host: &str) -> Option<String> {
    let status = trio.status(host).await?;
    let services = status["services"].as_array()?;
    let service = services.iter().find(|it| it["name"] == "database")?;
    (service["state"] == "running").then_some(())?;
    Some(service["version"]["digest"].as_str()?.to_owned())
}

/// `apply` of a file that some host cannot run; what it said.
async fn refused(trio: &Trio, at: &str, file: &Path) -> String {
    let (admin, file) = (
        trio.address(at).admin.to_string(),
        file.display().to_string(),
    );
    let (code, _, said) = run(&["apply", &file, "--yes", "--admin", &admin]).await;
    assert_eq!(code, 1, "{said}");
    said
}

#[tokio::test]
async fn all_hosts_take_up_new_code_under_writes_and_keep_it() {
    let mut trio = start().await;
    let pids = HOSTS.map(|host| trio.pid(host));
    let folder = trio.file.parent().expect("it is in a folder").to_owned();
    let (component, digest) = another_database(&folder);
    let file = with_database(&trio, &component);
    let mut load = Load::start(&trio);
    load.until_answers(100).await;
    let applied = apply(&trio, "beta", &file).await;
    assert_eq!(applied["revision"], 2, "{applied}");
    // It waited until all hosts run it.
    for host in HOSTS {
        assert_eq!(
            database(&trio, host).await.as_ref(),
            Some(&digest),
            "{host}"
        );
    }
    assert_eq!(HOSTS.map(|host| trio.pid(host)), pids);
    load.until_answers(50).await;
    let (failures, slowest) = (load.failures(), load.slowest());
    let said = load.compare(&trio).await;
    report(&format!(
        "three hosts took up a new database: {said}; slowest write {} ms",
        slowest.as_millis()
    ));
    // A connection that was open is told to go, and a call that its client makes at that moment finds it closed. Nobody is turned away.
    let refused: Vec<_> = failures
        .iter()
        .filter(|(code, _)| *code != "lost")
        .collect();
    assert!(refused.is_empty(), "{refused:?}");

    // The hosts have it by themselves, whatever becomes of the file and of them.
    std::fs::remove_file(&component).expect("it was written");
    for host in HOSTS {
        trio.kill(host).await;
    }
    trio.launch_all();
    trio.until_settled().await;
    for host in HOSTS {
        assert_eq!(
            database(&trio, host).await.as_ref(),
            Some(&digest),
            "{host}"
        );
    }

    // One that lost it gets it from the others.
    trio.kill("gamma").await;
    let kept = trio.folder("gamma").join("components");
    std::fs::write(kept.join(format!("{digest}.wasm")), b"\0asm damaged")
        .expect("it can be written");
    trio.launch("gamma");
    until("gamma runs it again", async || {
        (database(&trio, "gamma").await.as_ref() == Some(&digest)).then_some(())
    })
    .await;

    // And back to what was before, whose file is long gone.
    let back = operate(&trio, "alpha", &["apply", "--revision", "1", "--yes"]).await;
    assert_eq!(back["revision"], 3, "{back}");
    let first = component::digest(&std::fs::read(paths::guest("database")).expect("built"));
    for host in HOSTS {
        assert_eq!(database(&trio, host).await.as_ref(), Some(&first), "{host}");
    }
    trio.0.stop_all().await;
}

#[tokio::test]
async fn what_cannot_be_run_stops_nobody() {
    let trio = start().await;
    let mut load = Load::start(&trio);
    let before = database(&trio, "alpha").await.expect("it runs");
    let folder = trio.file.parent().expect("it is in a folder").to_owned();
    let goes_on = async |load: &mut Load| {
        load.until_answers(50).await;
        for host in HOSTS {
            assert_eq!(
                database(&trio, host).await.as_ref(),
                Some(&before),
                "{host}"
            );
        }
    };

    // It begins as a component does, and is none.
    let garbage = folder.join("garbage.wasm");
    std::fs::write(&garbage, b"\0asm\x0d\0\x01\0and something else").expect("it can be written");
    let said = refused(&trio, "alpha", &with_database(&trio, &garbage)).await;
    assert!(
        said.contains("cannot run revision 2") && said.contains("service database"),
        "{said}"
    );
    goes_on(&mut load).await;

    // It is one, but imports what nobody has: only a host that tries it finds out.
    let stranger = paths::guest("orchestrator");
    let said = refused(&trio, "beta", &with_database(&trio, &stranger)).await;
    assert!(
        said.contains("cannot run revision 3") && said.contains("service database"),
        "{said}"
    );
    goes_on(&mut load).await;

    // A port that somebody else has.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (port, old) = (
        taken.local_addr().expect("it listens").to_string(),
        trio.address("gamma").http.to_string(),
    );
    let said = refused(&trio, "gamma", &edited(&trio, &old, &port)).await;
    assert!(
        said.contains("gamma cannot run revision 4") && said.contains("the port is in use"),
        "{said}"
    );
    goes_on(&mut load).await;
    // Another host may have begun with it before gamma found out; it can run it.
    until("nobody takes anything up", async || {
        let state = shown(&trio, "alpha").await;
        state["turn"].is_null().then_some(())
    })
    .await;

    // What they run is in force again, and what can be run is taken up.
    let back = apply(&trio, "alpha", &trio.file).await;
    assert_eq!(back["revision"], 5);
    until_all_run(&trio, 5).await;
    let (component, digest) = another_database(&folder);
    let good = apply(&trio, "gamma", &with_database(&trio, &component)).await;
    assert_eq!(good["revision"], 6);
    for host in HOSTS {
        assert_eq!(
            database(&trio, host).await.as_ref(),
            Some(&digest),
            "{host}"
        );
    }
    load.until_answers(50).await;
    let failures = load.failures();
    load.compare(&trio).await;
    let refused: Vec<_> = failures
        .iter()
        .filter(|(code, _)| *code != "lost")
        .collect();
    assert!(refused.is_empty(), "{refused:?}");
    trio.0.stop_all().await;
}

#[tokio::test]
async fn a_host_that_does_not_start_with_it_goes_back() {
    let trio = start().await;
    let file = edited(
        &trio,
        "name = \"test\"",
        "name = \"test\"\ncertificates = \"nowhere\"",
    );
    let said = refused(&trio, "beta", &file).await;
    assert!(said.contains("cannot run revision 2"), "{said}");
    assert!(said.contains("the others stay as they are"), "{said}");
    trio.until_settled().await;
    let tried: Vec<&str> = HOSTS
        .into_iter()
        .filter(|host| trio.log(host).contains("goes back to what it ran before"))
        .collect();
    assert_eq!(tried.len(), 1, "{tried:?}");
    until_all_run_except(&trio, tried[0]).await;
    trio.0.stop_all().await;
}

/// Waits until the hosts say what came of revision 2 on this one, and of revision 1 on the others.
async fn until_all_run_except(trio: &Trio, tried: &str) {
    until("all say what they run", async || {
        let state = shown(trio, "alpha").await;
        let standings = state["standings"].as_array()?;
        let is_as_expected = |it: &Value| match it["host"] == tried {
            true => it["revision"] == 2 && it["outcome"]["failed"].is_string(),
            false => it["revision"] == 1 && it["outcome"] == "running",
        };
        standings.iter().all(is_as_expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_host_that_is_killed_while_it_takes_something_up_ends_with_it() {
    let mut trio = start().await;
    let folder = trio.file.parent().expect("it is in a folder").to_owned();
    let (component, digest) = another_database(&folder);
    let file = with_database(&trio, &component).display().to_string();
    let admin = trio.address("alpha").admin.to_string();
    let (code, _, said) = run(&["apply", &file, "--yes", "--no-wait", "--admin", &admin]).await;
    assert_eq!(code, 0, "{said}");
    // Each is killed as soon as it has written down that it tries the new one.
    for _ in HOSTS {
        let trying = until("a host tries it", async || {
            HOSTS.into_iter().find(|host| {
                let taken = std::fs::read(trio.folder(host).join("taken.json"));
                let taken: Option<Value> = taken
                    .ok()
                    .and_then(|text| serde_json::from_slice(&text).ok());
                taken.is_some_and(|taken| {
                    taken["trial"]["value"]["revision"] == 2 && taken["trial"]["beginnings"] == 0
                }) && trio.runs(host)
            })
        });
        let Ok(host) = tokio::time::timeout(std::time::Duration::from_secs(10), trying).await
        else {
            // It was too quick to be seen.
            break;
        };
        trio.kill(host).await;
        trio.launch(host);
    }
    until_all_run(&trio, 2).await;
    for host in HOSTS {
        assert_eq!(
            database(&trio, host).await.as_ref(),
            Some(&digest),
            "{host}"
        );
    }
    trio.0.stop_all().await;
}

#[tokio::test]
async fn run_puts_a_file_that_was_edited_in_force() {
    let keys = format!("{KEYS}control = true\n");
    let (file, addresses) = write_config_with(&HOSTS, &keys, &queue(&HOSTS));
    let spawn = || Cluster::spawn(&file, addresses.clone(), &[]);
    let revision = async |cluster: &Cluster, expected: u64| {
        until(&format!("all hosts run revision {expected}"), async || {
            let state = cluster.admin("beta", "/v1/control", None).await?;
            let standings = state["standings"].as_array()?;
            let runs = |it: &Value| it["revision"] == expected && it["outcome"] == "running";
            (standings.len() == HOSTS.len() && standings.iter().all(runs)).then_some(())
        })
        .await;
    };
    let end = async |cluster: Cluster| {
        let pid = cluster.process.id().expect("it runs");
        crate::cluster::kill(pid, "TERM").await;
        let ended = cluster.ended().await;
        let said = ended.lines.join("\n");
        assert!(ended.status.success(), "{said}");
        said
    };
    let cluster = spawn();
    revision(&cluster, 1).await;
    end(cluster).await;

    let before = std::fs::read_to_string(&file).expect("it was written");
    let after = before.replace("replicas = 3", "replicas = 3, session-age = \"2h\"");
    assert_ne!(before, after);
    std::fs::write(&file, &after).expect("it can be written");
    let cluster = spawn();
    cluster.until_said("revision 2 is in force").await;
    revision(&cluster, 2).await;
    let said = end(cluster).await;
    let expected = "is not what is in force (revision 1):";
    assert!(
        said.contains(expected) && said.contains("session-age"),
        "{said}"
    );

    // An old one is not put in force only because somebody starts hosts with it.
    std::fs::write(&file, &before).expect("it can be written");
    let cluster = spawn();
    cluster.until_said("is revision 1; revision 2, by ").await;
    end(cluster).await;

    // What would lose something is not put in force, and the hosts run on with what is.
    let (without, _) = before
        .split_once("\n[service.order-queue]")
        .expect("it has one");
    std::fs::write(&file, without).expect("it can be written");
    let cluster = spawn();
    cluster.until_said("was not put in force").await;
    revision(&cluster, 2).await;
    let said = end(cluster).await;
    assert!(said.contains("is not in the file any more"), "{said}");
    for host in HOSTS {
        paths::remove_kept(&file.with_file_name("data").join(host));
    }
}

#[tokio::test]
async fn replicas_move_to_another_host_with_the_file() {
    const ALL: [&str; 4] = ["alpha", "beta", "gamma", "delta"];
    let keys = format!("{KEYS}control = true\n");
    let mut hosts = Hosts::prepare(&ALL, &keys, &queue(&HOSTS));
    for host in ALL {
        hosts.launch(host);
    }
    for host in ALL {
        hosts.serves(host).await;
    }
    let run_by_all = async |hosts: &Hosts, revision: u64| {
        until(&format!("all run revision {revision}"), async || {
            let (os, admin) = (&hosts.os, hosts.address("delta").admin);
            let (_, state) = request(os, admin, "/v1/control", None, PATIENCE)
                .await
                .ok()?;
            let standings = state["standings"].as_array()?;
            let runs = |it: &Value| it["revision"] == revision && it["outcome"] == "running";
            (standings.len() == ALL.len() && standings.iter().all(runs)).then_some(())
        })
        .await;
    };
    run_by_all(&hosts, 1).await;
    enqueue(&hosts, "delta", "one").await;

    let text = std::fs::read_to_string(&hosts.file).expect("it was written");
    let moved = text.replace(&format!("{HOSTS:?}"), "[\"alpha\", \"beta\", \"delta\"]");
    assert_ne!(text, moved);
    let file = hosts.file.with_file_name("moved.toml");
    std::fs::write(&file, moved).expect("it can be written");
    let file = file.display().to_string();
    let applied = operate(&hosts, "gamma", &["apply", &file, "--yes"]).await;
    assert_eq!(applied["revision"], 2);
    let members = until("delta has the replica that gamma had", async || {
        let group = members(&hosts, "alpha").await?;
        let voters = group["replicas"].as_array()?.iter();
        let mut voters: Vec<String> = voters
            .filter(|it| it["member"] == "voter")
            .map(|it| it["host"].as_str().unwrap_or_default().to_owned())
            .collect();
        voters.sort();
        (voters == ["alpha", "beta", "delta"]).then_some(group)
    })
    .await;
    assert_ne!(members["leader"], Value::Null, "{members}");
    // What was kept is there without gamma.
    hosts.stop("gamma").await;
    enqueue(&hosts, "delta", "two").await;
    for id in ["one", "two"] {
        let found = hosts.call("delta", "order-queue.find", &json!([id])).await;
        let found = found.expect("a majority is there");
        assert!(found.to_string().contains("ready"), "{id}: {found}");
    }
    hosts.stop_all().await;
}
