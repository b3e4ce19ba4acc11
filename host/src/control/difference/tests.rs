use super::*;
use expect_test::{Expect, expect};
use std::path::Path;

/// Hosts of this name, each with addresses of its own.
fn host(name: &str, number: usize) -> String {
    format!(
        "[[host]]\nname = \"{name}\"\nhttp = \"127.0.0.1:{number}1\"\npeer = \"127.0.0.1:{number}2\"\napi = \"127.0.0.1:{number}3\"\nadmin = \"127.0.0.1:{number}4\"\n"
    )
}

fn file(cluster: &str, hosts: &[&str], services: &str) -> String {
    let hosts: String = (1..)
        .zip(hosts)
        .map(|(number, name)| host(name, number))
        .collect();
    format!("[cluster]\nname = \"shop\"\n{cluster}{hosts}{services}")
}

fn read(text: &str) -> Config {
    Config::parse(Path::new("config/shop.toml"), text).expect("a good file")
}

fn component(service: &str, digit: &str) -> Component {
    Component {
        service: service.into(),
        digest: digit.repeat(64),
        bytes: 1,
        canary: None,
    }
}

#[track_caller]
fn check(before: &str, after: &str, expected: Expect) {
    check_with(before, &[], after, &[], expected);
}

#[track_caller]
fn check_with(before: &str, old: &[Component], after: &str, new: &[Component], expected: Expect) {
    let (before, after) = (read(before), read(after));
    let before = Side {
        config: &before,
        components: old,
    };
    let after = Side {
        config: &after,
        components: new,
    };
    let lines: Vec<String> = difference(before, after)
        .iter()
        .map(ToString::to_string)
        .collect();
    expected.assert_eq(&lines.join("\n"));
}

const FRAUD: &str = "[service.fraud]\nwasm = \"f.wasm\"\n";

const STORE: &str =
    "[service.store]\nwasm = \"s.wasm\"\nhosts = [\"alpha\"]\nreplicated = { replicas = 1 }\n";

#[test]
fn equal_files_differ_in_nothing() {
    let text = file("", &["alpha"], &format!("{FRAUD}{STORE}"));
    check(&text, &text, expect![""]);
    // Written otherwise, it is the same.
    let other = text.replace(
        "f.wasm\"\n",
        "f.wasm\"\nlimits = { memory = \"65536KiB\" }\nhosts = \"all\"\n",
    );
    check(&text, &other, expect![""]);
}

#[test]
fn each_key_is_a_line() {
    let one = file("", &["alpha"], FRAUD);
    let two = file(
        "drain-timeout = \"1min\"\ncontrol = true\n",
        &["alpha"],
        "[service.fraud]\nwasm = \"f2.wasm\"\ninstance = \"pooled\"\nhttp = {}\nconfig = { level = \"0.8\" }\ngrants = [\"env:REGION\"]\n[service.fraud.limits]\nmemory = \"32MiB\"\ntime = \"250ms\"\n[service.fraud.links.\"a:b/c\"]\nto = \"fraud\"\n[chaos]\nenabled = true\n",
    );
    check(
        &one,
        &two,
        expect![[r#"
            ~ cluster: drain-timeout 10s → 1min
            ~ cluster: control false → true
            ~ chaos: enabled false → true
            ~ service fraud: wasm f.wasm → f2.wasm
            ~ service fraud: instance per-call → pooled
            ~ service fraud: limits.memory 64MiB → 32MiB
            ~ service fraud: limits.time 5s → 250ms
            ~ service fraud: retire-after unset → 1000
            ~ service fraud: http.path unset → /
            ~ service fraud: config.level unset → "0.8"
            ~ service fraud: grants unset → env:REGION
            ~ service fraud: links.a:b/c unset → fraud
            + service control (on alpha); it begins empty"#]],
    );
}

#[test]
fn another_component_is_a_change_though_the_file_is_the_same() {
    let text = file("", &["alpha"], &format!("{FRAUD}{STORE}"));
    check_with(
        &text,
        &[component("fraud", "5"), component("store", "a")],
        &text,
        &[component("fraud", "9"), component("store", "a")],
        expect!["~ service fraud: component 555555555555 → 999999999999"],
    );
}

#[test]
fn services_come_and_go() {
    let one = file("", &["alpha", "beta"], &format!("{FRAUD}{STORE}"));
    let two = file(
        "",
        &["alpha", "beta"],
        "[service.reviews]\nwasm = \"r.wasm\"\n",
    );
    check(
        &one,
        &two,
        expect![[r#"
            - service fraud
            - service store; what it keeps is lost on alpha
            + service reviews (on alpha, beta)"#]],
    );
    check(
        &two,
        &one,
        expect![[r#"
            - service reviews
            + service fraud (on alpha, beta)
            + service store (on alpha); it begins empty"#]],
    );
    check(
        &file("", &["alpha"], STORE),
        &file(
            "",
            &["alpha"],
            "[service.store]\nwasm = \"s.wasm\"\nhosts = [\"alpha\"]\n",
        ),
        expect![[r#"
            ~ service store: replicated.replicas 1 → unset; what it keeps is lost on alpha
            ~ service store: replicated.queries  → unset
            ~ service store: replicated.session-age 24h → unset
            ~ service store: replicated.sessions 16MiB → unset"#]],
    );
}

#[test]
fn hosts_come_and_go_and_services_with_them() {
    let store = |hosts: &str, replicas: u32| {
        format!(
            "{FRAUD}[service.store]\nwasm = \"s.wasm\"\nhosts = {hosts}\nreplicated = {{ replicas = {replicas} }}\n"
        )
    };
    let one = file("control = true\n", &["alpha"], &store("[\"alpha\"]", 1));
    let three = file(
        "control = true\n",
        &["alpha", "beta", "gamma"],
        &store("[\"alpha\", \"beta\", \"gamma\"]", 3),
    );
    check(
        &one,
        &three,
        expect![[r#"
            + host beta (127.0.0.1:22); it joins; start it with this file
            + host gamma (127.0.0.1:32); it joins; start it with this file
            ~ service control: hosts alpha → alpha, beta, gamma; beta fetches its state and joins, gamma fetches its state and joins
            ~ service control: replicated.replicas 1 → 3
            ~ service fraud: hosts alpha → alpha, beta, gamma; beta starts it, gamma starts it
            ~ service store: hosts alpha → alpha, beta, gamma; beta fetches its state and joins, gamma fetches its state and joins
            ~ service store: replicated.replicas 1 → 3"#]],
    );
    check(
        &file("", &["alpha", "beta"], STORE),
        &file("", &["alpha"], STORE).replace("127.0.0.1:13", "127.0.0.1:99"),
        expect![[r#"
            ~ host alpha: api 127.0.0.1:13 → 127.0.0.1:99
            - host beta; it leaves; stop it once the others run this revision"#]],
    );
    check(
        &file("", &["alpha", "beta"], STORE),
        &file("", &["alpha", "beta"], &STORE.replace("alpha", "beta")),
        expect![
            "~ service store: hosts alpha → beta; beta fetches its state and joins, alpha leaves its group"
        ],
    );
}

#[test]
fn a_summary_has_as_many_lines_as_fit() {
    let (before, after) = (
        read(&file("", &["alpha"], FRAUD)),
        read(&file("workers = 2\nhops-max = 3\n", &["alpha"], FRAUD)),
    );
    let side = |config| Side {
        config,
        components: &[],
    };
    let changes = difference(side(&before), side(&after));
    let whole = "~ cluster: hops-max 16 → 3\n~ cluster: workers 0 → 2";
    assert_eq!(summary(&changes, 1_000), whole);
    assert_eq!(
        summary(&changes, 50),
        "~ cluster: hops-max 16 → 3\n… and 1 more"
    );
    assert_eq!(summary(&changes, 20), "… and 2 more");
    assert_eq!(summary(&[], 20), "");
}

#[track_caller]
fn check_refused(before: &str, after: &str, losses: Losses, expected: Expect) {
    let problems = refusals(&read(before), &read(after), after, losses);
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn what_a_running_cluster_cannot_do_is_refused_where_it_stands() {
    let one = file("control = true\n", &["alpha"], STORE);
    check_refused(&one, &one, Losses::Refused, expect![""]);
    check_refused(
        &one,
        &one.replace("\"shop\"", "\"bookshop\""),
        Losses::Refused,
        expect![[
            r#"config/shop.toml:2:1: cluster.name: a cluster that runs keeps its name, which is in its hosts' certificates; write name = "shop""#
        ]],
    );
    check_refused(
        &one,
        &one.replace("control = true\n", "control = true\ndata = \"elsewhere\"\n"),
        Losses::Refused,
        expect![
            "config/shop.toml:4:1: cluster.data: hosts keep their data where it is, in config/bookshop-data; to move it, stop all hosts, move the folder, and start them with this file"
        ],
    );
    check_refused(
        &one,
        &one.replace("control = true\n", ""),
        Losses::Accepted,
        expect![
            "config/shop.toml:1:2: cluster.control: a cluster that keeps its own state goes on to; write control = true"
        ],
    );
}

#[test]
fn what_is_kept_is_lost_only_if_somebody_says_so() {
    let one = file("", &["alpha"], &format!("{FRAUD}{STORE}"));
    let without = file("", &["alpha"], FRAUD);
    check_refused(
        &one,
        &without,
        Losses::Refused,
        expect![
            "config/shop.toml:9:2: service.store: is not in the file any more, so all that it keeps would be lost; write a backup (`bookshop-host backup`), then say --accept-data-loss"
        ],
    );
    check_refused(&one, &without, Losses::Accepted, expect![""]);
    check_refused(
        &one,
        &one.replace("replicated = { replicas = 1 }\n", ""),
        Losses::Refused,
        expect![
            "config/shop.toml:11:10: service.store: is not replicated any more, so all that it keeps would be lost; write a backup (`bookshop-host backup`), then say --accept-data-loss"
        ],
    );
    // What keeps nothing may go.
    check_refused(&one, &one.replace(FRAUD, ""), Losses::Refused, expect![""]);
}

#[test]
fn one_of_the_hosts_with_a_state_stays() {
    let one = file("", &["alpha", "beta"], STORE);
    let moved = one.replace("hosts = [\"alpha\"]", "hosts = [\"beta\"]");
    check_refused(
        &one,
        &moved,
        Losses::Accepted,
        expect![
            "config/shop.toml:17:1: service.store.hosts: none of the hosts that have its state (alpha) stays; change the hosts in two steps, with one of them in both"
        ],
    );
}
