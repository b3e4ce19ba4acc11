//! What the commands write.

use super::*;
use expect_test::{Expect, expect};

/// What `certs show` would list.
fn listed(scene: &Scene) -> String {
    let entries = list(
        &scene.folder,
        &scene.cluster,
        &["alpha", "beta"].map(host),
        &scene.os,
    );
    let line = |entry: &Entry| {
        let signed = entry.authority.as_ref().map_or("itself", |_| "signed");
        let name = match entry.kind {
            Kind::Authority => "-",
            Kind::Host | Kind::Client => entry.name.as_str(),
        };
        let end = entry.not_after.as_deref().unwrap_or("-");
        format!(
            "{} {name} {end} {signed} {}",
            entry.kind.name(),
            entry.state.name()
        )
    };
    let lines: Vec<String> = entries.expect("listed").iter().map(line).collect();
    lines.join("\n")
}

#[test]
fn everything_is_listed_with_what_it_is_worth() {
    let scene = Scene::empty("list");
    let registrar = scene.create();
    registrar
        .init(&[host("alpha")], DAYS_DEFAULT)
        .expect("made");
    for (who, days) in [
        (scene.host("delta"), 1),
        (scene.host("epsilon"), 40),
        (scene.client("reports"), 10_000),
        (scene.client("audits"), 90),
    ] {
        registrar.issue(&who, days).expect("issued");
    }
    registrar.revoke(&scene.client("audits")).expect("written");
    scene.write("eta.pem", &scene.read("alpha.pem"));
    let other = Scene::new("list-other");
    scene.write("clients/zeta.pem", &other.read("alpha.pem"));
    other
        .registrar()
        .issue(&other.client("theta"), 9)
        .expect("issued");
    scene.write("clients/theta.pem", &other.read("clients/theta.pem"));
    scene.clock.pass(20 * DAY);
    expect![[r#"
        authority - 2035-12-30 itself good
        host alpha 2027-01-01 signed good
        host beta - itself missing
        host delta 2026-01-02 signed ended
        host epsilon 2026-02-10 signed ends soon
        host eta - itself unusable
        client audits 2026-04-01 signed revoked
        client reports 2035-12-30 signed good
        client theta 2026-01-10 itself untrusted
        client zeta - itself unusable"#]]
    .assert_eq(&listed(&scene));
}

#[test]
fn keys_are_for_their_owner_alone() {
    let scene = Scene::new("private");
    let registrar = scene.registrar();
    registrar
        .issue(&scene.client("reports"), 9)
        .expect("issued");
    registrar.renew(&scene.host("alpha"), 9).expect("issued");
    registrar.add_authority().expect("made");
    for (file, mode) in [
        ("authority-key.pem", 0o600),
        ("alpha-key.pem", 0o600),
        ("beta-key.pem", 0o600),
        ("clients/reports-key.pem", 0o600),
    ] {
        use std::os::unix::fs::PermissionsExt;
        #[allow(
            clippy::disallowed_methods,
            reason = "the host never asks for permissions"
        )]
        let found = std::fs::metadata(scene.path(file))
            .expect("there")
            .permissions();
        assert_eq!(found.mode() & 0o777, mode, "{file}");
    }
    for file in ["authority.pem", "alpha.pem", "clients/reports.pem"] {
        assert!(!scene.read(file).contains("PRIVATE"), "{file}");
    }
}

#[track_caller]
fn check<T>(scene: &Scene, done: Result<T, CertificateError>, expected: Expect) {
    expected.assert_eq(&scene.plain(&done.err().expect("refused")));
}

#[test]
fn nothing_is_overwritten_unasked() {
    let scene = Scene::new("overwrite");
    let before = scene.read("alpha.pem");
    let registrar = scene.registrar();
    check(
        &scene,
        registrar.init(&[host("gamma")], 9),
        expect![
            "DIR/authority.pem is there already, and nothing is overwritten; run `bookshop-host certs rotate FILE` to replace certificates, with --authority to replace the authority"
        ],
    );
    check(
        &scene,
        registrar.issue(&scene.host("alpha"), 9),
        expect![
            "DIR/alpha.pem is there already, and nothing is overwritten; run `bookshop-host certs rotate FILE alpha` to replace it"
        ],
    );
    scene
        .os
        .disk
        .remove(&scene.path("authority.pem"))
        .expect("removed");
    check(
        &scene,
        registrar.init(&[host("alpha")], 9),
        expect![
            "DIR/alpha.pem is there already, and nothing is overwritten; it belongs to another authority; move it away first"
        ],
    );
    assert_eq!(scene.read("alpha.pem"), before);
}

#[test]
fn without_the_key_of_the_authority_nothing_is_signed() {
    let scene = Scene::new("keyless");
    let registrar = scene.registrar();
    scene
        .os
        .disk
        .remove(&scene.path("authority-key.pem"))
        .expect("removed");
    let plain = |error: CertificateError| {
        let name = list(&scene.folder, &scene.cluster, &[], &scene.os).expect("listed")[0]
            .name
            .clone();
        scene.plain(&error).replace(&name, "authority X")
    };
    let expected = "the key of authority X is not in DIR/authority-key.pem; run this where the cluster's certificates are issued";
    let issued = registrar.issue(&scene.host("gamma"), 9);
    assert_eq!(plain(issued.expect_err("refused")), expected);
    let revoked = registrar.revoke(&scene.host("alpha"));
    assert_eq!(plain(revoked.expect_err("refused")), expected);
}

#[test]
fn a_folder_without_an_authority_is_left_as_it_is() {
    let scene = Scene::empty("nothing");
    check(
        &scene,
        Registrar::open(&scene.folder, &scene.cluster, &scene.os),
        expect![
            "there is no certificate authority in DIR; run `bookshop-host certs init FILE`, or copy the files that were made for this host there"
        ],
    );
    assert!(
        scene.os.disk.list(&scene.folder).is_err(),
        "no folder was made"
    );
    check(
        &scene,
        list(&scene.folder, &scene.cluster, &[], &scene.os),
        expect![
            "there is no certificate authority in DIR; run `bookshop-host certs init FILE`, or copy the files that were made for this host there"
        ],
    );
}

#[test]
fn what_was_revoked_stays_so_and_each_authority_has_its_list() {
    let scene = Scene::new("lists");
    let registrar = scene.registrar();
    assert!(registrar.revoke(&scene.host("alpha")).expect("written"));
    assert!(
        !registrar.revoke(&scene.host("alpha")).expect("read"),
        "once is enough"
    );
    registrar
        .issue(&scene.client("reports"), 90)
        .expect("issued");
    registrar.add_authority().expect("made");
    registrar
        .issue(&scene.client("audits"), 90)
        .expect("issued");
    // The older authority signs a list of its own beside that of the new one.
    registrar.revoke(&scene.client("audits")).expect("written");
    registrar.revoke(&scene.client("reports")).expect("written");
    let content = scene.read("revoked.pem");
    let lists = revocation::List::read_all(content.as_bytes()).expect("readable");
    let mut counts: Vec<(usize, u64)> = lists
        .iter()
        .map(|list| (list.revoked.len(), list.number))
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [(1, 1), (2, 2)]);
    expect![[r#"
        authority - 2035-12-30 itself good
        authority - 2035-12-30 itself good
        host alpha 2027-01-01 signed revoked
        host beta 2027-01-01 signed good
        client audits 2026-04-01 signed revoked
        client reports 2026-04-01 signed revoked"#]]
    .assert_eq(&listed(&scene));
    // What is revoked or has ended holds nobody back, and the list of a retired authority goes with it.
    registrar.renew(&scene.host("beta"), 90).expect("issued");
    registrar.retire().expect("retired");
    let content = scene.read("revoked.pem");
    let lists = revocation::List::read_all(content.as_bytes()).expect("readable");
    assert_eq!(lists.len(), 1);
    registrar.renew(&scene.host("alpha"), 90).expect("issued");
    expect![[r#"
        authority - 2035-12-30 itself good
        host alpha 2026-04-01 signed good
        host beta 2026-04-01 signed good
        client audits 2026-04-01 signed revoked
        client reports 2026-04-01 itself untrusted"#]]
    .assert_eq(&listed(&scene));
}

#[test]
fn a_revoked_name_can_have_a_new_certificate() {
    let scene = Scene::new("again");
    let registrar = scene.registrar();
    registrar.revoke(&scene.host("alpha")).expect("written");
    registrar.renew(&scene.host("alpha"), 90).expect("issued");
    assert!(scene.try_credentials("alpha").is_ok());
}

#[test]
fn entries_of_what_has_ended_by_itself_leave_the_list() {
    let scene = Scene::new("prune");
    let registrar = scene.registrar();
    registrar.revoke(&scene.host("alpha")).expect("written");
    // The authority is about to end; the list outlives what is on it.
    scene.clock.pass(3651 * DAY);
    registrar.revoke(&scene.host("beta")).expect("written");
    let content = scene.read("revoked.pem");
    let lists = revocation::List::read_all(content.as_bytes()).expect("readable");
    assert_eq!(lists[0].revoked.len(), 1);
}

#[test]
fn authorities_are_bounded() {
    let scene = Scene::new("many");
    let registrar = scene.registrar();
    for _ in 1..AUTHORITIES_MAX {
        registrar.add_authority().expect("made");
    }
    check(
        &scene,
        registrar.add_authority(),
        expect!["4 authorities are trusted already; run `bookshop-host certs retire FILE` first"],
    );
}

#[test]
fn serial_numbers_do_not_repeat_and_have_one_length() {
    let scene = Scene::new("serials");
    let folder = folder::Folder::new(&scene.folder, Arc::clone(&scene.os.disk));
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        scene
            .registrar()
            .renew(&scene.host("alpha"), 9)
            .expect("issued");
        let (_, usable) = files::look(&folder, &scene.host("alpha"), None, NEW_YEAR)
            .expect("usable")
            .expect("new");
        assert_eq!(usable.facts.serial.len(), 16);
        assert!(seen.insert(usable.facts.serial));
    }
}
