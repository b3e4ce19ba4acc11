//! Builds the components that are part of this program, for WebAssembly: the consensus engine and what keeps the state of a cluster.
//!
//! It runs another cargo, in a target folder of its own: the one that runs this script holds the lock of the usual one. What the outer cargo says
//! about the program (flags, wrappers, its target) must not reach a component, whose bytes should depend on its source alone.

use std::path::{Path, PathBuf};
use std::process::Command;

const PROFILE: &str = "component";

/// A component of this program.
struct Embedded {
    /// Its package.
    package: &'static str,
    /// What it is compiled to.
    target: &'static str,
    /// What cargo writes.
    file: &'static str,
    /// What it is made of, from the root of the workspace, beside [`SHARED`].
    sources: &'static [&'static str],
}

const EMBEDDED: [Embedded; 2] = [
    Embedded {
        package: "raft-engine",
        target: "wasm32-unknown-unknown",
        file: "raft_engine.wasm",
        sources: &[
            "components/raft/src",
            "components/raft/Cargo.toml",
            "components/raft/build.rs",
            "wit/replica",
        ],
    },
    Embedded {
        package: "control",
        target: "wasm32-wasip2",
        file: "control.wasm",
        sources: &[
            "components/control/src",
            "components/control/Cargo.toml",
            "components/control/build.rs",
            "components/keys/src",
            "components/keys/Cargo.toml",
            "wit/control",
            "wit/platform",
        ],
    },
];

/// What all of them depend on.
const SHARED: [&str; 2] = ["Cargo.toml", "Cargo.lock"];

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
    for source in EMBEDDED.iter().flat_map(|it| it.sources).chain(&SHARED) {
        println!("cargo:rerun-if-changed={}", root.join(source).display());
    }
    let (rustc, cargo, output) = (variable("RUSTC"), variable("CARGO"), variable("OUT_DIR"));
    for embedded in &EMBEDDED {
        add_target(&rustc, embedded.target, &root);
        embedded.build(&cargo, &root, &output);
    }
}

impl Embedded {
    /// One after the other, in one folder: what both need of the compiler's own machine is compiled once.
    #[allow(
        clippy::disallowed_methods,
        reason = "a build script runs on no host: it starts a compiler and writes its output itself"
    )]
    fn build(&self, cargo: &Path, root: &Path, output: &Path) {
        let Self {
            package,
            target,
            file,
            ..
        } = self;
        let folder = output.join("embedded");
        let mut cargo = Command::new(cargo);
        for (name, _) in std::env::vars_os() {
            let is_outer = |outer: &&str| name.to_string_lossy().starts_with(*outer);
            if OUTER.iter().any(is_outer) {
                cargo.env_remove(&name);
            }
        }
        let status = cargo
            .current_dir(root)
            .env("CARGO_ENCODED_RUSTFLAGS", flags(root))
            .args(["build", "--locked", "--lib", "--package", package])
            .args(["--target", target, "--profile", PROFILE])
            .arg("--target-dir")
            .arg(&folder)
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "the package {package} does not compile for {target}; if the target is missing, run `rustup target add {target}`"
        );
        let built = folder.join(target).join(PROFILE).join(file);
        std::fs::copy(&built, output.join(file))
            .unwrap_or_else(|error| panic!("cannot copy {}: {error}", built.display()));
    }
}

/// Adds the target to the toolchain if it is not there. What goes wrong here goes wrong again, and is reported, when it is used.
#[allow(
    clippy::disallowed_methods,
    reason = "a build script runs on no host: it asks the compiler and rustup"
)]
fn add_target(rustc: &Path, target: &str, root: &Path) {
    let asked = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", target])
        .output();
    let folder = asked
        .ok()
        .and_then(|asked| String::from_utf8(asked.stdout).ok());
    if folder.is_none_or(|folder| !Path::new(folder.trim()).is_dir()) {
        let _ = Command::new("rustup")
            .args(["target", "add", target])
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
