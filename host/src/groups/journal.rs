//! The thread of the log: appends what all groups want appended, and syncs once for all that came meanwhile.

use crate::log::{AppendError, Log};
use crate::os::task;
use crate::replica::member::Save;
use crate::state::GroupId;
use crate::supervisor::chain;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot, watch};

/// Bytes of one write and sync, at most: a longer batch would make its first entries wait for its last.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// What a group begins with counts as its first entry, and is in no log.
const BEGINNING: u64 = 1;

/// How far the log is with one group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last save that is on the disk.
    pub durable: u64,
    /// How often that was said: the numbers of saves begin anew when a replica does.
    pub count: u64,
    /// Whether a save waits for room.
    pub is_full: bool,
}

/// What the thread is told. Not bounded: each group has at most so many bytes on their way as [`Group`](crate::replica::group::Group) and the window of a
/// leader's messages allow.
pub enum Order {
    /// Put on the disk what a replica wants to be there.
    Save(GroupId, Save),
    /// Put a replica's own record on the disk, and say so.
    Record(GroupId, Bytes, oneshot::Sender<()>),
    /// Drop all entries of a group, and what waits for room; its next entry is the first. Say so when that, and its replica's record, are on the disk.
    Forget(GroupId, Bytes, oneshot::Sender<()>),
    /// Make sure that the loss of the last batch would be noticed. Sent from time to time; costs nothing if that is so already.
    Mark,
    /// A group needs nothing up to and including this entry; its own record says so.
    Compact(GroupId, u64, Bytes),
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
            waiting: Vec::new(),
            stuck: BTreeMap::new(),
            records: VecDeque::new(),
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
    /// The last save of each group in the batch.
    touched: BTreeMap<GroupId, u64>,
    /// Who waits for the batch.
    waiting: Vec<oneshot::Sender<()>>,
    /// Saves that found no room, in order. What follows of the same group waits behind them.
    stuck: BTreeMap<GroupId, VecDeque<Save>>,
    /// Records that found no room, or wait behind such saves.
    records: VecDeque<(GroupId, Bytes, oneshot::Sender<()>)>,
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
        if !self.log.is_pending() {
            return Ok(());
        }
        self.log.sync().map_err(|error| chain(&error))?;
        for (group, token) in std::mem::take(&mut self.touched) {
            if let Some(progress) = self.groups.get(&group) {
                progress.send_modify(|progress| {
                    progress.durable = token;
                    progress.count += 1;
                });
            }
        }
        for waiting in self.waiting.drain(..) {
            // Nobody waits any more if the host stops.
            let _ = waiting.send(());
        }
        Ok(())
    }

    fn take(&mut self, order: Order) -> Result<usize, String> {
        match order {
            Order::Save(group, save) => {
                if let Some(stuck) = self.stuck.get_mut(&group) {
                    stuck.push_back(save);
                    return Ok(0);
                }
                let bytes = bytes(&save);
                if let Some(rest) = self.save(group, save)? {
                    self.stuck.insert(group, VecDeque::from([rest]));
                    self.tell_full(group, true);
                }
                Ok(bytes)
            }
            Order::Record(group, record, done) => {
                let bytes = record.len();
                self.records.push_back((group, record, done));
                self.note_records()?;
                Ok(bytes)
            }
            Order::Forget(group, record, done) => {
                if self.stuck.remove(&group).is_some() {
                    self.tell_full(group, false);
                }
                self.touched.remove(&group);
                let is_noted = self.append(|log| log.restart(group.0, 0))?
                    && self.append(|log| log.set_state(group.0, &record))?;
                if !is_noted {
                    return Err("the log has no room for giving up what a replica had".into());
                }
                self.waiting.push(done);
                Ok(record.len())
            }
            Order::Mark => {
                self.retry()?;
                if !self.log.is_pending() {
                    self.log.mark().map_err(|error| chain(&error))?;
                }
                Ok(0)
            }
            Order::Compact(group, through, record) => {
                // Without room for the record the log keeps what it has until the next time.
                if self.append(|log| log.set_state(group.0, &record))? {
                    // The records of saves that wait are older. Written after this one they would say that the log begins where it does no more.
                    for save in self.stuck.get_mut(&group).into_iter().flatten() {
                        save.identity = None;
                    }
                    if through > BEGINNING {
                        self.log.compact(group.0, through);
                    }
                }
                self.retry()?;
                Ok(record.len())
            }
        }
    }

    /// Appends what a save consists of. Returns what there was no room for.
    fn save(&mut self, group: GroupId, save: Save) -> Result<Option<Save>, String> {
        let Save {
            token,
            mut identity,
            mut restart,
            entries,
        } = save;
        let mut entries = VecDeque::from(entries);
        let is_whole = 'whole: {
            if let Some(record) = &identity
                && !self.append(|log| log.set_state(group.0, record))?
            {
                break 'whole false;
            }
            identity = None;
            if let Some(through) = restart
                && !self.append(|log| log.restart(group.0, through))?
            {
                break 'whole false;
            }
            restart = None;
            while let Some((index, record)) = entries.front() {
                if !self.append(|log| log.append(group.0, *index, record))? {
                    break 'whole false;
                }
                entries.pop_front();
            }
            true
        };
        if is_whole {
            self.touched.insert(group, token);
            return Ok(None);
        }
        Ok(Some(Save {
            token,
            identity,
            restart,
            entries: entries.into(),
        }))
    }

    /// Appends one thing; false if there is no room for it.
    fn append(
        &mut self,
        mut append: impl FnMut(&mut Log) -> Result<(), AppendError>,
    ) -> Result<bool, String> {
        let mut appended = append(&mut self.log);
        if appended == Err(AppendError::BatchFull) {
            self.sync()?;
            appended = append(&mut self.log);
        }
        match appended {
            Ok(()) => Ok(true),
            Err(AppendError::Full) => Ok(false),
            Err(
                error @ (AppendError::Failed
                | AppendError::BatchFull
                | AppendError::TooLarge { .. }),
            ) => Err(chain(&error)),
        }
    }

    /// Appends records of replicas, each after what its group has saved before.
    fn note_records(&mut self) -> Result<(), String> {
        for (group, record, done) in std::mem::take(&mut self.records) {
            let is_next = !self.stuck.contains_key(&group);
            if is_next && self.append(|log| log.set_state(group.0, &record))? {
                self.waiting.push(done);
            } else {
                self.records.push_back((group, record, done));
            }
        }
        Ok(())
    }

    /// Tries again what found no room.
    fn retry(&mut self) -> Result<(), String> {
        for (group, mut saves) in std::mem::take(&mut self.stuck) {
            while let Some(save) = saves.pop_front() {
                if let Some(rest) = self.save(group, save)? {
                    saves.push_front(rest);
                    break;
                }
            }
            if saves.is_empty() {
                self.tell_full(group, false);
            } else {
                self.stuck.insert(group, saves);
            }
        }
        self.note_records()
    }

    fn tell_full(&self, group: GroupId, is_full: bool) {
        if let Some(progress) = self.groups.get(&group) {
            progress.send_modify(|progress| progress.is_full = is_full);
        }
    }
}

fn bytes(save: &Save) -> usize {
    let entries = save.entries.iter().map(|(_, record)| record.len());
    entries.sum::<usize>() + save.identity.as_ref().map_or(0, Bytes::len)
}
