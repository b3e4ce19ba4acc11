use super::*;
use crate::os::clock::ManualClock;
use crate::os::entropy::SeededEntropy;
use crate::os::task;
use expect_test::{Expect, expect};
use std::path::Path;

/// The index of beta, where the tests send to; gamma is another.
const BETA: usize = 1;
const GAMMA: usize = 2;
const MESSAGES: u32 = 10_000;
/// More lines than any of these tests writes.
const LINES_MAX: usize = 100;

/// The faults of alpha, with a clock to move.
struct Fixture {
    chaos: Chaos,
    clock: Arc<ManualClock>,
}

fn config(chaos: &str) -> Config {
    let host = |(name, number)| {
        format!(
            "[[host]]\nname = \"{name}\"\nhttp = \"127.0.0.1:808{number}\"\npeer = \"127.0.0.1:710{number}\"\napi = \"127.0.0.1:720{number}\"\nadmin = \"127.0.0.1:910{number}\"\n"
        )
    };
    let hosts: String = [("alpha", 1), ("beta", 2), ("gamma", 3)].map(host).concat();
    let text = format!("[cluster]\nname = \"test\"\n{hosts}{chaos}");
    Config::parse(Path::new("config/cluster.toml"), &text).expect("a good file")
}

fn fixture(chaos: &str, seed: u64) -> Fixture {
    let config = config(chaos);
    let clock = Arc::new(ManualClock::default());
    let os = Os {
        clock: Arc::clone(&clock) as Arc<dyn crate::os::Clock>,
        entropy: Arc::new(SeededEntropy::new(seed)),
        ..Os::real()
    };
    let log = Log::new("alpha", Arc::clone(&os.clock));
    Fixture {
        chaos: Chaos::new(&config, &config.hosts[0].name, log, os),
        clock,
    }
}

fn enabled(seed: u64) -> Fixture {
    fixture("[chaos]\nenabled = true\n", seed)
}

fn drop_share(share: &str, lasts: Option<Duration>) -> Fault {
    let share = share.parse().expect("a share");
    Fault::new(Some(share), None, lasts).expect("a fault")
}

fn delay(mean_ms: u64, jitter_ms: u64, lasts: Option<Duration>) -> Fault {
    let time = Duration::from_millis;
    let delay = Delay::new(time(mean_ms), time(jitter_ms)).expect("a delay");
    Fault::new(None, Some(delay), lasts).expect("a fault")
}

const fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

impl Fixture {
    fn fates(&self, to: usize) -> Vec<Fate> {
        (0..MESSAGES).map(|_| self.chaos.fate(to)).collect()
    }

    fn log(&self) -> Vec<String> {
        let ring = self.chaos.0.log.lock();
        ring.after(0, LINES_MAX, |_| true)
            .into_iter()
            .map(|line| format!("{} {}", line.level.name(), line.message))
            .collect()
    }
}

#[track_caller]
fn check_share(share: &str, least: usize, greatest: usize) {
    let fixture = enabled(7);
    fixture
        .chaos
        .set(BETA, drop_share(share, None))
        .expect("set");
    let dropped = fixture
        .fates(BETA)
        .iter()
        .filter(|fate| **fate == Fate::Drop)
        .count();
    assert!(
        (least..=greatest).contains(&dropped),
        "{share}: {dropped} of {MESSAGES}"
    );
}

#[test]
fn a_share_of_the_messages_vanishes() {
    check_share("100%", 10_000, 10_000);
    check_share("50%", 4_850, 5_150);
    check_share("20%", 1_880, 2_120);
    check_share("0.5%", 29, 71);
}

#[test]
fn the_same_seed_gives_the_same_fates_and_another_gives_others() {
    let fates = |seed| {
        let fixture = enabled(seed);
        fixture
            .chaos
            .set(BETA, drop_share("50%", None))
            .expect("set");
        fixture.chaos.set(BETA, delay(50, 20, None)).expect("set");
        fixture.fates(BETA)
    };
    assert_eq!(fates(1), fates(1));
    assert_ne!(fates(1), fates(2));
}

#[test]
fn delays_are_spread_evenly_around_their_mean() {
    let fixture = enabled(7);
    fixture.chaos.set(BETA, delay(50, 20, None)).expect("set");
    let waits: Vec<Duration> = fixture
        .fates(BETA)
        .into_iter()
        .map(|fate| match fate {
            Fate::Delay(wait) => wait,
            Fate::Deliver | Fate::Drop => panic!("{fate:?}"),
        })
        .collect();
    let ms = Duration::from_millis;
    assert!(waits.iter().all(|wait| (ms(30)..=ms(70)).contains(wait)));
    let mean = waits.iter().sum::<Duration>() / MESSAGES;
    assert!((ms(49)..=ms(51)).contains(&mean), "{mean:?}");
    let short = waits.iter().filter(|wait| **wait < ms(40)).count();
    assert!((2_350..=2_650).contains(&short), "{short}");

    fixture.chaos.set(BETA, delay(50, 0, None)).expect("set");
    assert_eq!(fixture.chaos.fate(BETA), Fate::Delay(ms(50)));
}

#[test]
fn other_links_are_not_touched() {
    let fixture = enabled(7);
    assert_eq!(fixture.chaos.fate(BETA), Fate::Deliver);
    fixture
        .chaos
        .set(BETA, drop_share("100%", None))
        .expect("set");
    assert_eq!(fixture.chaos.fate(BETA), Fate::Drop);
    assert_eq!(fixture.chaos.fate(GAMMA), Fate::Deliver);
}

#[test]
fn a_drop_and_a_delay_combine_and_each_replaces_its_own_kind() {
    let fixture = enabled(7);
    let rule = |fault| {
        let rule = fixture.chaos.set(BETA, fault).expect("set");
        rule.describe(fixture.chaos.now())
    };
    expect!["20% are dropped"].assert_eq(&rule(drop_share("20%", None)));
    expect!["20% are dropped, delayed by 50ms ± 20ms for 10s"].assert_eq(&rule(delay(
        50,
        20,
        Some(seconds(10)),
    )));
    expect!["0.5% are dropped for 1min, delayed by 50ms ± 20ms for 10s"]
        .assert_eq(&rule(drop_share("0.5%", Some(seconds(60)))));
    expect!["0.5% are dropped for 1min, delayed by 5ms"].assert_eq(&rule(delay(5, 0, None)));
    expect!["delayed by 5ms"].assert_eq(&rule(drop_share("0%", None)));
    expect!["delivered"].assert_eq(&rule(delay(0, 0, None)));
    assert_eq!(fixture.chaos.rules(), []);
    assert_eq!(fixture.chaos.fate(BETA), Fate::Deliver);
}

#[test]
fn each_fault_ends_at_its_own_time() {
    let fixture = enabled(7);
    let ten = Some(seconds(10));
    fixture
        .chaos
        .set(BETA, drop_share("100%", ten))
        .expect("set");
    fixture.chaos.set(BETA, delay(50, 0, None)).expect("set");
    fixture.clock.advance(seconds(10) - Duration::from_nanos(1));
    assert_eq!(fixture.chaos.fate(BETA), Fate::Drop);
    fixture.clock.advance(Duration::from_nanos(1));
    let fate = Fate::Delay(Duration::from_millis(50));
    assert_eq!(fixture.chaos.fate(BETA), fate);
    let rules = fixture.chaos.rules();
    assert_eq!(rules.len(), 1);
    assert!(rules[0].1.drop.is_none() && rules[0].1.delay.is_some());
}

#[test]
fn a_fault_that_is_set_again_lasts_from_then_on() {
    let fixture = enabled(7);
    let ten = Some(seconds(10));
    fixture
        .chaos
        .set(BETA, drop_share("100%", ten))
        .expect("set");
    fixture.clock.advance(seconds(9));
    fixture
        .chaos
        .set(BETA, drop_share("100%", ten))
        .expect("set");
    fixture.clock.advance(seconds(9));
    assert_eq!(fixture.chaos.fate(BETA), Fate::Drop);
    fixture.clock.advance(seconds(1));
    assert_eq!(fixture.chaos.fate(BETA), Fate::Deliver);
}

#[test]
fn healing_ends_everything_on_a_link_and_says_whether_there_was_something() {
    let fixture = enabled(7);
    fixture
        .chaos
        .set(BETA, drop_share("100%", None))
        .expect("set");
    fixture.chaos.set(BETA, delay(50, 0, None)).expect("set");
    fixture.chaos.set(GAMMA, delay(50, 0, None)).expect("set");
    assert_eq!(fixture.chaos.heal(BETA), Ok(true));
    assert_eq!(fixture.chaos.heal(BETA), Ok(false));
    assert_eq!(fixture.chaos.fate(BETA), Fate::Deliver);
    let left: Vec<usize> = fixture.chaos.rules().iter().map(|(to, _)| *to).collect();
    assert_eq!(left, [GAMMA]);
}

#[test]
fn every_change_is_one_line_of_the_log() {
    let fixture = enabled(7);
    let ten = Some(seconds(10));
    fixture
        .chaos
        .set(BETA, drop_share("20%", ten))
        .expect("set");
    fixture
        .chaos
        .set(BETA, drop_share("30%", ten))
        .expect("set");
    fixture.chaos.set(GAMMA, delay(50, 0, None)).expect("set");
    fixture.clock.advance(seconds(11));
    assert_eq!(fixture.chaos.rules().len(), 1);
    fixture.chaos.heal(GAMMA).expect("healed");
    expect![[r#"
        warn chaos: messages to beta: 20% are dropped for 10s
        warn chaos: messages to beta: 30% are dropped for 10s; before: 20% are dropped for 10s
        warn chaos: messages to gamma: delayed by 50ms
        info chaos: messages to beta: expired: 30% are dropped
        info chaos: messages to gamma: healed; before: delayed by 50ms"#]]
    .assert_eq(&fixture.log().join("\n"));
}

#[test]
fn a_fault_ends_in_the_log_when_its_time_comes_and_not_when_somebody_looks() {
    let runtime = task::runtime().expect("a runtime");
    runtime.block_on(async {
        let fixture = enabled(7);
        let _expiring = task::spawn(fixture.chaos.clone().expire());
        task::yield_now().await;
        let set = |fault| fixture.chaos.set(BETA, fault).expect("set");
        set(drop_share("20%", Some(seconds(10))));
        task::yield_now().await;
        // The task waits for the first moment already, and has to learn of an earlier one.
        set(delay(50, 0, Some(seconds(5))));
        for _ in 0..2 {
            task::yield_now().await;
            fixture.clock.advance(seconds(5));
            while fixture.chaos.0.links[BETA].lock().expires() == Some(fixture.chaos.now()) {
                task::yield_now().await;
            }
        }
        expect![[r#"
            info chaos: messages to beta: expired: delayed by 50ms
            info chaos: messages to beta: expired: 20% are dropped"#]]
        .assert_eq(&fixture.log().split_off(2).join("\n"));
        assert!(
            !fixture.chaos.0.links[BETA]
                .is_faulty
                .load(Ordering::Relaxed)
        );
    });
}

#[test]
fn nothing_is_injected_unless_the_configuration_allows_it() {
    for chaos in ["", "[chaos]\n", "[chaos]\nenabled = false\n"] {
        let chaos = fixture(chaos, 7).chaos;
        let refused = chaos.set(BETA, drop_share("100%", None)).expect_err("off");
        expect!["faults can be injected only with `[chaos] enabled = true` in config/cluster.toml (two lines: the header, then the key); add them and start the hosts again"]
            .assert_eq(&refused.to_string());
        assert_eq!(chaos.heal(BETA), Err(refused));
        assert_eq!(chaos.fate(BETA), Fate::Deliver);
    }
}

#[test]
fn faults_have_bounds() {
    let ms = Duration::from_millis;
    check(Delay::new(ms(60_000), ms(0)), expect!["60000ms"]);
    check(
        Delay::new(ms(60_001), ms(0)),
        expect!["a delay of 60001ms can be longer than 1min; write less, or drop the messages"],
    );
    check(Delay::new(ms(30_000), ms(30_000)), expect!["30000ms"]);
    check(
        Delay::new(ms(30_001), ms(30_000)),
        expect![
            "a delay of 30001ms ± 30s can be longer than 1min; write less, or drop the messages"
        ],
    );
    check(
        Delay::new(ms(10), ms(11)),
        expect![
            "the jitter 11ms is more than the delay 10ms, so some messages would have to leave before they are sent; lower the jitter"
        ],
    );
}

#[track_caller]
fn check(delay: Result<Delay, ChaosError>, expected: Expect) {
    let actual = match delay {
        Ok(delay) => format!("{}ms", delay.mean().as_millis()),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&actual);
}

#[test]
fn a_fault_does_something_for_a_while() {
    let fault = |lasts| Fault::new(Some(Percent::ALL), None, lasts).map(drop);
    let message = |result: Result<(), ChaosError>| result.expect_err("refused").to_string();
    assert_eq!(fault(Some(LASTS_MAX)), Ok(()));
    expect![
        "a fault can end by itself after 24h at most; without a time it lasts until it is healed"
    ]
    .assert_eq(&message(fault(Some(LASTS_MAX + Duration::from_millis(1)))));
    expect!["a fault that ends at once does nothing; write a longer time"]
        .assert_eq(&message(fault(Some(Duration::ZERO))));
    expect!["nothing to inject; say what share of messages to drop, or how long to delay them"]
        .assert_eq(&message(Fault::new(None, None, None).map(drop)));
}

#[test]
fn a_host_has_no_link_to_itself() {
    let chaos = enabled(7).chaos;
    let refused = chaos.set(0, drop_share("100%", None)).expect_err("refused");
    expect!["alpha has no link to itself; name two hosts"].assert_eq(&refused.to_string());
}
