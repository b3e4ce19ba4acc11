//! The packages of the workspace, as cargo knows them.

use crate::command::{cargo, output};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The package of the program.
pub const PROGRAM: &str = "bookshop-host";

/// Packages that are part of the program, which builds them itself.
const EMBEDDED: [&str; 2] = ["control", "raft-engine"];

/// Folders of packages that are compiled to WebAssembly.
const GUESTS: [&str; 2] = ["components", "tests/fixtures"];

/// The packages, in the order of the workspace.
#[derive(Debug, Deserialize)]
pub struct Workspace {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Target {
    kind: Vec<String>,
}

impl Workspace {
    /// Asks cargo.
    ///
    /// # Errors
    /// A manifest is wrong.
    pub fn read(root: &Path) -> Result<Self> {
        let printed = output(cargo(
            root,
            &["metadata", "--no-deps", "--format-version", "1"],
        ));
        Self::parse(
            &printed.context("cannot read the workspace; `cargo metadata --no-deps` says why")?,
        )
    }

    fn parse(metadata: &str) -> Result<Self> {
        serde_json::from_str(metadata).context("cannot read what `cargo metadata` prints")
    }

    /// The folder that cargo builds into.
    pub fn target(&self) -> &Path {
        &self.target_directory
    }

    /// Packages that become components: libraries that export, and programs, which are daemons. Not the consensus engine, which is part of the host and
    /// built with it.
    pub fn guests(&self) -> Vec<&str> {
        let folders = GUESTS.map(|folder| self.workspace_root.join(folder));
        let is_guest = |package: &&Package| {
            folders
                .iter()
                .any(|folder| package.manifest_path.starts_with(folder))
                && !EMBEDDED.contains(&package.name.as_str())
                && package.targets.iter().any(|target| {
                    target
                        .kind
                        .iter()
                        .any(|kind| kind == "cdylib" || kind == "bin")
                })
        };
        self.packages
            .iter()
            .filter(is_guest)
            .map(|package| package.name.as_str())
            .collect()
    }

    /// All packages in two groups: the program with those that depend on it, and the rest.
    ///
    /// What is built together shares the features of its dependencies. Apart, the first group needs the very engine that
    /// `cargo run` compiles; together with the rest it would be compiled a second time.
    pub fn groups(&self) -> [Vec<&str>; 2] {
        let has_engine = |package: &&Package| {
            package.name == PROGRAM
                || package
                    .dependencies
                    .iter()
                    .any(|dependency| dependency.name == PROGRAM)
        };
        let (engine, rest): (Vec<&Package>, Vec<&Package>) =
            self.packages.iter().partition(has_engine);
        [engine, rest].map(|packages| {
            packages
                .into_iter()
                .map(|package| package.name.as_str())
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn workspace() -> Workspace {
        let package = |name: &str, folder: &str, kind: &str, dependencies: &[&str]| {
            json!({
                "name": name,
                "manifest_path": format!("/clone/{folder}/Cargo.toml"),
                "targets": [{ "kind": [kind] }],
                "dependencies": dependencies.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
            })
        };
        let packages = [
            package("bookshop-host", "host", "bin", &["wasmtime"]),
            package("orders", "components/orders", "cdylib", &["wit-bindgen"]),
            package("raft-engine", "components/raft", "cdylib", &[]),
            package("control", "components/control", "cdylib", &["wit-bindgen"]),
            package("rules", "components/rules", "lib", &[]),
            package("it", "tests/it", "test", &["bookshop-host"]),
            package("fixture-trap", "tests/fixtures/trap", "cdylib", &[]),
            package("fixture-daemon", "tests/fixtures/daemon", "bin", &[]),
            package("xtask", "tests/xtask", "bin", &[]),
        ];
        Workspace::parse(&json!({ "packages": packages, "workspace_root": "/clone", "target_directory": "/clone/target" }).to_string())
            .expect("it is as cargo prints it")
    }

    #[test]
    fn components_and_fixtures_are_guests() {
        assert_eq!(
            workspace().guests(),
            ["orders", "fixture-trap", "fixture-daemon"]
        );
    }

    #[test]
    fn what_contains_the_engine_is_a_group_of_its_own() {
        let workspace = workspace();
        let [engine, rest] = workspace.groups();
        assert_eq!(engine, ["bookshop-host", "it"]);
        assert_eq!(
            rest,
            [
                "orders",
                "raft-engine",
                "control",
                "rules",
                "fixture-trap",
                "fixture-daemon",
                "xtask"
            ]
        );
    }
}
