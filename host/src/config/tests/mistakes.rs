//! What is said of a bad file: place, key, what is wrong, what to write.

use std::io;

use expect_test::expect;

use super::*;

#[test]
fn a_missing_file_is_named() {
    let error = Config::read(Path::new("config/shop.toml"), |_| {
        Err(io::ErrorKind::NotFound.into())
    });
    expect!["cannot read config/shop.toml: entity not found; give the path of a cluster file, for example config/cluster.toml"]
        .assert_eq(&error.expect_err("no file").to_string());
    let error = Config::read(Path::new("config/shop.toml"), |_| {
        Err(io::ErrorKind::InvalidData.into())
    });
    expect!["cannot read config/shop.toml: invalid data; save it as UTF-8 text"]
        .assert_eq(&error.expect_err("no text").to_string());
}

#[test]
fn broken_syntax_is_located() {
    check_text(
        "[cluster\nname = \"x\"\n",
        expect![
            "c:1:9: not valid TOML: unclosed table, expected `]`; see https://toml.io for how it is written"
        ],
    );
    check_text(
        "[cluster]\nname = bookshop\nname = \"a\"\n",
        expect![[r#"
        c:2:8: not valid TOML: string values must be quoted, expected literal string; see https://toml.io for how it is written
        c:3:1: name is written twice; keep one of them"#]],
    );
    check_text(
        "[cluster]\nname = \"a\"\nname = \"b\"\n",
        expect!["c:3:1: name is written twice; keep one of them"],
    );
    check_text(
        "[service.a]\n[service.a]\n",
        expect!["c:2:10: a is written twice; keep one of them"],
    );
}

#[test]
fn what_is_missing_is_named_once_with_a_line_to_add() {
    check_text(
        "",
        expect![[r#"
        c:1:1: cluster: is missing; add a section [cluster]
        c:1:1: host: is missing; add a section [[host]]"#]],
    );
    check_text(
        "[cluster]\n[[host]]\nname = \"alpha\"\n",
        expect![[r#"
        c:1:2: cluster.name: is missing; add name = "bookshop"
        c:2:1: host.alpha.admin: is missing; add admin = "127.0.0.1:9101"
        c:2:1: host.alpha.http: is missing; add http = "127.0.0.1:8080"
        c:2:1: host.alpha.peer: is missing; add peer = "127.0.0.1:7101"
        c:2:1: host.alpha.api: is missing; add api = "127.0.0.1:7201""#]],
    );
    check(
        "[service.a]\nbuild = {}\nlinks = { \"a:b/c\" = {} }",
        expect![[r#"
        c:9:10: service.a.wasm: is missing; add wasm = "fraud_detection.wasm"
        c:10:1: service.a.build.cargo: is missing; add cargo = "fraud-detection"
        c:11:11: service.a.links."a:b/c".to: is missing; add to = "suggestions""#]],
    );
}

#[test]
fn an_unknown_key_gets_the_nearest_one_and_all_known_ones() {
    check(
        "[service.a]\nwasm = \"a.wasm\"\nlimts = {}",
        expect![
            "c:11:1: service.a.limts: unknown key; did you mean `limits`? known here: wasm, build, hosts, instance, retire-after, storage, replicated, http, swap, limits, config, grants, links"
        ],
    );
    check(
        "[service.a]\nwasm = \"a.wasm\"\nmemory = \"1MiB\"",
        expect![
            "c:11:1: service.a.memory: unknown key; did you mean `limits.memory`? known here: wasm, build, hosts, instance, retire-after, storage, replicated, http, swap, limits, config, grants, links"
        ],
    );
    check(
        "[service.a]\nwasm = \"a.wasm\"\nlimits = { log_lines_per_second = 5 }",
        expect![
            "c:11:12: service.a.limits.log_lines_per_second: unknown key; did you mean `log-lines-per-second`? known here: memory, time, cpu, concurrency, queue, arguments, result, scratch, storage, log-lines-per-second"
        ],
    );
    check(
        "[service.a]\nwasm = \"a.wasm\"\ncargo = \"a\"",
        expect![
            "c:11:1: service.a.cargo: unknown key; did you mean `build.cargo`? known here: wasm, build, hosts, instance, retire-after, storage, replicated, http, swap, limits, config, grants, links"
        ],
    );
    check(
        "[services.a]\nwasm = \"a.wasm\"",
        expect![
            "c:9:2: services: unknown key; did you mean `service`? known here: cluster, host, service, chaos"
        ],
    );
    check(
        "[zebra]",
        expect!["c:9:2: zebra: unknown key; known here: cluster, host, service, chaos"],
    );
    check(
        "[service.a]\nwasm = \"a.wasm\"\nto = \"b\"",
        expect![
            "c:11:1: service.a.to: unknown key; known here: wasm, build, hosts, instance, retire-after, storage, replicated, http, swap, limits, config, grants, links"
        ],
    );
}

#[test]
fn a_wrong_type_says_what_to_write() {
    check(
        "[service.a]\nwasm = 3\nbuild = \"a\"\nhosts = 1\ninstance = true\nhttp = \"/\"\nlimits = []",
        expect![[r#"
        c:10:8: service.a.wasm: 3 is not a path; write it in quotes, for example "fraud_detection.wasm"
        c:11:9: service.a.build: "a" is not a table; write keys in braces or below a header, for example { cargo = "fraud-detection" }
        c:12:9: service.a.hosts: 1 is not a choice of hosts; write "all" or a list of names, for example ["alpha", "beta"]
        c:13:12: service.a.instance: true is not a way to keep instances; write "per-call" or "pooled", for example "per-call"
        c:14:8: service.a.http: "/" is not a table; write keys in braces or below a header, for example { path = "/" }
        c:15:10: service.a.limits: [] is not a table; write keys in braces or below a header, for example { memory = "64MiB" }"#]],
    );
    check(
        "[service.a]\nwasm = \"a.wasm\"\nconfig = { n = 0.8 }\ngrants = \"env:HOME\"\nlinks = 1",
        expect![[r#"
        c:11:16: service.a.config.n: 0.8 is not text; write it in quotes, for example "0.8"
        c:12:10: service.a.grants: "env:HOME" is not a list; write ["env:HOME"]
        c:13:9: service.a.links: 1 is not a table; write keys in braces or below a header, for example { key = "value" }"#]],
    );
    check(
        "[service.a]\nwasm = \"a.wasm\"\ngrants = [1]\nhosts = [2]\nconfig = 5",
        expect![[r#"
        c:11:11: service.a.grants: 1 is not a grant; write "http:HOST:PORT", "tcp:HOST:PORT", "listen:IP:PORT" or "env:NAME", for example "http:api.example.org:443"
        c:12:10: service.a.hosts: 2 is not a name; write lower-case letters, digits and single hyphens, a letter first, at most 63 characters, for example "fraud-detection"
        c:13:10: service.a.config: 5 is not a table of texts; write keys in braces or below a header, for example { threshold = "0.8" }"#]],
    );
    check(
        "[service.a]\nwasm = \"a.wasm\"\n[service.a.limits]\nmemory = 32\ntime = 1.5\nqueue = \"9\"",
        expect![[r#"
        c:12:10: service.a.limits.memory: 32 is not a size; write a number with B, KiB, MiB or GiB, for example "64MiB"
        c:13:8: service.a.limits.time: 1.5 is not a duration; write a number with us, ms, s, min or h, for example "250ms"
        c:14:9: service.a.limits.queue: "9" is not a whole number; write digits without quotes, for example 128"#]],
    );
    check(
        "[service]\na = 1",
        expect![[
            r#"c:10:5: service.a: 1 is not a table; write keys in braces or below a header, for example { key = "value" }"#
        ]],
    );
    check_text(
        "cluster = 1\nhost = 2\nservice = 3",
        expect![[r#"
        c:1:11: cluster: 1 is not a table; write keys in braces or below a header, for example { name = "bookshop" }
        c:2:1: host: 2 is not a list of tables; write one header in double brackets for each, for example [[host]]
        c:3:11: service: 3 is not a table; write keys in braces or below a header, for example { key = "value" }"#]],
    );
    check_text(
        "[cluster]\nname = \"a\"\n[host]\nname = \"b\"",
        expect![
            "c:3:2: host: [host] is not a list of tables; write one header in double brackets for each, for example [[host]]"
        ],
    );
}

#[test]
fn a_wrong_value_says_what_to_write() {
    check(
        "[service.a]\nwasm = \"a.wasm\"\nlimits = { memory = \"32MB\", time = \"5m\", cpu = \"2h\" }",
        expect![[r#"
        c:11:21: service.a.limits.memory: "32MB" is not a size; write a number with B, KiB, MiB or GiB, for example "32MiB"
        c:11:36: service.a.limits.time: "5m" is not a duration; write a number with us, ms, s, min or h, for example "5min"
        c:11:48: service.a.limits.cpu: "2h" is out of range; write a value from "1ms" to "1h""#]],
    );
    check(
        "[service.Fraud_Detection]\nwasm = \"\"",
        expect![[r#"
        c:9:10: service.Fraud_Detection: "Fraud_Detection" is not a name; write lower-case letters, digits and single hyphens, a letter first, at most 63 characters, for example "fraud-detection"
        c:10:8: service.Fraud_Detection.wasm: "" is not a path; write it in quotes, for example "fraud_detection.wasm""#]],
    );
    check(
        "[service.a]\nwasm = \"oci://r/a\"\nhosts = \"alpha\"\ninstance = \"per_call\"\nhttp = { path = \"api/\" }",
        expect![[r#"
        c:10:8: service.a.wasm: "oci://r/a" is not on this machine; fetch the file and write its path
        c:11:9: service.a.hosts: "alpha" is not a choice of hosts; write "all" or a list of names, for example ["alpha"]
        c:12:12: service.a.instance: "per_call" is not a way to keep instances; write "per-call" or "pooled", for example "per-call"
        c:13:17: service.a.http.path: "api/" is not a path prefix; write a slash, then names divided by slashes, no slash at the end, for example "/api""#]],
    );
    check(
        "[service.a]\nwasm = \"x/a.wasm\"\nbuild = { cargo = \"-a\" }\ngrants = [\"HOME\", \"env:A\", \"env:A\"]",
        expect![[r#"
        c:11:19: service.a.build.cargo: "-a" is not a name; write lower-case letters, digits and single hyphens, a letter first, at most 63 characters, for example "fraud-detection"
        c:12:11: service.a.grants: "HOME" is not a grant; write "http:HOST:PORT", "tcp:HOST:PORT", "listen:IP:PORT" or "env:NAME", for example "env:HOME"
        c:12:28: service.a.grants: "env:A" is granted twice; remove one"#]],
    );
    check(
        "[service.a]\nwasm = \"x/a.wasm\"\nbuild = { cargo = \"a\" }\nlinks = { \"shop/a\" = { to = \"a\" } }",
        expect![[r#"
        c:10:8: service.a.wasm: "x/a.wasm" is a path, but build puts the component into cargo's target folder; write the name alone, for example "a.wasm"
        c:12:11: service.a.links."shop/a": "shop/a" is not an interface; write namespace:package/interface in kebab-case, with or without @version, for example "bookshop:shop/suggestions""#]],
    );
    check(
        "[service.a]\nwasm = \"a.wasm\"\nretire-after = 5",
        expect![[
            r#"c:11:1: service.a.retire-after: only pooled instances retire; add instance = "pooled", or remove this key"#
        ]],
    );
    check(
        "[service.a]\nwasm = \"a.wasm\"\ninstance = \"pool\"\nretire-after = 0\nhosts = []",
        expect![[r#"
        c:11:12: service.a.instance: "pool" is not a way to keep instances; write "per-call" or "pooled", for example "per-call"
        c:12:16: service.a.retire-after: 0 is out of range; write a value from 1 to 1000000
        c:13:9: service.a.hosts: no host is named; name one, or write "all""#]],
    );
}

#[test]
fn a_boolean_has_no_quotes() {
    check(
        "[chaos]\nenabled = \"false\"",
        expect![[
            r#"c:10:11: chaos.enabled: "false" is not a boolean; write true or false without quotes, for example false"#
        ]],
    );
    check(
        "[chaos]\nenabled = 1",
        expect![
            "c:10:11: chaos.enabled: 1 is not a boolean; write true or false without quotes, for example true"
        ],
    );
    check(
        "[chaos]\nenable = true",
        expect!["c:10:1: chaos.enable: unknown key; did you mean `enabled`? known here: enabled"],
    );
    check_text(
        &format!("chaos = true\n{BASE}"),
        expect![
            "c:1:9: chaos: true is not a table; write keys in braces or below a header, for example { enabled = false }"
        ],
    );
}

#[test]
fn addresses_are_checked() {
    check_text(
        &BASE.replace("127.0.0.1:8080", "localhost:8080"),
        expect![[
            r#"c:5:8: host.alpha.http: "localhost:8080" is not an address; write IP:PORT, for example "127.0.0.1:8080""#
        ]],
    );
    check_text(
        &BASE.replace("127.0.0.1:8080", "8080"),
        expect![[
            r#"c:5:8: host.alpha.http: "8080" is not an address; write IP:PORT, for example "127.0.0.1:8080""#
        ]],
    );
    check_text(
        &BASE.replace("127.0.0.1:9101", "0.0.0.0:9101"),
        expect![[
            r#"c:8:9: host.alpha.admin: 0.0.0.0:9101 can be reached from other machines, and admin does not yet ask who is there; write "127.0.0.1:9101""#
        ]],
    );
    check_text(
        &BASE.replace("\"127.0.0.1:8080\"", "8080"),
        expect![[
            r#"c:5:8: host.alpha.http: 8080 is not an address; write IP:PORT, for example "127.0.0.1:8080""#
        ]],
    );
}

#[test]
fn names_of_files_are_no_names_of_hosts() {
    for name in ["certs", "authority", "beta-key"] {
        let error = Config::parse(
            Path::new("c"),
            &format!("{BASE}{}", BETA.replace("beta", name)),
        )
        .expect_err("the name is taken");
        let expected = format!("{name:?} is a name that files of the cluster need for themselves");
        assert!(error.to_string().contains(&expected), "{error}");
    }
}

#[test]
fn hosts_do_not_meet() {
    check(
        &BETA.replace("beta", "alpha"),
        expect!["c:10:8: host.name: the host on line 4 has this name too; give each host its own"],
    );
    check(
        &BETA.replace("127.0.0.1:8081", "0.0.0.0:8080"),
        expect![
            "c:11:8: host.beta.http: 0.0.0.0:8080 is taken by host.alpha.http on line 5; give each a port of its own"
        ],
    );
    check(
        &BETA.replace("127.0.0.1:8081", "127.0.0.1:9102"),
        expect![
            "c:14:9: host.beta.admin: 127.0.0.1:9102 is taken by host.beta.http on line 11; give each a port of its own"
        ],
    );
    // The same port on two machines, and ports that the system chooses, do not meet.
    check(
        &BETA
            .replace("127.0.0.1:8081", "10.0.0.2:8080")
            .replace("127.0.0.1:7102", "127.0.0.1:0"),
        expect![""],
    );
    check(
        &BETA
            .replace("127.0.0.1:8081", "127.0.0.1:0")
            .replace("127.0.0.1:7102", "127.0.0.1:0"),
        expect![""],
    );
}

#[test]
fn what_is_named_must_exist() {
    check(
        "[service.a]\nwasm = \"a.wasm\"\nhosts = [\"alpah\", \"gamma\", \"alpha\", \"alpha\"]",
        expect![[r#"
        c:11:10: service.a.hosts: there is no host "alpah"; did you mean "alpha"? hosts of this file: alpha
        c:11:19: service.a.hosts: there is no host "gamma"; hosts of this file: alpha
        c:11:37: service.a.hosts: "alpha" is named twice; remove one"#]],
    );
    check(
        "[service.pay]\nwasm = \"a.wasm\"\nlinks = { \"a:b/c\" = { to = \"pey\" }, \"a:b/d\" = { to = \"ledger\" } }",
        expect![[r#"
        c:11:28: service.pay.links."a:b/c".to: there is no service "pey"; did you mean "pay"? services of this file: pay
        c:11:54: service.pay.links."a:b/d".to: there is no service "ledger"; services of this file: pay"#]],
    );
}

#[test]
fn one_prefix_has_one_service_on_each_host() {
    let service = |name: &str, hosts: &str, path: &str| {
        format!(
            "[service.{name}]\nwasm = \"a.wasm\"\nhosts = {hosts}\nhttp = {{ path = \"{path}\" }}\n"
        )
    };
    let both = |a: &str, b: &str| format!("{BETA}{a}{b}");
    check(
        &both(
            &service("a", "\"all\"", "/x"),
            &service("b", "[\"beta\"]", "/x"),
        ),
        expect![
            "c:22:17: service.b.http.path: a answers /x on host beta too; give one of them another path or other hosts"
        ],
    );
    check(
        &both(
            &service("a", "[\"alpha\"]", "/x"),
            &service("b", "[\"beta\"]", "/x"),
        ),
        expect![""],
    );
    check(
        &both(
            &service("a", "\"all\"", "/x"),
            &service("b", "\"all\"", "/x/y"),
        ),
        expect![""],
    );
    check(
        "[service.a]\nwasm = \"a\"\nhttp = {}\n[service.b]\nwasm = \"b\"\nhttp = {}",
        expect![
            "c:14:1: service.b.http: a answers / on host alpha too; give one of them another path or other hosts"
        ],
    );
}

#[test]
fn a_host_with_a_mistake_is_still_a_host_to_others() {
    let beta = BETA.replace("127.0.0.1:8081", "wrong");
    check(
        &format!("{beta}[service.a]\nwasm = \"a.wasm\"\nhosts = [\"beta\"]"),
        expect![[
            r#"c:11:8: host.beta.http: "wrong" is not an address; write IP:PORT, for example "127.0.0.1:8080""#
        ]],
    );
}

#[test]
fn columns_count_characters() {
    check(
        "[service.a]\nconfig = { \"größe\" = \"ä\", n = 1 }\nwasm = \"a.wasm\"",
        expect![[
            r#"c:10:31: service.a.config.n: 1 is not text; write it in quotes, for example "1""#
        ]],
    );
}

#[test]
fn problems_print_as_json() {
    let error =
        Config::parse(Path::new("c.toml"), &format!("{BASE}[zebra]")).expect_err("unknown key");
    expect![[r#"[{"file":"c.toml","line":9,"column":2,"key":"zebra","message":"unknown key; known here: cluster, host, service, chaos"}]"#]].assert_eq(&serde_json::to_string(error.problems()).expect("text"));
}
