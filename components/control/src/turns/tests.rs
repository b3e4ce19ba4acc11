use super::*;
use keys::Memory;

fn failed(reason: &str) -> Outcome {
    Outcome::Failed(reason.into())
}

#[test]
fn one_host_at_a_time_has_the_turn() {
    let memory = Memory::default();
    let turns = Turns::new(&memory);
    assert_eq!(turns.take("a", 3, 3, 1_000), Ok(()));
    assert_eq!(
        turns.take("b", 3, 3, 1_001),
        Err(TurnRefusal::Busy("a".into()))
    );
    assert!(turns.report("a", 3, Outcome::Running, 2_000));
    assert_eq!(turns.current(2_000), None);
    assert_eq!(turns.take("b", 3, 3, 2_001), Ok(()));
}

#[test]
fn a_turn_that_is_not_given_back_ends_after_two_minutes() {
    let memory = Memory::default();
    let turns = Turns::new(&memory);
    assert_eq!(turns.take("a", 3, 3, 1_000), Ok(()));
    // To ask again does not make it longer.
    assert_eq!(turns.take("a", 3, 3, 100_000), Ok(()));
    let busy = Err(TurnRefusal::Busy("a".into()));
    assert_eq!(turns.take("b", 3, 3, 120_999), busy);
    assert_eq!(turns.take("b", 3, 3, 121_000), Ok(()));
    // Who comes late does not end the turn of another.
    assert!(turns.report("a", 3, Outcome::Running, 121_001));
    let turn = turns.current(121_001).expect("b has it");
    assert_eq!(
        (&*turn.host, turn.since_ms, turn.until_ms),
        ("b", 121_000, 241_000)
    );
}

#[test]
fn a_failure_stops_all_others_until_a_newer_revision() {
    let memory = Memory::default();
    let turns = Turns::new(&memory);
    assert_eq!(turns.take("a", 3, 3, 1_000), Ok(()));
    assert!(turns.report("a", 3, failed("no memory"), 2_000));
    let stopped = Err(TurnRefusal::Failed("a".into()));
    assert_eq!(turns.take("b", 3, 3, 2_001), stopped);
    assert_eq!(turns.take("b", 3, 3, 999_999), stopped);
    // A newer one goes on.
    assert_eq!(turns.take("b", 4, 4, 3_000), Ok(()));
}

#[test]
fn the_host_that_failed_may_try_again() {
    let memory = Memory::default();
    let turns = Turns::new(&memory);
    assert!(turns.report("a", 3, failed("no room"), 1_000));
    assert_eq!(turns.take("a", 3, 3, 1_001), Ok(()));
    assert!(turns.report("a", 3, Outcome::Running, 1_002));
    assert_eq!(turns.take("b", 3, 3, 1_003), Ok(()));
}

#[test]
fn a_turn_is_for_the_revision_in_force() {
    let memory = Memory::default();
    let turns = Turns::new(&memory);
    let superseded = |current| Err(TurnRefusal::Superseded(current));
    assert_eq!(turns.take("a", 0, 0, 1), superseded(0));
    assert_eq!(turns.take("a", 2, 3, 1), superseded(3));
    assert_eq!(turns.take("a", 4, 3, 1), superseded(3));
    // A host in the middle of an older revision is let finish; it may go on to the newer one itself.
    assert_eq!(turns.take("a", 3, 3, 1_000), Ok(()));
    let busy = Err(TurnRefusal::Busy("a".into()));
    assert_eq!(turns.take("b", 4, 4, 1_001), busy);
    assert_eq!(turns.take("a", 4, 4, 1_002), Ok(()));
    assert_eq!(turns.current(1_002).expect("a has it").since_ms, 1_002);
}

#[test]
fn standings_are_what_hosts_said_last() {
    let memory = Memory::default();
    let turns = Turns::new(&memory);
    assert!(turns.report("b", 1, Outcome::Running, 1));
    assert!(turns.report("a", 1, failed(&"é".repeat(600)), 2));
    assert!(turns.report("b", 2, Outcome::Running, 3));
    let standings = turns.standings();
    let said: Vec<_> = standings
        .iter()
        .map(|it| (&*it.host, it.revision, it.at_ms))
        .collect();
    assert_eq!(said, [("a", 1, 2), ("b", 2, 3)]);
    assert_eq!(standings[0].outcome, failed(&"é".repeat(512)));
    for name in ["", &"a".repeat(64)] {
        assert!(!turns.report(name, 1, Outcome::Running, 4));
    }
    assert_eq!(turns.standings(), standings);
}

#[test]
fn of_too_many_hosts_the_one_that_was_silent_longest_is_forgotten() {
    let memory = Memory::default();
    let turns = Turns::new(&memory);
    for number in 0..STANDINGS_MAX as u64 {
        assert!(turns.report(&format!("h{number}"), 1, Outcome::Running, 1_000 - number));
    }
    assert_eq!(turns.standings().len(), STANDINGS_MAX);
    assert!(turns.report("new", 1, Outcome::Running, 0));
    let standings = turns.standings();
    let has = |host: &str| standings.iter().any(|standing| standing.host == host);
    assert_eq!(standings.len(), STANDINGS_MAX);
    assert!(has("new") && has("h0") && !has(&format!("h{}", STANDINGS_MAX - 1)));
}

#[test]
fn a_host_that_is_ready_keeps_nobody_from_the_turn() {
    let memory = Memory::default();
    let turns = Turns::new(&memory);
    assert!(turns.report("a", 3, Outcome::Ready, 1_000));
    assert!(turns.report("b", 3, Outcome::Ready, 1_000));
    let outcomes: Vec<_> = turns.standings().into_iter().map(|it| it.outcome).collect();
    assert_eq!(outcomes, [Outcome::Ready, Outcome::Ready]);
    assert_eq!(turns.take("b", 3, 3, 1_001), Ok(()));
    assert_eq!(
        turns.take("a", 3, 3, 1_002),
        Err(TurnRefusal::Busy("b".into()))
    );
}
