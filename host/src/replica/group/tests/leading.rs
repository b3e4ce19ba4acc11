//! Beginning and ceasing to lead.

use super::*;

#[test]
fn a_replica_that_leads_no_more_says_what_it_knows_and_drops_the_rest() {
    let mut host = Host::new();
    for id in 1..=3 {
        host.command(id, None);
    }
    host.set("command 1", "a", "1");
    assert!(host.job.is_some());
    host.step(Event::Follows);
    host.check_told(&["1: unsure, Deposed", "2: NotLeading", "3: NotLeading"]);
    assert!(host.job.is_none());
    host.command(4, None);
    host.check_told(&["4: NotLeading"]);
    // The next leader has the entry all the same.
    host.commit();
    assert_eq!(host.get("a"), Some("1".into()));
    // Or it has another one in its place.
    host.step(Event::Leads);
    host.command(5, None);
    host.set("command 5", "a", "5");
    host.step(Event::Follows);
    host.log.pop();
    host.step(Event::Leads);
    host.command(6, None);
    host.run("command 6", |work| {
        assert_eq!(work.get(b"a").expect("readable"), Some("1".into()));
    });
}

#[test]
fn a_replica_that_follows_does_nothing_by_itself() {
    let mut host = Host::new();
    host.command(1, None);
    host.run("command 1", |work| {
        work.set_timer("t".into(), 0, vec![]).expect("room");
        work.send(message("m")).expect("room");
    });
    host.step(Event::Follows);
    host.commit();
    host.pass(10_000);
    assert!(host.job.is_none() && host.sent.is_empty());
    host.step(Event::Leads);
    assert!(host.job.is_some() && host.sent.len() == 1);
}

#[test]
fn what_changes_nothing_is_told_only_if_this_replica_still_leads() {
    let mut host = Host::new();
    host.group.set_alone(false);
    host.command(1, None);
    host.run("command 1", |work| drop(work.get(b"a")));
    host.check_told(&["1: to be confirmed"]);
}

#[test]
fn a_full_disk_refuses_what_is_new_and_leaves_the_rest_open() {
    let mut host = Host::new();
    host.command(1, None);
    host.set("command 1", "a", "1");
    host.group.set_full(true);
    host.step(Event::Stuck);
    host.command(2, None);
    host.check_told(&["1: unsure, DiskFull", "2: DiskFull"]);
    host.group.set_full(false);
    host.commit();
    assert_eq!(host.get("a"), Some("1".into()));
}
