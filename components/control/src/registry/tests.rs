use super::*;
use crate::bindings::exports::bookshop::control::registry::{Bounded, Canary, Excess};
use keys::Memory;

fn digest(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn component(service: &str, digest: String) -> Component {
    Component {
        service: service.into(),
        digest,
        bytes: 7,
        canary: None,
    }
}

fn applied(config: &str) -> Applied {
    Applied {
        config: config.into(),
        components: vec![component("b", digest('b')), component("a", digest('a'))],
        by: "ann".into(),
        summary: format!("to {config}"),
    }
}

#[track_caller]
fn refused(memory: &Memory, base: u64, applied: Applied, expected: Refusal) {
    let before = memory.clone();
    let refused = Registry::new(memory).apply(base, applied, 9);
    assert_eq!(refused, Err(expected));
    assert_eq!(*memory, before, "a refusal changes nothing");
}

#[test]
fn nothing_is_in_force_before_the_first_file() {
    let memory = Memory::default();
    let registry = Registry::new(&memory);
    assert_eq!((registry.revision(), registry.current()), (0, None));
    assert_eq!(registry.history(10), []);
    assert_eq!(registry.at(0), None);
}

#[test]
fn a_file_replaces_the_one_that_its_applier_knew() {
    let memory = Memory::default();
    let registry = Registry::new(&memory);
    refused(&memory, 1, applied("one"), Refusal::Superseded(0));
    assert_eq!(registry.apply(0, applied("one"), 5), Ok(1));
    refused(&memory, 0, applied("two"), Refusal::Superseded(1));
    refused(&memory, 2, applied("two"), Refusal::Superseded(1));
    assert_eq!(registry.apply(1, applied("two"), 6), Ok(2));
    let current = registry.current().expect("a value");
    assert_eq!((current.revision, current.applied_at_ms), (2, 6));
    assert_eq!((&*current.config, &*current.applied_by), ("two", "ann"));
    let services: Vec<_> = current.components.iter().map(|it| &*it.service).collect();
    assert_eq!(services, ["a", "b"]);
    assert_eq!(registry.at(1).expect("it is kept").config, "one");
    assert_eq!(registry.at(3), None);
}

/// So a call may be repeated whose answer was lost, and every host may offer the same first file.
#[test]
fn the_same_again_is_unchanged_whatever_it_was_to_replace() {
    let memory = Memory::default();
    let registry = Registry::new(&memory);
    assert_eq!(registry.apply(0, applied("one"), 5), Ok(1));
    let mut other_order = applied("one");
    other_order.components.reverse();
    for base in [0, 1, 7] {
        refused(&memory, base, applied("one"), Refusal::Unchanged(1));
        refused(&memory, base, other_order.clone(), Refusal::Unchanged(1));
    }
    let mut other_code = applied("one");
    other_code.components[0].digest = digest('c');
    assert_eq!(registry.apply(1, other_code, 6), Ok(2));
    // The file before is another one, so to go back is a change.
    assert_eq!(registry.apply(2, applied("one"), 7), Ok(3));
}

#[test]
fn fifty_revisions_are_remembered_and_sixteen_files_kept() {
    let memory = Memory::default();
    let registry = Registry::new(&memory);
    for revision in 1..=60 {
        let file = applied(&revision.to_string());
        assert_eq!(registry.apply(revision - 1, file, revision), Ok(revision));
    }
    let history = registry.history(u32::MAX);
    let revisions: Vec<u64> = history.iter().map(|entry| entry.revision).collect();
    assert_eq!(revisions, (11..=60).rev().collect::<Vec<_>>());
    for entry in &history {
        assert_eq!(entry.has_config, entry.revision > 44, "{}", entry.revision);
        assert_eq!(registry.at(entry.revision).is_some(), entry.has_config);
        assert_eq!(entry.summary, format!("to {}", entry.revision));
        assert_eq!(entry.applied_at_ms, entry.revision);
    }
    assert_eq!(registry.history(2), history[..2]);
    assert_eq!(registry.history(0), []);
    // The number of the current one, entries and files: nothing else is left behind.
    assert_eq!(memory.0.borrow().len(), 1 + 50 + 16);
}

#[test]
fn what_is_too_large_is_refused_with_its_bound() {
    let memory = Memory::default();
    let check = |change: &dyn Fn(&mut Applied, usize), what: Bounded, most: u64| {
        let of = |size: u64| {
            let mut file = applied("one");
            change(&mut file, usize::try_from(size).expect("small"));
            file
        };
        let excess = Excess {
            what,
            actual: most + 1,
            most,
        };
        refused(&memory, 0, of(most + 1), Refusal::TooLarge(excess));
        let empty = Memory::default();
        assert_eq!(Registry::new(&empty).apply(0, of(most), 1), Ok(1));
    };
    let config = |file: &mut Applied, size| file.config = "x".repeat(size);
    check(&config, Bounded::ConfigBytes, 256 << 10);
    let by = |file: &mut Applied, size| file.by = "x".repeat(size);
    check(&by, Bounded::ByBytes, 128);
    let summary = |file: &mut Applied, size| file.summary = "x".repeat(size);
    check(&summary, Bounded::SummaryBytes, 2 << 10);
    let components = |file: &mut Applied, size| {
        let numbered = |number| component(&format!("s{number}"), digest('0'));
        file.components = (0..size).map(numbered).collect();
    };
    check(&components, Bounded::Components, 1_000);
}

#[test]
fn what_is_malformed_is_refused_in_words() {
    let memory = Memory::default();
    let check = |components: Vec<Component>, expected: &str| {
        let file = Applied {
            components,
            ..applied("one")
        };
        refused(&memory, 0, file, Refusal::Invalid(expected.into()));
    };
    check(
        vec![component("a", digest('A'))],
        &format!(
            "the digest of a is not 64 lowercase hexadecimal digits: {:?}",
            digest('A')
        ),
    );
    check(
        vec![component("a", "12".into())],
        "the digest of a is not 64 lowercase hexadecimal digits: \"12\"",
    );
    check(
        vec![component("", digest('0'))],
        "the name of a service has 1 to 63 bytes, not 0",
    );
    check(
        vec![component(&"a".repeat(64), digest('0'))],
        "the name of a service has 1 to 63 bytes, not 64",
    );
    check(
        vec![component("a", digest('0')), component("a", digest('1'))],
        "service a has two components",
    );
}

#[test]
#[should_panic(expected = "run the version of the host that wrote it")]
fn what_a_later_version_wrote_ends_the_call() {
    let memory = Memory::default();
    memory.set(stored::CURRENT, &[2, 1]);
    let _ = Registry::new(&memory).revision();
}

fn with_canary(percent: u32, then: &[u32]) -> Applied {
    let mut applied = applied("one");
    applied.components[0].canary = Some(Canary {
        digest: digest('c'),
        bytes: 8,
        percent,
        then: then.to_vec(),
        every_ms: 30_000,
    });
    applied
}

#[test]
fn a_canary_is_kept_with_the_shares_that_are_to_come() {
    let memory = Memory::default();
    let registry = Registry::new(&memory);
    assert_eq!(registry.apply(0, applied("one"), 5), Ok(1));
    assert_eq!(registry.apply(1, with_canary(5, &[25, 100]), 6), Ok(2));
    let current = registry.current().expect("a value");
    let canaries: Vec<_> = current.components.iter().map(|it| &it.canary).collect();
    assert_eq!(
        canaries,
        [&None, &with_canary(5, &[25, 100]).components[0].canary]
    );
    assert_eq!(registry.apply(2, with_canary(25, &[100]), 7), Ok(3));
    assert_eq!(registry.apply(3, applied("one"), 8), Ok(4));
}

#[test]
fn a_canary_that_makes_no_sense_is_refused() {
    let memory = Memory::default();
    let refused_as = |applied: Applied, message: &str| {
        refused(&memory, 0, applied, Refusal::Invalid(message.into()));
    };
    refused_as(
        with_canary(0, &[]),
        "the canary of b gets 1 to 99 % of the calls, not 0",
    );
    refused_as(
        with_canary(100, &[]),
        "the canary of b gets 1 to 99 % of the calls, not 100",
    );
    refused_as(
        with_canary(5, &[25, 25]),
        "the canary of b gets 25 % after 25 %: shares grow, up to 100",
    );
    refused_as(
        with_canary(5, &[101]),
        "the canary of b gets 101 % after 5 %: shares grow, up to 100",
    );
    let many: Vec<u32> = (6..23).collect();
    refused_as(
        with_canary(5, &many),
        "the canary of b has 17 more shares, at most 16 are kept",
    );
    let mut same = with_canary(5, &[]);
    same.components[0].digest = digest('c');
    refused_as(same, "the canary of b is the component that it has");
}
