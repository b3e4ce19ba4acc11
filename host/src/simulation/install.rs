//! States that go from one replica to another that is too far behind: offered, fetched in pieces, put in place.

use super::events::Local;
use super::node::Replica;
use super::plan::{AnyMutant, HostMutant};
use super::world::{Step, Stop, World, violated};
use crate::config::HostName;
use crate::replica::identity::Position;
use crate::replica::member::Input;
use crate::state::{GroupId, Staging, StoreError, View};
use bytes::Bytes;
use std::time::Duration;

/// States that a replica keeps for others at once.
const PINS_MAX: usize = 3;
/// Pairs in a piece, at most. Few, so that a state is many pieces.
const PAIRS_MAX: usize = 16;
/// How long a piece is waited for.
const PIECE: Duration = Duration::from_millis(150);
/// How often a piece is asked for.
const TRIES_MAX: u32 = 5;
/// How long the sender of an offer waits for its fate.
const OFFER: Duration = Duration::from_secs(4);

/// When a state that has no room is put in place again, at the latest.
const FULL_US: u64 = 100_000;

/// How often in a thousand times the host ends while it puts a state in place, or soon after, and within how many operations of its disk.
const ENDS_MEANWHILE: u32 = 150;
const OPERATIONS_MEANWHILE: u64 = 40;

type Pair = (Bytes, Bytes);

/// A state on its way.
pub struct Fetching {
    from: usize,
    at: Position,
    staging: Staging,
    /// Pairs that have arrived.
    count: usize,
    tries: u32,
    /// Counts what arrives.
    progress: u64,
    is_whole: bool,
    /// Whether the state may be in place already: then nothing may be folded into it before it is for sure.
    pub is_half_installed: bool,
}

/// What replicas' hosts say to each other about a state.
#[derive(Clone)]
pub(super) enum Parcel {
    /// The pairs after so many are wanted.
    Ask(u64, usize),
    /// Here they are, from that one on; whether they are the last.
    Piece(u64, usize, Vec<Pair>, bool),
    /// It is not to be had any more.
    Gone(u64),
    /// The replica of this number has it, or could not get it.
    Done(u64, bool),
}

impl Replica {
    /// Keeps a state for those who are offered it.
    pub fn pin(&mut self, index: u64, view: View) {
        self.pinned.insert(index, view);
        while self.pinned.len() > PINS_MAX {
            self.pinned.pop_first();
        }
    }
}

impl World<'_> {
    /// A state was offered: if nobody fetches it, its sender hears so.
    pub(super) fn offered(&mut self, host: usize, group: GroupId, member: u64) {
        self.alive(host, self.now + OFFER, Local::Sent(group, member, false));
    }

    fn send_parcel(&mut self, host: usize, to: usize, group: GroupId, parcel: &Parcel) {
        for at in self.network.send(host, to, self.now) {
            self.on(to, at, Local::Parcel(host, group, parcel.clone()));
        }
    }

    pub(super) fn fetch(
        &mut self,
        host: usize,
        group: GroupId,
        from: &HostName,
        at: Position,
    ) -> Step {
        let Some(from) = self.find_host(from) else {
            return violated(format!(
                "a state is to be fetched from {from}, which is no host"
            ));
        };
        self.tell_of(host, || {
            format!("fetches the state of group {} at {at:?}", group.0)
        });
        let Some(node) = &mut self.hosts[host].node else {
            return Ok(());
        };
        let staging = node.store.stage(group);
        let Some(replica) = node.replicas.get_mut(&group) else {
            return Ok(());
        };
        let mut before = replica.fetching.iter();
        if before.any(|fetching| fetching.staging.is_in_place()) {
            return Err(Stop::Ended);
        }
        // An engine that failed meanwhile has forgotten the state that it wanted before.
        replica.fetching = Some(Fetching {
            from,
            at,
            staging,
            count: 0,
            tries: 0,
            progress: 0,
            is_whole: false,
            is_half_installed: false,
        });
        self.ask_for_piece(host, group)
    }

    /// Asks for the next piece, unless that was done too often.
    fn ask_for_piece(&mut self, host: usize, group: GroupId) -> Step {
        let Some(replica) = self.hosts[host].replica_mut(group) else {
            return Ok(());
        };
        let Some(fetching) = &mut replica.fetching else {
            return Ok(());
        };
        fetching.tries += 1;
        if fetching.tries > TRIES_MAX {
            return self.give_up(host, group, false);
        }
        let ask = Parcel::Ask(fetching.at.index, fetching.count);
        let (from, progress) = (fetching.from, fetching.progress);
        self.send_parcel(host, from, group, &ask);
        self.alive(host, self.now + PIECE, Local::Stalled(group, progress));
        Ok(())
    }

    /// A state is not fetched any more: it cannot be had, or is not needed.
    fn give_up(&mut self, host: usize, group: GroupId, is_here: bool) -> Step {
        let Some(replica) = self.hosts[host].replica_mut(group) else {
            return Ok(());
        };
        let member = replica.member.id();
        if let Some(fetching) = replica.fetching.take() {
            let done = Parcel::Done(member, is_here);
            self.send_parcel(host, fetching.from, group, &done);
        }
        self.step(host, group, Input::NotFetched)
    }

    pub(super) fn stalled(&mut self, host: usize, group: GroupId, progress: u64) -> Step {
        let fetching = self.hosts[host].replica(group);
        let fetching = fetching.and_then(|replica| replica.fetching.as_ref());
        match fetching {
            Some(fetching) if fetching.progress == progress && !fetching.is_whole => {
                self.ask_for_piece(host, group)
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn parcel(
        &mut self,
        host: usize,
        from: usize,
        group: GroupId,
        parcel: Parcel,
    ) -> Step {
        match parcel {
            Parcel::Ask(index, after) => {
                let answer = match self.piece(host, group, index, after)? {
                    Some((pairs, is_last)) => Parcel::Piece(index, after, pairs, is_last),
                    None => Parcel::Gone(index),
                };
                self.send_parcel(host, from, group, &answer);
                Ok(())
            }
            Parcel::Piece(index, after, pairs, is_last) => {
                let Some(replica) = self.hosts[host].replica_mut(group) else {
                    return Ok(());
                };
                let Some(fetching) = &mut replica.fetching else {
                    return Ok(());
                };
                let expected = (fetching.from, fetching.at.index, fetching.count);
                if expected != (from, index, after) || fetching.is_whole {
                    return Ok(());
                }
                match fetching.staging.append(&pairs) {
                    Ok(()) => {}
                    Err(StoreError::Full { .. }) => return self.give_up(host, group, false),
                    Err(_) => return Err(Stop::Ended),
                }
                fetching.count += pairs.len();
                fetching.progress += 1;
                fetching.tries = 0;
                fetching.is_whole = is_last;
                if is_last {
                    self.install(host, group)
                } else {
                    self.ask_for_piece(host, group)
                }
            }
            Parcel::Gone(index) => {
                let fetching = self.hosts[host].replica(group);
                let fetching = fetching.and_then(|replica| replica.fetching.as_ref());
                match fetching {
                    Some(fetching) if (fetching.from, fetching.at.index) == (from, index) => {
                        self.give_up(host, group, false)
                    }
                    Some(_) | None => Ok(()),
                }
            }
            Parcel::Done(member, is_here) => self.step(host, group, Input::Sent(member, is_here)),
        }
    }

    fn piece(
        &self,
        host: usize,
        group: GroupId,
        index: u64,
        after: usize,
    ) -> Result<Option<(Vec<Pair>, bool)>, Stop> {
        let Some(replica) = self.hosts[host].replica(group) else {
            return Ok(None);
        };
        let Some(view) = replica.pinned.get(&index) else {
            return Ok(None);
        };
        let mut pairs = Vec::new();
        for pair in view.scan(&[], None, false).skip(after).take(PAIRS_MAX + 1) {
            // The disk, which a read never finds in order again.
            pairs.push(pair.map_err(|_| Stop::Ended)?);
        }
        let is_last = pairs.len() <= PAIRS_MAX;
        pairs.truncate(PAIRS_MAX);
        Ok(Some((pairs, is_last)))
    }

    /// Puts a state in place that was fetched whole.
    pub(super) fn install(&mut self, host: usize, group: GroupId) -> Step {
        let mutant = self.plan.mutant;
        let is_older = mutant == Some(AnyMutant::Host(HostMutant::InstallOlder));
        let is_unrecorded = mutant == Some(AnyMutant::Host(HostMutant::InstallUnrecorded));
        let Some(node) = &mut self.hosts[host].node else {
            return Ok(());
        };
        if node.is_folding {
            self.soon_alive(host, 1_000, Local::Install(group));
            return Ok(());
        }
        let Some(replica) = node.replicas.get_mut(&group) else {
            return Ok(());
        };
        let Some(fetching) = &replica.fetching else {
            return Ok(());
        };
        let at = fetching.at;
        if !replica.member.wants(at) {
            if fetching.staging.is_in_place() {
                return Err(Stop::Ended);
            }
            return self.give_up(host, group, true);
        }
        let record = replica.member.installing(at);
        if !is_unrecorded && node.log.set_state(group.0, &record).is_err() {
            // No room for it.
            return self.give_up(host, group, false);
        }
        self.flush(host)?;
        let may_end = self.swarm.end_us.is_some() && self.plan.crash_at.is_none();
        if may_end && !self.is_settling && self.random.chance(ENDS_MEANWHILE) {
            let operations = self.random.below(OPERATIONS_MEANWHILE);
            self.hosts[host].disk.crash_after(operations);
        }
        let Some(replica) = self.hosts[host].replica_mut(group) else {
            return Ok(());
        };
        let Some(fetching) = &mut replica.fetching else {
            return Ok(());
        };
        // From here on a start may find that the log has to begin after it.
        let durable = &mut self.invariants.durable;
        durable.may_restart(group, replica.member.id());
        let base = match fetching.staging.install(at.index - u64::from(is_older)) {
            Ok(base) => base,
            Err(StoreError::Full { .. }) => {
                fetching.is_half_installed = true;
                self.soon_alive(host, FULL_US, Local::Install(group));
                return Ok(());
            }
            Err(_) => return Err(Stop::Ended),
        };
        self.report.installs += 1;
        let from = fetching.from;
        replica.applied = at.index;
        replica.fetching = None;
        let member = replica.member.id();
        self.tell_of(host, || {
            format!("group {} has the state at {at:?}", group.0)
        });
        let view = Box::new(View::new(base));
        self.step(host, group, Input::Installed(view))?;
        self.compare(host, group)?;
        self.send_parcel(host, from, group, &Parcel::Done(member, true));
        Ok(())
    }
}
