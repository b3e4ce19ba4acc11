use super::*;
use crate::replica::entry::ENTRY_BYTES_MAX;
use crate::replica::event::{Delivery, Job, Outcome};
use crate::replica::sessions::Recorded;
use crate::replica::work::{Access, Alarm, Effects, Message, Work};
use crate::simulation::disk::SimDisk;
use crate::state::Store;
use std::path::Path;

mod leading;

const START_MS: u64 = 1_000_000;

/// A group with a log that is a list, and guests that are closures.
struct Host {
    store: Store,
    group: Group,
    log: Vec<(u64, Bytes)>,
    now: Now,
    /// What is to be run; at most one thing.
    job: Option<(Job, View, Meta, u64)>,
    told: Vec<String>,
    sent: Vec<Outgoing>,
}

fn options() -> Options {
    Options {
        name: "service".into(),
        sessions: Bounds {
            age_ms: 60_000,
            bytes: 10_000,
        },
        mutant: None,
    }
}

fn session(key: u8, call: u8) -> Option<SessionKey> {
    Some(SessionKey {
        hash: [key; 16],
        call: [call; 16],
    })
}

impl Host {
    fn new() -> Self {
        let store = Store::open(&SimDisk::new(1), Path::new("/state")).expect("an empty disk");
        let id = store.register("service").expect("room");
        let base = View::new(store.base(id).expect("readable"));
        let mut host = Self {
            group: Group::recover(options(), base, 0).expect("nothing to recover"),
            store,
            log: Vec::new(),
            now: Now {
                monotonic: Duration::from_secs(1),
                wall_ms: START_MS,
            },
            job: None,
            told: Vec::new(),
            sent: Vec::new(),
        };
        host.step(Event::Leads);
        host
    }

    fn id(&self) -> crate::state::GroupId {
        self.store.groups()[0].id
    }

    fn step(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.group
            .step(self.now, event, &mut actions)
            .expect("the state is fine");
        self.carry_out(actions);
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Run {
                    job,
                    view,
                    meta,
                    time_ms,
                } => {
                    assert!(self.job.is_none(), "one at a time");
                    self.job = Some((job, view, meta, time_ms));
                }
                Action::Append { index, entry } => {
                    assert_eq!(index, self.log.last().map_or(0, |(at, _)| *at) + 1);
                    self.log.push((index, entry));
                }
                Action::Answer { id, answer } => self.told.push(match answer {
                    Answer::Own => format!("{}: own", id.0),
                    Answer::Recorded(recorded) => format!("{}: {:?}", id.0, recorded.reply),
                    Answer::Refused(refusal) => format!("{}: {refusal:?}", id.0),
                    Answer::Unsure(doubt) => format!("{}: unsure, {doubt:?}", id.0),
                }),
                Action::Abandon => self.job = None,
                Action::Confirm(id) => self.told.push(format!("{}: to be confirmed", id.0)),
                Action::Deliver(outgoing) => self.sent.push(outgoing),
                Action::Publish => {}
            }
        }
    }

    fn command(&mut self, id: u64, key: Option<SessionKey>) {
        let id = CommandId(id);
        self.step(Event::Command { id, key });
    }

    /// Runs what is to be run, and checks what it is.
    fn run(&mut self, expected: &str, guest: impl FnOnce(&mut Work)) {
        let (job, view, meta, time_ms) = self.job.take().expect("something to run");
        let described = match job {
            Job::Command { id, .. } => format!("command {}", id.0),
            Job::Timer { key, .. } => format!("timer {key}"),
            Job::Reply { tag, .. } => format!("reply {tag}"),
        };
        assert_eq!(described, expected);
        let mut work = Work::new(view, meta, time_ms, 1 << 20, Access::Write);
        guest(&mut work);
        let effects = work.finish().expect("within its bounds");
        let answer = Recorded {
            type_hash: [0; 16],
            reply: format!("answer of {expected}").into(),
        };
        self.step(Event::Ran(Outcome::Done {
            effects,
            answer: Some(answer),
            version: [1; 8],
        }));
    }

    fn set(&mut self, expected: &str, key: &str, value: &str) {
        self.run(expected, |work| {
            work.set(key.as_bytes(), value.into()).expect("room");
        });
    }

    /// Everything in the log is committed.
    fn commit(&mut self) {
        let applied = self.group.committed().2;
        let mut actions = Vec::new();
        for (index, entry) in self.log.iter().filter(|(index, _)| *index > applied) {
            let applied = self.group.apply(*index, entry, &mut actions);
            applied.expect("the state is fine");
        }
        self.carry_out(actions);
        self.step(Event::Tick);
    }

    fn pass(&mut self, ms: u64) {
        self.now.monotonic += Duration::from_millis(ms);
        self.now.wall_ms += ms;
        self.step(Event::Tick);
    }

    fn get(&self, key: &str) -> Option<String> {
        let (view, meta, _) = self.group.committed();
        let work = Work::new(view.clone(), meta, 0, 0, Access::Read);
        let value = work.get(key.as_bytes()).expect("readable")?;
        Some(String::from_utf8(value.to_vec()).expect("text"))
    }

    /// The host ends and starts again with what its log and state store have.
    fn restart(&mut self) {
        let applied = self.store.groups()[0].applied;
        let base = View::new(self.store.base(self.id()).expect("readable"));
        self.group = Group::recover(options(), base, applied).expect("recoverable");
        self.job = None;
        self.commit();
        self.told.clear();
        self.sent.clear();
        self.step(Event::Leads);
    }

    #[track_caller]
    fn check_told(&mut self, expected: &[&str]) {
        assert_eq!(std::mem::take(&mut self.told), expected);
    }
}

#[test]
fn a_caller_is_told_once_its_entry_is_in_the_log() {
    let mut host = Host::new();
    host.command(1, None);
    host.set("command 1", "a", "1");
    host.check_told(&[]);
    assert_eq!(host.get("a"), None);
    host.commit();
    host.check_told(&["1: own"]);
    assert_eq!(host.get("a"), Some("1".into()));
}

#[test]
fn a_command_sees_what_the_ones_before_it_left_and_waits_for_that() {
    let mut host = Host::new();
    host.command(1, None);
    host.command(2, None);
    host.set("command 1", "a", "1");
    host.run("command 2", |work| {
        assert_eq!(work.get(b"a").expect("readable"), Some("1".into()));
    });
    host.check_told(&[]);
    host.commit();
    host.check_told(&["1: own", "2: own"]);
    assert_eq!(host.log.len(), 1);
}

#[test]
fn a_key_has_one_effect_and_one_answer() {
    let mut host = Host::new();
    host.command(1, session(1, 1));
    host.command(2, session(1, 1));
    host.set("command 1", "a", "1");
    assert!(host.job.is_none());
    host.check_told(&[]);
    host.commit();
    host.check_told(&["1: own", "2: b\"answer of command 1\""]);
    host.restart();
    host.command(3, session(1, 1));
    host.check_told(&["3: b\"answer of command 1\""]);
    host.command(4, session(1, 2));
    host.check_told(&["4: KeyReused"]);
    assert_eq!(host.log.len(), 1);
}

#[test]
fn a_key_whose_answer_is_gone_is_refused_and_not_executed() {
    let mut host = Host::new();
    host.command(1, session(1, 1));
    host.set("command 1", "a", "1");
    host.pass(61_000);
    host.command(2, session(2, 2));
    host.set("command 2", "a", "2");
    host.commit();
    host.told.clear();
    host.command(3, session(1, 1));
    host.check_told(&["3: KeyExpired"]);
}

#[test]
fn answers_that_take_too_much_room_go_the_oldest_first() {
    let mut host = Host::new();
    for id in 0..200 {
        host.command(id, session(id as u8, 1));
        host.set(&format!("command {id}"), "a", "1");
    }
    host.commit();
    let (_, meta, _) = host.group.committed();
    assert!(meta.session_bytes <= 10_000, "{}", meta.session_bytes);
    host.told.clear();
    host.command(300, session(0, 1));
    host.command(301, session(199, 1));
    host.check_told(&["300: KeyExpired", "301: b\"answer of command 199\""]);
}

#[test]
fn what_failed_has_no_effect_and_may_run_again() {
    let mut host = Host::new();
    host.command(1, session(1, 1));
    host.job = None;
    host.step(Event::Ran(Outcome::Failed));
    host.command(2, session(1, 1));
    host.set("command 2", "a", "2");
    host.commit();
    host.check_told(&["2: own"]);
}

#[test]
fn entries_that_the_log_refuses_are_undone_with_everything_that_saw_them() {
    let mut host = Host::new();
    host.command(1, None);
    host.set("command 1", "a", "1");
    host.commit();
    host.told.clear();
    for id in 2..=4 {
        host.command(id, None);
    }
    host.set("command 2", "a", "2");
    host.run("command 3", |work| drop(work.get(b"a")));
    let refused = host.log.pop().expect("the entry of command 2").0;
    host.step(Event::Refused(refused));
    host.check_told(&["2: NotLeading", "3: NotLeading"]);
    // It had begun on what is no more: it runs again.
    host.set("command 4", "b", "wrong");
    host.run("command 4", |work| {
        assert_eq!(work.get(b"a").expect("readable"), Some("1".into()));
        work.set(b"b", "4".into()).expect("room");
    });
    host.commit();
    host.check_told(&["4: own"]);
    assert_eq!(
        (host.get("a"), host.get("b")),
        (Some("1".into()), Some("4".into()))
    );
}

#[test]
fn a_timer_goes_off_once_also_if_the_host_was_down_at_its_time() {
    let mut host = Host::new();
    host.command(1, None);
    host.run("command 1", |work| {
        work.set_timer("t".into(), 5_000, vec![1]).expect("room");
    });
    host.commit();
    host.pass(4_999);
    assert!(host.job.is_none());
    host.restart();
    host.pass(2);
    host.set("timer t", "a", "fired");
    host.commit();
    host.pass(60_000);
    assert!(host.job.is_none());
    host.restart();
    assert!(host.job.is_none());
    assert_eq!(host.get("a"), Some("fired".into()));
}

#[test]
fn a_timer_that_is_set_again_or_cancelled_does_not_go_off_at_its_old_time() {
    let mut host = Host::new();
    host.command(1, None);
    host.run("command 1", |work| {
        work.set_timer("a".into(), 1_000, vec![]).expect("room");
        work.set_timer("b".into(), 1_000, vec![]).expect("room");
    });
    host.command(2, None);
    host.run("command 2", |work| {
        work.set_timer("a".into(), 3_000, vec![]).expect("room");
        assert!(work.cancel_timer("b".into()).expect("readable"));
        assert!(!work.cancel_timer("c".into()).expect("readable"));
    });
    host.commit();
    host.pass(2_999);
    assert!(host.job.is_none());
    host.pass(1);
    host.run("timer a", |work| {
        // For the very same moment once more.
        work.set_timer("a".into(), 0, vec![]).expect("room");
    });
    host.commit();
    host.run("timer a", |_| {});
    host.commit();
    host.pass(10_000);
    assert!(host.job.is_none());
    assert_eq!(host.group.committed().1.timers, 0);
}

#[test]
fn a_timer_whose_handler_fails_is_tried_again() {
    let mut host = Host::new();
    host.command(1, None);
    host.run("command 1", |work| {
        work.set_timer("t".into(), 0, vec![]).expect("room");
    });
    host.commit();
    host.job = None;
    host.step(Event::Ran(Outcome::Failed));
    assert!(host.job.is_none());
    host.pass(100);
    host.run("timer t", |_| {});
}

fn message(tag: &str) -> Message {
    Message {
        service: "other".into(),
        interface: "a:b/c@0.1".into(),
        function: "f".into(),
        arguments: "[]".into(),
        tag: tag.into(),
    }
}

#[test]
fn a_message_leaves_when_it_is_committed_and_until_it_is_answered() {
    let mut host = Host::new();
    host.command(1, None);
    host.run("command 1", |work| work.send(message("m")).expect("room"));
    assert!(host.sent.is_empty());
    host.commit();
    let first = host.sent.pop().expect("sent");
    assert_eq!(first.message, message("m"));
    let id = first.id;
    host.step(Event::Delivered {
        id,
        delivery: Delivery::Failed,
    });
    host.pass(100);
    assert_eq!(host.sent.pop(), Some(first.clone()));
    host.restart();
    assert_eq!(host.sent.pop(), Some(first));
    host.step(Event::Delivered {
        id,
        delivery: Delivery::Done,
    });
    host.set("reply m", "a", "answered");
    host.commit();
    host.restart();
    assert!(host.sent.is_empty());
    assert_eq!(host.group.unfinished(), (0, 0));
    assert_eq!(host.group.committed().1.message_bytes, 0);
}

#[test]
fn a_checkpoint_may_be_made_while_commands_are_on_their_way() {
    let mut host = Host::new();
    host.command(1, None);
    host.set("command 1", "a", "1");
    host.commit();
    host.command(2, None);
    host.set("command 2", "b", "2");
    let (applied, layer) = host.group.freeze().expect("something");
    assert_eq!(applied, 1);
    host.command(3, None);
    host.run("command 3", |work| {
        assert_eq!(work.get(b"a").expect("readable"), Some("1".into()));
        assert_eq!(work.get(b"b").expect("readable"), Some("2".into()));
        work.delete(b"a").expect("room");
    });
    let group = host.id();
    host.store
        .fold(&[crate::state::Fold {
            group,
            applied,
            layer,
        }])
        .expect("room");
    host.group.folded(host.store.base(group).expect("readable"));
    host.commit();
    assert_eq!((host.get("a"), host.get("b")), (None, Some("2".into())));
    host.restart();
    assert_eq!((host.get("a"), host.get("b")), (None, Some("2".into())));
    assert_eq!(host.group.committed().2, 3);
}

#[test]
fn a_checkpoint_that_fails_loses_nothing() {
    let mut host = Host::new();
    host.command(1, None);
    host.set("command 1", "a", "1");
    host.commit();
    let _ = host.group.freeze().expect("something");
    host.command(2, None);
    host.set("command 2", "a", "2");
    host.group.unfreeze();
    host.commit();
    assert_eq!(host.get("a"), Some("2".into()));
    assert_eq!(host.group.freeze().expect("something").0, 2);
}

#[test]
fn an_entry_that_is_too_large_is_refused() {
    let mut host = Host::new();
    host.command(1, None);
    host.job = None;
    let effects = Effects {
        writes: vec![("dk".into(), Some(vec![0; ENTRY_BYTES_MAX].into()))],
        timers: vec![(
            "t".into(),
            Some(Alarm {
                due_ms: 0,
                payload: Bytes::new(),
            }),
        )],
        ..Effects::default()
    };
    host.step(Event::Ran(Outcome::Done {
        effects,
        answer: None,
        version: [0; 8],
    }));
    assert!(host.told.pop().expect("told").starts_with("1: TooLarge"));
    assert!(host.log.is_empty());
}

#[test]
fn an_entry_of_the_log_that_makes_no_sense_is_named() {
    let store = Store::open(&SimDisk::new(1), Path::new("/state")).expect("an empty disk");
    let id = store.register("service").expect("room");
    let base = View::new(store.base(id).expect("readable"));
    let mut group = Group::recover(options(), base, 6).expect("nothing to recover");
    let error = group.apply(7, &Bytes::from_static(b"\x01\x09"), &mut Vec::new());
    assert!(matches!(error, Err(GroupError::Entry { index: 7, .. })));
}
