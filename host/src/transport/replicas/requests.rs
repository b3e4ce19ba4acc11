//! Questions to hosts with replicas, and their answers: `POST /snapshot/SERVICE` and `POST /replica-hello`, as HTTP like everything that is
//! asked and answered between hosts, on the lane for what is large.
//!
//! A part of a snapshot is answered with 200 and `crc32c of the part: u32 LE, part`. A status of 410 says that there is no such snapshot any more, 404
//! that there are no replicas; any other that something went wrong.

use super::Replicas;
use crate::config::HostName;
use crate::os::clock::timeout;
use crate::replica::network::{
    CHUNK_BYTES_MAX, ChunkRequest, FetchError, Fetching, HELLO_BYTES_MAX, HelloSource,
    ReplicaRequests, SnapshotSource,
};
use crate::transport::lane::Lane;
use crate::transport::message;
use crate::transport::wire::ExchangeError;
use bytes::{BufMut, Bytes, BytesMut};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use std::sync::Arc;
use std::time::Duration;

/// Where questions for parts of snapshots go; the service's name follows.
pub const SNAPSHOT_PATH: &str = "/snapshot/";
/// Where hosts introduce their replicas.
pub const HELLO_PATH: &str = "/replica-hello";
/// Longest question: a key, a few numbers.
pub const REQUEST_BYTES_MAX: usize = 16 << 10;

/// The largest part over a slow link, and the time to read it from a disk.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(10);
/// A host that is there answers this at once.
const HELLO_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes of the checksum before a part.
const CHECKSUM_BYTES: usize = 4;

/// What this host has for others that have replicas of its services.
#[derive(Clone)]
pub struct Sources {
    /// Parts of snapshots.
    pub snapshots: Arc<dyn SnapshotSource>,
    /// What it says of itself.
    pub hello: Arc<dyn HelloSource>,
}

impl ReplicaRequests for Replicas {
    fn fetch_chunk<'a>(
        &'a self,
        from: &'a HostName,
        service: &'a str,
        request: ChunkRequest,
    ) -> Fetching<'a> {
        Box::pin(async move {
            let bytes_max = request.bytes_max.min(CHUNK_BYTES_MAX);
            let path = format!("{SNAPSHOT_PATH}{service}");
            let asked = self.ask(
                from,
                &path,
                request.to_bytes(),
                CHECKSUM_BYTES + bytes_max,
                CHUNK_TIMEOUT,
            );
            open(asked.await?).ok_or_else(|| {
                FetchError::Unreadable(format!("{from} sent a part of a snapshot that is damaged"))
            })
        })
    }

    fn hello<'a>(&'a self, of: &'a HostName, question: Bytes) -> Fetching<'a> {
        Box::pin(self.ask(of, HELLO_PATH, question, HELLO_BYTES_MAX, HELLO_TIMEOUT))
    }
}

impl Replicas {
    async fn ask(
        &self,
        host: &HostName,
        path: &str,
        question: Bytes,
        bytes_max: usize,
        within: Duration,
    ) -> Result<Bytes, FetchError> {
        let unreachable = |reason: &str| FetchError::Unreachable(format!("{host} {reason}"));
        let unreadable = |reason: &str| FetchError::Unreadable(format!("{host} {reason}"));
        let index = self.inner.peers.find(host.as_str());
        let index = index.ok_or_else(|| unreachable("is no other host of the cluster file"))?;
        let request = Request::post(format!("https://peer{path}"))
            .body(message::full(question))
            .map_err(|error| unreadable(&format!("cannot be asked: {error}")))?;
        let asked = async {
            let response = match self.wire.exchange(index, Lane::Bulk, request).await {
                Ok(response) => response,
                Err(
                    ExchangeError::NotSent { reason, .. }
                    | ExchangeError::Refused { reason }
                    | ExchangeError::Lost { reason }
                    | ExchangeError::Reset { reason },
                ) => return Err(unreachable(&reason)),
                Err(busy @ ExchangeError::Busy) => return Err(unreachable(&busy.to_string())),
            };
            let status = response.status();
            match status {
                StatusCode::OK => {}
                StatusCode::GONE => return Err(FetchError::Gone),
                StatusCode::NOT_FOUND => return Err(FetchError::NotServing),
                _ => return Err(unreachable(&format!("answers {status}"))),
            }
            let body = Limited::new(response.into_body(), bytes_max)
                .collect()
                .await;
            let body =
                body.map_err(|error| unreadable(&format!("broke off its answer: {error}")))?;
            Ok(body.to_bytes())
        };
        let asked = timeout(self.inner.os.clock.as_ref(), within, asked);
        asked.await.unwrap_or_else(|_elapsed| {
            let within_ms = within.as_millis();
            Err(unreachable(&format!(
                "did not answer within {within_ms} ms"
            )))
        })
    }
}

/// A part as it is sent.
#[must_use]
pub fn seal(part: &Bytes) -> Bytes {
    let mut sealed = BytesMut::with_capacity(CHECKSUM_BYTES + part.len());
    sealed.put_u32_le(crc32c::crc32c(part));
    sealed.extend_from_slice(part);
    sealed.freeze()
}

/// A part that was sealed; none if it is not what it was.
fn open(sealed: Bytes) -> Option<Bytes> {
    let (checksum, part) = sealed.split_first_chunk::<CHECKSUM_BYTES>()?;
    let is_whole = crc32c::crc32c(part) == u32::from_le_bytes(*checksum);
    is_whole.then(|| sealed.slice(CHECKSUM_BYTES..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_with_any_byte_changed_or_missing_is_not_taken() {
        let part = Bytes::from_static(b"part of a snapshot");
        let sealed = seal(&part);
        assert_eq!(open(sealed.clone()), Some(part));
        for place in 0..sealed.len() {
            let mut changed = sealed.to_vec();
            changed[place] ^= 1;
            assert_eq!(open(changed.into()), None, "{place}");
            assert_eq!(open(sealed.slice(..place)), None, "{place}");
        }
        assert_eq!(open(seal(&Bytes::new())), Some(Bytes::new()));
    }
}
