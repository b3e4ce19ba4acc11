use super::*;
use proptest::prelude::*;

/// Starts all that may start.
fn start_all(plan: &mut Plan) -> Vec<Work> {
    std::iter::from_fn(|| plan.start()).collect()
}

/// Parts as letters: `V`, `F`, `S` hand over to a service, `a` to `f` are the events.
fn letters(work: &[Work]) -> String {
    let letter = |work: &Work| ['V', 'F', 'S', 'a', 'b', 'c', 'd', 'e', 'f'][work.place()];
    work.iter().map(letter).collect()
}

fn work(letter: char) -> Work {
    Work::ALL["VFSabcdef".find(letter).expect("a letter of the plan")]
}

/// Finishes parts one after the other; what starts after each is compared with `finished=started` texts.
#[track_caller]
fn check(steps: &str) {
    let mut plan = Plan::new();
    for step in steps.split_whitespace() {
        let (finished, expected) = step.split_once('=').expect("finished=started");
        finished
            .chars()
            .for_each(|letter| plan.finish(work(letter)));
        assert_eq!(letters(&start_all(&mut plan)), expected, "after {finished}");
    }
    assert!(plan.is_complete());
}

#[test]
fn all_services_get_the_order_at_once_and_start_as_soon_as_they_have_it() {
    check("=VFS V=ab a=c b= F=d c= d=e e= S=f f=");
}

#[test]
fn c_overlaps_b_and_d_overlaps_c() {
    check("=VFS VFS=ab a=c b=d d= c=e e=f f=");
    check("=VFS VFS=ab b=d d= a=c c=e e=f f=");
}

#[test]
fn places_are_those_of_the_list() {
    for (place, work) in Work::ALL.into_iter().enumerate() {
        assert_eq!(work.place(), place);
    }
}

#[test]
fn after_a_stop_nothing_starts() {
    let mut plan = Plan::new();
    start_all(&mut plan);
    plan.finish(work('V'));
    plan.stop();
    plan.finish(work('F'));
    assert_eq!(plan.start(), None);
    assert!(!plan.is_complete());
}

#[test]
fn an_order_that_was_lost_is_handed_over_before_the_event_is_repeated() {
    let mut plan = Plan::new();
    start_all(&mut plan);
    "VFS".chars().for_each(|letter| plan.finish(work(letter)));
    assert_eq!(letters(&start_all(&mut plan)), "ab");
    assert_eq!(plan.repeat(Event::VerifyItems), Ok(()));
    assert_eq!(letters(&start_all(&mut plan)), "V");
    // The other event finds the same while the order is on its way.
    assert_eq!(plan.repeat(Event::VerifyUser), Ok(()));
    assert_eq!(letters(&start_all(&mut plan)), "");
    plan.finish(work('V'));
    assert_eq!(letters(&start_all(&mut plan)), "ab");
}

#[test]
fn a_service_may_be_stricter_than_the_plan() {
    let mut plan = Plan::new();
    start_all(&mut plan);
    "VFS".chars().for_each(|letter| plan.finish(work(letter)));
    assert_eq!(letters(&start_all(&mut plan)), "ab");
    plan.finish(work('a'));
    assert_eq!(letters(&start_all(&mut plan)), "c");
    assert_eq!(
        plan.postpone(Event::VerifyCard, &[Event::VerifyUser]),
        Ok(())
    );
    assert_eq!(letters(&start_all(&mut plan)), "");
    plan.finish(work('b'));
    assert_eq!(letters(&start_all(&mut plan)), "cd");
}

#[test]
fn repeats_have_an_end() {
    let mut plan = Plan::new();
    for _ in 0..REPEATS_MAX {
        assert_eq!(plan.repeat(Event::VerifyItems), Ok(()));
    }
    assert_eq!(plan.repeat(Event::VerifyItems), Err(GivenUp));
}

/// What has to be done before a part, all the way back, by the shop's table and not by the code under test.
fn before(letter: char) -> &'static str {
    match letter {
        'V' | 'F' | 'S' => "",
        'a' | 'b' => "V",
        'c' => "Va",
        'd' => "FVb",
        'e' => "FVabcd",
        'f' => "SFVabcde",
        other => panic!("no such part: {other}"),
    }
}

proptest! {
    /// Each number says which of the running parts finishes next, and whether its answer is that the order is unknown.
    #[test]
    fn every_interleaving_is_complete_and_starts_nothing_before_its_time(choices in prop::collection::vec((any::<prop::sample::Index>(), prop::bool::weighted(0.1)), 64)) {
        let mut plan = Plan::new();
        let mut running = start_all(&mut plan);
        let mut done = String::new();
        for (choice, is_lost) in choices {
            if running.is_empty() {
                break;
            }
            let finished = running.remove(choice.index(running.len()));
            match finished {
                Work::Event(event) if is_lost && plan.repeats_left > 0 => {
                    prop_assert_eq!(plan.repeat(event), Ok(()));
                }
                Work::Event(_) | Work::Init(_) => {
                    plan.finish(finished);
                    done += &letters(&[finished]);
                }
            }
            let started = start_all(&mut plan);
            for letter in letters(&started).chars() {
                prop_assert!(before(letter).chars().all(|before| done.contains(before)), "{} started after {}", letter, done);
            }
            running.extend(started);
        }
        prop_assert!(plan.is_complete(), "only {} was done", done);
        let events: Vec<char> = done.chars().filter(char::is_ascii_lowercase).collect();
        prop_assert_eq!(events.len(), Event::ALL.len(), "each event is done once");
    }

    #[test]
    fn nothing_starts_after_a_stop_whenever_it_comes(choices in prop::collection::vec(any::<prop::sample::Index>(), 9), stop in 0..9usize) {
        let mut plan = Plan::new();
        let mut running = start_all(&mut plan);
        for (finished, choice) in choices.into_iter().enumerate() {
            if finished == stop {
                plan.stop();
            }
            if running.is_empty() {
                break;
            }
            plan.finish(running.remove(choice.index(running.len())));
            let started = start_all(&mut plan);
            prop_assert!(finished < stop || started.is_empty());
            running.extend(started);
        }
    }
}
