//! Services that are replaced by ones of another version of their interface, while callers that know the first one go on calling: in process, across hosts,
//! and where an answer was kept for a call that is repeated.

use crate::between_cluster::{call_with, placed};
use crate::cluster::Cluster;
use crate::paths;
use crate::replicas_cluster::HOSTS;
use crate::swaps::{command, start_with};
use bookshop_host::client::CallOptions;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// What the first version answers to its readers, and what is left of the answer of the next one.
const FIRST: &str = "1 Some(\"Emma\") Kind::Novel";
const NEXT: &str = "2 None Kind::Novel";

/// A reader on alpha and beta with a shelf on beta and gamma, and a clerk on alpha with an archive of three replicas.
fn sections() -> String {
    let link = |to: &str| format!("links = {{ \"fixture:evolution/shelf\" = {{ to = {to:?} }} }}");
    placed(
        "reader",
        "fixture-shelf-reader",
        &["alpha", "beta"],
        &link("shelf"),
    ) + &placed(
        "shelf",
        "fixture-shelf",
        &["beta", "gamma"],
        "swap = { watch = \"50ms\" }",
    ) + &placed(
        "clerk",
        "fixture-shelf-reader",
        &["alpha"],
        &link("archive"),
    ) + &placed(
        "archive",
        "fixture-shelf",
        &HOSTS,
        "replicated = { replicas = 3 }\nswap = { watch = \"50ms\" }",
    )
}

async fn put(cluster: &Cluster, through: &str, service: &str, key: Option<&str>) -> Value {
    let options = CallOptions {
        timeout: Some(Duration::from_secs(10)),
        idempotency_key: key.map(Into::into),
        ..CallOptions::default()
    };
    let (function, arguments) = (format!("{service}.put"), json!(["Emma", 474]));
    let put = call_with(cluster, through, &function, &arguments, &options);
    put.await.expect("it is answered")
}

async fn replace(cluster: &Cluster, service: &str, guest: &str) {
    let file = paths::guest(guest).display().to_string();
    let (code, said) = command(cluster, "gamma", &["swap", service, &file]).await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test]
async fn callers_of_another_version_of_the_interface_are_served_on_all_hosts_meanwhile() {
    let cluster = Arc::new(start_with(&sections()).await);
    for host in ["alpha", "beta", "gamma"] {
        assert_eq!(put(&cluster, host, "reader", None).await, FIRST, "{host}");
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for host in ["alpha", "beta"] {
        let (cluster, is_over) = (Arc::clone(&cluster), Arc::clone(&is_over));
        readers.spawn(async move {
            let mut answers = [0_u32; 2];
            while !is_over.load(Ordering::SeqCst) {
                let answer = put(&cluster, host, "reader", None).await;
                let which = [FIRST, NEXT].iter().position(|known| answer == *known);
                answers[which.expect("one of the two answers")] += 1;
            }
            answers
        });
    }
    replace(&cluster, "shelf", "fixture-shelf-next").await;
    for host in ["alpha", "beta", "gamma"] {
        assert_eq!(put(&cluster, host, "reader", None).await, NEXT, "{host}");
    }
    is_over.store(true, Ordering::SeqCst);
    while let Some(answers) = readers.join_next().await {
        let answers = answers.expect("no call failed");
        assert!(answers[1] > 0, "{answers:?}");
    }
    // Who asks now sees the version that runs now, with all that it has.
    let options = CallOptions::default();
    let rows = call_with(&cluster, "alpha", "shelf.rows", &json!([]), &options).await;
    assert_eq!(rows, Ok(json!(2)));
    let (code, said) = command(&cluster, "alpha", &["rollback", "shelf"]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(put(&cluster, "alpha", "reader", None).await, FIRST);
    let cluster = Arc::into_inner(cluster).expect("nobody calls any more");
    cluster.terminate().await;
}

#[tokio::test]
async fn an_answer_that_was_kept_comes_again_as_its_caller_knows_it() {
    let cluster = start_with(&sections()).await;
    assert_eq!(put(&cluster, "beta", "clerk", Some("one")).await, FIRST);
    replace(&cluster, "archive", "fixture-shelf-next").await;
    assert_eq!(put(&cluster, "gamma", "clerk", Some("one")).await, FIRST);
    assert_eq!(put(&cluster, "gamma", "clerk", Some("two")).await, NEXT);
    replace(&cluster, "archive", "fixture-shelf").await;
    assert_eq!(put(&cluster, "alpha", "clerk", Some("two")).await, NEXT);
    assert_eq!(put(&cluster, "alpha", "clerk", Some("three")).await, FIRST);
    cluster.terminate().await;
}
