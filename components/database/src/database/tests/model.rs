//! The database against a plain model of it: maps and lists that are copied as a whole.

use super::*;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::{BTreeMap, BTreeSet};

/// Small, so that something is forgotten in most runs.
const HISTORY_MAX: u64 = 6;

type Entries = BTreeMap<String, Entry>;

/// What the database should be.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    entries: Entries,
    revision: u64,
    /// Each revision that is known, with its keys and whether they had values then.
    history: Vec<(u64, BTreeMap<String, bool>)>,
}

/// Entries that a call may change, and which it did.
struct Attempt {
    entries: Entries,
    revision: u64,
    touched: BTreeSet<String>,
}

impl Attempt {
    fn set(&mut self, key: &str, value: &[u8]) {
        self.touched.insert(key.into());
        let revision = self.revision;
        let before = self.entries.remove(key);
        let (created, version) = match before {
            None => (revision, 1),
            Some(it) if it.revision == revision => (it.created_revision, it.version),
            Some(it) => (it.created_revision, it.version + 1),
        };
        let now = entry(key, value, created, revision, version);
        self.entries.insert(key.into(), now);
    }

    fn delete(&mut self, key: &str) -> bool {
        let had = self.entries.remove(key).is_some();
        if had {
            self.touched.insert(key.into());
        }
        had
    }

    fn number(&self, key: &str) -> Result<u64, TransactionError> {
        let Some(entry) = self.entries.get(key) else {
            return Ok(0);
        };
        let bytes = entry.value.as_slice().try_into();
        bytes
            .map(u64::from_le_bytes)
            .map_err(|_| TransactionError::NotANumber(key.into()))
    }

    fn holds(&self, Condition { key, test }: &Condition) -> Result<bool, TransactionError> {
        let entry = self.entries.get(key);
        Ok(match test {
            Test::Exists => entry.is_some(),
            Test::Absent => entry.is_none(),
            Test::AtRevision(revision) => entry.is_some_and(|it| it.revision == *revision),
            Test::Equals(value) => entry.is_some_and(|it| it.value == *value),
            Test::AtLeast(least) => self.number(key)? >= *least,
        })
    }

    fn perform(&mut self, operation: &Operation) -> Result<OperationResult, TransactionError> {
        Ok(match operation {
            Operation::Set(Pair { key, value }) => {
                self.set(key, value);
                OperationResult::Set
            }
            Operation::Delete(key) => OperationResult::Deleted(self.delete(key)),
            Operation::Get(key) => OperationResult::Got(self.entries.get(key).cloned()),
            Operation::Add(Addition { key, amount }) => {
                let number = self.number(key)?;
                let sum = i128::from(number) + i128::from(*amount);
                let sum = u64::try_from(sum).map_err(|_| match *amount < 0 {
                    true => TransactionError::Insufficient(Shortage {
                        key: key.clone(),
                        available: number,
                        wanted: amount.unsigned_abs(),
                    }),
                    false => TransactionError::Overflow(key.clone()),
                })?;
                self.set(key, &sum.to_le_bytes());
                OperationResult::Added(sum)
            }
        })
    }
}

impl Model {
    fn attempt(&self) -> Attempt {
        Attempt {
            entries: self.entries.clone(),
            revision: self.revision + 1,
            touched: BTreeSet::new(),
        }
    }

    fn accept(&mut self, attempt: Attempt) -> u64 {
        let Attempt {
            entries, touched, ..
        } = attempt;
        let has = |entries: &Entries, key: &String| entries.contains_key(key);
        let changes: BTreeMap<String, bool> = touched
            .into_iter()
            .filter(|key| has(&self.entries, key) || has(&entries, key))
            .map(|key| (key.clone(), has(&entries, &key)))
            .collect();
        if !changes.is_empty() {
            self.revision += 1;
            self.history.push((self.revision, changes));
            self.entries = entries;
            while self.changes() > HISTORY_MAX && self.history.len() > 1 {
                self.history.remove(0);
            }
        }
        self.revision
    }

    fn changes(&self) -> u64 {
        let counts = self.history.iter().map(|(_, changes)| changes.len() as u64);
        counts.sum()
    }

    fn first(&self) -> u64 {
        self.history.first().map_or(1, |(revision, _)| *revision)
    }

    fn figures(&self) -> Figures {
        let bytes = |entry: &Entry| (entry.key.len() + entry.value.len()) as u64;
        Figures {
            revision: self.revision,
            keys: self.entries.len() as u64,
            bytes: self.entries.values().map(bytes).sum(),
            first_available: self.first(),
        }
    }

    fn changes_after(&self, after: u64, prefix: &str) -> Vec<Change> {
        let mut told = Vec::new();
        for (revision, changes) in self.history.iter().filter(|it| it.0 > after) {
            for (key, had) in changes.iter().filter(|it| it.0.starts_with(prefix)) {
                let now = self.entries.get(key).filter(|it| it.revision == *revision);
                told.push(Change {
                    revision: *revision,
                    key: key.clone(),
                    effect: match (had, now) {
                        (false, _) => Effect::Deleted,
                        (true, Some(entry)) => Effect::Set(entry.value.clone()),
                        (true, None) => Effect::Overwritten,
                    },
                });
            }
        }
        told
    }
}

/// A call that may change something.
#[derive(Debug, Clone)]
enum Step {
    Set(Pair),
    Update(Pair),
    Delete(String),
    /// Whether the revision is the key's own, and what it gets.
    Swap(String, bool, Option<Bytes>),
    Transaction(Vec<Condition>, Vec<Operation>, Vec<Operation>),
    Load(Vec<Pair>),
}

fn key() -> impl Strategy<Value = String> {
    select(vec!["a", "ab", "abc", "b", "c"]).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        3 => (0..4u64).prop_map(|number| number.to_le_bytes().to_vec()),
        1 => Just(b"text".to_vec()),
        1 => Just(vec![9; 1_500]),
    ]
}

fn pair() -> impl Strategy<Value = Pair> {
    (key(), value()).prop_map(|(key, value)| Pair { key, value })
}

fn condition() -> impl Strategy<Value = Condition> {
    let test = prop_oneof![
        Just(Test::Exists),
        Just(Test::Absent),
        (0..20u64).prop_map(Test::AtRevision),
        value().prop_map(Test::Equals),
        (0..3u64).prop_map(Test::AtLeast),
    ];
    (key(), test).prop_map(|(key, test)| Condition { key, test })
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let operation = prop_oneof![
        pair().prop_map(Operation::Set),
        key().prop_map(Operation::Delete),
        key().prop_map(Operation::Get),
        (key(), -2..4i64).prop_map(|(key, amount)| Operation::Add(Addition { key, amount })),
    ];
    prop::collection::vec(operation, 0..5)
}

fn step() -> impl Strategy<Value = Step> {
    let conditions = prop::collection::vec(condition(), 0..3);
    let swap = (key(), any::<bool>(), prop::option::of(value()));
    prop_oneof![
        1 => pair().prop_map(Step::Set),
        1 => pair().prop_map(Step::Update),
        1 => key().prop_map(Step::Delete),
        1 => swap.prop_map(|(key, is_own, value)| Step::Swap(key, is_own, value)),
        4 => (conditions, operations(), operations()).prop_map(|(conditions, then, otherwise)| Step::Transaction(conditions, then, otherwise)),
        1 => prop::collection::vec(pair(), 0..4).prop_map(Step::Load),
    ]
}

/// Takes a step in both, and compares what they answer.
fn take(step: Step, model: &mut Model, keys: &Memory) {
    let database = open(keys);
    let mut attempt = model.attempt();
    match step {
        Step::Set(Pair { key, value }) => {
            attempt.set(&key, &value);
            let revision = database.set(&key, value, HISTORY_MAX);
            assert_eq!(revision, Ok(model.accept(attempt)));
        }
        Step::Update(Pair { key, value }) => {
            let expected = model.entries.contains_key(&key).then(|| {
                attempt.set(&key, &value);
                model.accept(attempt)
            });
            assert_eq!(database.update(&key, value, HISTORY_MAX), Ok(expected));
        }
        Step::Delete(key) => {
            let expected = attempt.delete(&key).then(|| model.accept(attempt));
            assert_eq!(database.delete(&key, HISTORY_MAX), Ok(expected));
        }
        Step::Swap(key, is_own, value) => {
            let now = model.entries.get(&key).cloned();
            let own = now.as_ref().map(|entry| entry.revision);
            let revision = if is_own {
                own
            } else {
                Some(model.revision + 1)
            };
            let swapped =
                database.compare_and_swap(key.clone(), revision, value.clone(), HISTORY_MAX);
            if !is_own {
                assert_eq!(swapped, Err(SwapError::Conflict(now)));
                return;
            }
            match value {
                Some(value) => attempt.set(&key, &value),
                None => drop(attempt.delete(&key)),
            }
            assert_eq!(swapped, Ok(model.accept(attempt)));
        }
        Step::Transaction(conditions, then, otherwise) => {
            let result = (|| {
                let mut held = true;
                for condition in &conditions {
                    held = held && attempt.holds(condition)?;
                }
                let steps = if held { &then } else { &otherwise };
                let results: Result<Vec<_>, _> =
                    steps.iter().map(|step| attempt.perform(step)).collect();
                Ok((held, results?))
            })();
            let expected = result.map(|(held, results)| Outcome {
                held,
                results,
                revision: model.accept(attempt),
            });
            let outcome = database.transaction(&conditions, then, otherwise, HISTORY_MAX);
            assert_eq!(outcome, expected);
        }
        Step::Load(pairs) => {
            let mut added = 0;
            for Pair { key, value } in &pairs {
                if !attempt.entries.contains_key(key) {
                    attempt.set(key, value);
                    added += 1;
                }
            }
            let revision = model.accept(attempt);
            let loaded = database.load(pairs, HISTORY_MAX);
            assert_eq!(loaded, Ok(Loaded { added, revision }));
        }
    }
}

/// Compares everything that can be read.
fn compare(model: &Model, keys: &Memory) {
    let database = open(keys);
    assert_eq!(database.status(), model.figures());
    for prefix in ["", "ab", "b"] {
        let selection = Selection::Prefix(prefix.into());
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = database
                .scan(&selection, after.as_deref(), 2, false)
                .expect("it keeps to all bounds");
            found.extend(page.entries);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let expected = model
            .entries
            .values()
            .filter(|it| it.key.starts_with(prefix));
        assert!(found.iter().eq(expected), "{prefix}: {found:?}");
        for after in 0..=model.revision {
            let page = database.changes(after, prefix, 1_000);
            if after + 1 < model.first() {
                assert_eq!(page, Err(ChangesError::Compacted(model.first())));
            } else {
                let changes = page.map(|page| page.changes);
                assert_eq!(changes, Ok(model.changes_after(after, prefix)));
            }
        }
    }
    let stored = keys.0.borrow();
    let count = |prefix: u8| stored.keys().filter(|key| key[0] == prefix).count();
    let large = model.entries.values().filter(|it| it.value.len() > 1_024);
    let left = (count(b'k'), count(b'v'), count(b'h'));
    let expected = (model.entries.len(), large.count(), model.history.len());
    assert_eq!(left, expected, "nothing is left behind");
}

/// Somebody who copies the database by its changes.
#[derive(Default)]
struct Follower {
    values: BTreeMap<String, Bytes>,
    upto: u64,
}

impl Follower {
    /// Reads one page, or everything if it was away for too long.
    fn follow(&mut self, limit: u32, keys: &Memory) -> bool {
        match open(keys).changes(self.upto, "", limit) {
            Ok(page) => {
                for Change { key, effect, .. } in page.changes {
                    match effect {
                        Effect::Set(value) => drop(self.values.insert(key, value)),
                        Effect::Overwritten => {}
                        Effect::Deleted => drop(self.values.remove(&key)),
                    }
                }
                self.upto = page.upto;
                page.upto < page.revision
            }
            Err(error) => {
                assert!(matches!(error, ChangesError::Compacted(_)), "{error:?}");
                let all = open(keys).scan(&Selection::Prefix(String::new()), None, 1_000, false);
                let all = all.expect("it keeps to all bounds");
                self.values = all
                    .entries
                    .into_iter()
                    .map(|it| (it.key, it.value))
                    .collect();
                self.upto = all.revision;
                false
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_database_does_what_its_model_does(steps in prop::collection::vec((step(), 0..4u32), 1..40)) {
        let keys = Memory::default();
        let mut model = Model::default();
        let mut follower = Follower::default();
        for (step, follows) in steps {
            take(step, &mut model, &keys);
            compare(&model, &keys);
            if follows > 0 {
                follower.follow(follows, &keys);
            }
        }
        while follower.follow(2, &keys) {}
        let values: BTreeMap<_, _> = model.entries.into_iter().map(|(key, it)| (key, it.value)).collect();
        prop_assert_eq!(follower.values, values);
    }

    #[test]
    fn nothing_in_storage_makes_it_panic(steps in prop::collection::vec(step(), 1..12), damaged: prop::sample::Index, form in 0..3u8, rest: Vec<u8>, last in step()) {
        let keys = Memory::default();
        let mut model = Model::default();
        let first = Pair { key: "a".into(), value: vec![1; 1_500] };
        take(Step::Set(first), &mut model, &keys);
        for step in steps {
            take(step, &mut model, &keys);
        }
        let places: Vec<Bytes> = keys.0.borrow().keys().cloned().collect();
        let bytes = [vec![form], rest].concat();
        keys.set(damaged.get::<Bytes>(&places), &bytes);
        if let Ok(database) = Database::open(&keys) {
            let _ = database.scan(&Selection::Prefix(String::new()), None, 10, false);
            let _ = database.changes(0, "", 10);
            let _ = match last {
                Step::Set(Pair { key, value }) | Step::Update(Pair { key, value }) => database.set(&key, value, 1).map(drop),
                Step::Delete(key) | Step::Swap(key, ..) => database.delete(&key, 1).map(drop),
                Step::Load(pairs) => database.load(pairs, 1).map(drop),
                Step::Transaction(conditions, then, otherwise) => {
                    let _ = database.transaction(&conditions, then, otherwise, 1);
                    Ok(())
                }
            };
        }
    }
}
