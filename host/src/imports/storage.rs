//! `bookshop:platform/storage`: the ordered keys of the service. A call's writes take effect together when it succeeds.

use crate::imports::{CallState, Kept, NoState};
use crate::replica::work::{Work, WorkError};
use crate::storage::{Full, Transaction};
use wasmtime::component::{HasSelf, Linker};

mod generated {
    #![allow(
        missing_docs,
        clippy::all,
        reason = "generated from WIT, documented there"
    )]
    wasmtime::component::bindgen!({
        path: "../wit/platform",
        inline: "package host:storage; world imports { import bookshop:platform/storage@0.1.0; }",
        world: "host:storage/imports",
        imports: { default: trappable },
    });
}
use generated::bookshop::platform::storage;

/// Keys returned by one scan at most; the caller goes on from the last one.
const SCAN_MAX: usize = 10_000;

/// A key with its value.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

/// What storage is for this call.
pub(super) enum Place<'a> {
    /// Gone with the host.
    Volatile(&'a mut Transaction),
    /// Kept in the log and the state store.
    Replicated(&'a mut Work),
}

impl CallState {
    /// The call's work on the keys of its service, begun if it was not.
    ///
    /// # Errors
    /// See [`NoState`].
    pub(super) fn place(&mut self) -> Result<Place<'_>, NoState> {
        if self.lifecycle.is_some() {
            return Err(NoState::Daemon);
        }
        if let (Kept::Untouched, Some(storage)) = (&self.kept, &self.service.storage) {
            self.kept = Kept::Volatile(storage.begin());
        }
        if !matches!(self.kept, Kept::Volatile(_)) {
            return self.work().map(Place::Replicated);
        }
        match &mut self.kept {
            Kept::Volatile(transaction) => Ok(Place::Volatile(transaction)),
            Kept::Untouched | Kept::Replicated(_) => Err(NoState::Missing),
        }
    }
}

/// A change or a read that was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// By volatile state.
    #[error(transparent)]
    Full(#[from] Full),
    /// By replicated state.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl Refused {
    /// Ends the call. The cause goes as it is, since that is what decides what the caller is told.
    pub(super) fn trap(self) -> wasmtime::Error {
        match self {
            Self::Full(error) => error.into(),
            Self::Work(error) => error.into(),
        }
    }
}

impl Place<'_> {
    pub(super) fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Refused> {
        Ok(match self {
            Self::Volatile(transaction) => transaction.get(key),
            Self::Replicated(work) => work.get(key)?.map(Vec::from),
        })
    }

    pub(super) fn set(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), Refused> {
        match self {
            Self::Volatile(transaction) => transaction.set(key, value)?,
            Self::Replicated(work) => work.set(&key, value)?,
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, key: Vec<u8>) -> Result<bool, Refused> {
        Ok(match self {
            Self::Volatile(transaction) => transaction.delete(key),
            Self::Replicated(work) => work.delete(&key)?,
        })
    }

    pub(super) fn scan(
        &mut self,
        low: &[u8],
        high: Option<&[u8]>,
        limit: usize,
        reverse: bool,
    ) -> Result<Vec<Pair>, Refused> {
        Ok(match self {
            Self::Volatile(transaction) => transaction.scan(low, high, limit, reverse),
            Self::Replicated(work) => {
                let pairs = work.scan(low, high, limit, reverse)?;
                let own = |(key, value)| (Vec::from(key), Vec::from(value));
                pairs.into_iter().map(own).collect()
            }
        })
    }
}

impl storage::Host for CallState {
    fn get(&mut self, key: Vec<u8>) -> wasmtime::Result<Option<Vec<u8>>> {
        self.place()?.get(&key).map_err(Refused::trap)
    }

    fn set(&mut self, key: Vec<u8>, value: Vec<u8>) -> wasmtime::Result<()> {
        self.place()?.set(key, value).map_err(Refused::trap)
    }

    fn delete(&mut self, key: Vec<u8>) -> wasmtime::Result<bool> {
        self.place()?.delete(key).map_err(Refused::trap)
    }

    fn scan(
        &mut self,
        low: Vec<u8>,
        high: Option<Vec<u8>>,
        limit: u32,
        reverse: bool,
    ) -> wasmtime::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let limit = usize::try_from(limit).unwrap_or(SCAN_MAX).min(SCAN_MAX);
        self.place()?
            .scan(&low, high.as_deref(), limit, reverse)
            .map_err(Refused::trap)
    }
}

/// Adds the interface.
///
/// # Errors
/// A bug: it was added twice.
pub fn add_to_linker(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    storage::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)
}
