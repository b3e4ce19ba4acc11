//! Who leads when the leader is gone, and how soon.

mod cluster;

use cluster::Cluster;
use engine::Event;
use raft_engine as engine;

#[test]
fn trap_13_the_second_survivor_takes_over_from_one_that_is_behind() {
    let (mut cluster, leader) = Cluster::led(3, 13);
    let others: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
    // The one that comes first lacks an entry.
    cluster.net.cut(leader, others[0]);
    cluster.propose(leader, 1);
    cluster.pass_ms(10);
    cluster.kill(leader);
    cluster.net.silence(leader);
    cluster.lose(leader);
    assert!(cluster.until(20, |cluster| cluster.leader() == Some(others[1])));
}

#[test]
fn a_lost_leader_is_replaced_at_once_by_the_lowest_that_lives() {
    for seed in 0..60 {
        let (mut cluster, leader) = Cluster::led(3, seed);
        let next = (1..=3).find(|id| *id != leader).unwrap();
        cluster.kill(leader);
        cluster.net.silence(leader);
        cluster.lose(leader);
        assert!(
            cluster.until(12, |cluster| cluster.leader() == Some(next)),
            "{seed}"
        );
    }
}

#[test]
fn a_leader_that_falls_silent_is_replaced_in_the_same_order_soon_after_a_timeout() {
    for seed in 0..60 {
        let (mut cluster, leader) = Cluster::led(3, seed);
        let next = (1..=3).find(|id| *id != leader).unwrap();
        cluster.kill(leader);
        cluster.net.silence(leader);
        // The timeout, a tick, and one that may have begun.
        assert!(
            cluster.until(125, |cluster| cluster.leader() == Some(next)),
            "{seed}"
        );
    }
}

#[test]
fn who_was_lost_and_is_back_comes_before_others_again() {
    for seed in 0..60 {
        let (mut cluster, leader) = Cluster::led(3, seed);
        let others: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
        // Followers say nothing to each other.
        for event in [Event::PeerLost(others[0]), Event::PeerFound(others[0])] {
            cluster.tell(others[1], vec![event]);
        }
        cluster.kill(leader);
        cluster.net.silence(leader);
        cluster.lose(leader);
        assert!(
            cluster.until(12, |cluster| cluster.leader() == Some(others[0])),
            "{seed}"
        );
    }
}

#[test]
fn two_that_ask_for_votes_at_once_do_not_wait_for_a_timeout_to_ask_again() {
    for seed in 0..60 {
        let (mut cluster, leader) = Cluster::led(3, seed);
        cluster.kill(leader);
        cluster.net.silence(leader);
        let others: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
        for other in &others {
            // Without a leader they answer each other.
            cluster.tell(*other, vec![Event::PeerLost(leader), Event::Campaign]);
        }
        assert!(
            cluster.until(50, |cluster| cluster.leader() == Some(others[0])),
            "{seed}"
        );
    }
}

#[test]
fn who_notices_late_answers_then_whom_it_ignored() {
    let (mut cluster, leader) = Cluster::led(3, 16);
    let others: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
    cluster.kill(leader);
    cluster.net.silence(leader);
    cluster.tell(others[0], vec![Event::PeerLost(leader)]);
    cluster.pass_ms(20);
    assert_eq!(cluster.leader(), None);
    cluster.tell(others[1], vec![Event::PeerLost(leader)]);
    assert!(cluster.until(12, |cluster| cluster.leader() == Some(others[0])));
}

#[test]
fn a_false_alarm_does_no_harm() {
    let (mut cluster, leader) = Cluster::led(3, 17);
    let other = (1..=3).find(|id| *id != leader).unwrap();
    let term = cluster.hosts[&leader].standing().term;
    cluster.tell(other, vec![Event::PeerLost(leader)]);
    cluster.pass_ms(300);
    assert_eq!(cluster.leader(), Some(leader));
    assert_eq!(cluster.hosts[&leader].standing().term, term);
    assert!(cluster.agrees());
}

#[test]
fn leadership_is_handed_over() {
    let (mut cluster, leader) = Cluster::led(3, 19);
    let other = (1..=3).find(|id| *id != leader).unwrap();
    cluster.tell(leader, vec![Event::Transfer(other)]);
    assert!(cluster.until(30, |cluster| cluster.leader() == Some(other)));
    // A follower may ask for itself.
    cluster.pass_ms(50);
    cluster.tell(leader, vec![Event::Transfer(leader)]);
    assert!(cluster.until(30, |cluster| cluster.leader() == Some(leader)));
}
