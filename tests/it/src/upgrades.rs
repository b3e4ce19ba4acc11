//! A replicated service whose component is replaced under writes: nothing is lost or doubled, whoever leads, and whoever is killed in whichever phase of it.

use crate::between_cluster::{call_with, placed};
use crate::cluster::{Cluster, kill, until};
use crate::control::start;
use crate::groups_scene::{operate, run};
use crate::hostile_host::report;
use crate::paths;
use crate::replicas_cluster::{HOSTS, Trio};
use crate::replicas_load::Load;
use crate::swaps::{command, start_with};
use bookshop_host::client::CallOptions;
use bookshop_host::component;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// Components of the database that do the same and are not the same: with a custom section (WebAssembly, Binary Format, 5.5.3) of another name each.
struct Databases(Vec<(PathBuf, String)>);

impl Databases {
    fn write(trio: &Trio) -> Self {
        let bytes = std::fs::read(paths::guest("database")).expect("it was built");
        let one = |name: u8| {
            let bytes = [bytes.as_slice(), &[0, 2, 1, name]].concat();
            let file = trio.file.with_file_name(format!("database-{name}.wasm"));
            std::fs::write(&file, &bytes).expect("it can be written");
            (file, component::digest(&bytes))
        };
        Self((b'a'..=b'b').map(one).collect())
    }

    fn of(&self, turn: usize) -> (String, &str) {
        let (file, digest) = &self.0[turn % self.0.len()];
        (file.display().to_string(), digest)
    }
}

/// The component that runs as the database on a host.
async fn database(trio: &Trio, host: &str) -> Option<String> {
    running(&trio.status(host).await?, "database")
}

/// Puts a component in force as the database, and waits for no host to run it.
async fn begin_swap(trio: &Trio, told: &str, file: &str) {
    let admin = trio.address(told).admin.to_string();
    let arguments = ["swap", "database", file, "--no-wait", "--admin", &admin];
    let (code, _, said) = run(&arguments).await;
    assert_eq!(code, 0, "{said}");
}

/// Waits until these hosts run a component as the database.
async fn until_run(trio: &Trio, hosts: &[&str], digest: &str) {
    for host in hosts {
        until(&format!("{host} runs the database {digest}"), async || {
            (database(trio, host).await? == digest).then_some(())
        })
        .await;
    }
}

/// The component that runs as a service, by the status of its host.
fn running(status: &Value, service: &str) -> Option<String> {
    let services = status["services"].as_array()?;
    let service = services.iter().find(|it| it["name"] == service)?;
    Some(service["version"]["digest"].as_str()?.to_owned())
}

#[tokio::test]
async fn upgrades_of_a_replicated_service_lose_and_double_nothing_and_stop_no_write() {
    let trio = start().await;
    let pids = HOSTS.map(|host| trio.pid(host));
    let databases = Databases::write(&trio);
    let mut load = Load::start(&trio);
    load.until_answers(100).await;
    for turn in 0..6 {
        let (file, digest) = databases.of(turn);
        let swap = ["swap", "database", &file];
        operate(&trio, HOSTS[turn % HOSTS.len()], &swap).await;
        for host in HOSTS {
            let runs = database(&trio, host).await;
            assert_eq!(runs.as_deref(), Some(digest), "{host}");
        }
        load.until_answers(20).await;
    }
    assert_eq!(HOSTS.map(|host| trio.pid(host)), pids);
    let (failures, slowest) = (load.failures(), load.slowest());
    let said = load.compare(&trio).await;
    report(&format!(
        "six upgrades of the database: {said}; slowest write {} ms",
        slowest.as_millis()
    ));
    assert!(failures.is_empty(), "{failures:?}");
}

#[tokio::test]
async fn an_upgrade_goes_on_whichever_host_is_killed_in_the_middle_of_it() {
    let mut trio = start().await;
    let databases = Databases::write(&trio);
    let load = Load::start(&trio);
    // From before anybody has heard of it to when the last host has its turn.
    let moments = [0, 150, 400, 700, 1_000, 1_400, 1_900, 2_500, 3_200];
    for (turn, after_ms) in moments.into_iter().enumerate() {
        let (file, digest) = databases.of(turn);
        let (told, killed) = (HOSTS[turn % 3], HOSTS[(turn + turn / 3) % 3]);
        begin_swap(&trio, told, &file).await;
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        trio.kill(killed).await;
        trio.launch(killed);
        until_run(&trio, &HOSTS, digest).await;
    }
    let said = load.compare(&trio).await;
    report(&format!("a host killed in each of nine upgrades: {said}"));
}

#[tokio::test]
async fn an_upgrade_and_the_failure_of_the_leader_in_the_same_moment_lose_and_double_nothing() {
    let mut trio = start().await;
    let databases = Databases::write(&trio);
    let load = Load::start(&trio);
    for turn in 0..6 {
        let leader = trio.until_led(&HOSTS).await;
        let others = Trio::others(leader);
        let (file, digest) = databases.of(turn);
        begin_swap(&trio, others[turn % 2], &file).await;
        // From when the first host runs it, while its leader does not, until the leader is about to.
        until_run(&trio, &others[..1 + turn / 2 % 2], digest).await;
        trio.kill(leader).await;
        trio.until_led(&Trio::others(leader)).await;
        trio.launch(leader);
        until_run(&trio, &HOSTS, digest).await;
    }
    let said = load.compare(&trio).await;
    report(&format!("a leader killed in each of six upgrades: {said}"));
}

/// A tally of three replicas, in the form of the first version.
async fn tally() -> Cluster {
    let replicated = "replicated = { replicas = 3, queries = [\"fixture:migration/tally.total\"] }";
    let more = format!("{replicated}\nswap = {{ watch = \"50ms\" }}");
    start_with(&placed("tally", "fixture-tally", &HOSTS, &more)).await
}

async fn asked(cluster: &Cluster, through: &str, function: &str, arguments: Value) -> Value {
    let options = CallOptions {
        timeout: Some(Duration::from_secs(10)),
        ..CallOptions::default()
    };
    let function = format!("tally.{function}");
    let answer = call_with(cluster, through, &function, &arguments, &options).await;
    answer.expect("it is answered")
}

async fn swap(cluster: &Cluster, guest: &str) -> (i32, String) {
    let file = paths::guest(guest).display().to_string();
    command(cluster, "gamma", &["swap", "tally", &file]).await
}

#[tokio::test]
async fn a_version_makes_the_state_of_the_one_before_its_own_while_others_count() {
    let cluster = Arc::new(tally().await);
    let is_over = Arc::new(AtomicBool::new(false));
    let mut counters = JoinSet::new();
    for host in HOSTS {
        let (cluster, is_over) = (Arc::clone(&cluster), Arc::clone(&is_over));
        counters.spawn(async move {
            let mut counts = Vec::new();
            while !is_over.load(Ordering::SeqCst) {
                let count = asked(&cluster, host, "count", json!([])).await;
                counts.push(count.as_u64().expect("a number"));
            }
            counts
        });
    }
    let mut lookers = JoinSet::new();
    for host in HOSTS {
        let (cluster, is_over) = (Arc::clone(&cluster), Arc::clone(&is_over));
        lookers.spawn(async move {
            let (mut last, mut looks) = (0, 0);
            while !is_over.load(Ordering::SeqCst) {
                let total = asked(&cluster, host, "total", json!([])).await;
                let total = total.as_u64().expect("a number");
                assert!(total >= last, "{host}: {total} after {last}");
                (last, looks) = (total, looks + 1);
            }
            looks
        });
    }
    let (code, said) = swap(&cluster, "fixture-tally-next").await;
    assert_eq!(code, 0, "{said}");
    is_over.store(true, Ordering::SeqCst);
    let looks: u64 = lookers.join_all().await.into_iter().sum();
    let mut counts = Vec::new();
    while let Some(some) = counters.join_next().await {
        counts.extend(some.expect("no count failed"));
    }
    counts.sort_unstable();
    let last = counts.len() as u64;
    assert_eq!(counts, (1..=last).collect::<Vec<_>>());
    // Nobody needs to write before somebody reads.
    for host in HOSTS {
        until("the count is there", async || {
            (asked(&cluster, host, "total", json!([])).await == last).then_some(())
        })
        .await;
    }
    report(&format!(
        "a tally was migrated among {last} counts and {looks} looks"
    ));
    let cluster = Arc::into_inner(cluster).expect("nobody counts any more");
    cluster.terminate().await;
}

#[tokio::test]
async fn a_version_that_cannot_migrate_the_state_is_refused_and_another_leader_migrates_it() {
    let cluster = tally().await;
    assert_eq!(asked(&cluster, "alpha", "count", json!([])).await, 1);
    asked(&cluster, "beta", "spoil", json!([true])).await;
    for more in [&[] as &[&str], &["--dry-run"]] {
        let file = paths::guest("fixture-tally-next").display().to_string();
        let swap = [&["swap", "tally", &file], more].concat();
        let (code, said) = command(&cluster, "beta", &swap).await;
        assert_eq!(code, 1, "{said}");
        let expected = "its migration fails on a copy of the state";
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(asked(&cluster, "gamma", "count", json!([])).await, 2);
    asked(&cluster, "beta", "spoil", json!([false])).await;
    let (code, said) = swap(&cluster, "fixture-tally-next").await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(asked(&cluster, "gamma", "count", json!([])).await, 3);
    let (code, said) = command(&cluster, "alpha", &["group", "transfer", "tally"]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(asked(&cluster, "beta", "count", json!([])).await, 4);
    assert_eq!(asked(&cluster, "alpha", "total", json!([])).await, 4);
    // The one before cannot read that.
    let (code, said) = command(&cluster, "alpha", &["rollback", "tally"]).await;
    let expected = "and this one exports no bookshop:platform/migration";
    assert!(code == 1 && said.contains(expected), "{said}");
    assert_eq!(asked(&cluster, "beta", "count", json!([])).await, 5);
    cluster.terminate().await;
}

#[tokio::test]
async fn a_host_that_comes_back_with_the_version_before_shows_nobody_what_was_migrated() {
    let cluster = tally().await;
    assert_eq!(asked(&cluster, "alpha", "count", json!([])).await, 1);
    let gamma = cluster.until_state("gamma", "running").await;
    let pid = u32::try_from(gamma["pid"].as_u64().expect("it runs")).expect("a process");
    kill(pid, "STOP").await;
    let file = paths::guest("fixture-tally-next").display().to_string();
    let (code, said) = command(&cluster, "alpha", &["swap", "tally", &file, "--no-wait"]).await;
    assert_eq!(code, 0, "{said}");
    let digest = component::digest(&std::fs::read(&file).expect("it was built"));
    for host in ["alpha", "beta"] {
        until(&format!("{host} runs the next version"), async || {
            let status = cluster.admin(host, "/v1/status?scope=host", None).await?;
            (running(&status, "tally")? == digest).then_some(())
        })
        .await;
    }
    assert_eq!(asked(&cluster, "alpha", "count", json!([])).await, 2);
    kill(pid, "CONT").await;
    // Whichever version it has by then.
    for count in 2..60 {
        assert_eq!(asked(&cluster, "gamma", "total", json!([])).await, count);
        assert_eq!(asked(&cluster, "beta", "count", json!([])).await, count + 1);
    }
    cluster.terminate().await;
}

#[tokio::test]
async fn a_daemon_is_told_to_finish_and_the_next_one_runs_after_it() {
    let alpha = ["alpha"];
    let links = "\n[service.daemon.links]\n\"fixture:state/shelf\" = { to = \"shelf\" }\n";
    let daemon =
        "storage = \"volatile\"\nconfig = { mode = \"beat\" }\nswap = { watch = \"50ms\" }";
    let state = "replicated = { replicas = 1, queries = [\"fixture:state/shelf.get\"] }";
    let sections = placed("daemon", "fixture-daemon", &alpha, daemon)
        + links
        + &placed(
            "shelf",
            "fixture-keyvalue",
            &alpha,
            "storage = \"volatile\"",
        )
        + &placed("state", "fixture-keyvalue", &alpha, state);
    let cluster = start_with(&sections).await;
    let beats = async |name: &str| {
        let arguments = json!(["beats", name]);
        let options = CallOptions::default();
        let got = call_with(&cluster, "alpha", "shelf.get", &arguments, &options).await;
        let got = got.expect("it is answered");
        got["ok"]
            .as_str()
            .map_or(0, |beats| beats.parse().expect("a number"))
    };
    until("the daemon beats", async || {
        (beats("round").await > 3).then_some(())
    })
    .await;
    let bytes = std::fs::read(paths::guest("fixture-daemon")).expect("it was built");
    let file = cluster.file.with_file_name("daemon-next.wasm");
    // A custom section, as above.
    std::fs::write(&file, [bytes.as_slice(), &[0, 2, 1, b'n']].concat())
        .expect("it can be written");
    let file = file.display().to_string();
    let (code, said) = command(&cluster, "beta", &["swap", "daemon", &file]).await;
    assert_eq!(code, 0, "{said}");
    // It ended as it should, once.
    until("the first one has finished", async || {
        (beats("end").await == 1).then_some(())
    })
    .await;
    let so_far: u64 = beats("round").await;
    until("the next one beats", async || {
        (beats("round").await > so_far).then_some(())
    })
    .await;
    assert_eq!(beats("end").await, 1);
    let status = cluster
        .admin("alpha", "/v1/status", None)
        .await
        .expect("it answers");
    let services = status["services"].as_array().expect("a list");
    let daemon = services.iter().find(|it| it["name"] == "daemon");
    let daemon = &daemon.expect("it is there")["daemons"][0];
    assert_eq!(daemon["state"], "running", "{daemon}");
    let file = paths::guest("fixture-daemon").display().to_string();
    let canary = ["swap", "daemon", &file, "--canary", "5%"];
    let (code, said) = command(&cluster, "beta", &canary).await;
    assert!(
        code == 1 && said.contains("it is a daemon, and would run twice"),
        "{said}"
    );
    cluster.terminate().await;
}
