#![allow(
    clippy::disallowed_methods,
    reason = "files are damaged and looked at here behind the back of what is tested"
)]

use super::*;
use std::fs;

/// A folder of its own, removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = format!("bookshop-depot-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }

    fn open(&self) -> Depot {
        Depot::open(&self.0, Os::real()).expect("the disk is fine")
    }

    fn names(&self) -> Vec<String> {
        let files = fs::read_dir(self.0.join(FOLDER)).expect("it was opened");
        let name = |file: io::Result<fs::DirEntry>| file.expect("read").file_name();
        files
            .map(|file| name(file).into_string().expect("text"))
            .collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_was_put_is_there_after_a_restart() {
    let folder = Folder::new("restart");
    let digest = folder.open().put(b"code").expect("kept");
    assert_eq!(digest, component::digest(b"code"));
    let depot = folder.open();
    assert!(depot.has(&digest));
    assert_eq!(depot.read(&digest).expect("read"), b"code");
    assert_eq!(depot.list(), [(digest.clone(), 4)]);
    let path = depot.path(&digest).expect("here");
    assert_eq!(fs::read(path).expect("read"), b"code");
    assert_eq!(depot.put(b"code").expect("again"), digest);
}

#[test]
fn what_was_not_finished_or_is_not_ours_is_gone_after_a_restart() {
    let folder = Folder::new("unfinished");
    let digest = folder.open().put(b"code").expect("kept");
    let inside = folder.0.join(FOLDER);
    let other = component::digest(b"other");
    // As a crash leaves them: before the rename, and before anything was durable.
    fs::write(inside.join(format!("{other}.wasm.1.new")), b"oth").expect("written");
    fs::write(inside.join(format!("{other}.wasm")), b"").expect("written");
    let depot = folder.open();
    assert_eq!(depot.list(), [(digest.clone(), 4)]);
    assert!(matches!(depot.read(&other), Err(DepotError::Missing(_))));
    assert_eq!(folder.names(), [format!("{digest}.wasm")]);
}

#[test]
fn damage_is_found_when_it_is_read_and_can_be_replaced() {
    let folder = Folder::new("damage");
    let depot = folder.open();
    let digest = depot.put(b"code").expect("kept");
    fs::write(depot.path(&digest).expect("here"), b"c0de").expect("written");
    assert!(matches!(depot.read(&digest), Err(DepotError::Missing(_))));
    assert!(!depot.has(&digest));
    assert_eq!(depot.put(b"code").expect("replaced"), digest);
    assert_eq!(depot.read(&digest).expect("read"), b"code");
}

#[test]
fn all_but_what_is_wanted_is_removed() {
    let folder = Folder::new("garbage");
    let depot = folder.open();
    let (old, new) = (
        depot.put(b"old").expect("kept"),
        depot.put(b"new").expect("kept"),
    );
    let wanted = BTreeSet::from([new.clone()]);
    let young = depot.keep_only(&wanted, Duration::from_secs(3600));
    assert_eq!(young.expect("nothing is old"), 0);
    let all = |depot: &Depot| depot.keep_only(&wanted, Duration::ZERO);
    assert_eq!(all(&depot).expect("removed"), 1);
    assert_eq!(all(&depot).expect("nothing to do"), 0);
    assert!(!depot.has(&old) && depot.has(&new));
    assert_eq!(folder.names(), [format!("{new}.wasm")]);
}

#[test]
fn what_is_too_large_is_refused() {
    let folder = Folder::new("large");
    let depot = folder.open();
    let largest = vec![0; COMPONENT_BYTES_MAX + 1];
    assert!(matches!(
        depot.put(&largest),
        Err(DepotError::TooLarge { .. })
    ));
    assert!(depot.put(&largest[1..]).is_ok());
}

#[test]
fn there_is_a_bound_for_all_together() {
    let folder = Folder::new("full");
    let depot = folder.open();
    depot.kept().insert("0".repeat(DIGITS), TOTAL_BYTES_MAX - 3);
    assert!(matches!(depot.put(b"code"), Err(DepotError::Full { .. })));
    assert!(depot.put(b"cod").is_ok());
}

#[test]
fn only_digests_are_names_of_files() {
    let folder = Folder::new("names");
    let depot = folder.open();
    for name in [
        "",
        "../secret",
        &"A".repeat(DIGITS),
        &"0".repeat(DIGITS - 1),
    ] {
        assert!(
            matches!(depot.read(name), Err(DepotError::NotADigest(_))),
            "{name}"
        );
    }
}
