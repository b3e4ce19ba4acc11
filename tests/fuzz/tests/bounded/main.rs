//! A bounded, seeded run of every function of this crate: what cargo-fuzz does for hours, for seconds.

mod random;
mod values;

use bookshop_host::payload::values_bytes;
use bookshop_host::replica::message;
use bookshop_host::replica::wit::{Entry, EntryKind, Members, Message, MessageKind, Snapshot};
use fuzz::message::{TYPE_BYTES, of_input};
use random::Random;
use std::path::Path;

/// Multiplies how many inputs each test tries.
const FACTOR: &str = "FUZZ_FACTOR";
/// Begins another sequence of inputs.
const SEED: &str = "FUZZ_SEED";

/// How much of the machine's memory this process may ever have had: what one message may take, several times.
const PEAK_MEMORY_KB_MAX: u64 = 400 << 10;

/// What the environment says, or `default`.
fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().expect("a whole number"))
}

/// Calls `try_one` with as many seeded sequences as `count`, and says how many that were.
fn run(name: &str, count: u64, mut try_one: impl FnMut(&mut Random)) {
    let (count, seed) = (count * setting(FACTOR, 1), setting(SEED, 1));
    println!("{name}: {count} executions, seed {seed}");
    for execution in 0..count {
        try_one(&mut Random::new(seed, execution));
    }
}

#[test]
fn whatever_a_message_says_the_decoder_keeps_its_promises() {
    /// Inputs tried for each type.
    const INPUTS: u64 = 20;
    let (mut intact, mut mutated) = (0_u64, 0_u64);
    run("decode", 100_000, |random| {
        let head = random.bytes(TYPE_BYTES);
        let (ty, _) = of_input(&head);
        let valid = values::of_message(&ty, random).map(|values| {
            let bytes = ty.encode(&values).expect("the values have their types");
            let counted = values_bytes(&values);
            assert!(ty.decode(&bytes, counted).expect("read") == values);
            assert!(counted == 0 || ty.decode(&bytes, counted - 1).is_err());
            bytes
        });
        for input in 0..INPUTS {
            let length = random.below(40);
            let mut bytes = valid.clone().unwrap_or_else(|| random.bytes(length));
            if input > 0 {
                random.mutate(&mut bytes);
            }
            let count = if input > 0 { &mut mutated } else { &mut intact };
            *count += u64::from(fuzz::check_bytes(&ty, &bytes));
        }
        fuzz::decode(&[head, random.bytes(TYPE_BYTES)].concat());
    });
    println!("decode: {intact} messages were read as written, {mutated} after mutations");
    assert!(intact > 0 && mutated > intact);
    if let Some(peak) = peak_memory_kb() {
        println!("decode: the process had at most {} MiB", peak >> 10);
        assert!(peak < PEAK_MEMORY_KB_MAX, "{peak} kB");
    }
}

#[test]
fn every_beginning_of_a_message_is_refused_or_read() {
    run("beginnings", 30_000, |random| {
        let (ty, _) = of_input(&random.bytes(TYPE_BYTES));
        let Some(values) = values::of_message(&ty, random) else {
            return;
        };
        let bytes = ty.encode(&values).expect("the values have their types");
        for length in 0..bytes.len() {
            let beginning = ty.decode(&bytes[..length], usize::MAX);
            assert!(beginning.is_err(), "{length} of {} bytes", bytes.len());
        }
    });
}

#[test]
fn whatever_another_replica_says_it_is_refused_or_read() {
    let entry = |index, kind, bytes: usize| Entry {
        index,
        term: 3,
        kind,
        data: vec![7; bytes],
    };
    let valid = Message {
        kind: MessageKind::Append,
        to: 1,
        from: 2,
        term: 3,
        log_term: 2,
        index: 300,
        commit: 299,
        commit_term: 2,
        reject: false,
        reject_hint: 0,
        request_snapshot: 0,
        priority: -1,
        context: vec![1; 8],
        entries: vec![
            entry(301, EntryKind::Normal, 40),
            entry(302, EntryKind::Change, 0),
        ],
        snapshot: Some(Snapshot {
            index: 200,
            term: 1,
            members: Members {
                voters: vec![1, 2, 3],
                learners: vec![4],
                outgoing: Vec::new(),
                learners_next: Vec::new(),
                auto_leave: true,
            },
        }),
    };
    let valid = message::encode(&valid).expect("it is small");
    let mut read = 0_u64;
    run("replica", 500_000, |random| {
        let mut bytes = valid.to_vec();
        for _ in 0..random.below(4) {
            random.mutate(&mut bytes);
        }
        read += u64::from(fuzz::replica(&bytes));
    });
    println!("replica: {read} were messages");
    assert!(read > 0);
}

#[test]
fn whatever_json_says_it_is_refused_or_read() {
    const TEXTS: [&str; 8] = [
        r#"{"id": "b\u0000", "count": 2, "note": null}"#,
        r#"{"items": [{"id": "a", "count": 255, "note": "x"}, {"id": "", "count": 0}]}"#,
        r#"{"circle": -1.5e3}"#,
        r#"[["read", "run-it"], [], ["write"]]"#,
        r#"{"some": "red"}"#,
        r#"{"ok": "18446744073709551615"}"#,
        r#"[true, "õ", "nan", -9007199254740993, 65535]"#,
        r#"[[1, {"id": "a", "count": 1}]]"#,
    ];
    run("json", 500_000, |random| {
        let mut text = TEXTS[random.below(TEXTS.len())].as_bytes().to_vec();
        random.mutate(&mut text);
        text.insert(0, random.below(fuzz::TYPES) as u8);
        fuzz::json(&text);
    });
}

#[test]
fn whatever_a_cluster_file_says_it_is_refused_with_a_reason_or_read() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/cluster.toml");
    let text = std::fs::read(&file).expect("the shop's cluster file");
    run("config", 10_000, |random| {
        let mut text = text.clone();
        for _ in 0..=random.below(4) {
            random.mutate(&mut text);
        }
        fuzz::config(&text);
    });
}

#[test]
fn whatever_a_file_begins_with_it_is_no_component_unless_it_says_so() {
    run("component header", 200_000, |random| {
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        random.mutate(&mut bytes);
        fuzz::component_header(&bytes);
    });
}

/// The most memory that this process ever had, where the system says so.
fn peak_memory_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().strip_suffix(" kB")?.parse().ok()
}
