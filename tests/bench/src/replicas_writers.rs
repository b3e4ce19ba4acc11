//! Clients that write to a service with three replicas without pause, and see when writes were acknowledged, and which are lost.

use crate::Outcome;
use crate::cluster_file::Addresses;
use crate::replicas_host::PATIENCE;
use bookshop_host::client::{CallOptions, Client, RemoteFunction};
use bookshop_host::os::Os;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use wasmtime::component::Val;

/// The service that is written to.
pub const SERVICE: &str = "database-pooled";
/// Clients that write without pause.
pub const CLIENTS: usize = 16;
/// A client goes on to the next host after an error, or when it has waited so long: what etcd's client does.
const PATIENCE_OF_CLIENT: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(2);

/// Clients that write, each to a key of its own, so that it can be seen afterwards whether a write is lost.
#[derive(Clone)]
pub struct Writers(Arc<Shared>);

struct Shared {
    hosts: Vec<Addresses>,
    first: usize,
    /// One connection to each host, if it is there.
    connections: Vec<tokio::sync::Mutex<Option<(RemoteFunction, RemoteFunction)>>>,
    acknowledged: Mutex<Vec<Instant>>,
    /// The last number that each client was told is written.
    last: Vec<AtomicU64>,
}

impl Writers {
    /// Clients that begin with the host at this place.
    #[must_use]
    pub fn new(hosts: &[Addresses], first: usize) -> Self {
        Self(Arc::new(Shared {
            hosts: hosts.to_vec(),
            first,
            connections: hosts
                .iter()
                .map(|_| tokio::sync::Mutex::default())
                .collect(),
            acknowledged: Mutex::default(),
            last: (0..CLIENTS).map(|_| AtomicU64::new(0)).collect(),
        }))
    }

    /// Writes for some time, while something is done in a thread of its own. When writes were acknowledged, in order, and what came of that.
    ///
    /// # Errors
    /// A client or the thread panicked, or what is done fails.
    pub fn write_while<T: Send>(
        &self,
        runtime: &Runtime,
        time: Duration,
        act: impl FnOnce() -> Outcome<T> + Send,
    ) -> Outcome<(Vec<Instant>, T)> {
        let (times, done) = std::thread::scope(|scope| {
            let acting = scope.spawn(act);
            let times = runtime.block_on(self.write_for(time));
            (times, acting.join())
        });
        let done = done.map_err(|_| "the acting thread panicked")??;
        let mut times = times?;
        times.sort_unstable();
        Ok((times, done))
    }

    async fn write_for(&self, time: Duration) -> Outcome<Vec<Instant>> {
        let end = Instant::now() + time;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| tokio::spawn(self.clone().write_until(client, end)))
            .collect();
        for client in clients {
            client.await?;
        }
        let times = self.0.acknowledged.lock();
        Ok(times.unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn write_until(self, client: usize, end: Instant) {
        let shared = &self.0;
        let (mut place, mut number) = (shared.first, 0);
        while Instant::now() < end {
            number += 1;
            let write = self.write(place, client, number);
            match tokio::time::timeout(PATIENCE_OF_CLIENT, write).await {
                Ok(Ok(())) => {
                    shared.last[client].store(number, Ordering::Relaxed);
                    let times = shared.acknowledged.lock();
                    times
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(Instant::now());
                }
                Ok(Err(_)) | Err(_) => {
                    place = (place + 1) % shared.hosts.len();
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn write(&self, place: usize, client: usize, number: u64) -> Outcome {
        let (set, _) = self.functions(place).await?;
        let bytes = number.to_be_bytes().into_iter().cycle();
        let value = bytes.take(crate::state_host::VALUE_BYTES).map(Val::U8);
        let arguments = [key(client), Val::List(value.collect())];
        let options = CallOptions {
            timeout: Some(PATIENCE_OF_CLIENT),
            ..CallOptions::default()
        };
        let answer = set.call(&arguments, &options).await;
        match answer {
            Ok(answer) if matches!(answer[..], [Val::Result(Ok(_))]) => Ok(()),
            Ok(answer) => Err(format!("{answer:?}").into()),
            Err(error) => {
                // A host that was started again has to be connected to anew.
                *self.0.connections[place].lock().await = None;
                Err(error.into())
            }
        }
    }

    async fn functions(&self, place: usize) -> Outcome<(RemoteFunction, RemoteFunction)> {
        let mut connection = self.0.connections[place].lock().await;
        if let Some(functions) = &*connection {
            return Ok(functions.clone());
        }
        let client = Client::connect(self.0.hosts[place].api, &Os::real()).await?;
        let set = client.function(SERVICE, "set").await?;
        let get = client.function(SERVICE, "get").await?;
        Ok(connection.insert((set, get)).clone())
    }

    /// How many clients do not find what they were told is written.
    ///
    /// # Errors
    /// The service does not answer.
    pub async fn lost(&self) -> Outcome<usize> {
        let mut lost = 0;
        for client in 0..CLIENTS {
            let last = self.0.last[client].load(Ordering::Relaxed);
            if last > 0 && self.read(client).await? < last {
                lost += 1;
            }
        }
        Ok(lost)
    }

    async fn read(&self, client: usize) -> Outcome<u64> {
        let (_, get) = self.functions(self.0.first).await?;
        let options = CallOptions {
            timeout: Some(PATIENCE),
            ..CallOptions::default()
        };
        let answer = get.call(&[key(client)], &options).await?;
        number(&answer).ok_or_else(|| format!("no value: {answer:?}").into())
    }
}

/// The longest time between two that follow each other.
///
/// # Errors
/// There are no two.
pub fn longest_gap(times: &[Instant]) -> Outcome<Duration> {
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
    gaps.max().ok_or_else(|| "no write was acknowledged".into())
}

fn key(client: usize) -> Val {
    Val::String(format!("gap-{client}"))
}

/// The number that a value was made of.
fn number(answer: &[Val]) -> Option<u64> {
    let [Val::Result(Ok(Some(found)))] = answer else {
        return None;
    };
    let Val::Option(Some(entry)) = &**found else {
        return None;
    };
    let Val::Record(fields) = &**entry else {
        return None;
    };
    let (_, value) = fields.iter().find(|(name, _)| name == "value")?;
    let Val::List(bytes) = value else {
        return None;
    };
    let mut number = [0; 8];
    for (to, from) in number.iter_mut().zip(bytes) {
        let Val::U8(byte) = from else {
            return None;
        };
        *to = *byte;
    }
    Some(u64::from_be_bytes(number))
}
