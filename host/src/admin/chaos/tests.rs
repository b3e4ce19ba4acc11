//! Two hosts that run and one that does not, asked over their admin interfaces.

use super::*;
use crate::admin::{client, server};
use crate::call_error::CallError;
use crate::compile::Compiler;
use crate::dispatch::{Answer, Dispatch, Invocation};
use crate::engine::{self, Room};
use crate::os::Os;
use crate::os::task::{self, Task};
use crate::parent::Parent;
use crate::services::Services;
use crate::supervisor::{self, Supervisor};
use crate::telemetry::Log;
use crate::transport::peers::Peers;
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

const ENABLED: &str = "[chaos]\nenabled = true\n";

struct Cluster {
    os: Os,
    /// Admin addresses of alpha, beta and gamma, which does not run.
    addresses: Vec<SocketAddr>,
    admins: Vec<Arc<Admin>>,
    _stop: watch::Sender<bool>,
    _tasks: Vec<Task<()>>,
}

/// Runs `test` on a cluster whose file has `chaos` in it.
fn with_cluster(chaos: &str, test: impl AsyncFnOnce(&Cluster)) {
    let runtime = task::runtime().expect("a runtime");
    runtime.block_on(async { test(&Cluster::start(chaos).await).await });
}

impl Cluster {
    async fn start(chaos: &str) -> Self {
        let os = Os::real();
        let any_port = "127.0.0.1:0".parse().expect("an address");
        let listeners =
            ["alpha", "beta", "gamma"].map(|_| os.network.listen(any_port).expect("a port"));
        let address = |listener: &crate::os::network::TcpListener| {
            listener.local_addr().expect("it is bound")
        };
        let addresses: Vec<SocketAddr> = listeners.iter().map(address).collect();
        let config = Arc::new(config(&addresses, chaos));
        let (stop, stopped) = watch::channel(false);
        let (mut admins, mut tasks) = (Vec::new(), Vec::new());
        for (host, listener) in config.hosts.iter().zip(listeners).take(2) {
            let (admin, supervising) = admin(&config, &host.name, &os).await;
            let admin = Arc::new(admin);
            let serving = server::serve(Arc::clone(&admin), listener, stopped.clone());
            tasks.extend([supervising, task::spawn(serving)]);
            admins.push(admin);
        }
        Self {
            os,
            addresses,
            admins,
            _stop: stop,
            _tasks: tasks,
        }
    }

    async fn ask(&self, host: usize, path: &str, body: Option<Value>) -> String {
        let within = Duration::from_secs(10);
        let answer = client::request(&self.os, self.addresses[host], path, body.as_ref(), within);
        let (status, value) = answer.await.expect("an answer");
        let text = value["message"].as_str();
        let text = text.or_else(|| value["error"]["message"].as_str());
        format!(
            "{}: {}",
            status.as_u16(),
            text.map_or_else(|| value.to_string(), ToOwned::to_owned)
        )
    }

    /// What alpha answers to a POST.
    async fn check(&self, path: &str, body: Value, expected: Expect) {
        expected.assert_eq(&self.ask(ALPHA, path, Some(body)).await);
    }

    /// The links that `host` shows, without times.
    async fn faults(&self, host: usize) -> Vec<String> {
        let faults = everywhere::faults(&self.admins[host]).await.expect("on");
        let link = |link: FaultyLink| {
            let share = link.drop_percent.map(|share| share.to_string());
            format!("{}>{} {share:?} {:?}", link.from, link.to, link.delay_ms)
        };
        faults.links.into_iter().map(link).collect()
    }
}

const ALPHA: usize = 0;
const BETA: usize = 1;

fn config(admins: &[SocketAddr], chaos: &str) -> Config {
    let hosts: String = ["alpha", "beta", "gamma"]
        .iter()
        .zip(admins)
        .map(|(name, admin)| {
            format!("[[host]]\nname = \"{name}\"\nhttp = \"127.0.0.1:0\"\npeer = \"127.0.0.1:0\"\napi = \"127.0.0.1:0\"\nadmin = \"{admin}\"\n")
        })
        .collect();
    let text = format!("[cluster]\nname = \"test\"\n{hosts}{chaos}");
    Config::parse(Path::new("config/cluster.toml"), &text).expect("a good file")
}

/// There is no service to call.
struct NoCalls;

impl Dispatch for NoCalls {
    fn dispatch(self: Arc<Self>, _: Invocation) -> Answer {
        Box::pin(std::future::ready(Err(CallError::Cancelled)))
    }
}

async fn admin(config: &Arc<Config>, host: &crate::config::HostName, os: &Os) -> (Admin, Task<()>) {
    let log = Log::new(host.as_str(), Arc::clone(&os.clock));
    let services = Arc::new(Services::new(Vec::new()));
    let (supervisor, supervising) = supervisor(config, host, &services, &log, os).await;
    let admin = Admin {
        config: Arc::clone(config),
        host: host.clone(),
        services,
        dispatch: Arc::new(NoCalls),
        spread: None,
        supervisor,
        parent: Parent::none(),
        restart: crate::host::Restart::refused(),
        peers: Arc::new(Peers::new(config, host, log.clone(), os.clone())),
        chaos: crate::chaos::Chaos::new(config, host, log.clone(), os.clone()),
        pins: crate::groups::snapshots::Pins::new(os.clone()),
        log,
        started: os.clock.monotonic(),
        os: os.clone(),
    };
    (admin, supervising)
}

async fn supervisor(
    config: &Arc<Config>,
    host: &crate::config::HostName,
    services: &Arc<Services>,
    log: &Log,
    os: &Os,
) -> (Supervisor, Task<()>) {
    let room = Room {
        calls: 1,
        memory_bytes: 1 << 20,
    };
    let (engine, _) = engine::runtime(room).expect("an engine");
    let options = supervisor::Options {
        config: Arc::clone(config),
        host: host.clone(),
        engine,
        // There is no service, so nothing is compiled.
        compiler: Compiler::new(PathBuf::new(), PathBuf::new(), os.clone()),
        services: Arc::clone(services),
        log: log.clone(),
        os: os.clone(),
    };
    supervisor::start(options).await.expect("it starts")
}

fn link(from: &str, to: &str) -> Value {
    json!({ "from": from, "to": to })
}

#[test]
fn any_host_takes_a_command_and_the_host_that_sends_keeps_it() {
    with_cluster(ENABLED, async |cluster| {
        let links = json!([
            link("alpha", "beta"),
            link("beta", "alpha"),
            link("beta", "alpha")
        ]);
        let body = json!({ "links": links, "drop_percent": 100, "for_ms": 60_000 });
        cluster
            .check(
                "/v1/chaos",
                body,
                expect![[r#"
                    200: alpha → beta: 100% are dropped for 1min
                    beta → alpha: 100% are dropped for 1min"#]],
            )
            .await;
        let body = json!({ "links": [link("beta", "gamma")], "delay_ms": 50, "jitter_ms": 20 });
        cluster
            .check(
                "/v1/chaos",
                body,
                expect!["200: beta → gamma: delayed by 50ms ± 20ms"],
            )
            .await;
        let kept = |host: usize| cluster.admins[host].chaos.rules().len();
        assert_eq!((kept(ALPHA), kept(BETA)), (1, 2));
        let all = [
            "alpha>beta Some(\"100%\") None",
            "beta>alpha Some(\"100%\") None",
            "beta>gamma None Some(50)",
        ];
        assert_eq!(cluster.faults(ALPHA).await, all);
        assert_eq!(cluster.faults(BETA).await, all);
    });
}

#[test]
fn faults_are_shown_with_the_hosts_that_did_not_answer() {
    with_cluster(ENABLED, async |cluster| {
        let body = json!({ "links": [link("beta", "alpha")], "drop_percent": 0.5, "delay_ms": 7 });
        cluster
            .check(
                "/v1/chaos",
                body,
                expect!["200: beta → alpha: 0.5% are dropped, delayed by 7ms"],
            )
            .await;
        let shown = async |path| {
            let answer = cluster.ask(ALPHA, path, None).await;
            let json = answer.strip_prefix("200: ").expect("shown").to_owned();
            serde_json::from_str::<Value>(&json).expect("JSON")
        };
        let fault = json!({
            "from": "beta", "to": "alpha", "drop_percent": 0.5, "drop_for_ms": null,
            "delay_ms": 7, "jitter_ms": 0, "delay_for_ms": null,
        });
        let missing = json!({ "host": "gamma", "reason": "it does not run" });
        assert_eq!(
            shown("/v1/chaos").await,
            json!({ "links": [fault], "missing": [missing] })
        );
        assert_eq!(
            shown("/v1/chaos?scope=host").await,
            json!({ "links": [], "missing": [] })
        );
    });
}

#[test]
fn healing_reaches_every_host_or_the_links_that_are_named() {
    with_cluster(ENABLED, async |cluster| {
        let links = json!([
            link("alpha", "beta"),
            link("beta", "alpha"),
            link("beta", "gamma")
        ]);
        let body = json!({ "links": links, "drop_percent": 20 });
        cluster
            .check(
                "/v1/chaos",
                body.clone(),
                expect![[r#"
                    200: alpha → beta: 20% are dropped
                    beta → alpha: 20% are dropped
                    beta → gamma: 20% are dropped"#]],
            )
            .await;
        let named = json!({ "links": [link("beta", "gamma"), link("gamma", "beta")] });
        cluster
            .check(
                "/v1/chaos/heal",
                named.clone(),
                expect!["200: beta → gamma: healed"],
            )
            .await;
        cluster
            .check(
                "/v1/chaos/heal",
                named,
                expect!["200: there was no fault to heal"],
            )
            .await;
        cluster
            .check(
                "/v1/chaos/heal",
                json!({}),
                expect![[r#"
                    200: alpha → beta: healed
                    beta → alpha: healed"#]],
            )
            .await;
        assert!(cluster.faults(BETA).await.is_empty());
    });
}

#[test]
fn a_host_that_does_not_run_is_named_with_what_the_others_did() {
    with_cluster(ENABLED, async |cluster| {
        let links = json!([link("alpha", "gamma"), link("gamma", "alpha")]);
        let body = json!({ "links": links, "drop_percent": 100 });
        cluster
            .check(
                "/v1/chaos",
                body,
                expect!["409: alpha → gamma: 100% are dropped; not on gamma: it does not run"],
            )
            .await;
    });
}

#[test]
fn everything_is_refused_unless_the_configuration_allows_it() {
    with_cluster("", async |cluster| {
        let refused = expect![
            "409: faults can be injected only with `[chaos] enabled = true` in config/cluster.toml (two lines: the header, then the key); add them and start the hosts again"
        ];
        let injection = json!({ "links": [link("alpha", "beta")], "drop_percent": 100 });
        let place = json!({ "host": "beta" });
        for (path, body) in [
            ("/v1/chaos", None),
            ("/v1/chaos?scope=host", None),
            ("/v1/chaos", Some(injection.clone())),
            ("/v1/chaos?scope=host", Some(injection)),
            ("/v1/chaos/heal", Some(json!({}))),
            ("/v1/chaos/heal?scope=host", Some(json!({}))),
            ("/v1/chaos/services/payment/stop", Some(place.clone())),
            ("/v1/chaos/services/payment/start", Some(place)),
        ] {
            refused.assert_eq(&cluster.ask(ALPHA, path, body).await);
        }
    });
}

#[test]
fn mistakes_are_named_before_anything_is_injected() {
    with_cluster(ENABLED, async |cluster| {
        let drop = |from: &str, to: &str| json!({ "links": [link("alpha", "beta"), link(from, to)], "drop_percent": 1 });
        let delay = |fields: Value| {
            let mut body = json!({ "links": [link("alpha", "beta")] });
            let (body_fields, fields) = (body.as_object_mut(), fields.as_object().cloned());
            body_fields
                .expect("an object")
                .extend(fields.expect("an object"));
            body
        };
        for (body, expected) in [
            (
                drop("alpha", "gamam"),
                expect![[
                    r#"400: there is no host "gamam"; did you mean "gamma"? hosts of this cluster: alpha, beta, gamma"#
                ]],
            ),
            (
                drop("beta", "beta"),
                expect!["400: beta has no link to itself; name two hosts"],
            ),
            (
                json!({ "links": [], "drop_percent": 1 }),
                expect![[
                    r#"400: no link is named; name one, for example {"from":"alpha","to":"beta"}"#
                ]],
            ),
            (
                delay(json!({ "delay_ms": 60_001 })),
                expect![
                    "400: a delay of 60001ms can be longer than 1min; write less, or drop the messages"
                ],
            ),
            (
                delay(json!({ "delay_ms": u64::MAX, "jitter_ms": u64::MAX, "for_ms": u64::MAX })),
                expect![
                    "400: a delay of 18446744073709551615us ± 18446744073709551615us can be longer than 1min; write less, or drop the messages"
                ],
            ),
            (
                delay(json!({ "jitter_ms": 5 })),
                expect!["400: a jitter varies a delay; give the delay too"],
            ),
            (
                json!({ "drop_percent": 101 }),
                expect![
                    "400: the request is not what is expected here: 101% is out of range; write a share from 0% to 100% at line 1 column 20"
                ],
            ),
            (
                json!({ "drop": 1 }),
                expect![
                    "400: the request is not what is expected here: unknown field `drop`, expected one of `links`, `drop_percent`, `delay_ms`, `jitter_ms`, `for_ms` at line 1 column 7"
                ],
            ),
        ] {
            cluster.check("/v1/chaos", body, expected).await;
        }
        let elsewhere = json!({ "links": [link("beta", "alpha")], "drop_percent": 1 });
        cluster
            .check(
                "/v1/chaos?scope=host",
                elsewhere,
                expect!["400: the link from beta to alpha is kept by beta, and this is alpha; ask without ?scope=host"],
            )
            .await;
        assert!(cluster.faults(ALPHA).await.is_empty());
    });
}

#[test]
fn a_service_is_stopped_only_where_there_is_one() {
    with_cluster(ENABLED, async |cluster| {
        cluster
            .check(
                "/v1/chaos/services/payment/stop",
                json!({ "host": "bets" }),
                expect![[r#"400: there is no host "bets"; did you mean "beta"? hosts of this cluster: alpha, beta, gamma"#]],
            )
            .await;
        cluster
            .check(
                "/v1/chaos/services/payment/stop",
                json!({ "host": "beta" }),
                expect!["404: no service payment in the configuration; `bookshop-host status` lists them"],
            )
            .await;
    });
}
