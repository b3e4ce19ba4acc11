//! Components that get a share of the calls first: shares that grow by themselves, whoever dies, and canaries that are withdrawn because they are worse.

use crate::between_cluster::placed;
use crate::cluster::{Cluster, kill, until};
use crate::hostile_host::report;
use crate::in_place::{Visitors, visit};
use crate::paths;
use crate::processes::good_order;
use crate::replicas_cluster::HOSTS;
use crate::swaps::{command, digest, running, start, start_with};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinSet;

const SERVICE: &str = "fraud-detection";

/// Customers at all hosts. At their end, what was approved and what failed.
struct Customers {
    is_over: Arc<AtomicBool>,
    tasks: JoinSet<(u32, u32)>,
}

impl Customers {
    fn come(cluster: &Cluster, hosts: &[&str]) -> Self {
        let (is_over, mut tasks) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for host in hosts {
            let (address, is_over) = (cluster.host(host).http, Arc::clone(&is_over));
            tasks.spawn(async move {
                let (mut approved, mut failed) = (0, 0);
                while !is_over.load(Ordering::SeqCst) {
                    let said = visit(address, "POST", &good_order().to_string()).await;
                    match said.is_ok_and(|said| said.starts_with("HTTP/1.1 200 ")) {
                        true => approved += 1,
                        false => failed += 1,
                    }
                }
                (approved, failed)
            });
        }
        Self { is_over, tasks }
    }

    async fn end(mut self) -> (u32, u32) {
        self.is_over.store(true, Ordering::SeqCst);
        let (mut approved, mut failed) = (0, 0);
        while let Some(ended) = self.tasks.join_next().await {
            let (some, others) = ended.expect("no customer panicked");
            approved += some;
            failed += others;
        }
        (approved, failed)
    }
}

/// What `status` says of the canary.
async fn canary(cluster: &Cluster, host: &str) -> Option<Value> {
    let status = cluster.admin(host, "/v1/status", None).await?;
    let services = status["services"].as_array()?;
    let service = services.iter().find(|it| it["name"] == SERVICE)?;
    Some(service["canary"].clone()).filter(|it| !it.is_null())
}

/// Calls of both sides after which their shares say something. Those of one request go the same way.
const CALLS_MIN: u64 = 400;

/// Waits until a canary has this share, and both it and what is beside it got calls.
async fn until_share(cluster: &Cluster, host: &str, percent: u64) -> Value {
    until(&format!("a canary has {percent} %"), async || {
        let canary = canary(cluster, host).await?;
        let (its, stable) = (canary["calls"].as_u64()?, canary["stable_calls"].as_u64()?);
        let is_called = its > 0 && its + stable >= CALLS_MIN;
        (canary["percent"] == percent && is_called).then_some(canary)
    })
    .await
}

async fn rollout(cluster: &Cluster, at: &str, guest: &str, more: &[&str]) -> (i32, String) {
    let file = paths::guest(guest).display().to_string();
    command(cluster, at, &[&["swap", SERVICE, &file], more].concat()).await
}

#[tokio::test]
async fn a_canary_gets_larger_shares_and_then_all_calls_and_fails_none() {
    let cluster = start("50ms").await;
    let customers = Customers::come(&cluster, &HOSTS);
    let shares = ["--canary", "10%,50%,100%", "--every", "4s"];
    let (said, small, large) = tokio::join!(
        rollout(&cluster, "beta", "fraud-detection-v2", &shares),
        until_share(&cluster, "alpha", 10),
        until_share(&cluster, "gamma", 50),
    );
    assert_eq!(said.0, 0, "{}", said.1);
    assert!(said.1.contains("gets 10 % of the calls"), "{}", said.1);
    for host in HOSTS {
        let good = digest(&paths::guest("fraud-detection-v2"));
        assert_eq!(running(&cluster, host).await.0, good, "{host}");
    }
    assert_eq!(canary(&cluster, "alpha").await, None);
    let calls = |canary: &Value| {
        let number = |name: &str| canary[name].as_u64().expect("a number");
        (number("calls"), number("calls") + number("stable_calls"))
    };
    let (few, of_few) = calls(&small);
    assert!(few * 3 < of_few, "{small}");
    let (approved, failed) = customers.end().await;
    report(&format!(
        "a canary at 10 % {small}, at 50 % {large}; {approved} checkouts"
    ));
    assert_eq!(failed, 0, "of {approved}");
    let (_, said) = command(&cluster, "beta", &["versions", SERVICE]).await;
    assert!(
        said.contains("in force") && said.contains("before"),
        "{said}"
    );
    let ended = cluster.terminate().await;
    assert!(ended.status.success(), "{}", ended.lines.join("\n"));
}

#[tokio::test]
async fn a_canary_that_is_worse_is_withdrawn_from_all_hosts() {
    let cluster = start("50ms").await;
    let before = running(&cluster, "alpha").await;
    let customers = Customers::come(&cluster, &HOSTS);
    let shares = ["--canary", "20%,100%", "--every", "1min"];
    let (code, said) = rollout(&cluster, "gamma", "fraud-detection-v3", &shares).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("is withdrawn, since on "), "{said}");
    assert!(said.contains("calls failed since it runs"), "{said}");
    until("no host has a canary", async || {
        canary(&cluster, "beta").await.is_none().then_some(())
    })
    .await;
    for host in HOSTS {
        assert_eq!(running(&cluster, host).await, before, "{host}");
    }
    let (approved, failed) = customers.end().await;
    report(&format!(
        "a bad canary at 20 %: {failed} of {} checkouts failed before it was withdrawn",
        approved + failed
    ));
    // Three on one host are enough; others may have seen as many at the same time.
    assert!((3..=12).contains(&failed), "{failed} of {approved}");
    let (_, said) = command(&cluster, "beta", &["versions", SERVICE]).await;
    assert!(said.contains("is withdrawn, since on "), "{said}");
    let ended = cluster.terminate().await;
    assert!(ended.status.success(), "{}", ended.lines.join("\n"));
}

#[tokio::test]
async fn a_rollout_goes_on_when_the_host_dies_that_was_told() {
    let cluster = start("50ms").await;
    let customers = Customers::come(&cluster, &["alpha", "gamma"]);
    let shares = ["--canary", "20%,60%,100%", "--every", "3s", "--no-wait"];
    let (code, said) = rollout(&cluster, "beta", "fraud-detection-v2", &shares).await;
    assert_eq!(code, 0, "{said}");
    until_share(&cluster, "alpha", 20).await;
    let beta = cluster.until_state("beta", "running").await;
    let pid = beta["pid"].as_u64().expect("it runs") as u32;
    kill(pid, "KILL").await;
    let good = digest(&paths::guest("fraud-detection-v2"));
    until("all hosts run it", async || {
        for host in HOSTS {
            let status = cluster.admin(host, "/v1/status?scope=host", None).await?;
            let services = status["services"].as_array()?;
            let service = services.iter().find(|it| it["name"] == SERVICE)?;
            let runs = service["version"]["digest"] == *good && service["canary"].is_null();
            if !runs {
                return None;
            }
        }
        Some(())
    })
    .await;
    let (approved, _) = customers.end().await;
    assert!(approved > 0);
    cluster.terminate().await;
}

#[tokio::test]
async fn a_canary_may_stay_at_its_share_and_be_taken_back_by_hand() {
    let cluster = start("50ms").await;
    let before = running(&cluster, "alpha").await;
    let mut visitors = Visitors::start(cluster.host("alpha").http);
    let (code, said) = rollout(
        &cluster,
        "alpha",
        "fraud-detection-v2",
        &["--canary", "30%"],
    )
    .await;
    assert_eq!(code, 0, "{said}");
    let (_, said) = command(&cluster, "gamma", &["versions", SERVICE]).await;
    assert!(said.contains("canary, 30 % of the calls"), "{said}");
    let (_, said) = command(&cluster, "gamma", &["status"]).await;
    assert!(
        said.contains("CANARY OF") && said.contains("30 %"),
        "{said}"
    );
    // It is given its share again by a process that begins.
    let alpha = cluster.until_state("alpha", "running").await;
    visitors.until_answers(5).await;
    visitors.end().await;
    kill(alpha["pid"].as_u64().expect("it runs") as u32, "KILL").await;
    until("alpha has it again", async || {
        let status = cluster
            .admin("alpha", "/v1/status?scope=host", None)
            .await?;
        let services = status["services"].as_array()?;
        let service = services.iter().find(|it| it["name"] == SERVICE)?;
        (service["canary"]["percent"] == 30).then_some(())
    })
    .await;
    let (code, said) = command(&cluster, "beta", &["rollback", SERVICE]).await;
    assert!(
        code == 0 && said.contains("gets no calls any more"),
        "{said}"
    );
    for host in HOSTS {
        assert_eq!(running(&cluster, host).await.0, before.0, "{host}");
    }
    assert_eq!(canary(&cluster, "gamma").await, None);
    cluster.terminate().await;
}

#[tokio::test]
async fn what_needs_more_is_refused_until_that_is_granted() {
    let cluster = start_with(&placed("plain", "fixture-neighbour", &HOSTS, "")).await;
    let file = paths::guest("fixture-ungranted").display().to_string();
    let swap = ["swap", "plain", &file];
    let (code, said) = command(&cluster, "beta", &swap).await;
    let line = "grants = [\"http:HOST:PORT\"]";
    assert!(code == 1 && said.contains(line), "{said}");
    let grant = ["--grant", "grants = [\"http:127.0.0.1:9\"]"];
    let (code, said) = command(&cluster, "beta", &[&swap[..], &grant].concat()).await;
    assert_eq!(code, 0, "{said}");
    let (_, said) = command(&cluster, "alpha", &["control", "--file", "2"]).await;
    assert!(said.contains("http:127.0.0.1:9"), "{said}");
    let bad = ["--grant", "grant = 7"];
    let other = paths::guest("fixture-neighbour").display().to_string();
    let (code, said) = command(
        &cluster,
        "beta",
        &[&["swap", "plain", &other], &bad[..]].concat(),
    )
    .await;
    assert!(code != 0 && said.contains("grant"), "{said}");
    cluster.terminate().await;
}
