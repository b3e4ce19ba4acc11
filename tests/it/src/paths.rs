//! Where the build leaves what the tests run.

use bookshop_host::depot;
use bookshop_host::groups::recovery::{LOG_FOLDER, STATE_FOLDER};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The target folder: this test runs from its `release/deps`.
pub fn target() -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    test.ancestors()
        .nth(3)
        .expect("target/release/deps/it")
        .to_path_buf()
}

/// The shipped program.
pub fn program() -> PathBuf {
    let program = target().join("release/bookshop-host");
    assert!(
        program.is_file(),
        "{} is missing: run `cargo xtask test`, or `cargo build --release`",
        program.display()
    );
    program
}

/// A guest by the name of its crate.
pub fn guest(name: &str) -> PathBuf {
    let guest = target()
        .join("wasm32-wasip2/component")
        .join(format!("{}.wasm", name.replace('-', "_")));
    assert!(
        guest.is_file(),
        "{} is missing: run `cargo xtask build-guests`",
        guest.display()
    );
    guest
}

/// The repository.
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("tests/it is two folders deep")
        .to_path_buf()
}

/// An empty folder of this test's own. Compiled code is shared by all tests, so a folder is made inside one data root.
pub fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(
        "{name}-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// The data root of all tests.
pub fn data() -> PathBuf {
    target().join("it-data")
}

/// Removes what a host kept: its log takes 64 MiB, and there are hundreds of hosts in these tests. Only of hosts that ended as they should, so that of
/// others it can be looked at.
pub fn remove_kept(host_folder: &Path) {
    for kept in [LOG_FOLDER, STATE_FOLDER, depot::FOLDER] {
        // A host that never got so far has none.
        let _ = std::fs::remove_dir_all(host_folder.join(kept));
    }
}
