//! Replicas, the hosts that carry out what they say, and a network and disks that a seed drives.
//!
//! What must hold is checked where it could break: one leader a term, no two committed entries that differ, nothing applied twice or left out,
//! no read that misses what was committed before it.

#![allow(dead_code, missing_docs, reason = "each test uses a part of it")]

pub mod chaos;
pub mod disk;
pub mod host;
pub mod lone;
pub mod net;
pub mod random;

use super::engine::{Action, Event, Members, MessageKind, Role};
use disk::Disk;
use host::{Host, States};
use net::Net;
use random::Random;
use std::collections::BTreeMap;

/// A cluster in one process, in its own time.
pub struct Cluster {
    pub random: Random,
    pub now_ms: u64,
    pub hosts: BTreeMap<u64, Host>,
    pub net: Net,
    states: States,
    /// Leader of each term.
    leaders: BTreeMap<u64, u64>,
    /// What was committed: term and data.
    committed: BTreeMap<u64, (u64, Vec<u8>)>,
    /// What was committed when a read was asked for.
    asked: BTreeMap<u64, u64>,
    /// Everything that was done, if it is wanted.
    pub trace: Option<Vec<String>>,
    /// Whether a snapshot's sender is told that it got through.
    pub reports_snapshots: bool,
    made: u64,
}

/// Voters only.
pub fn members(voters: &[u64]) -> Members {
    Members {
        voters: voters.to_vec(),
        learners: vec![],
        outgoing: vec![],
        learners_next: vec![],
        auto_leave: false,
    }
}

impl Cluster {
    /// `count` voters that begin with nothing but each other.
    pub fn new(count: u64, seed: u64) -> Self {
        let voters: Vec<u64> = (1..=count).collect();
        let mut cluster = Self {
            random: Random::new(seed),
            now_ms: 1000,
            hosts: BTreeMap::new(),
            net: Net::default(),
            states: States::default(),
            leaders: BTreeMap::new(),
            committed: BTreeMap::new(),
            asked: BTreeMap::new(),
            trace: None,
            reports_snapshots: true,
            made: 0,
        };
        cluster.states.borrow_mut().insert(1, 0);
        for id in &voters {
            cluster.add(*id, Disk::first(&members(&voters)));
        }
        cluster
    }

    /// The same, with a leader that has committed something.
    pub fn led(count: u64, seed: u64) -> (Self, u64) {
        let mut cluster = Self::new(count, seed);
        assert!(cluster.until(1000, Self::agrees), "no leader");
        let leader = cluster.leader().expect("it agrees");
        (cluster, leader)
    }

    /// Adds a replica that has nothing and belongs to nobody yet.
    pub fn join(&mut self, id: u64) {
        self.add(id, Disk::empty());
    }

    fn add(&mut self, id: u64, disk: Disk) {
        let host = Host::new(id, disk, States::clone(&self.states));
        self.hosts.insert(id, host);
        self.start(id);
    }

    /// Starts a replica from its disk.
    pub fn start(&mut self, id: u64) {
        let seed = self.random.next();
        let now_ms = self.now_ms;
        let actions = self.host(id).start(seed, now_ms);
        self.carry_out(id, actions);
    }

    pub fn host(&mut self, id: u64) -> &mut Host {
        self.hosts.get_mut(&id).expect("there is such a host")
    }

    /// Stops a replica: what its disk had not finished is lost, or some of it.
    pub fn kill(&mut self, id: u64) {
        let host = self.hosts.get_mut(&id).expect("there is such a host");
        host.kill(&mut self.random);
        self.net.forget(id);
    }

    /// Tells every living replica that the connection to `id` broke.
    pub fn lose(&mut self, id: u64) {
        for other in self.living() {
            if other != id {
                self.tell(other, vec![Event::PeerLost(id)]);
            }
        }
    }

    /// The replicas that run.
    pub fn living(&self) -> Vec<u64> {
        let living = self.hosts.iter().filter(|(_, host)| host.runs());
        living.map(|(id, _)| *id).collect()
    }

    /// The leader with the highest term, if it runs.
    pub fn leader(&self) -> Option<u64> {
        let leaders = self.living().into_iter().filter_map(|id| {
            let standing = self.hosts[&id].standing();
            (standing.role == Role::Leader).then_some((standing.term, id))
        });
        leaders.max().map(|(_, id)| id)
    }

    /// Gives a replica events, and does what it says.
    pub fn tell(&mut self, id: u64, events: Vec<Event>) {
        for event in &events {
            if let Event::Read(read) = event {
                self.asked.insert(*read, self.last_committed());
            }
        }
        let now_ms = self.now_ms;
        let actions = self.host(id).step(now_ms, events);
        self.carry_out(id, actions);
    }

    /// Proposes on what takes itself for a leader.
    pub fn propose(&mut self, id: u64, count: u64) {
        let from = self.made;
        self.made += count;
        let data = (from..self.made).map(|number| format!("data {number}").into_bytes());
        let events = self.hosts[&id].proposals(data.collect());
        self.tell(id, events);
    }

    /// Reads on any replica; its number.
    pub fn read(&mut self, id: u64) -> u64 {
        self.made += 1;
        let read = self.made;
        self.tell(id, vec![Event::Read(read)]);
        read
    }

    /// Lets a millisecond pass.
    pub fn pass(&mut self) {
        self.now_ms += 1;
        let now_ms = self.now_ms;
        for id in self.living() {
            let host = self.hosts.get_mut(&id).expect("it lives");
            let mut events = host.passed(now_ms, &mut self.random);
            let messages = self.net.due(id, now_ms);
            for message in &messages {
                if message.kind == MessageKind::Snapshot && self.reports_snapshots {
                    self.net.sent.push((message.from, message.to));
                }
            }
            let sent = self.net.take_sent(id);
            events.extend(sent.into_iter().map(|to| Event::SnapshotSent((to, true))));
            events.extend(messages.into_iter().map(Event::Message));
            if self.hosts[&id].is_due(now_ms) || !events.is_empty() {
                self.tell(id, events);
            }
        }
    }

    pub fn pass_ms(&mut self, ms: u64) {
        for _ in 0..ms {
            self.pass();
        }
    }

    /// Lets time pass until `is_so`; whether it was so in time.
    pub fn until(&mut self, patience_ms: u64, mut is_so: impl FnMut(&Self) -> bool) -> bool {
        let end_ms = self.now_ms + patience_ms;
        while !is_so(self) {
            if self.now_ms >= end_ms {
                return false;
            }
            self.pass();
        }
        true
    }

    /// Whether there is a leader, and all members that live have applied everything that is committed.
    pub fn agrees(&self) -> bool {
        let last = self.last_committed();
        let Some(leader) = self.leader() else {
            return false;
        };
        let members = self.hosts[&leader].all_members();
        let mut hosts = members.iter().filter_map(|id| self.hosts.get(id));
        let is_one = self.hosts[&leader].last() == last;
        is_one && hosts.all(|host| !host.runs() || host.applied() == last)
    }

    /// For a test that failed.
    pub fn describe(&self) -> String {
        let host = |(id, host): (&u64, &Host)| {
            let members = host.members();
            let status = host.runs().then(|| host.status());
            format!("\n{id}: {members:?}, {status:?}")
        };
        let hosts: String = self.hosts.iter().map(host).collect();
        format!("committed {}{hosts}", self.last_committed())
    }

    /// The last committed entry.
    pub fn last_committed(&self) -> u64 {
        self.committed.keys().next_back().copied().unwrap_or(0)
    }

    fn carry_out(&mut self, id: u64, actions: Vec<Action>) {
        for action in actions {
            if let Some(trace) = &mut self.trace {
                trace.push(format!("{} {id} {action:?}", self.now_ms));
            }
            let host = self.hosts.get_mut(&id).expect("it spoke");
            match action {
                Action::Send(message) => self.net.send(message, self.now_ms, &mut self.random),
                Action::Standing(standing) => {
                    host.stands(&standing);
                    if standing.role == Role::Leader {
                        let leader = *self.leaders.entry(standing.term).or_insert(id);
                        assert_eq!(leader, id, "two leaders in term {}", standing.term);
                    }
                }
                Action::Commit((first, last)) => {
                    for (index, term, data) in host.commit(first, last) {
                        let entry = (term, data);
                        let known = self.committed.entry(index).or_insert_with(|| entry.clone());
                        assert_eq!(*known, entry, "entry {index} differs on {id}");
                    }
                }
                Action::ReadReady((read, index)) => {
                    assert!(index >= self.asked[&read], "read {read} is stale");
                    host.carry_out(action, self.now_ms, &mut self.random);
                }
                Action::Save(_)
                | Action::Refused(_)
                | Action::ReadFailed(_)
                | Action::Changed(_) => {
                    host.carry_out(action, self.now_ms, &mut self.random);
                }
            }
        }
    }
}
