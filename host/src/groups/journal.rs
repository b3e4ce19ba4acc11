//! The thread of the log: appends what all groups want appended, and syncs once for all that came meanwhile.

use crate::log::{AppendError, Log};
use crate::os::task;
use crate::state::GroupId;
use crate::supervisor::chain;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, watch};

/// Bytes of one write and sync, at most: a longer batch would make its first entries wait for its last.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// How far the log is with one group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Everything up to and including this index is on the disk.
    pub durable: u64,
    /// The first entry that had no room, and the generation of its append. Later ones of that generation had none either.
    pub refused: Option<(u64, u64)>,
}

/// What the thread is told. Not bounded: each group has at most so many bytes on their way as [`Group`](crate::replica::group::Group) allows.
pub enum Order {
    /// Append an entry.
    Append {
        /// Of which group.
        group: GroupId,
        /// Its index.
        index: u64,
        /// See [`Action::Append`](crate::replica::event::Action::Append).
        generation: u64,
        /// The entry.
        entry: Bytes,
    },
    /// Make sure that the loss of the last batch would be noticed. Sent from time to time; costs nothing if that is so already.
    Mark,
    /// Everything of these groups up to these indexes is in the state store.
    Compact(Vec<(GroupId, u64)>),
}

/// The host must not go on: what it has in memory and what is on its disk may differ. Clones share one reason, the first.
#[derive(Clone)]
pub struct Fatal(watch::Sender<Option<String>>);

impl Default for Fatal {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Fatal {
    /// Says why.
    pub fn report(&self, reason: &str) {
        self.0.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert_with(|| reason.to_owned());
            is_first
        });
    }

    /// Why, if so.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Waits until it is so.
    pub async fn wait(&self) -> String {
        let mut reasons = self.0.subscribe();
        match reasons.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            // The sender is in this very value.
            Err(_closed) => std::future::pending().await,
        }
    }
}

/// A handle to the thread. The thread ends when the last one is dropped.
#[derive(Clone)]
pub struct Journal {
    orders: mpsc::UnboundedSender<Order>,
    live_bytes: Arc<AtomicU64>,
}

impl Journal {
    /// Starts the thread on an open log. Progress of each group goes to its sender.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn start(
        log: Log,
        groups: BTreeMap<GroupId, watch::Sender<Progress>>,
        fatal: Fatal,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (orders, receiver) = mpsc::unbounded_channel();
        let live_bytes = Arc::new(AtomicU64::new(log.live_bytes()));
        let keeper = Keeper {
            log,
            groups,
            touched: BTreeMap::new(),
            refusing: BTreeMap::new(),
            live_bytes: Arc::clone(&live_bytes),
        };
        let thread = task::thread("log", move || {
            if let Err(reason) = keeper.run(receiver) {
                fatal.report(&reason);
            }
        })?;
        Ok((Self { orders, live_bytes }, thread))
    }

    /// Sends an order. After a failure nothing happens any more.
    pub fn order(&self, order: Order) {
        let _ = self.orders.send(order);
    }

    /// Bytes of the log that are not in the state store.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        self.live_bytes.load(Ordering::Relaxed)
    }
}

struct Keeper {
    log: Log,
    groups: BTreeMap<GroupId, watch::Sender<Progress>>,
    /// The last index of each group in the batch.
    touched: BTreeMap<GroupId, u64>,
    /// Groups whose appends of this generation are refused.
    refusing: BTreeMap<GroupId, u64>,
    live_bytes: Arc<AtomicU64>,
}

impl Keeper {
    fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) -> Result<(), String> {
        while let Some(order) = orders.blocking_recv() {
            let mut bytes = self.take(order)?;
            while bytes < BATCH_BYTES_MAX
                && let Ok(order) = orders.try_recv()
            {
                bytes += self.take(order)?;
            }
            self.sync()?;
            // Whoever waited has been told; now there is time to prepare the next segment.
            self.log.maintain().map_err(|error| chain(&error))?;
            self.live_bytes
                .store(self.log.live_bytes(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Makes the batch durable, and tells its groups.
    fn sync(&mut self) -> Result<(), String> {
        if self.touched.is_empty() {
            return Ok(());
        }
        self.log.sync().map_err(|error| chain(&error))?;
        for (group, index) in std::mem::take(&mut self.touched) {
            if let Some(progress) = self.groups.get(&group) {
                progress.send_modify(|progress| progress.durable = index);
            }
        }
        Ok(())
    }

    fn take(&mut self, order: Order) -> Result<usize, String> {
        match order {
            Order::Append {
                group,
                index,
                generation,
                entry,
            } => {
                if self.refusing.get(&group) == Some(&generation) {
                    return Ok(0);
                }
                let mut appended = self.log.append(group.0, index, &entry);
                if appended == Err(AppendError::BatchFull) {
                    self.sync()?;
                    appended = self.log.append(group.0, index, &entry);
                }
                match appended {
                    Ok(()) => {
                        self.touched.insert(group, index);
                        Ok(entry.len())
                    }
                    Err(AppendError::Full) => {
                        self.refusing.insert(group, generation);
                        if let Some(progress) = self.groups.get(&group) {
                            progress.send_modify(|progress| {
                                progress.refused = Some((index, generation));
                            });
                        }
                        Ok(0)
                    }
                    Err(error) => Err(chain(&error)),
                }
            }
            Order::Mark => {
                if self.touched.is_empty() {
                    self.log.mark().map_err(|error| chain(&error))?;
                }
                Ok(0)
            }
            Order::Compact(through) => {
                for (group, index) in through {
                    self.log.compact(group.0, index);
                }
                Ok(0)
            }
        }
    }
}
