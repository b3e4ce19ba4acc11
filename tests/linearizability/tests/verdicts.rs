//! Histories with known verdicts: those of the paper that defines the property, small ones of which every order is tried, and those of etcd 0.4.x that Jepsen
//! recorded in 2014, with the verdicts that other checkers agree on.

use linearizability::{Call, Model, Verdict, check};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use todc_utils::linearizability::WGLChecker;
use todc_utils::specifications::etcd::{EtcdSpecification, history_from_log};

/// A register as Jepsen uses it: it has nothing first, then small numbers.
struct Cell;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Read(Option<u64>),
    Write(u64),
    /// From, to, and whether it was done; none if that is not known.
    Swap(u64, u64, Option<bool>),
}

impl Model for Cell {
    type State = Option<u64>;
    type Operation = Op;

    fn step(state: &Option<u64>, operation: &Op) -> Option<Option<u64>> {
        match *operation {
            Op::Read(seen) => (seen == *state).then_some(*state),
            Op::Write(value) => Some(Some(value)),
            Op::Swap(from, to, done) => {
                let is_from = *state == Some(from);
                match done {
                    Some(done) if done != is_from => None,
                    _ if is_from => Some(Some(to)),
                    _ => Some(*state),
                }
            }
        }
    }
}

fn call(operation: Op, began: u64, ended: impl Into<Option<u64>>) -> Call<Op> {
    let ended = ended.into();
    Call {
        operation,
        began,
        ended,
    }
}

/// Whether any order explains them, by trying all of them.
fn by_trying(calls: &[Call<Op>], state: Option<u64>) -> bool {
    if calls.iter().all(|call| call.ended.is_none()) {
        return true;
    }
    let first_end = calls.iter().filter_map(|call| call.ended).min();
    (0..calls.len()).any(|next| {
        let is_in_time = first_end.is_none_or(|end| calls[next].began < end);
        let after = Cell::step(&state, &calls[next].operation).filter(|_| is_in_time);
        after.is_some_and(|after| {
            let mut rest = calls.to_vec();
            rest.remove(next);
            by_trying(&rest, after)
        })
    })
}

fn assert_verdict(calls: &[Call<Op>], is_linearizable: bool) {
    let verdict = check::<Cell>(calls);
    assert_eq!(
        verdict == Verdict::Linearizable,
        is_linearizable,
        "{verdict}: {calls:?}"
    );
    assert_ne!(verdict, Verdict::Unknown);
}

#[test]
fn histories_of_a_register_have_the_verdicts_of_the_paper() {
    use Op::{Read, Write};
    // Herlihy and Wing 1990, figure 1, for a register with overlapping writes and reads.
    let sees_the_newer = [
        call(Write(0), 1, 2),
        call(Write(1), 3, 6),
        call(Read(Some(1)), 4, 5),
        call(Read(Some(1)), 7, 8),
    ];
    assert_verdict(&sees_the_newer, true);
    let goes_back = [
        call(Write(0), 1, 2),
        call(Write(1), 3, 8),
        call(Read(Some(1)), 4, 5),
        call(Read(Some(0)), 6, 7),
    ];
    assert_verdict(&goes_back, false);
    let loses_a_write = [
        call(Write(0), 1, 2),
        call(Write(1), 3, 4),
        call(Read(Some(0)), 5, 6),
    ];
    assert_verdict(&loses_a_write, false);
    let invents = [call(Write(0), 1, 2), call(Read(Some(2)), 3, 4)];
    assert_verdict(&invents, false);
    assert_verdict(&[], true);
}

#[test]
fn a_call_without_an_end_has_an_effect_at_any_time_or_never() {
    use Op::{Read, Swap, Write};
    let write = call(Write(1), 1, None);
    assert_verdict(
        &[
            write.clone(),
            call(Read(None), 2, 3),
            call(Read(Some(1)), 4, 5),
        ],
        true,
    );
    assert_verdict(&[write.clone(), call(Read(None), 2, 3)], true);
    assert_verdict(
        &[write, call(Read(Some(1)), 2, 3), call(Read(None), 4, 5)],
        false,
    );
    let swap = call(Swap(1, 2, None), 3, None);
    assert_verdict(
        &[
            call(Write(1), 1, 2),
            swap.clone(),
            call(Read(Some(2)), 4, 5),
        ],
        true,
    );
    assert_verdict(
        &[
            call(Write(1), 1, 2),
            call(Read(Some(2)), 3, 4),
            call(Swap(1, 2, None), 5, None),
        ],
        false,
    );
    assert_verdict(
        &[call(Write(3), 1, 2), swap, call(Read(Some(2)), 4, 5)],
        false,
    );
}

#[test]
fn what_is_wrong_is_shown() {
    let calls = [
        call(Op::Write(0), 1, 2),
        call(Op::Write(1), 3, 4),
        call(Op::Read(Some(0)), 5, 6),
    ];
    let Verdict::Not { explained, next } = check::<Cell>(&calls) else {
        panic!("a write is lost");
    };
    assert_eq!(explained, [Op::Write(0), Op::Write(1)]);
    assert_eq!(next, [Op::Read(Some(0))]);
}

/// Numbers that look random, and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

#[test]
fn small_histories_have_the_verdict_of_trying_every_order() {
    let mut numbers = Numbers(1);
    let mut linearizable = 0;
    for _ in 0..20_000 {
        let count = 1 + numbers.below(7);
        // Each begins and ends somewhere among moments that no two have.
        let mut moments: Vec<u64> = (0..count * 2).collect();
        for at in (1..moments.len()).rev() {
            moments.swap(at, numbers.below(at as u64 + 1) as usize);
        }
        let calls: Vec<Call<Op>> = moments
            .chunks(2)
            .map(|pair| {
                let (began, ended) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
                let is_known = numbers.below(6) > 0;
                let operation = match numbers.below(4) {
                    0 | 1 => Op::Read(numbers.below(3).checked_sub(1)),
                    2 => Op::Write(numbers.below(2)),
                    _ => {
                        let (from, to) = (numbers.below(2), numbers.below(2));
                        Op::Swap(from, to, is_known.then(|| numbers.below(2) == 0))
                    }
                };
                call(operation, began, is_known.then_some(ended))
            })
            .collect();
        let expected = by_trying(&calls, None);
        linearizable += u32::from(expected);
        assert_verdict(&calls, expected);
    }
    assert!((2_000..18_000).contains(&linearizable), "{linearizable}");
}

/// What cargo prints.
fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {arguments:?}: {error}");
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

/// The folder of the histories, in the package of the other checker.
fn folder() -> PathBuf {
    // Without the platform cargo would download what only others need.
    let version = cargo(&["-vV"]);
    let mut lines = version.lines();
    let host = lines.find_map(|line| line.strip_prefix("host: "));
    let host = host.expect("cargo knows its platform");
    let metadata = cargo(&[
        "metadata",
        "--format-version",
        "1",
        "--filter-platform",
        host,
    ]);
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let package = packages
        .iter()
        .find(|package| package["name"] == "todc-utils");
    let manifest = &package.expect("a dependency")["manifest_path"];
    PathBuf::from(manifest.as_str().expect("a path")).with_file_name("tests/linearizability/etcd")
}

/// Reads lines such as `INFO  jepsen.util - 4 :invoke :cas [1 2]`. One that fails has no effect, and one that timed out may have one later.
fn calls_of(text: &str) -> Vec<Call<Op>> {
    let mut calls: Vec<Call<Op>> = Vec::new();
    let mut open = std::collections::BTreeMap::new();
    for (moment, line) in (0..).zip(text.lines()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [
            "INFO",
            "jepsen.util",
            "-",
            process,
            kind,
            function,
            arguments @ ..,
        ] = &words[..]
        else {
            continue;
        };
        let Ok(process) = process.parse::<u64>() else {
            // What was done to the network.
            continue;
        };
        let numbers: Vec<u64> = arguments
            .iter()
            .filter_map(|word| word.trim_matches(['[', ']']).parse().ok())
            .collect();
        match *kind {
            ":invoke" => {
                let operation = match (*function, &numbers[..]) {
                    (":read", []) => Op::Read(None),
                    (":write", [value]) => Op::Write(*value),
                    (":cas", [from, to]) => Op::Swap(*from, *to, None),
                    other => panic!("{line}: {other:?}"),
                };
                open.insert(process, calls.len());
                calls.push(call(operation, moment, None));
            }
            ":ok" | ":fail" => {
                let call = &mut calls[open.remove(&process).expect("it was called")];
                call.ended = Some(moment);
                call.operation = match call.operation {
                    Op::Read(_) => Op::Read(numbers.first().copied()),
                    Op::Swap(from, to, _) => Op::Swap(from, to, Some(*kind == ":ok")),
                    write => write,
                };
                // A read that failed has seen nothing, and a write that failed has not taken place.
                if *kind == ":fail" && !matches!(call.operation, Op::Swap(..)) {
                    call.operation = Op::Swap(u64::MAX, u64::MAX, None);
                }
            }
            ":info" => {
                open.remove(&process);
            }
            other => panic!("{line}: {other}"),
        }
    }
    calls
}

/// Of Jepsen's histories of etcd, those that are linearizable. Number 95 has none: the cluster did not start.
const LINEARIZABLE: [u32; 23] = [
    2, 5, 7, 18, 25, 31, 38, 45, 48, 49, 51, 53, 56, 67, 75, 76, 80, 87, 92, 98, 100, 101, 102,
];

#[test]
fn jepsens_histories_of_etcd_have_their_known_verdicts() {
    let folder = folder();
    for number in (0..=102).filter(|number| *number != 95) {
        let path = folder.join(format!("etcd_{number:03}.log"));
        let text = std::fs::read_to_string(&path).expect("the package has it");
        let is_linearizable = LINEARIZABLE.contains(&number);
        let calls = calls_of(&text);
        assert!(
            calls.len() > 50,
            "number {number} has {} calls",
            calls.len()
        );
        let verdict = check::<Cell>(&calls);
        assert_eq!(
            verdict == Verdict::Linearizable,
            is_linearizable,
            "number {number}: {verdict}"
        );
        let theirs = history_from_log(path.display().to_string());
        assert_eq!(
            WGLChecker::<EtcdSpecification>::is_linearizable(theirs),
            is_linearizable,
            "number {number}, by the other checker"
        );
    }
}
