//! States on their way from one host to another: what is kept for those who fetch one, and fetching.
//!
//! A state that was offered is kept as a view, which costs nothing but what changes meanwhile. It is fetched in parts, each of which begins after a key, so a broken transfer goes on where it was;
//! it is written beside the state in use, and the replica puts it in its place.

use crate::config::HostName;
use crate::os::Os;
use crate::os::clock::sleep;
use crate::os::task;
use crate::replica::bytes::{Reader, Unreadable, Writer};
use crate::replica::identity::Position;
use crate::replica::network::{
    CHUNK_BYTES_MAX, Chunk, ChunkError, ChunkRequest, FetchError, ReplicaRequests, SnapshotSource,
};
use crate::state::{Staging, View};
use crate::supervisor::chain;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// States of one service that are kept for others at once: one for each of two that lag behind at different entries.
const PINS_MAX: usize = 2;
/// How long one is kept after it was last asked for.
const PIN_TIME: Duration = Duration::from_secs(60);
/// A part: large enough that round trips do not matter, small enough that one is made in some milliseconds.
const PART_BYTES: usize = 1 << 20;
/// How often in a row a part is asked for that does not come, and how long after each time.
const TRIES_MAX: u32 = 20;
const TRY_PAUSE: Duration = Duration::from_millis(250);

struct Pin {
    index: u64,
    view: View,
    used: Duration,
}

/// The states that others may fetch. Clones share them.
#[derive(Clone)]
pub struct Pins {
    pins: Arc<Mutex<BTreeMap<String, Vec<Pin>>>>,
    os: Os,
}

impl Pins {
    /// None so far.
    #[must_use]
    pub fn new(os: Os) -> Self {
        Self {
            pins: Arc::default(),
            os,
        }
    }

    /// Keeps a state; the one that was not used for the longest time makes room.
    pub fn pin(&self, service: &str, index: u64, view: View, now: Duration) {
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        let pins = pins.entry(service.to_owned()).or_default();
        if pins.iter().any(|pin| pin.index == index) {
            return;
        }
        if pins.len() >= PINS_MAX {
            let oldest = (0..pins.len()).min_by_key(|at| pins[*at].used);
            oldest.map(|at| pins.swap_remove(at));
        }
        pins.push(Pin {
            index,
            view,
            used: now,
        });
    }

    /// Lets go of what nobody has asked for lately.
    pub fn expire(&self, now: Duration) {
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        for pins in pins.values_mut() {
            pins.retain(|pin| now.saturating_sub(pin.used) < PIN_TIME);
        }
    }

    /// A state that is kept.
    ///
    /// # Errors
    /// [`ChunkError`]: it is not, or not any more.
    pub fn view(&self, service: &str, index: u64) -> Result<View, ChunkError> {
        let now = self.os.clock.monotonic();
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        let pins = pins.get_mut(service).ok_or(ChunkError::NotServing)?;
        let pin = pins.iter_mut().find(|pin| pin.index == index);
        let pin = pin.ok_or(ChunkError::Gone)?;
        pin.used = now;
        Ok(pin.view.clone())
    }

    fn part(&self, service: &str, request: &ChunkRequest) -> Result<Bytes, ChunkError> {
        let view = self.view(service, request.index)?;
        // A pair may be longer than what is asked for; there is room for one.
        let bytes_max = request.bytes_max.min(CHUNK_BYTES_MAX / 2);
        let part = view.chunk(request.after.as_ref(), bytes_max);
        // A state that cannot be read is nothing to be sent; this host notices on its own.
        let part = part.map_err(|_| ChunkError::NotServing)?;
        Ok(encode(&part))
    }
}

impl SnapshotSource for Pins {
    fn chunk<'a>(&'a self, service: &'a str, request: ChunkRequest) -> Chunk<'a> {
        Box::pin(async move { self.part(service, &request) })
    }
}

/// A part as it is sent.
fn encode(part: &crate::state::Chunk) -> Bytes {
    let mut writer = Writer::with_capacity(PART_BYTES);
    writer.byte(part.is_last.into());
    for (key, value) in &part.pairs {
        writer.text(key);
        writer.text(value);
    }
    writer.finish()
}

/// Reads what [`encode`] wrote.
fn decode(bytes: Bytes) -> Result<crate::state::Chunk, Unreadable> {
    let mut reader = Reader::new(bytes);
    let is_last = match reader.byte()? {
        0 => false,
        1 => true,
        _ => return Err(Unreadable),
    };
    let mut pairs = Vec::new();
    while !reader.is_at_end() {
        pairs.push((reader.text()?, reader.text()?));
    }
    if !is_last && pairs.is_empty() {
        return Err(Unreadable);
    }
    Ok(crate::state::Chunk { pairs, is_last })
}

/// A state that was fetched, or why not.
pub struct Staged {
    /// The entry that it is of.
    pub at: Position,
    /// It, beside the one in use.
    pub staging: Result<Staging, String>,
}

/// What a fetch needs.
pub struct Fetch {
    /// Whose state.
    pub service: Arc<str>,
    /// Who has it.
    pub from: HostName,
    /// The entry that it is of.
    pub at: Position,
    /// Where it goes.
    pub staging: Staging,
    /// The way to it.
    pub asking: Arc<dyn ReplicaRequests>,
    /// The outside.
    pub os: Os,
}

type Part = (crate::state::Chunk, oneshot::Sender<Result<(), String>>);

/// Fetches a state. Writing it blocks, so that is done by a thread of its own.
pub async fn fetch(fetch: Fetch) -> Staged {
    let at = fetch.at;
    let staging = fetch_parts(fetch).await;
    Staged { at, staging }
}

async fn fetch_parts(fetch: Fetch) -> Result<Staging, String> {
    let Fetch {
        service,
        from,
        at,
        staging,
        asking,
        os,
    } = fetch;
    let mut after = staging.resume_after();
    let (parts, mut inbox) = mpsc::channel::<Part>(1);
    let (done, written) = oneshot::channel();
    let thread = task::thread("snapshot", move || {
        let mut staging = staging;
        while let Some((part, reply)) = inbox.blocking_recv() {
            let appended = staging.append(&part.pairs);
            // Whoever fetches may have given up.
            let _ = reply.send(appended.map_err(|error| chain(&error)));
        }
        let _ = done.send(staging);
    });
    thread.map_err(|error| format!("cannot start a thread: {error}"))?;
    let mut failures = 0;
    loop {
        let request = ChunkRequest {
            index: at.index,
            after: after.clone(),
            bytes_max: PART_BYTES,
        };
        let fetched = asking.fetch_chunk(&from, &service, request).await;
        let part = fetched.and_then(|bytes| {
            let unreadable = || format!("{from} sent a part of a state that cannot be read");
            decode(bytes).map_err(|_| FetchError::Unreadable(unreadable()))
        });
        let part = match part {
            Ok(part) => part,
            Err(error @ (FetchError::Gone | FetchError::NotServing)) => {
                return Err(error.to_string());
            }
            Err(error) if failures >= TRIES_MAX => return Err(error.to_string()),
            Err(_) => {
                failures += 1;
                sleep(os.clock.as_ref(), TRY_PAUSE).await;
                continue;
            }
        };
        failures = 0;
        let is_last = part.is_last;
        if let Some((key, _)) = part.pairs.last() {
            after = Some(key.clone());
        }
        let (reply, appended) = oneshot::channel();
        let gone = || "the thread that writes it ended".to_owned();
        parts.send((part, reply)).await.map_err(|_| gone())?;
        appended.await.map_err(|_| gone())??;
        if is_last {
            drop(parts);
            return written.await.map_err(|_| gone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_as_it_was_written_and_never_cut_short_in_a_pair() {
        let part = crate::state::Chunk {
            pairs: vec![("a".into(), "1".into()), ("bc".into(), "".into())],
            is_last: false,
        };
        let bytes = encode(&part);
        assert_eq!(decode(bytes.clone()), Ok(part));
        for length in 0..bytes.len() {
            let cut = decode(bytes.slice(..length));
            assert!(cut.is_err() || length == 5, "{length}: {cut:?}");
        }
    }
}
