//! A lost majority, a state that is not that of the others, a backup that is needed.

use crate::cluster::until;
use crate::groups_scene::{
    HOSTS, QUEUE, depth, enqueue, leader, members, operate, replica, run, three, until_equal,
    until_voters,
};
use crate::paths;
use bookshop_host::groups::recovery::STATE_FOLDER;
use bookshop_host::os::Os;
use bookshop_host::state::{Fold, Layer, Store};
use serde_json::Value;
use std::cell::Cell;

#[tokio::test]
async fn a_snapshot_has_every_replica_fold_what_it_has() {
    let hosts = three().await;
    enqueue(&hosts, "alpha", "one").await;
    until_equal(&hosts, &HOSTS).await;
    let taken = operate(&hosts, "beta", &["group", "snapshot", QUEUE]).await;
    let replicas = taken["replicas"].as_array().expect("replicas");
    assert_eq!(replicas.len(), 3, "{taken}");
    for replica in replicas {
        let positions = &replica["positions"];
        assert!(positions["checkpoint"].as_u64() >= Some(2), "{taken}");
        assert_eq!(positions["applied"], positions["checkpoint"], "{taken}");
    }
    hosts.stop_all().await;
}

#[tokio::test]
async fn one_replica_goes_on_alone_when_the_others_are_gone_and_they_join_it() {
    let mut hosts = three().await;
    enqueue(&hosts, "alpha", "one").await;
    until_equal(&hosts, &HOSTS).await;
    let file = hosts.file.to_str().expect("text").to_owned();
    let recover = ["group", "recover", QUEUE, &file, "--host", "gamma"];
    let (code, _, said) = run(&recover).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("--accept-data-loss"), "{said}");
    let recover = [&recover[..], &["--accept-data-loss", "--json"]].concat();
    let (code, _, said) = run(&recover).await;
    assert!(code == 1 && said.contains("host gamma runs"), "{said}");
    hosts.kill("gamma").await;
    let (code, _, said) = run(&recover).await;
    assert!(code == 1 && said.contains("which is a majority"), "{said}");
    hosts.kill("alpha").await;
    hosts.kill("beta").await;
    let (code, done, said) = run(&recover).await;
    assert_eq!(code, 0, "{said}");
    let done: Value = serde_json::from_str(&done).expect("JSON");
    assert_eq!(done["replica"], 1_000_001, "{done}");
    // The old majority comes back, both at once: it does not go on by itself, since whoever did without it tells them.
    hosts.launch("gamma");
    hosts.serves("gamma").await;
    for host in ["alpha", "beta"] {
        hosts.launch(host);
    }
    let group = until_voters(&hosts, "gamma", &HOSTS).await;
    for host in HOSTS {
        assert!(
            replica(&group, host)["id"].as_u64() > Some(1_000_000),
            "{group}"
        );
    }
    enqueue(&hosts, "alpha", "two").await;
    assert_eq!(depth(&hosts, "beta").await, 2);
    until_equal(&hosts, &HOSTS).await;
    hosts.stop_all().await;
}

#[tokio::test]
async fn a_state_that_is_not_that_of_the_others_is_noticed_and_fetched_anew() {
    let mut hosts = three().await;
    enqueue(&hosts, "alpha", "one").await;
    until_equal(&hosts, &HOSTS).await;
    operate(&hosts, "beta", &["group", "snapshot", QUEUE]).await;
    hosts.stop("beta").await;
    let os = Os::real();
    {
        let folder = hosts.folder("beta").join(STATE_FOLDER);
        let store = Store::open(os.blocks.as_ref(), &folder).expect("it was closed");
        let group = store.groups().into_iter().find(|group| group.name == QUEUE);
        let group = group.expect("it has the queue");
        let mut layer = Layer::new();
        layer.insert("dnobody wrote this".into(), Some("1".into()));
        let fold = Fold {
            group: group.id,
            applied: group.applied,
            layer,
        };
        store.fold(&[fold]).expect("it can be written");
    }
    hosts.launch("beta");
    hosts.serves("beta").await;
    until("beta notices", async || {
        hosts.log("beta").contains("DIVERGED").then_some(())
    })
    .await;
    // What it was has a vote until the others have taken it out.
    until("beta is no member any more, or a new one", async || {
        let group = members(&hosts, "alpha").await?;
        let replicas = group["replicas"].as_array()?.iter();
        let is_old = |it: &Value| it["host"] == "beta" && it["id"].as_u64() <= Some(3);
        let mut old = replicas.filter(|it| is_old(it) && it["member"] == "voter");
        old.next().is_none().then_some(())
    })
    .await;
    let group = until_voters(&hosts, "alpha", &HOSTS).await;
    assert!(replica(&group, "beta")["id"].as_u64() > Some(3), "{group}");
    until_equal(&hosts, &HOSTS).await;
    enqueue(&hosts, "beta", "two").await;
    assert_eq!(depth(&hosts, "beta").await, 2);
    for other in ["alpha", "gamma"] {
        let log = hosts.log(other);
        assert!(!log.contains("on this host"), "{log}");
    }
    hosts.stop_all().await;
}

#[tokio::test]
async fn a_backup_under_load_is_restored_as_it_was() {
    let mut hosts = three().await;
    enqueue(&hosts, "alpha", "before").await;
    let backup = hosts.file.with_file_name("shop.backup");
    let backup = backup.to_str().expect("text");
    let is_done = Cell::new(false);
    let written = async {
        let written = operate(&hosts, "gamma", &["backup", backup]).await;
        is_done.set(true);
        written
    };
    let load = async {
        let mut count = 1;
        while !is_done.get() {
            enqueue(&hosts, "beta", &format!("amid-{count}")).await;
            count += 1;
        }
        count
    };
    let (written, offered) = tokio::join!(written, load);
    let service = &written["services"][0];
    assert_eq!(service["service"], QUEUE, "{written}");
    let admin = hosts.address("alpha").admin.to_string();
    let (code, _, said) = run(&["backup", backup, "--admin", &admin]).await;
    assert!(code == 2 && said.contains("is there already"), "{said}");
    let file = hosts.file.to_str().expect("text").to_owned();
    let (code, _, said) = run(&["restore", backup, &file]).await;
    assert!(code == 1 && said.contains("is not empty"), "{said}");
    for host in HOSTS {
        hosts.kill(host).await;
        paths::remove_kept(&hosts.folder(host));
    }
    damaged_backups_are_refused(backup, &file).await;
    let (code, restored, said) = run(&["restore", backup, &file, "--json"]).await;
    assert_eq!(code, 0, "{said}");
    let restored: Value = serde_json::from_str(&restored).expect("JSON");
    assert_eq!(restored["services"][0]["hash"], service["hash"]);
    for host in HOSTS {
        hosts.launch(host);
    }
    for host in HOSTS {
        hosts.serves(host).await;
    }
    leader(&hosts, &HOSTS).await;
    until_equal(&hosts, &HOSTS).await;
    let again = hosts.file.with_file_name("again.backup");
    let again = again.to_str().expect("text");
    let second = operate(&hosts, "beta", &["backup", again, QUEUE]).await;
    assert_eq!(second["services"][0]["hash"], service["hash"]);
    let found = depth(&hosts, "alpha").await;
    assert!((1..=offered).contains(&found), "{found} of {offered}");
    enqueue(&hosts, "alpha", "after").await;
    assert_eq!(depth(&hosts, "gamma").await, found + 1);
    hosts.stop_all().await;
}

/// No byte of a backup can change, and none be missing, without its being noticed before anything is written.
async fn damaged_backups_are_refused(backup: &str, file: &str) {
    let whole = std::fs::read(backup).expect("it was written");
    let damaged = format!("{backup}.damaged");
    let step = whole.len() / 7 + 1;
    let mut wrong: Vec<Vec<u8>> = (0..whole.len())
        .step_by(step)
        .map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            bytes
        })
        .collect();
    wrong.push(whole[..whole.len() - 1].to_vec());
    wrong.push([&whole[..], b"x"].concat());
    wrong.push(Vec::new());
    for bytes in wrong {
        std::fs::write(&damaged, bytes).expect("it can be written");
        let (code, _, said) = run(&["restore", &damaged, file]).await;
        let is_told = said.contains("damaged") || said.contains("is no backup");
        assert!(code == 1 && is_told, "{said}");
    }
}
