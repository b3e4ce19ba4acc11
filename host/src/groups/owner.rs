//! The task of one replica: tells it what happened, carries out what it says in order, and runs its guests, one at a time.
//!
//! Everything that is ready is told to the replica first, then comes one turn of its engine for all of it: so proposals, messages and what became durable
//! share one crossing.

use super::birth;
use super::handle::Command;
use super::journal::{Order, Progress};
use super::readers::Reader;
use super::snapshots::Staged;
use crate::call_error::CallError;
use crate::config::HostName;
use crate::os::clock;
use crate::os::task::{self, Task};
use crate::replica::consensus::Engine;
use crate::replica::event::{Action, CommandId, Event, Outcome};
use crate::replica::identity::Position;
use crate::replica::keyspace::MessageId;
use crate::replica::member::{Input, Member, MemberError, Output};
use crate::replica::roster::Roster;
use crate::replica::standing::{Role, Standing};
use crate::replica::time::Now;
use crate::services::Slot;
use crate::signature::Signature;
use crate::state::Staging;
use crate::supervisor::chain;
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use wasmtime::component::Val;

mod comparing;
mod hashing;
mod install;
mod jobs;
mod leaving;
mod members;
mod parts;
mod requests;
mod room;
mod upkeep;

pub use jobs::refused;
pub use parts::Parts;

/// Things that are taken in before the engine has its turn. Enough to share a turn and a sync among many, few enough not to keep those waiting who came first.
const TAKEN_MAX: usize = 64;

/// How soon the newest state is shown although nobody asked for it.
const SHOWN_WITHIN: Duration = Duration::from_millis(100);

/// A command that waits, runs, or waits for the disk.
struct Waiting {
    command: Command,
    types: Option<Arc<Signature>>,
    /// What it answers once everything is on the disk.
    results: Option<Vec<Val>>,
    /// Room that it takes among those that ran and have no permit any more.
    room: usize,
}

type Running = Pin<Box<dyn Future<Output = Ran> + Send>>;

/// How a job ended, and for whom.
struct Ran {
    command: Option<CommandId>,
    /// What it was called with: a command whose state was dropped meanwhile runs again.
    arguments: Vec<Val>,
    ended: Result<(Vec<Val>, Outcome), CallError>,
}

/// Where an answer goes, or why there is none.
type Reply<T> = oneshot::Sender<Result<T, String>>;

/// The task.
pub struct Owner {
    parts: Parts,
    member: Member<Engine>,
    outputs: Vec<Output>,
    commands: BTreeMap<CommandId, Waiting>,
    next_command: u64,
    room: room::Room,
    /// Answers of messages, until their handler has taken effect.
    replies: BTreeMap<MessageId, Result<String, CallError>>,
    running: Option<Running>,
    seen: Progress,
    /// Who waits until what is published is new enough: those who came together, by the number of their question.
    readers: BTreeMap<u64, Vec<Reader>>,
    next_reader: u64,
    /// Those who could not be answered for want of a leader.
    unanswered: Vec<u64>,
    /// Who waits for another replica to lead, and until when.
    handover: Option<(HostName, Duration, Reply<()>)>,
    /// Changes of the members that are not done.
    changing: Vec<members::Changing>,
    /// Hosts that are being added, with their numbers, and who waits for that.
    joining: Vec<(HostName, u64, Reply<u64>)>,
    /// The entry as of which a checkpoint is being made.
    folding: Option<u64>,
    /// A state that is being fetched.
    fetching: Option<Task<()>>,
    /// One that was fetched, and waits for the end of a checkpoint, or for room.
    staged: Option<(Position, Staging)>,
    install_not_before: Duration,
    staged_sender: mpsc::UnboundedSender<Staged>,
    staged_inbox: mpsc::UnboundedReceiver<Staged>,
    hashing: hashing::Hashing,
    comparing: comparing::Comparing,
    /// Who others were told belongs to the group.
    shown: Option<Roster>,
    /// It takes part no more, as soon as nothing of it is being written.
    is_leaving: bool,
    /// When the newest state is shown at the latest, if it is not.
    shows_at: Option<Duration>,
    was_asked_to_hand_over: bool,
    next_upkeep: Duration,
}

/// Why the task ends although the host goes on.
enum Ended {
    /// Nobody can reach the group any more.
    Alone,
    /// The replica takes part no more; the host may get another one.
    Removed,
    /// What it has must not be relied on.
    Failed(MemberError),
}

impl From<MemberError> for Ended {
    fn from(error: MemberError) -> Self {
        Self::Failed(error)
    }
}

/// Runs the task of a replica until nobody can reach it any more, or the host must stop.
pub async fn run(mut parts: Parts) {
    let fatal = parts.fatal.clone();
    let failed = |error: &MemberError| {
        fatal.report(&format!("the state of a service: {}", chain(error)));
    };
    loop {
        let boot = match birth::boot(&mut parts).await {
            Ok(Some(boot)) => boot,
            Ok(None) => return,
            Err(error) => return failed(&error),
        };
        parts.origin.is_empty = false;
        let mut outputs = Vec::new();
        let now = now(parts.os.clock.as_ref());
        let start = Arc::clone(&parts.start_engine);
        let started = Member::start(boot, now, |window, boot| start(window, boot), &mut outputs);
        let member = match started {
            Ok(member) => member,
            Err(error) => return failed(&error),
        };
        parts = match Owner::new(parts, member, outputs).work().await {
            (Ended::Alone, _) => return,
            (Ended::Failed(error), _) => return failed(&error),
            (Ended::Removed, parts) => parts,
        };
    }
}

impl Owner {
    fn new(mut parts: Parts, member: Member<Engine>, outputs: Vec<Output>) -> Self {
        // What was saved for a replica that was here before is none of this one's.
        let seen = *parts.progress.borrow_and_update();
        let (staged_sender, staged_inbox) = mpsc::unbounded_channel();
        Self {
            parts,
            member,
            outputs,
            commands: BTreeMap::new(),
            next_command: 0,
            room: room::Room::default(),
            replies: BTreeMap::new(),
            running: None,
            seen,
            readers: BTreeMap::new(),
            next_reader: 0,
            unanswered: Vec::new(),
            handover: None,
            changing: Vec::new(),
            joining: Vec::new(),
            folding: None,
            fetching: None,
            staged: None,
            install_not_before: Duration::ZERO,
            staged_sender,
            staged_inbox,
            hashing: hashing::Hashing::default(),
            comparing: comparing::Comparing::default(),
            shown: None,
            is_leaving: false,
            shows_at: None,
            was_asked_to_hand_over: false,
            next_upkeep: Duration::ZERO,
        }
    }

    async fn work(mut self) -> (Ended, Parts) {
        match self.go_on().await {
            Ok(never) => match never {},
            Err(ended) => (ended, self.parts),
        }
    }

    async fn go_on(&mut self) -> Result<std::convert::Infallible, Ended> {
        self.publish();
        if self.seen.is_full {
            self.tell(Input::Full(true))?;
        }
        loop {
            self.take_ready().await?;
            self.upkeep()?;
            let now = self.now();
            self.member.turn(now, &mut self.outputs)?;
            self.carry_out()?;
            // What was just sent leaves, and other groups have their turn, however much there is to do here.
            task::yield_now().await;
            if self.member.is_waiting() {
                continue;
            }
            if self.is_leaving && self.folding.is_none() && self.has_let_go()? {
                return Err(self.leave().await);
            }
            if self.is_installable() {
                self.install().await?;
                continue;
            }
            self.wait().await?;
        }
    }

    /// Takes everything that is there already, up to a bound.
    async fn take_ready(&mut self) -> Result<(), Ended> {
        for _ in 0..TAKEN_MAX {
            let mut took = false;
            match self.parts.progress.has_changed() {
                Ok(false) => {}
                Ok(true) => {
                    self.progressed()?;
                    took = true;
                }
                Err(_) => return Err(self.log_ended()),
            }
            while let Ok(incoming) = self.parts.incoming.try_recv() {
                self.hear(incoming)?;
                took = true;
            }
            if let Some(running) = &mut self.running {
                let ran = std::future::poll_fn(|context| {
                    Poll::Ready(match running.as_mut().poll(context) {
                        Poll::Ready(ran) => Some(ran),
                        Poll::Pending => None,
                    })
                });
                if let Some(ran) = ran.await {
                    self.running = None;
                    self.ran(ran)?;
                    took = true;
                }
            }
            took |= self.take_readers()?;
            match self.parts.requests.try_recv() {
                Ok(request) => {
                    self.take(request)?;
                    took = true;
                }
                Err(mpsc::error::TryRecvError::Empty) => {}
                Err(mpsc::error::TryRecvError::Disconnected) => return Err(Ended::Alone),
            }
            if !took {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Waits until there is something to take, or time has come.
    async fn wait(&mut self) -> Result<(), Ended> {
        let now = self.now();
        let tick = self.member.next_tick(now).min(self.next_upkeep);
        let tick = self.shows_at.map_or(tick, |at| tick.min(at));
        let clock = Arc::clone(&self.parts.os.clock);
        let running = async {
            match &mut self.running {
                Some(running) => running.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            changed = self.parts.progress.changed() => match changed {
                Ok(()) => self.progressed()?,
                Err(_) => return Err(self.log_ended()),
            },
            Some(incoming) = self.parts.incoming.recv() => self.hear(incoming)?,
            ran = running => {
                self.running = None;
                self.ran(ran)?;
            }
            Some(staged) = self.staged_inbox.recv() => self.fetched(staged)?,
            () = self.parts.readers.came() => drop(self.take_readers()?),
            request = self.parts.requests.recv() => match request {
                Some(request) => self.take(request)?,
                None => return Err(Ended::Alone),
            },
            () = clock.sleep_until(tick) => {}
        }
        Ok(())
    }

    fn log_ended(&self) -> Ended {
        // If it failed it has said so, and the first reason counts.
        self.parts.fatal.report("the thread of the log has ended");
        Ended::Alone
    }

    fn now(&self) -> Now {
        now(self.parts.os.clock.as_ref())
    }

    /// Tells the replica what happened, and does what it says at once.
    fn tell(&mut self, input: Input) -> Result<(), MemberError> {
        let now = self.now();
        self.member.take(now, input, &mut self.outputs)?;
        self.carry_out()
    }

    fn carry_out(&mut self) -> Result<(), MemberError> {
        // Each in turn; running a job may fail at once, which is one more event.
        while !self.outputs.is_empty() {
            let outputs = VecDeque::from(std::mem::take(&mut self.outputs));
            for output in outputs {
                if let Some(event) = self.perform(output) {
                    let now = self.now();
                    let input = Input::Group(event);
                    self.member.take(now, input, &mut self.outputs)?;
                }
            }
        }
        Ok(())
    }

    /// Does one thing. Returns what came of it, if that is known at once.
    fn perform(&mut self, output: Output) -> Option<Event> {
        match output {
            Output::Group(action) => return self.act(action),
            Output::Save(save) => self.parts.journal.order(Order::Save(self.parts.id, save)),
            Output::Pin { index, view } => {
                let now = self.now().monotonic;
                self.parts.pins.pin(&self.parts.name, index, *view, now);
            }
            Output::Send { to, message } => self.send(&to, &message),
            Output::ReadReady(number, _) => {
                if self.shows_at.is_some() {
                    self.publish();
                }
                for reader in self.readers.remove(&number).into_iter().flatten() {
                    // Whoever asked may have gone.
                    let _ = reader.send(());
                }
            }
            Output::ReadFailed(reader) => {
                self.unanswered.push(reader);
                self.next_upkeep = self.next_upkeep.min(self.now().monotonic + upkeep::SOON);
            }
            Output::Fetch { from, at } => self.fetch(from, at),
            Output::Standing(standing) => self.stand(standing),
            Output::Failed(reason) => self.parts.log.warn(
                None,
                &format!(
                    "the consensus engine of {} failed and is started again: {reason}",
                    self.parts.name
                ),
            ),
        }
        None
    }

    fn act(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Run {
                job,
                view,
                meta,
                time_ms,
            } => return self.begin(job, view, meta, time_ms),
            // Taken by the replica.
            Action::Append { .. } | Action::Confirm(_) => {}
            Action::Abandon => self.running = None,
            Action::Answer { id, answer } => self.answer(id, answer),
            Action::Deliver(outgoing) => self.parts.courier.send(outgoing),
            Action::Publish => self.show(),
        }
        None
    }

    fn progressed(&mut self) -> Result<(), MemberError> {
        let progress = *self.parts.progress.borrow_and_update();
        if progress.count != self.seen.count {
            self.tell(Input::Persisted(progress.durable))?;
        }
        if progress.is_full != self.seen.is_full {
            self.tell(Input::Full(progress.is_full))?;
        }
        self.seen = progress;
        Ok(())
    }

    fn stand(&mut self, standing: Standing) {
        if self.shows_at.is_some() {
            // Whoever knows that it is the only replica does not ask.
            self.publish();
        }
        if standing.role != Role::Leader {
            // They are answers to calls of a leader that leads no more.
            self.replies.clear();
        }
        self.parts
            .told
            .stand(&self.parts.name, self.member.roster(), &standing);
        if standing.leader.is_some() {
            // There is somebody to ask for those who wait.
            self.next_upkeep = Duration::ZERO;
        }
        if standing.serves && standing.has_others && !self.parts.standing.borrow().serves {
            let (name, term) = (&self.parts.name, standing.term);
            let line = format!("leads the replicas of {name}, in term {term}");
            self.parts.log.info(None, &line);
        }
        self.parts.standing.send_replace(standing);
    }

    fn publish(&mut self) {
        self.shows_at = None;
        self.parts.published.publish(self.member.group().snapshot());
    }

    /// There is a newer state. It is shown at once if somebody would see it without asking, and otherwise to the next one who asks: while a state is shown, each
    /// change copies what it touches.
    fn show(&mut self) {
        let is_seen = self.member.roster().is_alone(self.member.id())
            || self.parts.published.is_watched()
            || self.serves_http();
        if is_seen {
            self.publish();
            return;
        }
        self.parts
            .published
            .moved(self.member.group().committed().2);
        if self.shows_at.is_none() {
            self.shows_at = Some(self.now().monotonic + SHOWN_WITHIN);
        }
    }

    /// Whether its component has handlers, which see what is shown.
    fn serves_http(&self) -> bool {
        let running = self.slot().and_then(Slot::running);
        running.is_some_and(|version| version.http.is_some())
    }

    fn slot(&self) -> Option<&Slot> {
        self.parts.services.get(self.parts.service?)
    }

    fn name(&self) -> String {
        self.parts.name.to_string()
    }
}

/// The clocks now.
#[must_use]
pub fn now(clock: &dyn clock::Clock) -> Now {
    Now {
        monotonic: clock.monotonic(),
        wall_ms: u64::try_from(clock.wall().as_millis()).unwrap_or(u64::MAX),
    }
}

fn refuse(command: Command, error: CallError) {
    let _ = command.reply.send(Err(error));
}
