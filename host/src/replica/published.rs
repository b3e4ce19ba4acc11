//! What a group shows to those who only read: its committed state, and how far it is.

use super::keyspace::Meta;
use crate::state::View;
use arc_swap::ArcSwapOption;
use std::sync::Arc;
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
    position: watch::Sender<u64>,
}

impl Default for Published {
    fn default() -> Self {
        Self {
            newest: Arc::default(),
            position: watch::Sender::new(0),
        }
    }
}

impl Published {
    /// The newest snapshot; none before the group is recovered.
    #[must_use]
    pub fn newest(&self) -> Option<Arc<Snapshot>> {
        self.newest.load_full()
    }

    /// Shows a newer one.
    pub fn publish(&self, snapshot: Snapshot) {
        let index = snapshot.index;
        self.newest.store(Some(Arc::new(snapshot)));
        self.position.send_replace(index);
    }

    /// Where the group is, and waiting for it to go on.
    #[must_use]
    pub fn position(&self) -> watch::Receiver<u64> {
        self.position.subscribe()
    }
}
