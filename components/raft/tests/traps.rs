//! What `raft` leaves to its caller, each with what would go wrong: one test for each trap that its users are known to fall into.

mod cluster;

use cluster::disk::Disk;
use cluster::lone::Lone;
use cluster::{Cluster, members};
use engine::{
    Action, ChangeKind, ChangeProposal, Entry, EntryKind, Event, MemberChange, Message,
    MessageKind, Proposal, Role,
};
use raft_engine as engine;

/// Replica 1 of three.
fn follower() -> Lone {
    Lone::start(Disk::first(&members(&[1, 2, 3])))
}

fn message(kind: MessageKind, term: u64) -> Message {
    Message {
        kind,
        to: 1,
        from: 2,
        term,
        log_term: 1,
        index: 1,
        commit: 0,
        commit_term: 0,
        reject: false,
        reject_hint: 0,
        request_snapshot: 0,
        priority: 0,
        context: vec![],
        entries: vec![],
        snapshot: None,
    }
}

fn append(term: u64, index: u64) -> Event {
    let mut append = message(MessageKind::Append, term);
    append.entries = vec![Entry {
        index,
        term,
        kind: EntryKind::Normal,
        data: vec![1],
    }];
    Event::Message(append)
}

fn heartbeat(term: u64, commit: u64) -> Event {
    Event::Message(Message {
        commit,
        ..message(MessageKind::Heartbeat, term)
    })
}

fn proposal(term: u64, index: u64, bytes: usize) -> Event {
    Event::Propose(Proposal {
        term,
        index,
        data: vec![5; bytes],
    })
}

fn remove(id: u64) -> Vec<MemberChange> {
    vec![MemberChange {
        kind: ChangeKind::Remove,
        id,
    }]
}

#[test]
fn trap_1_nobody_campaigns_while_a_snapshot_is_installed() {
    let (mut cluster, leader) = Cluster::led(3, 1);
    let behind = (1..=3).find(|id| *id != leader).unwrap();
    cluster.net.isolate(behind, 1..=3);
    cluster.propose(leader, 20);
    cluster.pass_ms(100);
    let compacted = cluster.host(leader).checkpoint(0);
    cluster.tell(leader, compacted.into_iter().collect());
    cluster.net.heal();
    cluster.host(behind).is_stuck = true;
    cluster.host(behind).sync_ms = 0;
    assert!(cluster.until(2000, |cluster| cluster.hosts[&behind].applied() > 20));
    cluster.kill(leader);
    cluster.net.silence(leader);
    cluster.lose(leader);
    cluster.tell(behind, vec![Event::Campaign]);
    cluster.pass_ms(500);
    assert_eq!(cluster.hosts[&behind].standing().role, Role::Follower);
    cluster.host(behind).is_stuck = false;
    assert!(cluster.until(2000, Cluster::agrees));
}

#[test]
fn trap_2_a_leader_that_removed_itself_steps_down() {
    let (mut cluster, leader) = Cluster::led(3, 2);
    let event = cluster.hosts[&leader].change(remove(leader));
    cluster.tell(leader, vec![event]);
    let steps_down = |cluster: &Cluster| cluster.hosts[&leader].standing().role != Role::Leader;
    assert!(cluster.until(500, steps_down));
    assert!(cluster.until(1000, |cluster| cluster.leader().is_some()));
    let next = cluster.leader().unwrap();
    let before = cluster.last_committed();
    cluster.propose(next, 5);
    assert!(cluster.until(500, |cluster| cluster.last_committed() >= before + 5));
}

#[test]
fn trap_3_a_snapshot_of_which_nothing_is_heard_is_sent_again() {
    let (mut cluster, leader) = Cluster::led(3, 3);
    cluster.reports_snapshots = false;
    let behind = (1..=3).find(|id| *id != leader).unwrap();
    cluster.net.isolate(behind, 1..=3);
    cluster.propose(leader, 20);
    cluster.pass_ms(100);
    let compacted = cluster.host(leader).checkpoint(0);
    cluster.tell(leader, compacted.into_iter().collect());
    cluster.net.heal();
    cluster.net.lost_kind = Some(MessageKind::Snapshot);
    cluster.pass_ms(1000);
    cluster.net.lost_kind = None;
    assert!(cluster.until(2500, Cluster::agrees));
}

#[test]
fn trap_4_and_8_a_follower_promises_nothing_before_it_is_on_the_disk_but_answers_heartbeats() {
    let mut lone = follower();
    lone.step(vec![heartbeat(2, 0)]);
    assert_eq!(lone.sent(), [], "the term is not on the disk");
    lone.persist();
    assert_eq!(lone.sent(), [MessageKind::HeartbeatResponse]);
    lone.step(vec![append(2, 2)]);
    assert_eq!(lone.sent(), []);
    let saved = lone.saves();
    lone.step(vec![heartbeat(2, 0)]);
    assert_eq!(lone.sent(), [MessageKind::HeartbeatResponse]);
    lone.step(vec![Event::Persisted(saved[0].token)]);
    assert_eq!(lone.sent(), [MessageKind::AppendResponse]);
}

#[test]
fn trap_5_what_is_not_there_is_not_committed() {
    let mut lone = follower();
    lone.step(vec![heartbeat(2, 77)]);
    assert_eq!(lone.replica.status().committed, 1);
    assert_eq!(lone.sent(), []);
}

#[test]
fn trap_6_what_was_applied_is_committed_though_the_disk_does_not_say_so() {
    let mut disk = Disk::first(&members(&[1, 2, 3]));
    for index in 2..=4 {
        disk.entries.push(Entry {
            index,
            term: 1,
            kind: EntryKind::Normal,
            data: vec![],
        });
    }
    disk.applied = 3;
    assert_eq!(Lone::start(disk.clone()).replica.status().committed, 3);
    disk.hard.commit = 99;
    assert_eq!(Lone::start(disk).replica.status().committed, 4);
}

#[test]
fn trap_7_what_was_not_handed_out_cannot_be_applied() {
    let mut lone = follower();
    lone.step(vec![append(2, 2), Event::Applied(2), Event::Applied(0)]);
    assert_eq!(lone.replica.status().applied, 1);
}

#[test]
fn trap_9_the_only_voter_tells_learners_nothing_before_its_vote_is_on_the_disk() {
    let mut members = members(&[1]);
    members.learners = vec![2];
    let mut lone = Lone::start(Disk::first(&members));
    assert_eq!((lone.role(), lone.sent()), (Role::Leader, vec![]));
    lone.persist();
    assert_eq!(lone.sent(), [MessageKind::Append]);
}

#[test]
fn trap_10_a_stranger_cannot_raise_the_term() {
    let mut lone = follower();
    lone.step(vec![append(2, 2)]);
    lone.settle();
    let mut vote = message(MessageKind::Vote, 1001);
    (vote.from, vote.index, vote.log_term) = (9, 50, 1000);
    vote.context = b"CampaignTransfer".to_vec();
    lone.step(vec![Event::Message(vote.clone())]);
    assert_eq!(lone.term(), 2);
    // Nor a member that nobody handed leadership to.
    vote.from = 3;
    lone.step(vec![Event::Message(vote.clone())]);
    assert_eq!(lone.term(), 2);
    // One that got everything may have been handed it.
    (vote.term, vote.index, vote.log_term) = (3, 2, 2);
    lone.step(vec![Event::Message(vote)]);
    assert_eq!(lone.term(), 3);
}

#[test]
fn trap_11_what_is_refused_is_said_and_leaves_no_entry() {
    let mut lone = Lone::start(Disk::first(&members(&[1])));
    let change = |index| {
        Event::Change(ChangeProposal {
            term: 2,
            index,
            changes: remove(1),
            context: vec![],
        })
    };
    lone.step(vec![change(3)]);
    assert_eq!(lone.last.actions, [Action::Refused(3)], "not committed");
    lone.step(vec![Event::Persisted(1)]);
    lone.settle();
    lone.step(vec![Event::Applied(2), change(3)]);
    assert_eq!(lone.last.actions, [Action::Refused(3)], "nobody is left");
    // Another term, a gap, and what was made upon it.
    lone.step(vec![
        proposal(1, 3, 1),
        proposal(2, 4, 1),
        proposal(2, 3, 1),
        proposal(2, 4, 1),
    ]);
    assert_eq!(lone.last.actions.len(), 3, "{:?}", lone.last.actions);
    assert_eq!(
        lone.last.actions[..2],
        [Action::Refused(3), Action::Refused(4)]
    );
    assert_eq!(lone.saves()[0].entries.len(), 2);
}

#[test]
fn trap_11_a_follower_refuses_proposals() {
    let mut lone = follower();
    lone.step(vec![append(2, 2)]);
    lone.settle();
    lone.step(vec![proposal(2, 3, 1)]);
    assert_eq!(lone.last.actions, [Action::Refused(3)]);
}

#[test]
fn trap_11_a_read_before_the_first_commit_waits_for_it() {
    let mut lone = Lone::start(Disk::first(&members(&[1])));
    lone.replica
        .step(lone.now_ms, vec![Event::Read(5), Event::Read(6)]);
    lone.persist();
    let ready = [Action::ReadReady((5, 2)), Action::ReadReady((6, 2))];
    assert!(lone.last.actions.ends_with(&ready), "{:?}", lone.last);
}

#[test]
fn trap_11_a_read_without_a_leader_fails_after_an_election_timeout() {
    let mut lone = follower();
    lone.step(vec![Event::Read(5)]);
    lone.wait_ms(99);
    assert!(!lone.last.actions.contains(&Action::ReadFailed(5)));
    lone.wait_ms(1);
    assert!(lone.last.actions.contains(&Action::ReadFailed(5)));
}

#[test]
fn trap_11_a_leader_that_steps_down_fails_its_reads_and_followers_ask_their_leader() {
    let (mut cluster, leader) = Cluster::led(3, 11);
    let other = (1..=3).find(|id| *id != leader).unwrap();
    let read = cluster.read(other);
    assert!(cluster.until(50, |cluster| {
        cluster.hosts[&other].reads_ready.contains_key(&read)
    }));
    cluster.net.isolate(leader, 1..=3);
    let read = cluster.read(leader);
    assert!(cluster.until(300, |cluster| {
        cluster.hosts[&leader].reads_failed.contains(&read)
    }));
}

#[test]
fn trap_12_many_entries_are_one_message_of_at_most_1_mib() {
    let (mut cluster, leader) = Cluster::led(3, 12);
    cluster.net.isolate(leader, 1..=3);
    cluster.trace = Some(vec![]);
    let host = &cluster.hosts[&leader];
    let (term, next) = (host.standing().term, host.last() + 1);
    let many = (next..next + 10).map(|index| proposal(term, index, 10));
    let now_ms = cluster.now_ms;
    let sizes = |actions: Vec<Action>| -> Vec<(usize, usize)> {
        let appends = actions.into_iter().filter_map(|action| match action {
            Action::Send(message) => Some(message.entries),
            _ => None,
        });
        let size = |entries: Vec<Entry>| {
            let bytes = entries.iter().map(|entry| entry.data.len()).sum();
            (entries.len(), bytes)
        };
        appends.map(size).collect()
    };
    let actions = cluster.host(leader).step(now_ms, many.collect());
    assert_eq!(sizes(actions), [(10, 100), (10, 100)]);
    let large = (next + 10..next + 16).map(|index| proposal(term, index, 700 << 10));
    let actions = cluster.host(leader).step(now_ms, large.collect());
    assert_eq!(sizes(actions), [(1, 700 << 10); 12]);
}

#[test]
fn trap_13_only_the_leader_can_make_a_replica_campaign() {
    let mut lone = follower();
    lone.step(vec![append(2, 2)]);
    lone.settle();
    let now = |from| {
        Event::Message(Message {
            from,
            ..message(MessageKind::TimeoutNow, 2)
        })
    };
    lone.step(vec![now(3)]);
    assert_eq!((lone.role(), lone.term()), (Role::Follower, 2));
    lone.step(vec![now(2)]);
    assert_eq!((lone.role(), lone.term()), (Role::Candidate, 3));
}

#[test]
fn trap_14_a_joiner_begins_with_nothing_and_gets_a_snapshot() {
    let (mut cluster, leader) = Cluster::led(3, 14);
    cluster.propose(leader, 10);
    cluster.pass_ms(50);
    let compacted = cluster.host(leader).checkpoint(0);
    cluster.tell(leader, compacted.into_iter().collect());
    cluster.join(4);
    let add = MemberChange {
        kind: ChangeKind::AddLearner,
        id: 4,
    };
    let event = cluster.hosts[&leader].change(vec![add]);
    cluster.tell(leader, vec![event]);
    let has_joined =
        |cluster: &Cluster| cluster.agrees() && cluster.hosts[&4].members().learners == [4];
    assert!(cluster.until(1000, has_joined));
    assert!(cluster.hosts[&4].first() > 2);
}

#[test]
fn several_changes_are_joint_and_left_by_a_further_proposal() {
    let (mut cluster, leader) = Cluster::led(3, 15);
    for id in [4, 5, 6] {
        cluster.join(id);
    }
    let add = |id| MemberChange {
        kind: ChangeKind::AddVoter,
        id,
    };
    let mut changes = vec![add(4), add(5), add(6)];
    let gone = (1..=3).filter(|id| *id != leader);
    changes.extend(gone.flat_map(remove));
    let event = cluster.hosts[&leader].change(changes);
    cluster.tell(leader, vec![event]);
    let is_joint = |cluster: &Cluster| !cluster.hosts[&leader].members().outgoing.is_empty();
    assert!(cluster.until(500, is_joint));
    assert!(cluster.until(2000, |cluster| !is_joint(cluster)));
    assert_eq!(cluster.hosts[&leader].members().voters, [leader, 4, 5, 6]);
    assert!(cluster.until(500, Cluster::agrees));
}

#[test]
fn a_process_that_was_paused_listens_before_it_campaigns() {
    let mut lone = follower();
    lone.step(vec![append(2, 2)]);
    lone.settle();
    lone.now_ms += 10_000;
    lone.step(vec![]);
    assert_eq!(lone.role(), Role::Follower);
    lone.wait_ms(90);
    assert_eq!(lone.role(), Role::Follower);
    lone.wait_ms(110);
    assert_eq!(lone.role(), Role::PreCandidate);
}

#[test]
fn nobody_is_called_more_often_than_heartbeats_and_elections_need() {
    let mut alone = Lone::start(Disk::first(&members(&[1])));
    alone.settle();
    assert!(alone.last.next_ms >= 60_000, "{}", alone.last.next_ms);
    let (mut cluster, leader) = Cluster::led(3, 18);
    cluster.pass_ms(100);
    for (id, host) in &cluster.hosts {
        let wait_ms = host.wait_ms(cluster.now_ms);
        let max_ms = if *id == leader { 20 } else { 50 };
        assert!(wait_ms > 0 && wait_ms <= max_ms, "{id}: {wait_ms}");
    }
}

#[test]
fn equal_seeds_give_equal_runs() {
    let run = |seed| {
        let mut cluster = Cluster::new(3, seed);
        cluster.trace = Some(vec![]);
        cluster.net.loss_percent = 20;
        for _ in 0..50 {
            cluster.pass_ms(20);
            if let Some(leader) = cluster.leader() {
                cluster.propose(leader, 3);
            }
        }
        cluster.trace
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
