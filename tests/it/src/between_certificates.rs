//! Who may connect between hosts: papers that are missing, foreign, of the wrong kind or revoked, and papers that change.

use crate::between_cluster::{
    assert_says, assert_unavailable, call, certs, placed, shop_with, start, until_link, until_log,
};
use crate::between_stranger::{
    Papers, certificates, other_authority, shake_hands, shown, sign, until_closed,
};
use crate::cluster::{Cluster, until, write_config};
use crate::processes::good_order;
use bookshop_host::certificates::Role;
use serde_json::json;
use std::cell::Cell;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(5);

fn echo_on_beta() -> String {
    placed("hostile", "fixture-hostile", &["beta"], "")
}

#[tokio::test]
async fn nobody_without_the_papers_of_a_host_gets_in_and_the_log_says_why() {
    let cluster = start(&["alpha", "beta"], &echo_on_beta()).await;
    let own = certificates(&cluster.file);
    let same_name = other_authority(&cluster.file, "test", &["alpha", "beta"]);
    certs(&cluster, "issue", &["reports", "--client"]).await;
    // The same authority signs for a host of another cluster.
    let copied = cluster.file.with_file_name("certs-copied");
    std::fs::create_dir_all(&copied).expect("the folder can be made");
    for file in ["authority.pem", "authority-key.pem"] {
        std::fs::copy(own.join(file), copied.join(file)).expect("the file is there");
    }
    sign(&copied, "elsewhere", "alpha", Role::Host);
    sign(&copied, "test", "omega", Role::Host);

    let beta = cluster.host("beta").peer;
    for (papers, reason) in [
        (None, "presented no certificate"),
        (
            Some(Papers::read(&same_name, "alpha")),
            "not signed by this cluster's authority",
        ),
        (
            Some(Papers::read(&copied, "alpha")),
            "is of cluster elsewhere, not of test",
        ),
        (
            Some(Papers::read(&own, "clients/reports")),
            "is of client reports, and only hosts may connect here",
        ),
        (
            Some(Papers::read(&copied, "omega")),
            "names host omega, which is no other host of the cluster file",
        ),
        (
            Some(Papers::read(&own, "beta")),
            "names host beta, which is no other host of the cluster file",
        ),
    ] {
        if let Ok(mut stream) = shake_hands(beta, papers).await {
            until_closed(&mut stream).await;
        }
        until_log(
            &cluster,
            "beta",
            &["refused 127.0.0.1:", "as a peer", reason],
        )
        .await;
    }
    let answer = call(&cluster, "alpha", "hostile.echo", &json!([[1]]), WITHIN).await;
    assert_eq!(answer, Ok(json!([1])));
    cluster.terminate().await;
}

#[tokio::test]
async fn a_host_whose_certificate_is_revoked_while_it_runs_is_refused_until_it_has_another() {
    let cluster = start(&["alpha", "beta"], &echo_on_beta()).await;
    certs(&cluster, "revoke", &["beta"]).await;
    let why = until_link(&cluster, "alpha", "beta", "down").await;
    assert_says(&why["reason"], &["revoked"]);
    until_log(
        &cluster,
        "alpha",
        &["refused", "as a peer", "its certificate was revoked"],
    )
    .await;
    until_log(
        &cluster,
        "beta",
        &["the certificate of this host was revoked", "certs rotate"],
    )
    .await;
    let refused = call(&cluster, "alpha", "hostile.echo", &json!([[1]]), WITHIN).await;
    let error = refused.expect_err("beta is not trusted");
    assert_unavailable(&error, false, &["hostile", "beta", "revoked"]);

    certs(&cluster, "rotate", &["beta"]).await;
    until_link(&cluster, "alpha", "beta", "up").await;
    let answer = call(&cluster, "alpha", "hostile.echo", &json!([[1]]), WITHIN).await;
    assert_eq!(answer, Ok(json!([1])));
    cluster.terminate().await;
}

#[tokio::test]
async fn certificates_are_replaced_under_checkouts_and_none_of_them_fails() {
    let cluster = start(&["alpha", "beta"], &shop_with("fraud-detection", &["beta"])).await;
    let folder = certificates(&cluster.file);
    let beta = cluster.host("beta").peer;
    let old = shown(beta, Papers::read(&folder, "alpha")).await;
    let is_done = Cell::new(false);
    let rotate = async {
        certs(&cluster, "rotate", &[]).await;
        until("beta shows another certificate", async || {
            (shown(beta, Papers::read(&folder, "alpha")).await != old).then_some(())
        })
        .await;
        // Alpha may be up to a second behind, and connections change hands only then.
        for host in ["alpha", "beta"] {
            until_log(&cluster, host, &["took new certificates"]).await;
        }
        for _ in 0..20 {
            assert_checkout(&cluster).await;
        }
        is_done.set(true);
    };
    let checkouts = async {
        while !is_done.get() {
            assert_checkout(&cluster).await;
        }
    };
    tokio::join!(rotate, checkouts);
    cluster.terminate().await;
}

async fn assert_checkout(cluster: &Cluster) {
    let answer = cluster.checkout("alpha", &good_order()).await;
    let (status, answer) = answer.expect("alpha answers");
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn clusters_that_are_given_each_others_ports_do_not_talk() {
    let ours = start(&["alpha", "beta"], &echo_on_beta()).await;
    for name in ["test", "theirs"] {
        let (file, mut addresses) = write_config(&["alpha", "beta"], &echo_on_beta());
        let text = std::fs::read_to_string(&file).expect("the file is there");
        let text = text.replace("name = \"test\"", &format!("name = \"{name}\""));
        // Their beta is where ours is.
        let (wrong, right) = (
            addresses[1].peer.to_string(),
            ours.host("beta").peer.to_string(),
        );
        std::fs::write(&file, text.replace(&wrong, &right)).expect("the file can be written");
        addresses.truncate(1);
        let theirs = Cluster::spawn(&file, addresses, &["--host", "alpha"]);
        let why = until_link(&theirs, "alpha", "beta", "down").await;
        assert_says(&why["reason"], &["is not to be trusted", &right]);
        let refused = call(&theirs, "alpha", "hostile.echo", &json!([[1]]), WITHIN).await;
        assert_unavailable(
            &refused.expect_err("it is another cluster's"),
            false,
            &["hostile", "beta"],
        );
        until_log(&ours, "beta", &["refused 127.0.0.1:", "as a peer"]).await;
        theirs.terminate().await;
    }
    let answer = call(&ours, "alpha", "hostile.echo", &json!([[1]]), WITHIN).await;
    assert_eq!(answer, Ok(json!([1])));
    ours.terminate().await;
}
