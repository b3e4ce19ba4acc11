//! Builds the consensus engine, which is part of this program, for WebAssembly.
//!
//! It runs another cargo, in a target folder of its own: the one that runs this script holds the lock of the usual one. What the outer cargo says
//! about the program (flags, wrappers, its target) must not reach the component, whose bytes should depend on its source alone.

use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "component";

/// What the component is made of, from the root of the workspace.
const SOURCES: [&str; 6] = [
    "components/raft/src",
    "components/raft/Cargo.toml",
    "components/raft/build.rs",
    "wit/replica",
    "Cargo.toml",
    "Cargo.lock",
];

/// Variables of the outer cargo, or their beginnings, that mean something to an inner one.
const OUTER: [&str; 9] = [
    "CARGO_BUILD_",
    "CARGO_CFG_",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_FEATURE_",
    "CARGO_TARGET_DIR",
    "CARGO_UNSTABLE_",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTFLAGS",
    "TARGET",
];

#[allow(
    clippy::disallowed_methods,
    reason = "a build script runs on no host: it starts a compiler and writes its output itself"
)]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let variable = |name: &str| {
        let value = std::env::var_os(name);
        PathBuf::from(value.unwrap_or_else(|| panic!("cargo sets {name}")))
    };
    let root = variable("CARGO_MANIFEST_DIR")
        .parent()
        .expect("the package is in a folder of the workspace")
        .to_owned();
    for source in SOURCES {
        println!("cargo:rerun-if-changed={}", root.join(source).display());
    }
    add_target(&variable("RUSTC"), &root);
    let output = variable("OUT_DIR");
    let folder = output.join("consensus");
    let mut cargo = Command::new(variable("CARGO"));
    for (name, _) in std::env::vars_os() {
        let is_outer = |outer: &&str| name.to_string_lossy().starts_with(*outer);
        if OUTER.iter().any(is_outer) {
            cargo.env_remove(&name);
        }
    }
    let arguments = [
        "build",
        "--locked",
        "--package=raft-engine",
        "--lib",
        "--target",
        TARGET,
        "--profile",
        PROFILE,
    ];
    let status = cargo
        .current_dir(&root)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(&root))
        .args(arguments)
        .arg("--target-dir")
        .arg(&folder)
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "the consensus engine (components/raft) does not compile for {TARGET}; if the target is missing, run `rustup target add {TARGET}`"
    );
    let built = folder.join(TARGET).join(PROFILE).join("raft_engine.wasm");
    std::fs::copy(&built, output.join("raft_engine.wasm"))
        .unwrap_or_else(|error| panic!("cannot copy {}: {error}", built.display()));
}

/// Adds the target to the toolchain if it is not there. What goes wrong here goes wrong again, and is reported, when it is used.
#[allow(
    clippy::disallowed_methods,
    reason = "a build script runs on no host: it asks the compiler and rustup"
)]
fn add_target(rustc: &Path, root: &Path) {
    let asked = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output();
    let folder = asked
        .ok()
        .and_then(|asked| String::from_utf8(asked.stdout).ok());
    if folder.is_none_or(|folder| !Path::new(folder.trim()).is_dir()) {
        let _ = Command::new("rustup")
            .args(["target", "add", TARGET])
            .current_dir(root)
            .status();
    }
}

/// Without the names of this machine's folders, equal sources give equal bytes.
#[allow(
    clippy::disallowed_methods,
    reason = "cargo says in variables where its folder is; a build script runs on no host"
)]
fn flags(root: &Path) -> String {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let mut flags = vec![remap(root, ".")];
    flags.extend(home.map(|home| remap(&home, "cargo")));
    flags.join("\x1f")
}
