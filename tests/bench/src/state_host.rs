//! One host with replicated services, and what it is asked.

use crate::cluster::Cluster;
use crate::cluster_file::{ClusterFile, Draft};
use crate::{Outcome, paths};
use bookshop_host::client::{CallOptions, Client, RemoteFunction};
use bookshop_host::os::Os;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use wasmtime::component::Val;

/// The host. Its folder is emptied before each start, so it has a name that no other measurement uses.
const HOST: &str = "keeper";
/// How long a call may take before its numbers mean nothing anyway.
const DEADLINE: Duration = Duration::from_secs(5);
/// Keys that are written and read, in turn.
const KEYS: u64 = 10_000;
/// Bytes of a value.
pub const VALUE_BYTES: usize = 256;

/// When a host makes checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoints {
    /// As often as it can be configured, and more often than anybody should.
    EverySecond,
    /// Not while it is measured.
    None,
}

/// The cluster file: database and order queue, each with fresh and with pooled instances.
///
/// # Errors
/// A component is not built.
pub fn file(checkpoints: Checkpoints) -> Outcome<ClusterFile> {
    let interval = match checkpoints {
        Checkpoints::EverySecond => "1s",
        Checkpoints::None => "1h",
    };
    let mut text = format!(
        "[cluster]\nname = \"state\"\ncheckpoint-interval = {interval:?}\ncheckpoint-log = \"16GiB\"\n\n[[host]]\nname = {HOST:?}\n"
    );
    let queries = [
        ("database", "[\"bookshop:shop/database.get\"]"),
        ("order-queue", "[\"bookshop:shop/order-queue.depth\"]"),
    ];
    for (name, queries) in queries {
        let wasm = paths::guest(name)?;
        for (suffix, instance) in [("", "per-call"), ("-pooled", "pooled")] {
            text += &format!(
                "\n[service.{name}{suffix}]\nwasm = {wasm:?}\nhosts = [{HOST:?}]\ninstance = \"{instance}\"\nreplicated = {{ replicas = 1, queries = {queries} }}\nlimits = {{ memory = \"16MiB\", storage = \"1GiB\", arguments = \"64MiB\" }}\n"
            );
        }
    }
    Draft::of(&text)?.write()
}

/// Where the host keeps its log and its state.
///
/// # Errors
/// See [`paths::target`].
pub fn folder() -> Outcome<PathBuf> {
    Ok(paths::data()?.join(HOST))
}

/// Forgets everything that the host keeps. It must not run.
///
/// # Errors
/// Files cannot be removed.
pub fn forget() -> Outcome {
    for part in ["log", "state"] {
        let part = folder()?.join(part);
        if part.exists() {
            std::fs::remove_dir_all(part)?;
        }
    }
    Ok(())
}

/// A host that is running, with nothing in it.
///
/// # Errors
/// It does not start.
pub fn start(program: &std::path::Path, file: &ClusterFile) -> Outcome<Cluster> {
    forget()?;
    let mut cluster = Cluster::start_one(program, file)?;
    cluster.until_running(PATIENCE)?;
    Ok(cluster)
}

/// Longest wait until the host runs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Its `api`.
///
/// # Errors
/// A bug: the file has no hosts.
pub fn api(file: &ClusterFile) -> Outcome<SocketAddr> {
    Ok(file.hosts.first().ok_or("the file has no hosts")?.api)
}

/// What a client does again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// `database.set`, a command.
    Set,
    /// The same with an idempotency key that no other call has.
    SetOnce,
    /// `database.get`, a query.
    Get,
    /// Nine times [`Get`](Self::Get), once [`Set`](Self::Set).
    Mixed,
    /// `order-queue.enqueue`, `dequeue` and `ack`, one after the other.
    Cycle,
}

/// The functions of the services with fresh or with pooled instances, over one connection.
#[derive(Clone)]
pub struct Services {
    set: RemoteFunction,
    get: RemoteFunction,
    load: RemoteFunction,
    enqueue: RemoteFunction,
    dequeue: RemoteFunction,
    ack: RemoteFunction,
}

impl Services {
    /// Connects.
    ///
    /// # Errors
    /// The host or a service does not answer.
    pub async fn connect(api: SocketAddr, is_pooled: bool) -> Outcome<Self> {
        let client = Client::connect(api, &Os::real()).await?;
        let suffix = if is_pooled { "-pooled" } else { "" };
        let (database, queue) = (format!("database{suffix}"), format!("order-queue{suffix}"));
        Ok(Self {
            set: client.function(&database, "set").await?,
            get: client.function(&database, "get").await?,
            load: client.function(&database, "load").await?,
            enqueue: client.function(&queue, "enqueue").await?,
            dequeue: client.function(&queue, "dequeue").await?,
            ack: client.function(&queue, "ack").await?,
        })
    }

    /// Does one piece of work. `number` is one that no other piece has.
    ///
    /// # Errors
    /// The answer is an error.
    pub async fn run(&self, work: Work, number: u64) -> Outcome {
        match work {
            Work::Set => self.set(number, None).await,
            Work::SetOnce => self.set(number, Some(format!("bench-{number}"))).await,
            Work::Get => self.get(number).await,
            Work::Mixed if number.is_multiple_of(10) => self.set(number, None).await,
            Work::Mixed => self.get(number).await,
            Work::Cycle => self.cycle(number).await,
        }
    }

    /// Gives every key a value, so that each query finds one.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn fill(&self) -> Outcome {
        let mut under_way = Vec::new();
        for number in 0..KEYS {
            let services = self.clone();
            under_way.push(tokio::spawn(
                async move { services.set(number, None).await },
            ));
            if under_way.len() == 64 {
                for set in under_way.drain(..) {
                    set.await??;
                }
            }
        }
        for set in under_way {
            set.await??;
        }
        Ok(())
    }

    /// Gives many keys a value in one call: others than those that are written and read in turn.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn load(&self, numbers: std::ops::Range<u32>) -> Outcome {
        let pair = |number| {
            Val::Record(vec![
                ("key".into(), Val::String(format!("loaded-{number}"))),
                ("value".into(), value(number)),
            ])
        };
        let pairs = Val::List(numbers.map(|number| pair(number.into())).collect());
        good(&self.load.call(&[pairs], &options(None)).await?).map(drop)
    }

    async fn set(&self, number: u64, key: Option<String>) -> Outcome {
        let arguments = [Val::String(name(number)), value(number)];
        good(&self.set.call(&arguments, &options(key)).await?).map(drop)
    }

    async fn get(&self, number: u64) -> Outcome {
        let answer = self
            .get
            .call(&[Val::String(name(number))], &options(None))
            .await?;
        match good(&answer)? {
            Some(Val::Option(Some(_))) => Ok(()),
            other => Err(format!("the key has no value: {other:?}").into()),
        }
    }

    /// An order comes, and one goes: not always the same, if there are several clients.
    async fn cycle(&self, number: u64) -> Outcome {
        let item = Val::Record(vec![
            ("name".into(), Val::String("Distributed Systems".into())),
            ("quantity".into(), Val::S32(1)),
        ]);
        let order = Val::Record(vec![
            ("order-id".into(), Val::String(format!("order-{number}"))),
            ("items".into(), Val::List(vec![item])),
            ("shipping-method".into(), Val::Enum("standard".into())),
        ]);
        let arguments = [order, Val::String(format!("key-{number}"))];
        good(&self.enqueue.call(&arguments, &options(None)).await?)?;
        let leased = self
            .dequeue
            .call(&[Val::String("bench".into())], &options(None))
            .await?;
        let token = match good(&leased)? {
            Some(Val::Option(Some(lease))) => match &**lease {
                Val::Record(fields) => fields.iter().find(|(name, _)| name == "token"),
                _ => None,
            },
            _ => None,
        };
        let (_, token) = token.ok_or_else(|| format!("there is no lease: {leased:?}"))?;
        good(
            &self
                .ack
                .call(std::slice::from_ref(token), &options(None))
                .await?,
        )
        .map(drop)
    }
}

fn value(number: u64) -> Val {
    let bytes = number.to_be_bytes();
    Val::List(
        bytes
            .into_iter()
            .cycle()
            .take(VALUE_BYTES)
            .map(Val::U8)
            .collect(),
    )
}

fn name(number: u64) -> String {
    /// Has no factor in common with the number of keys, so that as many numbers in turn reach them all.
    const STRIDE: u64 = 7_919;
    // Not one key after the other: the neighbour of the last one would be in the caches.
    format!("key-{:05}", number % KEYS * STRIDE % KEYS)
}

fn options(idempotency_key: Option<String>) -> CallOptions {
    CallOptions {
        timeout: Some(DEADLINE),
        idempotency_key: idempotency_key.map(Into::into),
        is_stale_ok: false,
    }
}

/// What a function answered, unless that is an error.
fn good(answer: &[Val]) -> Outcome<Option<&Val>> {
    match answer {
        [Val::Result(Ok(value))] => Ok(value.as_deref()),
        other => Err(format!("the answer is an error: {other:?}").into()),
    }
}
