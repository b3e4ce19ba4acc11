//! What the store and its views cost, on the real disk: `cargo test --release -- --ignored --nocapture state_costs`.

use super::{fold, view};
use crate::os::BlockDisk;
use crate::os::block::RealBlockDisk;
use crate::os::clock::{Clock, RealClock};
use crate::simulation::random::Random;
use crate::state::{GroupId, Layer, Store, View};
use bytes::Bytes;
use std::hint::black_box;
use std::path::Path;

const KEYS: u64 = 200_000;
const VALUE_BYTES: usize = 256;

fn key(number: u64) -> Bytes {
    Bytes::from(format!("order/{number:016}"))
}

fn pair(number: u64, fill: u8) -> (Bytes, Option<Bytes>) {
    (key(number), Some(Bytes::from(vec![fill; VALUE_BYTES])))
}

/// Prints the mean of `rounds` of `work`.
fn measure(what: &str, rounds: u32, mut work: impl FnMut()) {
    let clock = RealClock::start();
    let start = clock.monotonic();
    for _ in 0..rounds {
        work();
    }
    println!("{what}: {:.3?}", (clock.monotonic() - start) / rounds);
}

#[test]
#[ignore = "a measurement, not a check"]
fn state_costs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/state-costs");
    let disk = RealBlockDisk;
    remove(&disk, &folder);
    let mut random = Random::new(1);
    {
        let store = Store::open(&disk, &folder).unwrap();
        let group = store.register("orders").unwrap();
        let mut numbers = 0..KEYS;
        measure(
            "fold of 10,000 new pairs in order",
            (KEYS / 10_000) as u32,
            || {
                let layer: Layer = numbers
                    .by_ref()
                    .take(10_000)
                    .map(|number| pair(number, 1))
                    .collect();
                store.fold(&[fold(group, 1, layer)]).unwrap();
            },
        );
        measure("fold of 10,000 changed pairs anywhere", 5, || {
            let layer: Layer = (0..10_000).map(|_| pair(random.below(KEYS), 2)).collect();
            store.fold(&[fold(group, 2, layer)]).unwrap();
        });
        measure("fold of 100 changed pairs anywhere", 20, || {
            let layer: Layer = (0..100).map(|_| pair(random.below(KEYS), 3)).collect();
            store.fold(&[fold(group, 3, layer)]).unwrap();
        });
        measure("fold of 1 changed pair", 50, || {
            let layer: Layer = [pair(random.below(KEYS), 3)].into_iter().collect();
            store.fold(&[fold(group, 3, layer)]).unwrap();
        });
        measure("base", 10_000, || {
            drop(black_box(store.base(group).unwrap()))
        });
        reads(View::new(store.base(group).unwrap()), &mut random);
        measure("hash", 1, || {
            black_box(store.hash(group).unwrap());
        });
        snapshot(&store, group);
    }
    let bytes = disk
        .open(&folder.join("state.redb"))
        .unwrap()
        .len()
        .unwrap();
    measure(&format!("open of {} MB", bytes >> 20), 3, || {
        drop(Store::open(&disk, &folder).unwrap());
    });
    remove(&disk, &folder);
}

/// All of a group, sent to itself.
fn snapshot(store: &Store, group: GroupId) {
    let source = view(store, group);
    measure("hash of a view in slices of 1,000 pairs", 1, || {
        let mut hash = source.hash(3);
        while hash.advance(1_000).unwrap().is_none() {}
    });
    let mut staging = store.stage(group);
    let mut after = None;
    let mut is_last = false;
    measure("50 MB in chunks of 1 MB, read and staged", 1, || {
        while !is_last {
            let chunk = source.chunk(after.as_ref(), 1 << 20).unwrap();
            staging.append(&chunk.pairs).unwrap();
            after = staging.resume_after();
            is_last = chunk.is_last;
        }
    });
    measure("install", 1, || drop(staging.install(3).unwrap()));
    drop(source);
    let mut steps = 1;
    measure("all steps of a sweep", 1, || {
        while store.sweep().unwrap() {
            steps += 1;
        }
    });
    println!("steps: {steps}");
}

fn reads(mut view: View, random: &mut Random) {
    let hot: Vec<Bytes> = (0..1000).map(|_| key(random.below(KEYS))).collect();
    let mut turn = hot.iter().cycle();
    let mut next = || turn.next().unwrap();
    measure("get from the store, 1,000 hot keys", 200_000, || {
        black_box(view.get(next()).unwrap());
    });
    measure("get from the store, any key", 200_000, || {
        black_box(view.get(&key(random.below(KEYS))).unwrap());
    });
    measure("get of a key that is not there", 200_000, || {
        black_box(view.get(b"order/x").unwrap());
    });
    measure("scan of 10 keys in the store", 50_000, || {
        assert_eq!(view.scan(next(), None, false).take(10).count(), 10);
    });
    for number in 0..10_000 {
        view.apply([pair(number * 17 % KEYS, 4)]);
    }
    view.freeze();
    for number in 0..10_000 {
        view.apply([pair(number * 13 % KEYS, 5)]);
    }
    let recent: Vec<Bytes> = (0..1000)
        .map(|_| key(random.below(10_000) * 13 % KEYS))
        .collect();
    let mut turn = recent.iter().cycle();
    let mut next = || turn.next().unwrap();
    measure("get from 10,000 recent writes", 1_000_000, || {
        black_box(view.get(next()).unwrap());
    });
    measure("scan of 10 keys through three parts", 50_000, || {
        assert_eq!(view.scan(next(), None, false).take(10).count(), 10);
    });
    measure(
        "scan of 10 keys through three parts, reversed",
        50_000,
        || {
            black_box(view.scan(b"", Some(next()), true).take(10).count());
        },
    );
    let writes: Vec<_> = (0..100_000).map(|_| pair(random.below(KEYS), 6)).collect();
    let mut writes = writes.into_iter();
    let mut kept = view.clone();
    measure("apply of one pair with a clone kept", 50_000, || {
        view.apply(writes.next());
        kept = view.clone();
    });
    measure("apply of one pair without a clone", 50_000, || {
        view.apply(writes.next());
    });
    drop(kept);
    measure("clone", 1_000_000, || drop(black_box(view.clone())));
}

fn remove(disk: &dyn BlockDisk, folder: &Path) {
    for file in disk.list(folder).unwrap() {
        disk.remove(&file).unwrap();
    }
}
