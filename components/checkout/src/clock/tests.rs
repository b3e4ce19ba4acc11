use super::*;
use proptest::prelude::*;

/// Small counts, so that equal and ordered clocks are as likely as concurrent ones.
fn clocks() -> impl Strategy<Value = VectorClock> {
    prop_oneof![
        prop::array::uniform4(0..4u32),
        prop::array::uniform4(any::<u32>())
    ]
    .prop_map(VectorClock::from_counts)
}

fn services() -> impl Strategy<Value = Service> {
    prop::sample::select(&Service::ALL[..])
}

proptest! {
    #[test]
    fn merge_is_commutative(a in clocks(), b in clocks()) {
        prop_assert_eq!(a.merge(b), b.merge(a));
    }

    #[test]
    fn merge_is_associative(a in clocks(), b in clocks(), c in clocks()) {
        prop_assert_eq!(a.merge(b).merge(c), a.merge(b.merge(c)));
    }

    #[test]
    fn merge_is_idempotent(a in clocks(), b in clocks()) {
        prop_assert_eq!(a.merge(a), a);
        prop_assert_eq!(a.merge(b).merge(b), a.merge(b));
    }

    #[test]
    fn merge_is_the_least_clock_that_covers_both(a in clocks(), b in clocks(), c in clocks()) {
        let both = a.merge(b);
        prop_assert!(a <= both && b <= both);
        prop_assert_eq!(a <= c && b <= c, both <= c);
        prop_assert_eq!(both == b, a <= b);
    }

    #[test]
    fn happened_before_is_a_partial_order(a in clocks(), b in clocks(), c in clocks()) {
        let less = [a < b, b < a];
        prop_assert!(a.partial_cmp(&a) == Some(Ordering::Equal));
        prop_assert!(less != [true, true], "not both ways");
        if a < b && b < c {
            prop_assert!(a < c, "transitive");
        }
        if a <= b && b <= a {
            prop_assert_eq!(a, b);
        }
        prop_assert_eq!(a.partial_cmp(&b), b.partial_cmp(&a).map(Ordering::reverse));
    }

    #[test]
    fn before_means_nowhere_larger_and_somewhere_smaller(a in clocks(), b in clocks()) {
        let mut places = a.counts().into_iter().zip(b.counts());
        let covered = places.all(|(mine, theirs)| mine <= theirs);
        prop_assert_eq!(a <= b, covered);
        prop_assert_eq!(a < b, covered && a != b);
    }

    #[test]
    fn every_event_is_after_what_it_knew(a in clocks(), at in services()) {
        let ends = a.counts()[at as usize] == u32::MAX;
        prop_assert_eq!(a < a.tick(at), !ends);
        prop_assert!(a <= a.tick(at));
    }

    #[test]
    fn events_of_services_that_have_not_heard_of_each_other_are_concurrent(a in prop::array::uniform4(0..9u32), at in services(), elsewhere in services()) {
        prop_assume!(at != elsewhere);
        let a = VectorClock::from_counts(a);
        prop_assert_eq!(a.tick(at).partial_cmp(&a.tick(elsewhere)), None);
    }
}

#[test]
fn places_have_the_names_of_the_services() {
    let clock = VectorClock::ZERO
        .tick(Service::Suggestions)
        .tick(Service::Orchestrator)
        .tick(Service::Orchestrator);
    assert_eq!(
        (clock.orchestrator, clock.suggestions, clock.fraud_detection),
        (2, 1, 0)
    );
    for (place, service) in Service::ALL.into_iter().enumerate() {
        assert_eq!(place, service as usize, "{}", service.name());
    }
}
