//! Files that change under a running host.

use super::*;
use crate::telemetry::Log;
use expect_test::{Expect, expect};

async fn know_each_other(one: &Credentials, other: &Credentials, names: [&str; 2]) {
    let seen = connect(one, other, names[1]).await;
    let expected = |who: &str| accepted(&format!("host {who}"));
    assert_eq!(seen, (expected(names[0]), expected(names[1])));
    let seen = connect(other, one, names[0]).await;
    assert_eq!(seen, (expected(names[1]), expected(names[0])));
}

#[tokio::test]
async fn a_new_certificate_takes_effect_without_a_restart() {
    let scene = Scene::new("rotate");
    let (alpha, beta) = (scene.credentials("alpha"), scene.credentials("beta"));
    let changes = alpha.changes();
    let before = scene.read("alpha.pem");
    assert!(!alpha.reload().expect("usable"), "nothing changed yet");
    scene
        .registrar()
        .renew(&scene.host("alpha"), DAYS_DEFAULT)
        .expect("issued");
    assert_ne!(scene.read("alpha.pem"), before);
    assert!(alpha.reload().expect("usable"));
    assert!(!alpha.reload().expect("usable"), "taken once");
    assert_eq!(*changes.borrow(), 1);
    know_each_other(&alpha, &beta, ["alpha", "beta"]).await;
}

#[tokio::test]
async fn an_authority_is_replaced_while_hosts_of_both_talk() {
    let scene = Scene::new("authority");
    let (alpha, beta) = (scene.credentials("alpha"), scene.credentials("beta"));
    let talk = || know_each_other(&alpha, &beta, ["alpha", "beta"]);
    let renew = |name: &str| {
        let who = scene.host(name);
        scene.registrar().renew(&who, DAYS_DEFAULT).expect("issued");
    };
    scene.registrar().add_authority().expect("made");
    talk().await;
    assert!(alpha.reload().expect("usable"));
    talk().await;
    // Before beta trusts the new authority alpha must not show a certificate of it.
    assert!(beta.reload().expect("usable"));
    renew("alpha");
    assert!(alpha.reload().expect("usable"));
    talk().await;
    let refusal = scene.registrar().retire().expect_err("beta is in the way");
    expect!["still signed by an older authority: host beta; run `bookshop-host certs rotate FILE` first, with --client for clients"]
        .assert_eq(&refusal.to_string());
    renew("beta");
    assert!(beta.reload().expect("usable"));
    talk().await;
    assert_eq!(scene.registrar().retire().expect("retired").len(), 1);
    assert!(alpha.reload().expect("usable"));
    talk().await;
    assert!(beta.reload().expect("usable"));
    talk().await;
    expect!["there is only one authority; nothing can be retired before `bookshop-host certs rotate FILE --authority`"]
        .assert_eq(&scene.registrar().retire().expect_err("one left").to_string());
}

#[tokio::test]
async fn a_host_of_a_retired_authority_is_refused() {
    let scene = Scene::new("retired");
    let (alpha, beta) = (scene.credentials("alpha"), scene.credentials("beta"));
    scene.registrar().add_authority().expect("made");
    for name in ["alpha", "beta"] {
        let who = scene.host(name);
        scene.registrar().renew(&who, DAYS_DEFAULT).expect("issued");
    }
    scene.registrar().retire().expect("retired");
    assert!(beta.reload().expect("usable"));
    let (by_server, _) = shake(
        {
            // Alpha still has its old certificate, and takes the new one of beta.
            let mut client = ClientConfig::clone(&beta.client());
            client.client_auth_cert_resolver = alpha.client().client_auth_cert_resolver.clone();
            Arc::new(client)
        },
        alpha.server_name(&host("beta")),
        beta.server(),
    )
    .await;
    assert_eq!(
        by_server,
        refused("its certificate is not signed by this cluster's authority")
    );
}

/// Writes `content` to `file`, expects the set to be refused and the old one to stay, and then to be fine again.
async fn check(scene: &Scene, file: &str, content: &str, expected: Expect) {
    let (alpha, beta) = (scene.credentials("alpha"), scene.credentials("beta"));
    let is_new = scene.os.disk.read(&scene.path(file)).is_err();
    let before = (!is_new).then(|| scene.read(file));
    scene.write(file, content);
    let error = alpha.reload().expect_err("refused");
    expected.assert_eq(&scene.plain(&error));
    assert_eq!(*alpha.changes().borrow(), 0);
    know_each_other(&alpha, &beta, ["alpha", "beta"]).await;
    match before {
        Some(before) => scene.write(file, &before),
        None => scene.os.disk.remove(&scene.path(file)).expect("removed"),
    }
    assert!(!alpha.reload().expect("usable"), "nothing is new");
}

#[tokio::test]
async fn files_that_are_broken_or_do_not_fit_never_take_effect() {
    let scene = Scene::new("broken");
    let other = Scene::new("broken-other");
    let half = scene.read("alpha.pem");
    let half = &half[..half.len() / 2];
    check(
        &scene,
        "alpha.pem",
        half,
        expect!["DIR/alpha.pem holds a block that is cut off"],
    )
    .await;
    check(
        &scene,
        "alpha.pem",
        "",
        expect!["DIR/alpha.pem holds no certificate"],
    )
    .await;
    check(
        &scene,
        "alpha.pem",
        &scene.read("beta.pem"),
        expect!["DIR/alpha.pem is the certificate of host beta of cluster shop, not of host alpha of cluster shop"],
    )
    .await;
    check(
        &scene,
        "alpha-key.pem",
        &scene.read("beta-key.pem"),
        expect!["DIR/alpha-key.pem holds no key that fits DIR/alpha.pem; copy both files of one `bookshop-host certs` together"],
    )
    .await;
    check(
        &scene,
        "authority.pem",
        &other.read("authority.pem"),
        expect!["DIR/alpha.pem is not signed by an authority of DIR/authority.pem (invalid peer certificate: UnknownIssuer); copy the files of one `bookshop-host certs` together"],
    )
    .await;
    check(
        &scene,
        "authority.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        expect!["DIR/authority.pem holds something that is no certificate"],
    )
    .await;
    check(
        &scene,
        "revoked.pem",
        "none yet",
        expect!["DIR/revoked.pem holds no revocation list; remove it if nothing is revoked"],
    )
    .await;
}

#[tokio::test]
async fn a_list_that_the_authority_did_not_sign_never_takes_effect() {
    let scene = Scene::new("forged-list");
    scene
        .registrar()
        .revoke(&scene.host("beta"))
        .expect("written");
    let genuine = scene.read("revoked.pem");
    // One character of the signature, which stands at the end.
    let at = genuine.find("\n-----END").expect("an end") - 8;
    let other = if &genuine[at..=at] == "A" { "B" } else { "A" };
    let forged = format!("{}{other}{}", &genuine[..at], &genuine[at + 1..]);
    scene
        .os
        .disk
        .remove(&scene.path("revoked.pem"))
        .expect("removed");
    check(
        &scene,
        "revoked.pem",
        &forged,
        expect!["DIR/revoked.pem holds a list that its authority did not sign; restore it, or run `bookshop-host certs revoke` again"],
    )
    .await;
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let scene = Scene::new("missing");
    scene
        .os
        .disk
        .remove(&scene.path("alpha-key.pem"))
        .expect("removed");
    let said = |name: &str| scene.plain(&scene.try_credentials(name).err().expect("refused"));
    expect!["host alpha has no certificate: DIR/alpha-key.pem is missing; run `bookshop-host certs issue FILE alpha` where the authority's key is, and copy it here"].assert_eq(&said("alpha"));
    expect!["host gamma has no certificate: DIR/gamma.pem is missing; run `bookshop-host certs issue FILE gamma` where the authority's key is, and copy it here"].assert_eq(&said("gamma"));
    scene
        .os
        .disk
        .remove(&scene.path("authority.pem"))
        .expect("removed");
    expect!["there is no certificate authority in DIR; run `bookshop-host certs init FILE`, or copy the files that were made for this host there"].assert_eq(&said("beta"));
}

#[tokio::test]
async fn a_host_does_not_start_with_a_certificate_that_nobody_takes() {
    let scene = Scene::new("useless");
    scene
        .registrar()
        .revoke(&scene.host("alpha"))
        .expect("written");
    let said = |name: &str| {
        scene
            .try_credentials(name)
            .err()
            .expect("refused")
            .to_string()
    };
    expect!["the certificate of host alpha was revoked; run `bookshop-host certs rotate FILE alpha` if it may come back"]
        .assert_eq(&said("alpha"));
    scene.clock.pass(366 * DAY);
    expect!["the certificate of host beta ended on 2027-01-01; run `bookshop-host certs rotate FILE beta`"]
        .assert_eq(&said("beta"));
}

#[tokio::test]
async fn the_key_in_transit_is_found_beside_the_old_one() {
    let scene = Scene::new("transit");
    let (alpha, old_key) = (scene.credentials("alpha"), scene.read("alpha-key.pem"));
    let old_certificate = scene.read("alpha.pem");
    scene
        .registrar()
        .renew(&scene.host("alpha"), 30)
        .expect("issued");
    let new_key = scene.read("alpha-key.pem");
    // As a reader finds the files between the steps of a replacement.
    scene.write("alpha-key.pem", &format!("{new_key}{old_key}"));
    assert!(alpha.reload().expect("usable"));
    scene.write("alpha.pem", &old_certificate);
    assert!(alpha.reload().expect("usable"));
}

/// The lines that were logged, without times.
fn lines(scene: &Scene, log: &Log) -> String {
    let records = log.lock().last(100, |_| true);
    let lines = records
        .iter()
        .map(|record| format!("{} {}", record.level.name(), record.message));
    scene.plain(&lines.collect::<Vec<_>>().join("\n"))
}

#[tokio::test]
async fn a_watching_host_follows_and_says_each_thing_once() {
    let scene = Scene::new("watch");
    let alpha = scene.credentials("alpha");
    let mut changes = alpha.changes();
    let log = Log::new("alpha", Arc::clone(&scene.os.clock));
    let _watching = task::spawn(alpha.clone().watch(log.clone()));
    let look = async |seconds: u64| {
        let until = scene.os.clock.monotonic() + Duration::from_secs(seconds);
        while scene.os.clock.monotonic() < until {
            task::yield_now().await;
        }
    };
    let good = scene.read("alpha.pem");
    scene.write("alpha.pem", "");
    look(5).await;
    scene.write("alpha.pem", &good);
    look(5).await;
    scene
        .registrar()
        .renew(&scene.host("alpha"), 40)
        .expect("issued");
    changes.changed().await.expect("watched");
    look(2).await;
    expect![[r#"
        error kept the old certificates, since the new ones cannot be used: DIR/alpha.pem holds no certificate
        info took new certificates of DIR; this host's ends on 2026-02-10"#]]
    .assert_eq(&lines(&scene, &log));
}

#[tokio::test]
async fn an_end_that_comes_near_is_warned_about_once_a_day() {
    let scene = Scene::new("warn");
    let alpha = scene.credentials("alpha");
    let log = Log::new("alpha", Arc::clone(&scene.os.clock));
    let _watching = task::spawn(alpha.clone().watch(log.clone()));
    let look = async |seconds: u64| {
        let until = scene.os.clock.monotonic() + Duration::from_secs(seconds);
        while scene.os.clock.monotonic() < until {
            task::yield_now().await;
        }
    };
    scene.clock.pass(330 * DAY);
    look(3).await;
    assert_eq!(lines(&scene, &log), "");
    scene.clock.pass(10 * DAY);
    look(100).await;
    let warning = "warn the certificate of this host ends on 2027-01-01; run `bookshop-host certs rotate FILE alpha`";
    assert_eq!(lines(&scene, &log), warning);
    // Only the monotonic clock counts days between warnings.
    scene
        .clock
        .monotonic_ms
        .fetch_add(86_400_000, Ordering::Relaxed);
    look(100).await;
    assert_eq!(lines(&scene, &log), format!("{warning}\n{warning}"));
    scene
        .registrar()
        .revoke(&scene.host("alpha"))
        .expect("written");
    look(100).await;
    let last = lines(&scene, &log)
        .lines()
        .last()
        .unwrap_or_default()
        .to_owned();
    expect![
        "warn the certificate of this host was revoked; run `bookshop-host certs rotate FILE alpha`"
    ]
    .assert_eq(&last);
}
