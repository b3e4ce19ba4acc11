//! What a group shows to those who only read: its committed state, and how far it is.

use super::keyspace::Meta;
use crate::state::View;
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// The committed state at one moment.
pub struct Snapshot {
    /// The state.
    pub view: View,
    /// What is known of it as a whole.
    pub meta: Meta,
    /// The last entry in it.
    pub index: u64,
}

/// A handle to the newest snapshot of a group; clones show the same one.
#[derive(Clone)]
pub struct Published {
    newest: Arc<ArcSwapOption<Snapshot>>,
    /// Whether somebody looked who did not ask first, since the last time.
    was_seen: Arc<AtomicBool>,
    position: watch::Sender<u64>,
}

impl Default for Published {
    fn default() -> Self {
        Self {
            newest: Arc::default(),
            was_seen: Arc::default(),
            position: watch::Sender::new(0),
        }
    }
}

impl Published {
    /// The newest snapshot that is shown; none before the group is recovered. Of a group with several replicas it may be a moment older than what those
    /// see who [ask](Self::asked) first.
    #[must_use]
    pub fn newest(&self) -> Option<Arc<Snapshot>> {
        self.was_seen.store(true, Ordering::Relaxed);
        self.newest.load_full()
    }

    /// The same, for whoever has asked the group, which has shown what is new enough.
    #[must_use]
    pub fn asked(&self) -> Option<Arc<Snapshot>> {
        self.newest.load_full()
    }

    /// Whether somebody would see a newer snapshot without asking: waits for one, or has looked since this was asked last.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.was_seen.swap(false, Ordering::Relaxed) || self.position.receiver_count() > 0
    }

    /// Shows a newer one.
    pub fn publish(&self, snapshot: Snapshot) {
        let index = snapshot.index;
        self.newest.store(Some(Arc::new(snapshot)));
        self.position.send_replace(index);
    }

    /// Says how far the group is, which those who wait for it see, and shows no newer state.
    pub fn moved(&self, index: u64) {
        self.position.send_replace(index);
    }

    /// Where the group is, and waiting for it to go on.
    #[must_use]
    pub fn position(&self) -> watch::Receiver<u64> {
        self.position.subscribe()
    }
}
