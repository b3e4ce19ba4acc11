//! Components that take the place of others while hosts serve: no call fails, no host restarts, and what does not fit changes nothing.

use crate::cluster::{Cluster, shop, until, write_config_with};
use crate::durable_hosts::KEYS;
use crate::groups_scene::run;
use crate::hostile_host::report;
use crate::in_place::{Visitors, visit};
use crate::paths;
use crate::processes::good_order;
use crate::replicas_cluster::HOSTS;
use bookshop_host::component;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinSet;

const SERVICE: &str = "fraud-detection";

/// Three hosts with the whole shop on each, which watch what was swapped in for so long.
pub async fn start(watch: &str) -> Cluster {
    let sections = shop().replace(
        "\n[service.suggestions]",
        &format!("swap = {{ watch = {watch:?} }}\n\n[service.suggestions]"),
    );
    start_with(&sections).await
}

/// Three hosts with these services, all of which run the first value.
pub async fn start_with(sections: &str) -> Cluster {
    let keys = format!("{KEYS}control = true\n");
    let (file, addresses) = write_config_with(&HOSTS, &keys, sections);
    let cluster = Cluster::spawn(&file, addresses, &[]);
    for host in HOSTS {
        cluster.until_state(host, "running").await;
    }
    until("all run the first value", async || {
        let state = cluster.admin("beta", "/v1/control", None).await?;
        (state["standings"].as_array()?.len() == HOSTS.len()).then_some(())
    })
    .await;
    cluster
}

/// A command at a host; its code, and all that it said.
pub async fn command(cluster: &Cluster, at: &str, arguments: &[&str]) -> (i32, String) {
    let admin = cluster.host(at).admin.to_string();
    let (code, stdout, stderr) = run(&[arguments, &["--admin", &admin]].concat()).await;
    (code, stdout + &stderr)
}

async fn swap(cluster: &Cluster, at: &str, file: &Path) -> (i32, String) {
    let file = file.display().to_string();
    command(cluster, at, &["swap", SERVICE, &file]).await
}

/// What runs on a host: the component, and which version of the service it is there.
pub async fn running(cluster: &Cluster, host: &str) -> (String, u64) {
    let path = "/v1/status?scope=host";
    let status = cluster.admin(host, path, None).await.expect("it answers");
    let services = status["services"].as_array().expect("a list");
    let service = services.iter().find(|it| it["name"] == SERVICE);
    let version = &service.expect("it is placed here")["version"];
    let ordinal = version["ordinal"].as_u64().expect("a number");
    let digest = version["digest"].as_str().expect("it runs");
    (digest.to_owned(), ordinal)
}

pub fn digest(file: &Path) -> String {
    component::digest(&std::fs::read(file).expect("it was built"))
}

#[tokio::test]
async fn twenty_swaps_under_load_fail_no_call_and_restart_no_host() {
    let cluster = start("50ms").await;
    let files = [paths::guest("fraud-detection-v2"), paths::guest(SERVICE)];
    let mut visitors: Vec<Visitors> = HOSTS
        .iter()
        .map(|host| Visitors::start(cluster.host(host).http))
        .collect();
    for turn in 0..20 {
        let file = &files[turn % 2];
        let (code, said) = swap(&cluster, HOSTS[turn % 3], file).await;
        assert_eq!(code, 0, "{said}");
        for host in HOSTS {
            let (digest_of, ordinal) = running(&cluster, host).await;
            assert_eq!(digest_of, digest(file), "{host}");
            // Of the same process: one that had begun anew would count from 1.
            assert_eq!(ordinal, turn as u64 + 2, "{host}");
        }
    }
    let mut answers = 0;
    for visitor in &mut visitors {
        visitor.until_answers(10).await;
    }
    for visitor in visitors {
        answers += visitor.end().await;
    }
    report(&format!(
        "twenty swaps on three hosts: {answers} requests, all answered"
    ));
    let ended = cluster.terminate().await;
    assert!(ended.status.success(), "{}", ended.lines.join("\n"));
}

#[tokio::test]
async fn what_its_callers_cannot_call_changes_nothing_and_says_why() {
    let cluster = start("50ms").await;
    let before = running(&cluster, "alpha").await;
    let mut visitors = Visitors::start(cluster.host("alpha").http);
    visitors.until_answers(20).await;
    // The first has none of the functions that the orchestrator calls, the second answers with less than it needs.
    let refusals = [
        (
            "suggestions",
            "orchestrator imports bookshop:shop/fraud-detection",
        ),
        (
            "fraud-detection-v4",
            "orchestrator imports bookshop:shop/fraud-detection@0.1.check-card-fraud, which fraud-detection exports with another type; build both against the same interface: result, ok: the caller needs the field assessment, which the callee does not give; only a field of type option may be missing",
        ),
    ];
    for (guest, expected) in refusals {
        let file = paths::guest(guest).display().to_string();
        for more in [&[] as &[&str], &["--dry-run"], &["--canary", "5%,100%"]] {
            let (code, said) = command(
                &cluster,
                "beta",
                &[&["swap", SERVICE, &file], more].concat(),
            )
            .await;
            assert!(code == 1 && said.contains(expected), "{said}");
        }
    }
    let good = paths::guest("fraud-detection-v2");
    let file = good.display().to_string();
    let (code, said) = command(&cluster, "beta", &["swap", SERVICE, &file, "--dry-run"]).await;
    assert!(
        code == 0 && said.contains("can be done; nothing was changed"),
        "{said}"
    );
    for host in HOSTS {
        assert_eq!(running(&cluster, host).await, before, "{host}");
    }
    let (code, said) = command(&cluster, "gamma", &["versions", SERVICE]).await;
    assert!(code == 0 && said.lines().count() == 2, "{said}");

    // A file that is none is not even sent.
    let text = cluster.file.clone();
    let (code, said) = swap(&cluster, "beta", &text).await;
    assert!(
        code == 1 && said.contains("is not a WebAssembly component"),
        "{said}"
    );
    let (code, said) = command(
        &cluster,
        "beta",
        &["swap", "fraud", &text.display().to_string()],
    )
    .await;
    assert_ne!(code, 0, "{said}");

    let (code, said) = command(&cluster, "gamma", &["rollback", SERVICE]).await;
    assert!(
        code == 1 && said.contains("had no other component"),
        "{said}"
    );
    let (code, said) = swap(&cluster, "alpha", &good).await;
    assert_eq!(code, 0, "{said}");
    for host in HOSTS {
        assert_eq!(running(&cluster, host).await.0, digest(&good), "{host}");
    }
    let (code, said) = command(&cluster, "beta", &["rollback", SERVICE]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(running(&cluster, "beta").await.0, before.0);
    let (code, said) = command(&cluster, "beta", &["versions", SERVICE, "--json"]).await;
    let versions: Value = serde_json::from_str(&said).expect("JSON");
    let current = &versions[0];
    assert!(
        code == 0 && current["digest"] == before.0 && current["is_current"] == true,
        "{said}"
    );
    visitors.until_answers(20).await;
    visitors.end().await;
    let ended = cluster.terminate().await;
    assert!(ended.status.success(), "{}", ended.lines.join("\n"));
}

#[tokio::test]
async fn what_fails_more_than_before_is_withdrawn_by_itself() {
    let cluster = start("30s").await;
    let before = running(&cluster, "alpha").await.0;
    let is_enough = Arc::new(AtomicBool::new(false));
    let mut customers = JoinSet::new();
    for host in HOSTS {
        let (address, is_enough) = (cluster.host(host).http, Arc::clone(&is_enough));
        customers.spawn(async move {
            let (mut approved, mut failed) = (0_u32, 0_u32);
            while !is_enough.load(Ordering::SeqCst) {
                let said = visit(address, "POST", &good_order().to_string()).await;
                match said.expect("it is answered").starts_with("HTTP/1.1 200 ") {
                    true => approved += 1,
                    false => failed += 1,
                }
            }
            (approved, failed)
        });
    }
    // It traps on one order of twenty.
    let (code, said) = swap(&cluster, "gamma", &paths::guest("fraud-detection-v3")).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("calls failed since it runs"), "{said}");
    assert!(
        said.contains("fraud-detection: as before, since on "),
        "{said}"
    );
    for host in HOSTS {
        assert_eq!(running(&cluster, host).await.0, before, "{host}");
    }
    let (_, said) = command(&cluster, "beta", &["versions", SERVICE]).await;
    assert!(said.contains("calls failed since it runs"), "{said}");
    is_enough.store(true, Ordering::SeqCst);
    let (mut approved, mut failed) = (0, 0);
    while let Some(ended) = customers.join_next().await {
        let (some, others) = ended.expect("no customer panicked");
        approved += some;
        failed += others;
    }
    report(&format!(
        "a bad component: {failed} of {} checkouts failed before it was withdrawn",
        approved + failed
    ));
    // Those of one host, for a moment.
    assert!(
        failed >= 1 && failed * 5 < approved,
        "{failed} of {approved}"
    );
    let ended = cluster.terminate().await;
    assert!(ended.status.success(), "{}", ended.lines.join("\n"));
}
