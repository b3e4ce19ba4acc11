//! `cargo xtask test-browser`: uses the shop page in Chromium as people do. The tests are in `tests/browser`.

use crate::command::{output, program, succeeds};
use crate::shop::Shop;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

/// Where the tests are.
const FOLDER: &str = "tests/browser";

/// Names that the browser has, the one of Debian first.
const CHROMIUM: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Whether the page does what people expect of it.
///
/// # Errors
/// Node or the program is missing; the browser is missing and apt-get cannot install it.
pub fn run(root: &Path) -> Result<bool> {
    let chromium = chromium(root)?;
    let folder = root.join(FOLDER);
    if !is_installed(&folder)
        && !succeeds(program(&folder, "npm", &["ci", "--no-audit", "--no-fund"]))?
    {
        bail!("what the tests need cannot be installed");
    }
    let screenshots = Workspace::read(root)?.target().join("screenshots");
    let shop = Shop::start(root)?;
    let mut tests = program(
        &folder,
        "node",
        &["--test", "--test-reporter=spec", "--test-concurrency=1"],
    );
    tests
        .env("SHOP_URL", shop.url())
        .env("CHROMIUM", chromium)
        .env("SCREENSHOTS", screenshots);
    succeeds(tests)
}

/// Whether the installed packages are those of the lock file: npm keeps a copy of it beside them, without the tests' own entry.
fn is_installed(folder: &Path) -> bool {
    let packages = |path: &str| {
        let text = fs::read_to_string(folder.join(path)).ok()?;
        let lock: serde_json::Value = serde_json::from_str(&text).ok()?;
        let mut packages = lock["packages"].as_object()?.clone();
        packages.remove("");
        Some(packages)
    };
    let wanted = packages("package-lock.json");
    wanted.is_some() && wanted == packages("node_modules/.package-lock.json")
}

/// The path of the browser, which Debian's package brings if there is none.
fn chromium(root: &Path) -> Result<String> {
    if let Some(path) = find(root) {
        return Ok(path);
    }
    let install = ["install", "--yes", "--no-install-recommends", "chromium"];
    let installed = succeeds(program(root, "apt-get", &["update"]))?
        && succeeds(program(root, "apt-get", &install))?;
    if !installed {
        bail!("there is no Chromium and apt-get cannot install it; install it by hand");
    }
    find(root).context("Chromium is installed, but not on the path")
}

fn find(root: &Path) -> Option<String> {
    CHROMIUM.iter().find_map(|name| {
        let script = format!("command -v {name}");
        let path = output(program(root, "sh", &["-c", &script]))?;
        Some(path.trim().to_owned())
    })
}
