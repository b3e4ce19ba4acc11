//! Seeds and what they do to a cluster.
//!
//! `BOOKSHOP_RAFT_SEEDS` says how many seeds, `BOOKSHOP_RAFT_SEED` which one alone.

mod cluster;

use cluster::{Cluster, chaos};
use raft_engine as engine;

/// Seeds of a usual run: some seconds.
const SEEDS: u64 = 300;
#[allow(
    clippy::disallowed_methods,
    reason = "who runs the tests says how many seeds; no host runs here"
)]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn three_replicas_agree_whatever_happens() {
    run(3, 0);
}

#[test]
fn five_replicas_agree_whatever_happens() {
    run(5, 1 << 32);
}

fn run(count: u64, from: u64) {
    if let Some(seed) = number("BOOKSHOP_RAFT_SEED") {
        return chaos::run(&mut Cluster::new(count, seed), count);
    }
    let seeds = number("BOOKSHOP_RAFT_SEEDS").unwrap_or(SEEDS);
    for seed in from..from + seeds {
        let result = std::panic::catch_unwind(|| chaos::run(&mut Cluster::new(count, seed), count));
        assert!(
            result.is_ok(),
            "BOOKSHOP_RAFT_SEED={seed} with {count} replicas"
        );
    }
}

#[test]
fn what_a_seed_does_is_known() {
    let traces: Vec<u64> = (1..=8).map(chaos::trace).collect();
    assert_eq!(
        traces,
        chaos::TRACES,
        "the component has to be the same: see host/src/consensus"
    );
}
