//! Runs one simulation: hosts, their clients, disks and the network between them, in one thread, on virtual time.
//!
//! Everything that happens is an event at a moment; the next one is taken, carried out, and may make others. Guests run in no time. Two runs
//! of one plan do the same, which their traces show. First come clients and faults; then the faults end, and everything has to come to rest.

use super::events::{Events, Happening, Local, Scheduled};
use super::guests::Guests;
use super::history::{Caller, History, Origin};
use super::host::{self, HOSTS_MAX, SimHost};
use super::invariants::Invariants;
use super::network::Network;
use super::plan::{Plan, Report, Violation};
use super::random::Random;
use super::swarm::Swarm;
use super::told::Look;
use super::workload::{Request, Workload};
use crate::config::HostName;
use crate::state::GroupId;
use serde_json::Value;
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What is over without an end is a bug: retries of messages double up to a minute, so a few of them must fit.
const SETTLING_MAX: Duration = Duration::from_secs(900);
/// Calls that are not answered by then never are.
const WORK_MAX: Duration = Duration::from_secs(600);
/// What has to happen by itself after the last fault gets so much time to happen, at least.
const SETTLING_MIN: Duration = Duration::from_secs(5);
/// How long clients that have begun their last call wait for its end before the faults end.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Client {
    /// What it waits for.
    pub request: Option<Arc<Request>>,
    /// The number of that call.
    pub call: u64,
    /// Counts what it sends.
    pub attempt: u64,
    /// The host that it asks.
    pub host: usize,
}

/// Why the loop does not go on as before.
pub(super) enum Stop {
    /// The host has ended.
    Ended,
    /// Something must not be so.
    Violated(String),
}

pub(super) type Step = Result<(), Stop>;

/// One simulation.
pub struct World<'a> {
    pub(super) plan: &'a Plan,
    pub(super) swarm: Swarm,
    pub(super) guests: &'a Guests,
    pub(super) workload: &'a mut dyn Workload,
    pub(super) random: Random,
    pub(super) now: Duration,
    true_us: Arc<AtomicU64>,
    pub(super) hosts: Vec<SimHost>,
    pub(super) names: Vec<HostName>,
    pub(super) network: Network,
    pub(super) clients: Vec<Client>,
    pub(super) histories: BTreeMap<GroupId, (String, History)>,
    pub(super) invariants: Invariants,
    pub(super) report: Report,
    pub(super) is_settling: bool,
    settled_at: Duration,
    /// When the last call was begun.
    begun_at: Duration,
    /// Where entries come from, by group, index and term.
    pub(super) origins: BTreeMap<(GroupId, u64, u64), Origin>,
    /// What commands that changed nothing have seen, as long as that is not committed.
    pub(super) looks: Vec<Look>,
    /// Results of calls that took effect or looked, and were not heard of yet.
    pub(super) results: BTreeMap<Caller, Vec<Value>>,
    /// Attempts of clients that were told that they had no effect.
    pub(super) denied: BTreeSet<(usize, u64)>,
    /// Attempts of clients that had one.
    pub(super) effects: BTreeSet<(usize, u64)>,
    pub(super) events: Events,
    pub(super) begun: u64,
    /// Services of which another version is in force.
    pub(super) upgrading: BTreeSet<&'static str>,
    story: VecDeque<String>,
}

impl<'a> World<'a> {
    /// Runs a plan.
    ///
    /// # Errors
    /// What must never happen has happened.
    ///
    /// # Panics
    /// The plan has no host, or more than can be simulated.
    pub fn run(
        guests: &'a Guests,
        plan: &'a Plan,
        workload: &'a mut dyn Workload,
    ) -> Result<Report, Box<Violation>> {
        assert!(
            (1..=HOSTS_MAX).contains(&plan.hosts),
            "1 to {HOSTS_MAX} hosts"
        );
        let mut random = Random::new(plan.seed);
        let swarm = Swarm::of(plan, &mut random);
        let true_us = Arc::new(AtomicU64::new(0));
        let services = workload.services();
        let hosts = (0..plan.hosts)
            .map(|number| SimHost::new(number, guests, services, &true_us, &swarm, &mut random))
            .collect();
        let network = Network::new(plan.hosts, swarm.links, random.next());
        let mut world = World {
            plan,
            swarm,
            guests,
            workload,
            random,
            now: Duration::ZERO,
            true_us,
            hosts,
            names: (0..plan.hosts).map(host::name).collect(),
            network,
            clients: (0..plan.clients).map(|_| Client::default()).collect(),
            histories: BTreeMap::new(),
            invariants: Invariants::default(),
            report: Report::default(),
            is_settling: false,
            settled_at: Duration::ZERO,
            begun_at: Duration::ZERO,
            origins: BTreeMap::new(),
            looks: Vec::new(),
            results: BTreeMap::new(),
            denied: BTreeSet::new(),
            effects: BTreeSet::new(),
            events: Events::default(),
            begun: 0,
            upgrading: BTreeSet::new(),
            story: VecDeque::new(),
        };
        // A host that panics is as wrong as one that lies, and is to be told of in the same way.
        let ran = catch_unwind(AssertUnwindSafe(|| {
            world.prepare();
            world.work()
        }));
        let ran = ran
            .unwrap_or_else(|panic| violated(format!("a host panics: {}", text(panic.as_ref()))));
        world.report.virtual_time = world.now;
        for host in 0..world.hosts.len() {
            let disk = &world.hosts[host].disk;
            let numbers = [disk.trace(), disk.operations()];
            world.trace(&numbers);
        }
        let story = world.story.into_iter().rev().collect();
        match ran {
            Ok(()) | Err(Stop::Ended) => Ok(Report {
                story,
                ..world.report
            }),
            Err(Stop::Violated(what)) => Err(Box::new(Violation {
                seed: plan.seed,
                at: world.now,
                what,
                story,
            })),
        }
    }

    fn prepare(&mut self) {
        self.tell(|| "the simulation begins".into());
        let swarm = self.swarm;
        self.tell(|| format!("{swarm:?}"));
        self.set_disk_faults(true);
        for host in 0..self.hosts.len() {
            self.soon_on(host, 2_000, Local::Start);
            self.soon_on(host, 300_000, Local::Checkpoint);
        }
        for client in 0..self.plan.clients {
            self.soon(50_000, Happening::Client(client));
        }
        self.begin_faults();
        self.after(WORK_MAX, Happening::Endless);
    }

    fn work(&mut self) -> Step {
        while let Some((at, scheduled)) = self.events.pop() {
            if self.report.found_damage {
                return Ok(());
            }
            self.now = self.now.max(at);
            let now_us = u64::try_from(self.now.as_micros()).unwrap_or(u64::MAX);
            self.true_us.store(now_us, Ordering::Relaxed);
            if !self.is_settling && self.begun >= self.plan.calls {
                let is_late = self.now >= self.begun_at + PATIENCE;
                if is_late || self.clients_are_idle() {
                    self.settle_down();
                }
            }
            if self.is_settling && self.is_quiet() {
                return self.finish();
            }
            self.happen(scheduled)?;
            if self.now > Duration::from_secs(60 * 60 * 24) {
                return violated("the simulation does not come to an end");
            }
        }
        violated("nothing happens any more, although not everything is done")
    }

    fn happen(&mut self, scheduled: Scheduled) -> Step {
        match scheduled {
            Scheduled::Anywhere(happening) => {
                self.trace(&[self.now.as_micros() as u64]);
                self.carry_out(happening)
            }
            Scheduled::On { host, life, local } => {
                let state = &self.hosts[host];
                if life != 0 && life != state.life {
                    return Ok(());
                }
                if state.paused_until > self.now {
                    let until = state.paused_until;
                    self.events.add(until, Scheduled::On { host, life, local });
                    return Ok(());
                }
                self.trace(&[
                    self.now.as_micros() as u64,
                    host as u64,
                    self.hosts[host].life,
                ]);
                match self.carry_out_on(host, local) {
                    Ok(()) => Ok(()),
                    Err(Stop::Ended) => {
                        self.ended(host);
                        Ok(())
                    }
                    Err(violated) => Err(violated),
                }
            }
        }
    }

    fn clients_are_idle(&self) -> bool {
        self.clients.iter().all(|client| client.request.is_none())
    }

    /// A client begins a call.
    pub(super) fn count_begun(&mut self) {
        self.begun += 1;
        self.begun_at = self.now;
    }

    /// Ends all faults.
    fn settle_down(&mut self) {
        self.is_settling = true;
        self.settled_at = self.now;
        self.tell(|| "faults end".into());
        self.end_faults();
        self.after(SETTLING_MAX, Happening::Overdue);
    }

    /// Whether nothing is left to be done.
    fn is_quiet(&self) -> bool {
        let is_early = self.now < self.settled_at + SETTLING_MIN;
        if is_early || !self.clients_are_idle() || !self.is_complete() || !self.is_upgraded() {
            return false;
        }
        let walls = self.hosts.iter().map(|host| host.now().wall_ms);
        let wall_ms = walls.max().unwrap_or(0);
        let is_done = |history: &History| {
            let timer = history.timers.first();
            history.messages.is_empty() && timer.is_none_or(|(due_ms, _)| *due_ms > wall_ms)
        };
        self.histories.iter().all(|(group, (_, history))| {
            let mut replicas = self.hosts.iter().map(|host| host.replica(*group));
            is_done(history)
                && replicas.all(|replica| {
                    replica.is_some_and(|replica| {
                        replica.applied == history.through && replica.member.group().backlog() == 0
                    })
                })
        }) && !self.histories.is_empty()
    }

    fn finish(&mut self) -> Step {
        self.check_states(true)?;
        for host in 0..self.hosts.len() {
            let mut look = super::look::Looker::on(&self.hosts[host]);
            self.workload.settled(&mut look).map_err(Stop::Violated)?;
        }
        // Once more from what is on the disks.
        for host in 0..self.hosts.len() {
            self.hosts[host].node = None;
            self.hosts[host].life += 1;
            self.hosts[host].disk.crash();
        }
        for host in 0..self.hosts.len() {
            self.start(host)?;
        }
        if self.report.found_damage {
            return Ok(());
        }
        self.check_states(false)
    }

    /// Compares what replicas have with what was committed; whether they have all of it.
    fn check_states(&self, is_all: bool) -> Step {
        for (id, (name, history)) in &self.histories {
            for host in &self.hosts {
                let Some(replica) = host.replica(*id) else {
                    return violated(format!("{name} has no replica on {} any more", host.name));
                };
                let (view, _, index) = replica.member.group().committed();
                history
                    .check_state(view, index)
                    .map_err(|what| Stop::Violated(format!("{name} on {}: {what}", host.name)))?;
                let is_behind = is_all || self.hosts.len() == 1;
                if is_behind && index != history.through {
                    return violated(format!(
                        "{name} on {} is at entry {index}, and {} are committed",
                        host.name, history.through
                    ));
                }
            }
        }
        Ok(())
    }

    /// What happens after a time, whatever becomes of hosts.
    pub(super) fn after(&mut self, time: Duration, happening: Happening) {
        self.events
            .add(self.now + time, Scheduled::Anywhere(happening));
    }

    /// What happens within so many microseconds, whatever becomes of hosts.
    pub(super) fn soon(&mut self, within_us: u64, happening: Happening) {
        let time = Duration::from_micros(1 + self.random.below(within_us));
        self.after(time, happening);
    }

    /// What happens on a host at a moment, in whichever life.
    pub(super) fn on(&mut self, host: usize, at: Duration, local: Local) {
        self.events.add(
            at,
            Scheduled::On {
                host,
                life: 0,
                local,
            },
        );
    }

    /// What happens on a host within so many microseconds, in whichever life.
    pub(super) fn soon_on(&mut self, host: usize, within_us: u64, local: Local) {
        let time = Duration::from_micros(1 + self.random.below(within_us));
        self.on(host, self.now + time, local);
    }

    /// What happens on a host at a moment, if it lives until then.
    pub(super) fn alive(&mut self, host: usize, at: Duration, local: Local) {
        let life = self.hosts[host].life;
        self.events.add(at, Scheduled::On { host, life, local });
    }

    /// What happens on a host within so many microseconds, if it lives until then.
    pub(super) fn soon_alive(&mut self, host: usize, within_us: u64, local: Local) {
        let time = Duration::from_micros(1 + self.random.below(within_us));
        self.alive(host, self.now + time, local);
    }

    /// Adds numbers to the trace.
    pub(super) fn trace(&mut self, numbers: &[u64]) {
        for number in numbers {
            // FNV-1a, a word at a time.
            self.report.trace = (self.report.trace ^ number).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Adds a line to the story.
    pub(super) fn tell(&mut self, line: impl FnOnce() -> String) {
        let max = self.plan.story_lines_max;
        if max > 0 {
            if self.story.len() == max {
                self.story.pop_front();
            }
            let now = self.now.as_micros();
            self.story.push_back(format!(
                "{:>10}.{:03} ms  {}",
                now / 1000,
                now % 1000,
                line()
            ));
        }
    }

    /// Adds a line about a host to the story.
    pub(super) fn tell_of(&mut self, host: usize, line: impl FnOnce() -> String) {
        if self.plan.story_lines_max > 0 {
            let name = self.names[host].clone();
            self.tell(|| format!("{name}: {}", line()));
        }
    }

    /// Any host.
    pub(super) fn any_host(&mut self) -> usize {
        usize::try_from(self.random.below(self.hosts.len() as u64)).unwrap_or(0)
    }

    /// The host of a name.
    pub(super) fn find_host(&self, name: &HostName) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }
}

/// What a panic says.
fn text(panic: &(dyn Any + Send)) -> &str {
    let owned = || panic.downcast_ref::<String>().map(String::as_str);
    let literal = || panic.downcast_ref::<&str>().copied();
    owned().or_else(literal).unwrap_or("without a word")
}

pub(super) fn violated<T>(what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Violated(what.into()))
}
