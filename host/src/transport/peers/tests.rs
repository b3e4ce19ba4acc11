use super::*;
use crate::os::Os;
use std::path::Path;

const FILE: &str = r#"
[cluster]
name = "test"
[[host]]
name = "alpha"
http = "127.0.0.1:1001"
peer = "127.0.0.1:1002"
api = "127.0.0.1:1003"
admin = "127.0.0.1:1004"
[[host]]
name = "beta"
http = "127.0.0.1:2001"
peer = "127.0.0.1:2002"
api = "127.0.0.1:2003"
admin = "127.0.0.1:2004"
[[host]]
name = "gamma"
http = "127.0.0.1:3001"
peer = "127.0.0.1:3002"
api = "127.0.0.1:3003"
admin = "127.0.0.1:3004"
[service.everywhere]
wasm = "a.wasm"
[service.own]
wasm = "b.wasm"
hosts = ["alpha"]
"#;
const EVERYWHERE: ServiceId = ServiceId(0);
const OWN: ServiceId = ServiceId(1);
const BETA: usize = 1;
const GAMMA: usize = 2;

fn peers() -> Peers {
    let config = Config::parse(Path::new("test.toml"), FILE).expect("the file is right");
    let (own, os) = (config.hosts[0].name.clone(), Os::real());
    let log = Log::new("alpha", Arc::clone(&os.clock));
    Peers::new(&config, &own, log, os)
}

fn said(state: &str) -> Said {
    Said {
        services: BTreeMap::from([("everywhere".to_owned(), state.to_owned())]),
        round_trip: Duration::from_micros(50),
        skew_ms: 0,
        leads: BTreeMap::new(),
    }
}

#[test]
fn a_leader_is_silent_from_half_a_timeout_on_until_another_must_have_been_elected() {
    let election = Duration::from_millis(200);
    for (silent_ms, expected) in [
        (0, false),
        (99, false),
        (100, true),
        (599, true),
        (600, false),
    ] {
        let silent = Duration::from_millis(silent_ms);
        assert_eq!(is_silence(silent, election), expected, "{silent_ms} ms");
    }
    let peers = peers();
    assert!(!peers.is_silent(BETA), "it never spoke");
}

/// The hosts that any of a hundred requests prefers, and how many of them prefer the first.
fn preferred(peers: &Peers) -> (Vec<usize>, usize) {
    let mut first = Vec::new();
    for trace in 0..100_u128 {
        first.extend(
            peers
                .candidates(EVERYWHERE, (trace << 64) + trace * 3)
                .first(),
        );
    }
    let count = first.iter().filter(|index| **index == first[0]).count();
    first.sort_unstable();
    first.dedup();
    (first, count)
}

#[test]
fn requests_spread_and_each_keeps_its_host() {
    let peers = peers();
    let (hosts, share) = preferred(&peers);
    assert_eq!(hosts, [BETA, GAMMA]);
    assert!((30..=70).contains(&share), "{share} of 100 on one host");
    assert_eq!(
        peers.candidates(EVERYWHERE, 7),
        peers.candidates(EVERYWHERE, 7)
    );
    assert!(peers.candidates(OWN, 7).is_empty());
    assert!(!peers.has_places(OWN));
}

#[test]
fn a_host_that_failed_or_does_not_run_the_service_is_left_out() {
    let peers = peers();
    peers.answered(BETA, said("running"));
    peers.answered(GAMMA, said("stopped"));
    assert_eq!(preferred(&peers).0, [BETA]);
    peers.failed(BETA, "did not answer within 1000 ms");
    assert!(peers.candidates(EVERYWHERE, 7).is_empty());
    assert_eq!(
        peers.why_not(EVERYWHERE),
        "beta did not answer within 1000 ms (left out for 0 s); on gamma it is stopped"
    );
    peers.answered(BETA, said("running"));
    assert_eq!(preferred(&peers).0, [BETA]);
}

#[test]
fn a_flapping_host_has_to_prove_itself_longer_each_time() {
    let peers = peers();
    peers.answered(BETA, said("running"));
    for failures in 1..=7_u32 {
        peers.failed(BETA, "lost the connection");
        let proofs = failures.min(PROOFS_MAX);
        for _ in 1..proofs {
            peers.answered(BETA, said("running"));
            let candidates = peers.candidates(EVERYWHERE, 7);
            assert_eq!(candidates, [GAMMA], "after {failures} failures");
        }
        peers.answered(BETA, said("running"));
        assert_eq!(peers.candidates(EVERYWHERE, 7).len(), 2);
    }
}

#[test]
fn a_host_that_leaves_gets_no_more_calls_and_keeps_those_it_has() {
    let peers = peers();
    let breaks = peers.get(BETA).breaks();
    let seen = || *breaks.borrow();
    peers.answered(BETA, said("running"));
    peers.leaves(BETA);
    assert_eq!(preferred(&peers).0, [GAMMA]);
    // It does not listen any more.
    peers.failed(BETA, "cannot be reached");
    assert_eq!(seen(), 0);
    peers.answered(BETA, said("running"));
    assert_eq!(preferred(&peers).0, [BETA, GAMMA]);
    peers.failed(BETA, "lost the connection");
    assert_eq!(seen(), 1);
}

#[test]
fn connections_break_when_a_host_fails_or_moves() {
    let peers = peers();
    let breaks = peers.get(BETA).breaks();
    let seen = || *breaks.borrow();
    assert_eq!(seen(), 0);
    peers.failed(BETA, "lost the connection");
    assert_eq!(seen(), 1);
    let address = "127.0.0.1:9999".parse().expect("an address");
    peers.moved(BETA, address);
    assert_eq!((seen(), peers.get(BETA).address()), (2, address));
    peers.moved(BETA, address);
    assert_eq!(seen(), 2);
    // Listening everywhere says nothing about the way there.
    peers.moved(BETA, "0.0.0.0:4444".parse().expect("an address"));
    let expected = "127.0.0.1:4444".parse().expect("an address");
    assert_eq!(peers.get(BETA).address(), expected);
}
