//! Clients that write to and read from all three hosts while these fail, and that remember what they were told.
//!
//! Three kinds write, each through a host of its own: with an idempotency key until there is an answer; once, whatever comes of it; and in a chain, in which each
//! link is swapped for the one before it, so that a write that is lost or happens twice breaks it. Others read the chains: what they see may not be older than
//! what was acknowledged before they asked. Others use a few keys all at once (`replicas_registers`).

use crate::cluster::{PATIENCE, until};
use crate::replicas_cluster::{HOSTS, Trio, scan, within};
use crate::replicas_registers::Shared;
use bookshop_host::client::{CallOptions, Client, ClientError};
use bookshop_host::os::Os;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// A client that is turned away asks again after this long, elsewhere if it can.
const AGAIN_AFTER: Duration = Duration::from_millis(5);
/// Between two writes of one client: hosts that work all the time show less of what happens when they are asked in between.
pub const PAUSE: Duration = Duration::from_millis(2);
/// How long one attempt may take: less than a whole failure, so that some attempts fail.
const ATTEMPT: Duration = Duration::from_millis(1_500);

/// A chain, and what is known of it.
#[derive(Default)]
struct Chain {
    /// Its length in the last answer.
    acknowledged: AtomicU64,
    /// Its length if all that was asked for happened.
    asked: AtomicU64,
    /// The revision of its last acknowledged link.
    revision: AtomicU64,
}

/// What clients were told.
#[derive(Default)]
struct Told {
    /// Keys with the revision at which they were written, by the answers.
    written: Mutex<BTreeMap<String, u64>>,
    /// Keys that a client tried to write, with an answer or without.
    offered: Mutex<BTreeSet<String>>,
    chains: [Chain; HOSTS.len()],
    answers: AtomicU64,
    /// Reads that were answered.
    reads: AtomicU64,
    /// Attempts that were not, by the code of their failure.
    failures: Mutex<BTreeMap<String, u64>>,
    /// Longest that a write with a key took.
    slowest: Mutex<Duration>,
    /// When the last write was acknowledged.
    last: Mutex<Option<Instant>>,
    is_enough: AtomicBool,
}

impl Told {
    fn failed(&self, code: &str) {
        let mut failures = self.failures.lock().expect("no client panicked");
        *failures.entry(code.to_owned()).or_default() += 1;
    }

    fn answered(&self) {
        self.answers.fetch_add(1, Ordering::SeqCst);
        *self.last.lock().expect("no client panicked") = Some(Instant::now());
    }

    fn goes_on(&self) -> bool {
        !self.is_enough.load(Ordering::SeqCst)
    }
}

/// The clients.
pub struct Load {
    told: Arc<Told>,
    registers: Shared,
    clients: JoinSet<()>,
}

/// One client with a connection at a time, to one of the hosts.
pub struct Caller {
    addresses: Vec<SocketAddr>,
    /// At which it is.
    at: usize,
    /// Whether it may go to another.
    moves: bool,
    client: Option<Client>,
    os: Os,
    told: Arc<Told>,
}

impl Caller {
    /// Whether there is more to do.
    pub fn goes_on(&self) -> bool {
        self.told.goes_on()
    }

    /// One attempt; none if there was no answer.
    pub async fn attempt(
        &mut self,
        function: &str,
        arguments: &Value,
        key: Option<&str>,
    ) -> Option<Value> {
        let options = CallOptions {
            idempotency_key: key.map(Into::into),
            ..within(ATTEMPT)
        };
        let answer =
            tokio::time::timeout(ATTEMPT * 2, self.ask(function, arguments, &options)).await;
        let code = match answer {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(ClientError::Refused(error))) => {
                let is_passing = matches!(
                    error.code(),
                    "unavailable" | "overloaded" | "deadline-exceeded" | "cancelled"
                );
                assert!(is_passing, "{function}: {error}");
                error.code().to_owned()
            }
            Ok(Err(error)) => {
                self.client = None;
                match error {
                    ClientError::Connect { .. } => "no-connection".to_owned(),
                    ClientError::Lost { .. } | ClientError::Timeout { .. } => "lost".to_owned(),
                    error => error.to_string(),
                }
            }
            Err(_) => {
                // A host that stands still.
                self.client = None;
                "silent".to_owned()
            }
        };
        self.told.failed(&code);
        if self.moves {
            self.client = None;
            self.at = (self.at + 1) % self.addresses.len();
        }
        tokio::time::sleep(AGAIN_AFTER).await;
        None
    }

    async fn ask(
        &mut self,
        function: &str,
        arguments: &Value,
        options: &CallOptions,
    ) -> Result<Value, ClientError> {
        let client = match &self.client {
            Some(client) => client.clone(),
            None => {
                let client = Client::connect(self.addresses[self.at], &self.os).await?;
                self.client.insert(client).clone()
            }
        };
        client
            .call_json("database", function, arguments, options)
            .await
    }

    /// The same call with the same idempotency key until it is answered.
    pub async fn insist(&mut self, function: &str, arguments: &Value, key: &str) -> Value {
        let started = Instant::now();
        let answer = loop {
            if let Some(answer) = self.attempt(function, arguments, Some(key)).await {
                break answer;
            }
            let waited = started.elapsed();
            assert!(
                waited < PATIENCE,
                "database.{function} with key {key} is not answered within {waited:?}"
            );
        };
        let mut slowest = self.told.slowest.lock().expect("no client panicked");
        *slowest = started.elapsed().max(*slowest);
        answer
    }
}

async fn write_with_key(mut caller: Caller, host: usize) {
    let told = Arc::clone(&caller.told);
    let mut number = 0;
    while told.goes_on() {
        number += 1;
        let key = format!("key-{host}-{number}");
        told.offered
            .lock()
            .expect("no client panicked")
            .insert(key.clone());
        let answer = caller.insist("set", &json!([key, [1]]), &key).await;
        let revision = answer["ok"]
            .as_u64()
            .unwrap_or_else(|| panic!("{key}: {answer}"));
        told.written
            .lock()
            .expect("no client panicked")
            .insert(key, revision);
        told.answered();
        tokio::time::sleep(PAUSE).await;
    }
}

async fn write_once(mut caller: Caller, host: usize) {
    let told = Arc::clone(&caller.told);
    let mut number = 0;
    while told.goes_on() {
        number += 1;
        let key = format!("once-{host}-{number}");
        told.offered
            .lock()
            .expect("no client panicked")
            .insert(key.clone());
        if let Some(answer) = caller.attempt("set", &json!([key, [1]]), None).await {
            let revision = answer["ok"]
                .as_u64()
                .unwrap_or_else(|| panic!("{key}: {answer}"));
            told.written
                .lock()
                .expect("no client panicked")
                .insert(key, revision);
            told.answered();
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn chain_key(host: usize) -> String {
    format!("chain-{host}")
}

async fn write_chain(mut caller: Caller, host: usize) {
    let told = Arc::clone(&caller.told);
    let chain = &told.chains[host];
    let (mut number, mut before) = (0_u64, Value::Null);
    while told.goes_on() {
        number += 1;
        chain.asked.store(number, Ordering::SeqCst);
        let arguments = json!([chain_key(host), before, number.to_le_bytes()]);
        let key = format!("chain-{host}-{number}");
        let answer = caller.insist("compare-and-swap", &arguments, &key).await;
        let Some(revision) = answer["ok"].as_u64() else {
            panic!(
                "nobody else writes chain {host}, yet link {number} has another before it: {answer}"
            );
        };
        before = json!(revision);
        chain.revision.store(revision, Ordering::SeqCst);
        chain.acknowledged.store(number, Ordering::SeqCst);
        told.answered();
        tokio::time::sleep(PAUSE).await;
    }
}

fn length(value: &Value) -> u64 {
    let bytes = value.as_array().map(|bytes| {
        let bytes = bytes.iter().map(|byte| byte.as_u64().unwrap_or_default());
        bytes.rev().fold(0, |sum, byte| sum << 8 | byte)
    });
    bytes.unwrap_or_default()
}

/// Reads all chains through one host, and sees nothing older than what was acknowledged before it asked.
async fn read(mut caller: Caller, host: usize) {
    let told = Arc::clone(&caller.told);
    let mut turn = host;
    while told.goes_on() {
        turn = (turn + 1) % told.chains.len();
        let chain = &told.chains[turn];
        let least = chain.acknowledged.load(Ordering::SeqCst);
        if let Some(answer) = caller.attempt("get", &json!([chain_key(turn)]), None).await {
            let most = chain.asked.load(Ordering::SeqCst);
            let seen = length(&answer["ok"]["value"]);
            assert!(
                (least..=most).contains(&seen),
                "{} shows link {seen} of chain {turn}, but {least} was acknowledged before, and {most} asked for",
                HOSTS[host]
            );
            told.reads.fetch_add(1, Ordering::SeqCst);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl Load {
    /// Clients of all hosts.
    pub fn start(trio: &Trio) -> Self {
        let (told, registers) = (Arc::new(Told::default()), Shared::default());
        let mut clients = JoinSet::new();
        let addresses: Vec<SocketAddr> = HOSTS.iter().map(|host| trio.address(host).api).collect();
        for host in 0..HOSTS.len() {
            let caller = |moves| Caller {
                addresses: addresses.clone(),
                at: host,
                moves,
                client: None,
                os: Os::real(),
                told: Arc::clone(&told),
            };
            clients.spawn(write_with_key(caller(true), host));
            clients.spawn(write_once(caller(false), host));
            clients.spawn(write_chain(caller(true), host));
            clients.spawn(read(caller(false), host));
            clients.spawn(registers.clone().use_keys(caller(true), host));
        }
        Self {
            told,
            registers,
            clients,
        }
    }

    /// Waits until so many more writes are acknowledged.
    pub async fn until_answers(&mut self, more: u64) {
        let enough = self.told.answers.load(Ordering::SeqCst) + more;
        until(
            &format!("{more} more writes are acknowledged"),
            async || {
                if let Some(ended) = self.clients.try_join_next() {
                    panic!("a client ended: {ended:?}");
                }
                (self.told.answers.load(Ordering::SeqCst) >= enough).then_some(())
            },
        )
        .await;
    }

    /// Writes that were acknowledged.
    pub fn answers(&self) -> u64 {
        self.told.answers.load(Ordering::SeqCst)
    }

    /// Attempts of clients that were not answered, by the code of their failure.
    pub fn failures(&self) -> BTreeMap<String, u64> {
        self.told
            .failures
            .lock()
            .expect("no client panicked")
            .clone()
    }

    /// Longest that a write with a key took so far, and forgets it.
    pub fn slowest(&self) -> Duration {
        std::mem::take(&mut *self.told.slowest.lock().expect("no client panicked"))
    }

    /// Has the clients finish what they do.
    async fn finish(&mut self) {
        self.told.is_enough.store(true, Ordering::SeqCst);
        let ended = async {
            while let Some(ended) = self.clients.join_next().await {
                ended.expect("a client is content");
            }
        };
        let ended = tokio::time::timeout(PATIENCE, ended).await;
        ended.expect("every call ends");
    }

    /// Ends the load, waits until all hosts agree, and compares what each has with what clients were told.
    pub async fn compare(mut self, trio: &Trio) -> String {
        self.finish().await;
        trio.until_equal(&HOSTS).await;
        for host in HOSTS {
            let client = Client::connect(trio.address(host).api, &trio.os).await;
            let all = scan(&client.expect("the host listens")).await;
            self.check(host, &all.expect("the database answers"));
        }
        let told = &self.told;
        format!(
            "{} writes acknowledged, {} reads, {} calls of a few keys, which are linearizable, attempts that failed: {:?}",
            told.answers.load(Ordering::SeqCst),
            told.reads.load(Ordering::SeqCst),
            self.registers.check(),
            self.failures(),
        )
    }

    fn check(&self, host: &str, there: &BTreeMap<String, u64>) {
        let told = &self.told;
        for (key, revision) in told.written.lock().expect("no client panicked").iter() {
            assert_eq!(there.get(key), Some(revision), "{key} on {host}");
        }
        let offered = told.offered.lock().expect("no client panicked");
        for (key, revision) in there {
            if let Some(chain) = key.strip_prefix("chain-") {
                // Its value is of this revision, and nobody else writes it.
                let chain = &told.chains[chain.parse::<usize>().expect("a number")];
                assert_eq!(
                    *revision,
                    chain.revision.load(Ordering::SeqCst),
                    "{key} on {host}"
                );
            } else if key.starts_with("key-") || key.starts_with("once-") {
                assert!(offered.contains(key), "{key} on {host} was never written");
            }
        }
        let revisions: BTreeSet<u64> = there.values().copied().collect();
        assert_eq!(
            revisions.len(),
            there.len(),
            "each write has its own revision"
        );
    }
}
