//! Certificates that nobody asked for.

use super::*;
use crate::config::Config;
use expect_test::{Expect, expect};

/// A cluster file with these hosts, each on `address`, and the folder of the scene.
fn config(scene: &Scene, hosts: &[&str], address: &str) -> Config {
    let mut text = format!(
        "[cluster]\nname = \"shop\"\ncertificates = {:?}\n",
        scene.folder.display().to_string()
    );
    for (index, name) in hosts.iter().enumerate() {
        let port = 7000 + 10 * index;
        text += &format!(
            "[[host]]\nname = \"{name}\"\nhttp = \"0.0.0.0:{}\"\npeer = \"{address}:{}\"\napi = \"127.0.0.1:{}\"\nadmin = \"127.0.0.1:{}\"\n",
            port,
            port + 1,
            port + 2,
            port + 3
        );
    }
    Config::parse(Path::new("config/shop.toml"), &text).expect("good")
}

#[track_caller]
fn check(scene: &Scene, config: &Config, expected: Expect) {
    let said = match prepare(config, &scene.os) {
        Ok(prepared) => {
            assert_eq!(
                prepared.is_empty(),
                prepared.to_string().starts_with("made no ")
            );
            scene.plain(&prepared)
        }
        Err(error) => format!("error: {}", scene.plain(&error)),
    };
    expected.assert_eq(&said);
}

#[tokio::test]
async fn development_on_one_machine_needs_no_command() {
    let scene = Scene::empty("prepare");
    let two = config(&scene, &["alpha", "beta"], "127.0.0.1");
    check(
        &scene,
        &two,
        expect!["made a development authority in DIR, and certificates for alpha, beta"],
    );
    check(&scene, &two, expect!["made no certificates in DIR"]);
    let seen = connect(
        &scene.credentials("alpha"),
        &scene.credentials("beta"),
        "beta",
    )
    .await;
    assert_eq!(seen, (accepted("host alpha"), accepted("host beta")));
    let before = scene.read("authority.pem");
    let three = config(&scene, &["alpha", "beta", "gamma"], "127.0.0.1");
    check(
        &scene,
        &three,
        expect!["made certificates in DIR for gamma"],
    );
    assert_eq!(scene.read("authority.pem"), before);
}

#[test]
fn hosts_that_others_can_reach_are_not_given_an_authority_unasked() {
    let scene = Scene::empty("reachable");
    let config = config(&scene, &["alpha"], "10.0.0.1");
    check(
        &scene,
        &config,
        expect![
            "error: there is no certificate authority in DIR; run `bookshop-host certs init config/shop.toml`, or copy the files that were made for this host there"
        ],
    );
    assert!(
        scene.os.disk.list(&scene.folder).is_err(),
        "no folder was made"
    );
}

#[test]
fn with_an_authority_hosts_of_any_address_are_given_what_is_missing() {
    let scene = Scene::new("added");
    let config = config(&scene, &["alpha", "delta"], "10.0.0.1");
    check(
        &scene,
        &config,
        expect!["made certificates in DIR for delta"],
    );
}

#[test]
fn where_the_key_is_elsewhere_nothing_is_made() {
    let scene = Scene::new("elsewhere");
    for file in ["authority-key.pem", "lock"] {
        scene.os.disk.remove(&scene.path(file)).expect("removed");
    }
    let config = config(&scene, &["alpha", "delta"], "10.0.0.1");
    check(&scene, &config, expect!["made no certificates in DIR"]);
    assert!(
        scene.os.disk.read(&scene.path("lock")).is_err(),
        "the folder may be read-only"
    );
}

#[test]
fn processes_that_start_at_once_make_one_set() {
    let scene = Scene::empty("race");
    let config = Arc::new(config(&scene, &["alpha", "beta"], "127.0.0.1"));
    let start = Arc::new(std::sync::Barrier::new(8));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (config, os, start) = (Arc::clone(&config), scene.os.clone(), Arc::clone(&start));
            task::thread("prepare", move || {
                start.wait();
                prepare(&config, &os).expect("prepared")
            })
            .expect("started")
        })
        .collect();
    let made: Vec<Prepared> = threads
        .into_iter()
        .map(|thread| thread.join().expect("no panic"))
        .collect();
    assert_eq!(made.iter().filter(|made| made.authority).count(), 1);
    assert_eq!(made.iter().map(|made| made.hosts.len()).sum::<usize>(), 2);
    for name in ["alpha", "beta"] {
        scene.credentials(name);
    }
}
