//! Runs one simulation: a host, its clients and its disk, in one thread, on virtual time.
//!
//! Everything that happens is an event at a moment; the next one is taken, carried out, and may make others. Guests run in no time. Two runs
//! of one plan do the same, which their traces show.

use super::disk::SimDisk;
use super::guests::{Guests, NoCalls};
use super::history::{Caller, History};
use super::node::Node;
use super::outside::{self, SimClock};
use super::plan::{Plan, Report, Violation};
use super::random::Random;
use super::run::Ran;
use super::workload::{Heard, Request, Workload};
use crate::call_error::CallError;
use crate::os::Os;
use crate::replica::event::Outgoing;
use crate::replica::keyspace::MessageId;
use crate::services::Services;
use crate::state::GroupId;
use serde_json::Value;
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// What is over without an end is a bug: retries of messages double up to a minute, so a few of them must fit.
const SETTLING_MAX: Duration = Duration::from_secs(900);
/// Lines of the story that are kept.
const STORY_MAX: usize = 400;
/// What has to happen by itself after the last fault gets so much time to happen, at least.
const SETTLING_MIN: Duration = Duration::from_secs(5);
/// Room that a full disk leaves, in bytes.
const FULL_BYTES: u64 = 2 << 10;

/// Something that happens at a moment.
pub(super) enum Happening {
    /// A client begins its next call.
    Client(usize),
    /// A client's request arrives.
    Arrive {
        /// The client and its call.
        caller: Caller,
        /// How often it was sent before.
        attempt: u64,
        /// What it calls.
        request: Arc<Request>,
    },
    /// A client's answer arrives.
    Heard(usize, u64, Heard),
    /// A client has waited long enough.
    Impatient(usize, u64),
    /// A job of a group is done.
    Ran(GroupId, Box<Ran>),
    /// The log's thread syncs.
    Sync,
    /// The sync is done.
    Synced(Vec<(GroupId, u64)>),
    /// The log has no room.
    Refused(GroupId, u64, u64),
    /// A group's time has come.
    Tick(GroupId),
    /// A message arrives.
    Message(GroupId, Outgoing),
    /// The answer of a message arrives.
    Delivered(GroupId, MessageId, Option<Result<String, CallError>>),
    /// A checkpoint begins.
    Checkpoint,
    /// It is durable, or could not be made.
    Folded(Vec<(GroupId, u64)>, bool),
    /// The host starts.
    Start,
    /// The host ends.
    End,
    /// The wall clock jumps.
    Skew,
    /// The disk gets full, or has room again.
    Fill(bool),
    /// Everything should long be over.
    Overdue,
}

#[derive(Default)]
pub(super) struct Client {
    /// What it waits for.
    pub request: Option<Arc<Request>>,
    /// The number of that call.
    pub call: u64,
    /// Counts what it sends.
    pub attempt: u64,
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
    pub(super) workload: &'a mut dyn Workload,
    pub(super) random: Random,
    pub(super) clock: Arc<SimClock>,
    pub(super) now: Duration,
    pub(super) os: Os,
    pub(super) disk: SimDisk,
    pub(super) services: Arc<Services>,
    pub(super) dispatch: Arc<NoCalls>,
    pub(super) node: Option<Node>,
    /// Counts the lives of the host: what one of them began is void in the next.
    pub(super) life: u64,
    pub(super) clients: Vec<Client>,
    pub(super) histories: BTreeMap<GroupId, (String, History)>,
    pub(super) report: Report,
    pub(super) is_settling: bool,
    settled_at: Duration,
    /// Where groups were before the last batch of the log, as long as nothing proves that it was there.
    pub(super) unproven: BTreeMap<GroupId, u64>,
    /// Results of calls that took effect or looked, and were not heard of yet.
    pub(super) results: BTreeMap<Caller, Value>,
    /// Calls without a key that were told that they had no effect.
    pub(super) denied: BTreeSet<Caller>,
    events: BTreeMap<(Duration, u64), (u64, Happening)>,
    next_event: u64,
    pub(super) begun: u64,
    story: VecDeque<String>,
}

impl<'a> World<'a> {
    /// Runs a plan.
    ///
    /// # Errors
    /// What must never happen has happened.
    pub fn run(
        guests: &Guests,
        plan: &'a Plan,
        workload: &'a mut dyn Workload,
    ) -> Result<Report, Box<Violation>> {
        let mut random = Random::new(plan.seed);
        let clock = Arc::new(SimClock::default());
        let disk = SimDisk::new(random.next());
        let os = outside::os(&clock, random.next(), Arc::new(disk.clone()));
        let services = guests.services(&os);
        let mut world = World {
            plan,
            workload,
            random,
            clock,
            now: Duration::ZERO,
            dispatch: Arc::new(NoCalls(Arc::clone(&services))),
            services,
            os,
            disk,
            node: None,
            life: 0,
            clients: (0..plan.clients).map(|_| Client::default()).collect(),
            histories: BTreeMap::new(),
            report: Report::default(),
            is_settling: false,
            settled_at: Duration::ZERO,
            unproven: BTreeMap::new(),
            results: BTreeMap::new(),
            denied: BTreeSet::new(),
            events: BTreeMap::new(),
            next_event: 0,
            begun: 0,
            story: VecDeque::new(),
        };
        world.prepare();
        // A host that panics is as wrong as one that lies, and is to be told of in the same way.
        let ran = catch_unwind(AssertUnwindSafe(|| world.work()));
        let ran = ran
            .unwrap_or_else(|panic| violated(format!("the host panics: {}", text(panic.as_ref()))));
        world.report.virtual_time = world.now;
        world.trace(&[world.disk.trace(), world.disk.operations()]);
        match ran {
            Ok(()) | Err(Stop::Ended) => Ok(world.report),
            Err(Stop::Violated(what)) => Err(Box::new(Violation {
                seed: plan.seed,
                at: world.now,
                what,
                story: world.story.into_iter().rev().collect(),
            })),
        }
    }

    fn prepare(&mut self) {
        let faults = self.plan.faults;
        self.set_faults(true);
        self.after(Duration::ZERO, Happening::Start);
        for client in 0..self.plan.clients {
            self.soon(50_000, Happening::Client(client));
        }
        if faults.crashes && self.plan.crash_at.is_none() {
            self.soon(400_000, Happening::End);
        }
        if faults.clock {
            self.soon(2_000_000, Happening::Skew);
        }
        if faults.full {
            self.soon(3_000_000, Happening::Fill(true));
        }
        self.soon(300_000, Happening::Checkpoint);
    }

    fn set_faults(&self, is_on: bool) {
        let (faults, mut disk) = (self.plan.faults, super::disk::Faults::default());
        if is_on && faults.failed_syncs {
            disk.failed_sync = 2;
        }
        if is_on && faults.damage {
            disk.bit_flip = 1;
            disk.lost_write = 1;
            disk.misdirected_write = 1;
        }
        self.disk.set_faults(disk);
    }

    fn work(&mut self) -> Step {
        while let Some(((at, _), (life, happening))) = self.events.pop_first() {
            if self.report.found_damage {
                return Ok(());
            }
            self.now = self.now.max(at);
            self.clock.set(self.now);
            if !self.is_settling && self.begun >= self.plan.calls && self.clients_are_idle() {
                self.settle();
            }
            if life != 0 && life != self.life {
                continue;
            }
            if self.is_settling && self.is_quiet() {
                return self.finish();
            }
            match self.carry_out(happening) {
                Ok(()) => {}
                Err(Stop::Ended) => self.ended(),
                Err(violated) => return Err(violated),
            }
            if self.now > Duration::from_secs(60 * 60 * 24) {
                return violated("the simulation does not come to an end");
            }
        }
        violated("nothing happens any more, although not everything is done")
    }

    fn clients_are_idle(&self) -> bool {
        self.clients.iter().all(|client| client.request.is_none())
    }

    /// Ends all faults.
    fn settle(&mut self) {
        self.is_settling = true;
        self.settled_at = self.now;
        self.set_faults(false);
        self.disk.set_capacity(u64::MAX);
        self.clock.skew(0);
        self.tell(|| "faults end".into());
        if self.disk.is_down() {
            self.ended();
        } else {
            // No further end is to come.
            self.disk.crash_after(u64::MAX);
        }
        if self.node.is_none() {
            self.after(Duration::ZERO, Happening::Start);
        }
        let end = self.now + SETTLING_MAX;
        self.at(end, 0, Happening::Overdue);
    }

    /// Whether nothing is left to be done.
    fn is_quiet(&self) -> bool {
        let Some(node) = &self.node else { return false };
        let wall_ms = super::run::now(self.clock.as_ref()).wall_ms;
        self.now >= self.settled_at + SETTLING_MIN
            && node.members.iter().all(|(id, member)| {
                member.group.backlog() == 0
                    && self.histories.get(id).is_none_or(|(_, history)| {
                        let is_due = history
                            .timers
                            .first()
                            .is_some_and(|(due_ms, _)| *due_ms <= wall_ms);
                        history.messages.is_empty() && !is_due
                    })
            })
    }

    fn finish(&mut self) -> Step {
        self.check_states()?;
        let mut look = super::look::Looker {
            services: Arc::clone(&self.services),
            dispatch: Arc::clone(&self.dispatch),
            os: self.os.clone(),
        };
        self.workload.settled(&mut look).map_err(Stop::Violated)?;
        // Once more from what is on the disk.
        self.node = None;
        self.life += 1;
        self.disk.crash();
        self.start()?;
        if self.report.found_damage {
            return Ok(());
        }
        self.check_states()
    }

    /// Compares what groups have with what they were seen to do.
    fn check_states(&self) -> Step {
        let Some(node) = &self.node else {
            return violated("the host does not run");
        };
        for (id, (name, history)) in &self.histories {
            let Some(member) = node.members.get(id) else {
                return violated(format!("{name} has no group any more"));
            };
            let (view, _, index) = member.group.committed();
            history
                .check_recovered(view, index)
                .map_err(|what| Stop::Violated(format!("{name}: {what}")))?;
        }
        Ok(())
    }

    /// What happens after a time, in this life of the host or in any.
    pub(super) fn at(&mut self, at: Duration, life: u64, happening: Happening) {
        self.next_event += 1;
        self.events.insert((at, self.next_event), (life, happening));
    }

    /// What happens after a time, whatever becomes of the host.
    pub(super) fn after(&mut self, time: Duration, happening: Happening) {
        self.at(self.now + time, 0, happening);
    }

    /// What happens within so many microseconds, whatever becomes of the host.
    pub(super) fn soon(&mut self, within_us: u64, happening: Happening) {
        let time = Duration::from_micros(1 + self.random.below(within_us));
        self.after(time, happening);
    }

    /// The same, but only if the host lives.
    pub(super) fn soon_alive(&mut self, within_us: u64, happening: Happening) {
        let time = Duration::from_micros(1 + self.random.below(within_us));
        self.at(self.now + time, self.life, happening);
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
        if self.plan.keeps_story {
            if self.story.len() == STORY_MAX {
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

    fn carry_out(&mut self, happening: Happening) -> Step {
        self.trace(&[self.now.as_micros() as u64, self.life]);
        match happening {
            Happening::Client(client) => self.begin(client),
            Happening::Arrive {
                caller,
                attempt,
                request,
            } => self.arrive(caller, attempt, &request),
            Happening::Heard(client, attempt, heard) => self.hear(client, attempt, &heard),
            Happening::Impatient(client, attempt) => self.impatient(client, attempt),
            Happening::Ran(group, ran) => self.ran(group, *ran),
            Happening::Sync => self.sync(),
            Happening::Synced(durable) => self.synced(&durable),
            Happening::Refused(group, index, generation) => self.refused(group, index, generation),
            Happening::Tick(group) => self.tick(group),
            Happening::Message(group, outgoing) => self.message(group, outgoing),
            Happening::Delivered(group, id, reply) => self.delivered(group, id, reply),
            Happening::Checkpoint => self.checkpoint(),
            Happening::Folded(through, is_done) => self.folded(&through, is_done),
            Happening::Start => self.start(),
            Happening::End => self.end(),
            Happening::Overdue => {
                violated("timers or messages are still not done, long after the last fault")
            }
            Happening::Skew => {
                if self.is_settling {
                    return Ok(());
                }
                let skew = i64::try_from(self.random.below(20_000)).unwrap_or(0) - 10_000;
                self.clock.skew(skew);
                self.tell(|| format!("the wall clock is {skew} ms ahead"));
                self.soon(4_000_000, Happening::Skew);
                Ok(())
            }
            Happening::Fill(is_full) => {
                if self.is_settling {
                    return Ok(());
                }
                let room = if is_full {
                    self.disk.used_bytes() + self.random.below(FULL_BYTES)
                } else {
                    u64::MAX
                };
                self.disk.set_capacity(room);
                self.tell(|| {
                    if is_full {
                        "the disk is full".into()
                    } else {
                        "the disk has room".into()
                    }
                });
                self.soon(
                    if is_full { 1_500_000 } else { 6_000_000 },
                    Happening::Fill(!is_full),
                );
                Ok(())
            }
        }
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
