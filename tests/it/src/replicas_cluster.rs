//! Three hosts with replicas of the same services, as processes: who leads, what each has applied, and whether they agree.

use crate::between_cluster::command;
use crate::cluster::{kill, until};
use crate::durable_hosts::{Hosts, with_key};
use crate::paths;
use bookshop_host::call_error::CallError;
use bookshop_host::client::{CallOptions, Client, ClientError};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// The hosts. Each has a replica of each replicated service.
pub const HOSTS: [&str; 3] = ["alpha", "beta", "gamma"];

/// Elections of half a second at most, also where two processors run all hosts of several tests; and a checkpoint every second, so that failures meet some.
const KEYS: &str = "workers = 1\ndrain-timeout = \"5s\"\nprobe-interval = \"50ms\"\nprobe-timeout = \"2s\"\ncheckpoint-interval = \"1s\"\n";

/// What takes no time takes no longer than this on a busy machine.
pub const AT_ONCE: Duration = Duration::from_secs(5);

/// What one replica says of itself.
#[derive(Debug, Clone)]
pub struct Replica {
    pub role: String,
    pub leader: Option<String>,
    pub applied: u64,
    /// Hash of what it keeps, if it has one as of `applied`.
    pub hash: Option<String>,
}

/// The hosts of a cluster.
pub struct Trio(pub Hosts);

impl Deref for Trio {
    type Target = Hosts;

    fn deref(&self) -> &Hosts {
        &self.0
    }
}

impl DerefMut for Trio {
    fn deref_mut(&mut self) -> &mut Hosts {
        &mut self.0
    }
}

/// A service with three replicas; `queries` are functions of `interface`.
fn replicated(name: &str, interface: &str, queries: &[&str]) -> String {
    let wasm = paths::guest(name);
    let wasm = wasm.display();
    let queries = queries.iter().map(|query| format!("{interface}.{query}"));
    let queries: Vec<String> = queries.collect();
    format!(
        "\n[service.{name}]\nwasm = \"{wasm}\"\nhosts = {HOSTS:?}\nreplicated = {{ replicas = 3, queries = {queries:?} }}\nlimits = {{ storage = \"512MiB\" }}\nswap = {{ watch = \"50ms\" }}\n"
    )
}

/// The sections of the services: the database and the queue.
pub fn sections() -> String {
    let queue = ["depth", "oldest-age", "in-flight", "dead", "peek", "find"];
    replicated(
        "database",
        "bookshop:shop/database",
        &["get", "scan", "changes", "status"],
    ) + &replicated("order-queue", "bookshop:shop/order-queue", &queue)
        + "\n[chaos]\nenabled = true\n"
}

impl Trio {
    /// Three hosts that are not started yet.
    pub fn prepare() -> Self {
        Self::prepare_with("")
    }

    /// The same with further keys of the cluster.
    pub fn prepare_with(keys: &str) -> Self {
        Self(Hosts::prepare(
            &HOSTS,
            &format!("{KEYS}{keys}"),
            &sections(),
        ))
    }

    /// Starts three hosts, and waits until they lead and follow.
    pub async fn start() -> Self {
        let mut trio = Self::prepare();
        trio.launch_all();
        trio.until_settled().await;
        trio
    }

    /// Starts all hosts that do not run.
    pub fn launch_all(&mut self) {
        for name in HOSTS {
            if !self.runs(name) {
                self.launch(name);
            }
        }
    }

    /// What the replica of a service on a host says; none if it is not there.
    pub async fn replica(&self, host: &str, service: &str) -> Option<Replica> {
        let status = self.status(host).await?;
        let groups = status["groups"].as_array()?;
        let group = groups.iter().find(|group| group["service"] == service)?;
        let applied = group["position"].as_u64()?;
        let hash = &group["state_hash"];
        let hash = (hash[0] == applied).then(|| hash[1].as_str().map(str::to_owned));
        Some(Replica {
            role: group["role"].as_str()?.to_owned(),
            leader: group["leader"].as_str().map(str::to_owned),
            applied,
            hash: hash.flatten(),
        })
    }

    /// Waits until one of these hosts leads the database, in its own words, and the others of them follow it; returns which.
    pub async fn until_led(&self, among: &[&'static str]) -> &'static str {
        until(&format!("one of {among:?} leads"), async || {
            let mut leader = None;
            for host in among {
                let replica = self.replica(host, "database").await?;
                if replica.role == "leader" {
                    leader = Some(*host);
                }
            }
            let leader = leader?;
            for host in among {
                let replica = self.replica(host, "database").await?;
                if replica.leader.as_deref() != Some(leader) {
                    return None;
                }
            }
            Some(leader)
        })
        .await
    }

    /// Waits until all hosts serve, and all groups have a leader that all know.
    pub async fn until_settled(&self) -> &'static str {
        for host in HOSTS {
            self.serves(host).await;
        }
        self.until_led(&HOSTS).await
    }

    /// The hosts without one.
    pub fn others(host: &str) -> Vec<&'static str> {
        HOSTS.into_iter().filter(|other| *other != host).collect()
    }

    /// Waits until all replicas of these hosts have applied the same and have the same, by the hashes of it.
    pub async fn until_equal(&self, among: &[&str]) {
        for service in ["database", "order-queue"] {
            until(
                &format!("the replicas of {service} on {among:?} are equal"),
                async || {
                    let mut replicas = Vec::new();
                    for host in among {
                        replicas.push(self.replica(host, service).await?);
                    }
                    let first = &replicas[0];
                    let agree = |other: &Replica| {
                        other.hash.is_some()
                            && (other.applied, &other.hash) == (first.applied, &first.hash)
                    };
                    replicas.iter().all(agree).then_some(())
                },
            )
            .await;
        }
    }

    /// `bookshop-host chaos …`, asked of a host.
    pub async fn chaos(&self, asked: &str, arguments: &[&str]) -> String {
        let admin = self.address(asked).admin.to_string();
        command(&[&["chaos"], arguments, &["--admin", &admin]].concat()).await
    }

    /// Sends a signal to the process of a host.
    pub async fn signal(&self, host: &str, signal: &str) {
        kill(self.pid(host), signal).await;
    }

    /// Gives a key of the database a value, through a host.
    pub async fn set(&self, at: &str, key: &str, options: &CallOptions) -> Result<u64, CallError> {
        let arguments = json!([key, [1]]);
        let set = self
            .call_with(at, "database.set", &arguments, options)
            .await?;
        let revision = set["ok"].as_u64();
        Ok(revision.unwrap_or_else(|| panic!("{set}")))
    }

    /// The revision of a key's value, as a host has it; none if it has no value.
    pub async fn get(&self, at: &str, key: &str) -> Result<Option<u64>, CallError> {
        self.get_with(at, key, &CallOptions::default()).await
    }

    /// The same with options.
    pub async fn get_with(
        &self,
        at: &str,
        key: &str,
        options: &CallOptions,
    ) -> Result<Option<u64>, CallError> {
        let got = self
            .call_with(at, "database.get", &json!([key]), options)
            .await?;
        Ok(got["ok"]["revision"].as_u64())
    }
}

/// Options of a call that may take so long.
pub fn within(time: Duration) -> CallOptions {
    CallOptions {
        timeout: Some(time),
        ..CallOptions::default()
    }
}

/// Writes a large value through a host, with a key: until it is answered, since a machine may be too busy for one of several copies to be written in time.
pub async fn set_large(trio: &Trio, at: &str, key: &str, bytes: usize) {
    // Bytes may be typed as a text.
    let arguments = [format!("{key:?}"), format!("{:?}", "7".repeat(bytes))];
    let set = until(&format!("{key} is written through {at}"), async || {
        let client = Client::connect(trio.address(at).api, &trio.os).await.ok()?;
        let options = with_key(key);
        let set = client.call_wave("database", "set", &arguments, &options);
        set.await.ok()
    })
    .await;
    assert!(
        set[0].wave.starts_with("ok("),
        "{key} through {at}: {}",
        set[0].wave
    );
}

/// All keys of the database with their revisions, read through this client.
pub async fn scan(client: &Client) -> Result<BTreeMap<String, u64>, ClientError> {
    let (mut after, mut all) = (Value::Null, BTreeMap::new());
    loop {
        let arguments = json!([{ "prefix": "" }, after, 1000, true]);
        let mut page = client
            .call_json("database", "scan", &arguments, &CallOptions::default())
            .await?;
        for entry in page["ok"]["entries"].as_array().expect("a list") {
            let key = entry["key"].as_str().expect("a text").to_owned();
            all.insert(key, entry["revision"].as_u64().expect("a number"));
        }
        after = page["ok"]["next"].take();
        if after.is_null() {
            return Ok(all);
        }
    }
}
