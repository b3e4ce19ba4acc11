//! One replica: what happened goes in, what is to be done comes out.
//!
//! Owns `raft`'s state machine and keeps the rules that it leaves to its caller. Called by the exported functions, and by tests.

mod drain;
mod events;
mod lead;

use crate::convert::members_out;
use crate::failover::Failover;
use crate::outbox::Outbox;
use crate::proposals::Proposals;
use crate::reads::Reads;
use crate::store::{Log, Store};
use crate::time::{Passed, Time};
use crate::{Action, Boot, Event, Members, Output, Progress, Role, Standing, Status};
use raft::{Config, ProgressState, RawNode, StateRole};
use std::collections::BTreeMap;

/// Longest message with entries, in bytes of the entries.
const MESSAGE_BYTES_MAX: u64 = 1 << 20;
/// Messages with entries that a follower has not answered.
const INFLIGHT_MAX: usize = 256;
/// Committed entries handed out at once; their data stays with the host, so this bounds lists of changes.
const COMMITTED_BYTES_MAX: u64 = 16 << 20;
/// How many election timeouts a snapshot may be on its way, without word of it, before it counts as lost.
const SNAPSHOT_PATIENCE: u64 = 20;
/// When a replica that waits for nothing wants to be called: hardly ever.
const IDLE_MS: u64 = 3_600_000;

/// One replica.
pub struct Replica<L: Log> {
    raw: RawNode<Store<L>>,
    time: Time,
    outbox: Outbox,
    proposals: Proposals,
    reads: Reads,
    failover: Failover,
    /// What this step has to do so far.
    actions: Vec<Action>,
    /// What was told last.
    standing: Standing,
    /// Term and vote that were saved last.
    saved: (u64, u64),
    /// The newest of `raft`'s lists of things to do.
    number: u64,
    /// The last entry handed out for being applied.
    handed: u64,
    /// A snapshot on its way to the disk: its save and its entry. Until then `raft` must neither campaign nor wait for a leader.
    installing: Option<(u64, u64)>,
    /// Since when members are being sent a snapshot.
    snapshots: BTreeMap<u64, u64>,
}

impl<L: Log> Replica<L> {
    /// Begins with what the host has.
    ///
    /// # Panics
    /// What it has does not fit together, or is not possible.
    pub fn start(boot: &Boot, log: L) -> (Self, Output) {
        let config = Config {
            id: boot.id,
            election_tick: boot.election_ticks as usize,
            heartbeat_tick: boot.heartbeat_ticks as usize,
            applied: boot.applied,
            max_size_per_msg: MESSAGE_BYTES_MAX,
            max_inflight_msgs: INFLIGHT_MAX,
            check_quorum: true,
            pre_vote: true,
            batch_append: true,
            skip_bcast_commit: false,
            // Counted here: `raft` would have to see all committed data again.
            max_uncommitted_size: raft::NO_LIMIT,
            max_committed_size_per_ready: COMMITTED_BYTES_MAX,
            ..Config::default()
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let raw = RawNode::new(&config, Store::new(boot, log), &logger)
            .unwrap_or_else(|error| panic!("cannot start from what the host has: {error}"));
        let mut replica = Self {
            time: Time::new(boot.seed, boot.tick_ms, u64::from(boot.election_ticks)),
            outbox: Outbox::default(),
            proposals: Proposals::default(),
            reads: Reads::new(boot.id, boot.seed),
            failover: Failover::default(),
            actions: Vec::new(),
            standing: standing(&raw),
            saved: (boot.hard.term, boot.hard.vote),
            number: 0,
            handed: boot.applied,
            installing: None,
            snapshots: BTreeMap::new(),
            raw,
        };
        replica.actions.push(Action::Standing(replica.standing));
        let output = replica.finish();
        (replica, output)
    }

    /// See `step` in the WIT.
    ///
    /// # Panics
    /// The host broke a rule, or this is a bug: the replica has to be started again.
    pub fn step(&mut self, now_ms: u64, events: Vec<Event>) -> Output {
        let passed = self.time.advance(now_ms);
        self.tick(&passed);
        for context in self.raw.mut_store().take_waiting() {
            self.raw.on_entries_fetched(context);
        }
        for event in events {
            self.take(event);
        }
        self.flush();
        if self.failover.is_due(now_ms, self.raw.raft.term) {
            self.campaign();
        }
        self.finish()
    }

    /// See `current-status` in the WIT.
    pub fn status(&self) -> Status {
        let raft = &self.raw.raft;
        let mut progress = Vec::new();
        if raft.state == StateRole::Leader {
            progress.extend(raft.prs().iter().map(|(id, progress)| Progress {
                id: *id,
                matched: progress.matched,
                is_active: *id == raft.id || progress.recent_active,
                is_snapshot: progress.state == ProgressState::Snapshot,
            }));
        }
        progress.sort_unstable_by_key(|progress| progress.id);
        Status {
            standing: standing(&self.raw),
            committed: raft.raft_log.committed,
            applied: raft.raft_log.applied,
            last: raft.raft_log.last_index(),
            progress,
        }
    }

    /// Everything that follows from what happened.
    fn finish(&mut self) -> Output {
        self.drain();
        if self.is_alone() {
            self.campaign();
            self.drain();
        }
        self.watch_snapshots();
        self.ask_reads();
        self.drain();
        self.raw.mut_store().end_step();
        let next_ms = self.next_ms();
        Output {
            actions: std::mem::take(&mut self.actions),
            next_ms,
        }
    }

    /// Lets time pass.
    fn tick(&mut self, passed: &Passed) {
        let is_leader = self.raw.raft.state == StateRole::Leader;
        let ticks = match *passed {
            // It never campaigns, so nobody calls it in time; but it must not believe in a leader for ever either.
            Passed::Ticks(ticks) | Passed::Pause(ticks) if !self.raw.raft.promotable() => {
                let ticks = usize::try_from(ticks).unwrap_or(usize::MAX);
                let elapsed = self.raw.raft.election_elapsed.saturating_add(ticks);
                self.raw.raft.election_elapsed = elapsed;
                0
            }
            Passed::Ticks(ticks) => ticks,
            // A leader says at once that it is there, and hears whether it still is.
            Passed::Pause(_) if is_leader => self.raw.raft.heartbeat_timeout() as u64,
            // The leader may be alive, and its messages unread.
            Passed::Pause(_) => {
                self.raw.raft.election_elapsed = 0;
                0
            }
        };
        for _ in 0..ticks {
            if self.raw.raft.state == StateRole::Leader {
                self.raw.tick();
                continue;
            }
            if !self.may_campaign() {
                break;
            }
            let patience = usize::try_from(self.patience_ticks()).unwrap_or(usize::MAX);
            self.raw.raft.set_randomized_election_timeout(patience);
            if self.raw.tick() {
                self.time.campaigned();
            }
        }
    }

    /// How long the host may wait before it calls again.
    fn next_ms(&self) -> u64 {
        let raft = &self.raw.raft;
        if self.raw.store().has_waiting() {
            return 0;
        }
        let now_ms = self.time.now_ms();
        let mut next_ms = IDLE_MS;
        if raft.state == StateRole::Leader {
            if raft.prs().iter().len() > 1 {
                let left = raft
                    .heartbeat_timeout()
                    .saturating_sub(raft.heartbeat_elapsed());
                next_ms = self.time.until_tick(left as u64);
            }
        } else if self.may_campaign() {
            let elapsed = raft.election_elapsed as u64;
            let left = self.patience_ticks().saturating_sub(elapsed);
            let left = left.clamp(1, self.time.longest_wait_ticks());
            next_ms = self.time.until_tick(left);
        }
        let deadlines = [self.reads.first_until_ms(), self.failover.campaign_at_ms()];
        for deadline in deadlines.into_iter().flatten() {
            next_ms = next_ms.min(deadline.saturating_sub(now_ms));
        }
        next_ms
    }

    /// How many ticks to wait for a leader. Replicas that had one wait in their order; those that looked for one in vain wait for long enough that one of
    /// them is alone, whatever the reason was.
    fn patience_ticks(&self) -> u64 {
        let raft = &self.raw.raft;
        if raft.leader_id == raft::INVALID_ID {
            return self.time.patience_ticks(raft.term);
        }
        self.time.staggered_ticks(self.rank())
    }

    /// How many voters are to campaign before this one, if the leader is gone.
    fn rank(&self) -> u64 {
        let raft = &self.raw.raft;
        let voters = raft.prs().conf().voters().ids();
        let others = voters.iter().filter(|id| *id != raft.leader_id);
        self.failover.rank(raft.id, others)
    }

    /// Whether this replica may become a candidate.
    fn may_campaign(&self) -> bool {
        // One that is alone leads at once, so all of its log has to be on the disk.
        self.raw.raft.promotable()
            && self.installing.is_none()
            && (self.outbox.is_idle() || !self.is_only_voter())
    }

    fn is_only_voter(&self) -> bool {
        self.raw.raft.promotable() && self.raw.raft.prs().is_singleton()
    }

    /// Whether nobody else could lead, and this replica does not yet.
    fn is_alone(&self) -> bool {
        self.raw.raft.state != StateRole::Leader && self.is_only_voter() && self.may_campaign()
    }

    /// Asks for leadership.
    fn campaign(&mut self) {
        // What the log got in this step has to be known to the store, which is asked for changes in it.
        self.drain();
        if self.raw.raft.state == StateRole::Leader || !self.may_campaign() {
            return;
        }
        self.time.campaigned();
        // It only fails where this replica cannot lead, and then there is nothing to do.
        let _ = self.raw.campaign();
    }

    fn members(&self) -> Members {
        members_out(&self.raw.raft.prs().conf().to_conf_state())
    }
}

/// What a replica is.
fn standing<L: Log>(raw: &RawNode<Store<L>>) -> Standing {
    let raft = &raw.raft;
    let role = match raft.state {
        StateRole::Leader => Role::Leader,
        StateRole::Candidate => Role::Candidate,
        StateRole::PreCandidate => Role::PreCandidate,
        StateRole::Follower if raft.promotable() => Role::Follower,
        StateRole::Follower => Role::Learner,
    };
    Standing {
        role,
        term: raft.term,
        leader: raft.leader_id,
    }
}
