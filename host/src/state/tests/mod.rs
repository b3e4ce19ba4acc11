//! A store and its views against plain maps, on a simulated disk.

use super::{Fold, GroupId, Layer, OpenError, Store, View};
use crate::simulation::disk::SimDisk;
use crate::simulation::random::Random;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;

mod bench;
mod crash;
mod damage;
mod full;
mod machine;
mod model;
mod pages;
mod reads;
mod staging;

const FOLDER: &str = "alpha/state";

/// What a group should contain.
type Model = BTreeMap<Vec<u8>, Vec<u8>>;
/// The writes of one entry.
type Writes = Vec<(Bytes, Option<Bytes>)>;

fn open(disk: &SimDisk) -> Result<Store, OpenError> {
    Store::open(disk, Path::new(FOLDER))
}

/// A view of a group as it is in the store.
fn view(store: &Store, group: GroupId) -> View {
    View::new(store.base(group).unwrap())
}

fn write(key: &str, value: &str) -> (Bytes, Option<Bytes>) {
    (key.to_owned().into(), Some(value.to_owned().into()))
}

fn fold(group: GroupId, applied: u64, layer: Layer) -> Fold {
    Fold {
        group,
        applied,
        layer,
    }
}

/// Everything in a view, as `key=value` words.
fn text(view: &View) -> String {
    let pairs: Vec<String> = view
        .scan(b"", None, false)
        .map(|pair| {
            let (key, value) = pair.unwrap();
            format!("{}={}", key.escape_ascii(), value.escape_ascii())
        })
        .collect();
    pairs.join(" ")
}

/// A few writes of a small set of keys, so that they meet; now and then a value of several pages.
fn random_writes(random: &mut Random) -> Writes {
    (0..=random.below(4))
        .map(|_| {
            let key = format!("key {:02}", random.below(40));
            let value = (!random.chance(250)).then(|| {
                let length = if random.chance(20) { 20_000 } else { 300 };
                let bytes = random.below(length) as usize;
                Bytes::from(vec![random.below(256) as u8; bytes])
            });
            (key.into(), value)
        })
        .collect()
}

fn apply_to_model(model: &mut Model, writes: &Writes) {
    for (key, value) in writes {
        match value {
            Some(value) => model.insert(key.to_vec(), value.to_vec()),
            None => model.remove(key.as_ref()),
        };
    }
}
