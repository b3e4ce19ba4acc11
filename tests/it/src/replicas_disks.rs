//! Three hosts of which one has a disk that is slow, full, damaged or empty.

use crate::cluster::until;
use crate::faulty_disk::FaultyDisk;
use crate::hostile_host::report;
use crate::paths;
use crate::replicas_cluster::{HOSTS, Trio, set_large};
use crate::replicas_load::Load;
use bookshop_host::config::Config;
use bookshop_host::host::{self, Host};
use bookshop_host::os::Os;
use bookshop_host::parent::Parent;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The host that runs in this process, on a disk of ours.
const OURS: &str = "alpha";
/// Ten times what a sync of a good disk takes, and more than a heartbeat.
const SLOW: Duration = Duration::from_millis(30);
/// Bytes of a value: a few hundred fill the log's segment and its spare.
const LARGE_BYTES: usize = 400_000;
const LARGE_MAX: u32 = 400;
/// Entries that a host falls behind only if it takes none.
const FAR: u64 = 1_000;

/// What a disk writes at once.
const SECTOR_BYTES: usize = 512;

/// Three hosts, one of them in this process.
async fn start(disk: &FaultyDisk) -> (Trio, Host) {
    let mut trio = Trio::prepare();
    for name in Trio::others(OURS) {
        trio.launch(name);
    }
    let file = std::fs::read_to_string(&trio.file).expect("it was written");
    let config = Config::parse(&trio.file, &file).expect("the configuration is right");
    let os = Os {
        blocks: Arc::new(disk.clone()),
        ..Os::real()
    };
    let options = host::Options {
        config: Arc::new(config),
        name: OURS.to_owned(),
        program: paths::program(),
        parent: Parent::none(),
        restart: host::Restart::refused(),
        os,
    };
    let host = host::start(options).await.expect("the host starts");
    trio.until_settled().await;
    (trio, host)
}

/// Has a host lead the database.
async fn lead(trio: &Trio, host: &str) {
    until(&format!("{host} leads"), async || {
        let leader = trio.until_led(&HOSTS).await;
        if leader == host {
            return Some(());
        }
        let admin = trio.address(leader).admin;
        let body = json!({ "to": host });
        let path = "/v1/groups/database/transfer";
        let wait = Duration::from_secs(10);
        let asked = bookshop_host::admin::client::request(&trio.os, admin, path, Some(&body), wait);
        let _ = asked.await;
        None
    })
    .await;
}

#[tokio::test]
async fn a_slow_disk_of_a_follower_slows_nobody_and_one_of_the_leader_loses_nothing() {
    let disk = FaultyDisk::default();
    let (trio, host) = start(&disk).await;
    let mut load = Load::start(&trio);
    disk.slow_down(SLOW);
    lead(&trio, "beta").await;
    load.slowest();
    load.until_answers(300).await;
    let of_follower = load.slowest();
    lead(&trio, OURS).await;
    load.until_answers(300).await;
    let of_leader = load.slowest();
    disk.slow_down(Duration::ZERO);
    load.until_answers(50).await;
    report(&format!(
        "slowest write with a follower whose syncs take {SLOW:?} longer: {of_follower:?}; with such a leader: {of_leader:?}"
    ));
    report(&load.compare(&trio).await);
    assert_eq!(host.stop().await, 0);
    trio.0.stop_all().await;
}

async fn fill(trio: &Trio, at: &str, number: u32) {
    set_large(trio, at, &format!("large-{number}"), LARGE_BYTES).await;
}

#[tokio::test]
async fn a_full_disk_of_one_host_keeps_nobody_from_writing() {
    for leads in ["beta", OURS] {
        let disk = FaultyDisk::default();
        let (trio, host) = start(&disk).await;
        lead(&trio, leads).await;
        let mut load = Load::start(&trio);
        load.until_answers(20).await;
        disk.fill();
        let mut number = 0;
        until("the host says that its disk is full", async || {
            assert!(number < LARGE_MAX, "the disk never gets full");
            number += 1;
            fill(&trio, HOSTS[number as usize % HOSTS.len()], number).await;
            // It has what the others have committed only when there is room.
            let ours = trio.replica(OURS, "database").await?.applied;
            let others = trio.replica("gamma", "database").await?.applied;
            (others > FAR + ours).then_some(())
        })
        .await;
        assert_ne!(trio.until_led(&Trio::others(OURS)).await, OURS);
        load.until_answers(100).await;
        disk.make_room();
        let said = load.compare(&trio).await;
        report(&format!(
            "{number} large writes until the disk of {OURS} was full, {leads} led; {said}"
        ));
        assert_eq!(host.stop().await, 0);
        trio.0.stop_all().await;
    }
}

/// The part of a host's log in which it wrote last, and where that ends.
fn written(trio: &Trio, host: &str) -> (PathBuf, usize) {
    let folder = trio.folder(host).join("log");
    let files = std::fs::read_dir(folder).expect("there is a log");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    let mut ends = paths.into_iter().map(|path| {
        let bytes = std::fs::read(&path).expect("the file is there");
        let end = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .unwrap_or_default();
        (path, end)
    });
    // A spare has a header.
    ends.rfind(|(_, end)| *end > SECTOR_BYTES)
        .expect("something is written")
}

fn flip(path: &PathBuf, offset: usize) {
    let mut bytes = std::fs::read(path).expect("the file is there");
    bytes[offset] ^= 1;
    std::fs::write(path, bytes).expect("the file can be written");
}

/// The numbers of a group's voters, and those who listen, as a host's status has them.
async fn rejoins(trio: &mut Trio, host: &'static str) {
    std::fs::remove_dir_all(trio.folder(host)).expect("it can be removed");
    trio.launch(host);
    trio.until_settled().await;
    // In every group: a group in which it has no vote yet would be lost with the next disk.
    for service in ["database", "order-queue"] {
        until(&format!("it has a vote in {service} again"), async || {
            let replica = trio.replica(host, service).await?;
            matches!(replica.role.as_str(), "follower" | "leader").then_some(())
        })
        .await;
    }
    let log = trio.log(host);
    assert!(log.contains("joins its group as replica"), "{log}");
}

/// Damages the log of a host that was stopped, at a place, and has it refuse to start while the others go on, and join anew without what it had.
async fn refuses_and_rejoins(place: impl Fn(usize) -> usize) {
    let mut trio = Trio::start().await;
    let mut load = Load::start(&trio);
    load.until_answers(100).await;
    let victim = Trio::others(trio.until_led(&HOSTS).await)[0];
    trio.kill(victim).await;
    let (file, end) = written(&trio, victim);
    flip(&file, place(end));
    trio.launch(victim);
    let said = trio.ended(victim).await;
    let name = file.display().to_string();
    for part in [name.as_str(), "damaged", "storage check"] {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
    load.until_answers(50).await;
    rejoins(&mut trio, victim).await;
    load.until_answers(50).await;
    // It counts: with it the others can lose one.
    let other = Trio::others(victim)[0];
    trio.kill(other).await;
    load.until_answers(50).await;
    trio.launch(other);
    trio.until_settled().await;
    report(&load.compare(&trio).await);
    trio.0.stop_all().await;
}

#[tokio::test]
async fn a_log_damaged_in_the_middle_is_refused_and_its_host_joins_anew() {
    refuses_and_rejoins(|end| end / 2).await;
}

#[tokio::test]
async fn a_log_damaged_at_its_end_is_refused_and_its_host_joins_anew() {
    // In the last batch, which is whole.
    refuses_and_rejoins(|end| end - 100).await;
}

#[tokio::test]
async fn a_host_that_lost_its_disk_joins_under_a_new_number_and_gets_a_vote() {
    let mut trio = Trio::start().await;
    let mut load = Load::start(&trio);
    // The one that led as well.
    for round in 0..2 {
        load.until_answers(100).await;
        let leader = trio.until_settled().await;
        let victim = if round == 0 {
            Trio::others(leader)[1]
        } else {
            leader
        };
        trio.kill(victim).await;
        load.until_answers(50).await;
        rejoins(&mut trio, victim).await;
        // The leader shows the vote when it knows that it is committed; with the next entries all others know it too.
        load.until_answers(50).await;
        // Without its vote the next one could not be spared.
        let other = Trio::others(victim)[0];
        trio.kill(other).await;
        load.until_answers(50).await;
        trio.launch(other);
        trio.until_settled().await;
    }
    report(&load.compare(&trio).await);
    trio.0.stop_all().await;
}
