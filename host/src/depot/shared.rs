//! The components of a host for tasks, whose threads must not wait for a disk.

use super::{COMPONENT_BYTES_MAX, Depot, DepotError};
use crate::component::Digest;
use crate::os::Os;
use crate::os::task;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Components whose bytes may be in memory at once, for all who send or take some: 256 MiB at most.
const IN_MEMORY_MAX: usize = 4;

/// One [`Depot`], opened when it is first used, since that reads all that is there. Clones share it.
#[derive(Clone)]
pub struct SharedDepot(Arc<Inner>);

struct Inner {
    host_folder: PathBuf,
    os: Os,
    opened: Mutex<Option<Arc<Depot>>>,
    room: Arc<Semaphore>,
}

/// Room for the bytes of one component in memory; given back when it is dropped.
pub struct Room(#[expect(dead_code, reason = "held, not looked at")] OwnedSemaphorePermit);

impl SharedDepot {
    /// Of the host with this folder.
    #[must_use]
    pub fn new(host_folder: PathBuf, os: Os) -> Self {
        Self(Arc::new(Inner {
            host_folder,
            os,
            opened: Mutex::default(),
            room: Arc::new(Semaphore::new(IN_MEMORY_MAX)),
        }))
    }

    /// Where a component is, if it is here.
    #[must_use]
    pub fn path(&self, digest: &str) -> PathBuf {
        super::path(&self.0.host_folder, digest)
    }

    /// Whether a component is here.
    ///
    /// # Errors
    /// [`DepotError::Disk`].
    pub async fn has(&self, digest: &str) -> Result<bool, DepotError> {
        let digest = digest.to_owned();
        self.with(move |depot| Ok(depot.has(&digest))).await
    }

    /// Those of these components that are not here.
    ///
    /// # Errors
    /// [`DepotError::Disk`].
    pub async fn missing(&self, digests: Vec<Digest>) -> Result<Vec<Digest>, DepotError> {
        let missing = move |depot: &Depot| {
            let mut digests = digests;
            digests.retain(|digest| !depot.has(digest));
            Ok(digests)
        };
        self.with(missing).await
    }

    /// Waits until there is room for the bytes of one more component.
    ///
    /// # Errors
    /// [`DepotError::Stopping`].
    pub async fn room(&self) -> Result<Room, DepotError> {
        let permit = Arc::clone(&self.0.room).acquire_owned().await;
        permit.map(Room).map_err(|_closed| DepotError::Stopping)
    }

    /// Keeps a component; see [`Depot::put`]. Take [`SharedDepot::room`] before its bytes come.
    ///
    /// # Errors
    /// See [`DepotError`].
    pub async fn put(&self, bytes: Bytes) -> Result<Digest, DepotError> {
        self.with(move |depot| depot.put(&bytes)).await
    }

    /// The bytes of a component; see [`Depot::read`]. Take [`SharedDepot::room`] before.
    ///
    /// # Errors
    /// See [`DepotError`].
    pub async fn read(&self, digest: &str) -> Result<Bytes, DepotError> {
        let digest = digest.to_owned();
        let read = self.with(move |depot| depot.read(&digest)).await;
        read.map(Bytes::from)
    }

    /// Keeps the component that a file has.
    ///
    /// # Errors
    /// See [`DepotError`].
    pub async fn put_file(&self, path: PathBuf) -> Result<Digest, DepotError> {
        let _room = self.room().await?;
        let disk = Arc::clone(&self.0.os.disk);
        let put = move |depot: &Depot| {
            let bytes = disk.read(&path);
            let bytes = bytes.map_err(|source| DepotError::Disk { path, source })?;
            depot.put(&bytes)
        };
        self.with(put).await
    }

    /// Removes what nothing names any more; see [`Depot::keep_only`].
    ///
    /// # Errors
    /// [`DepotError::Disk`].
    pub async fn keep_only(
        &self,
        wanted: BTreeSet<Digest>,
        age_min: Duration,
    ) -> Result<usize, DepotError> {
        self.with(move |depot| depot.keep_only(&wanted, age_min))
            .await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Depot) -> Result<T, DepotError> + Send + 'static,
    ) -> Result<T, DepotError> {
        let inner = Arc::clone(&self.0);
        let done = task::blocking(move || work(inner.opened()?.as_ref())).await;
        done.map_err(|_ended| DepotError::Stopping)?
    }
}

impl Inner {
    fn opened(&self) -> Result<Arc<Depot>, DepotError> {
        // Held while it is opened: two at once would remove each other's unfinished files.
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(depot) = &*opened {
            return Ok(Arc::clone(depot));
        }
        let depot = Arc::new(Depot::open(&self.host_folder, self.os.clone())?);
        *opened = Some(Arc::clone(&depot));
        Ok(depot)
    }
}

const _: () = assert!(COMPONENT_BYTES_MAX * IN_MEMORY_MAX <= 256 << 20);
