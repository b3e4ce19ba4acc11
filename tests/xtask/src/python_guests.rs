//! Builds the guests in `tests/python`, with componentize-py, into the folder of the other guests.

use crate::command::{program, succeeds};
use crate::python::{environment, text};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Where they are, and which componentize-py they need.
const FOLDER: &str = "tests/python";

/// The interfaces of the host, in the view for functions that are not `async` themselves.
const PLATFORM: &str = "wit/sync/platform";

/// A guest: a folder with `app.py`, and its interfaces in `wit`.
struct Guest {
    folder: &'static str,
    world: &'static str,
    /// The file that it becomes.
    component: &'static str,
}

const GUESTS: [Guest; 1] = [Guest {
    folder: "counter",
    world: "example:counter/counter-python@0.1.0",
    component: "counter_python.wasm",
}];

/// Builds those that changed since they were built last; whether all could be built.
///
/// # Errors
/// Python 3 is missing, or componentize-py cannot be installed.
pub fn build(root: &Path, target: &Path, components: &Path) -> Result<bool> {
    for guest in &GUESTS {
        let built = target.join("python").join(guest.folder);
        let component = components.join(guest.component);
        let inputs = inputs(root, guest)?;
        let noted = built.join("inputs.txt");
        if component.is_file() && fs::read_to_string(&noted).is_ok_and(|noted| noted == inputs) {
            continue;
        }
        if !componentize(root, guest, &built, &component)? {
            return Ok(false);
        }
        fs::write(&noted, inputs).context("cannot note what was built")?;
    }
    Ok(true)
}

fn componentize(root: &Path, guest: &Guest, built: &Path, component: &Path) -> Result<bool> {
    let requirements = format!("{FOLDER}/requirements.txt");
    let componentize = environment(root, "componentize-py", &requirements)?;
    // Built in a copy: Python leaves its byte code beside what it reads.
    let source = built.join("source");
    fs::create_dir_all(&source).with_context(|| format!("cannot make {}", source.display()))?;
    let app = root.join(FOLDER).join(guest.folder).join("app.py");
    fs::copy(&app, source.join("app.py"))
        .with_context(|| format!("cannot copy {}", app.display()))?;
    let made = built.join(guest.component);
    let arguments = [
        "--quiet",
        "--wit-path",
        text(&root.join(PLATFORM))?,
        "--wit-path",
        text(&root.join(FOLDER).join(guest.folder).join("wit"))?,
        "--world",
        guest.world,
        "componentize",
        "app",
        "--output",
        text(&made)?,
    ]
    .map(str::to_owned);
    let arguments = arguments.each_ref().map(String::as_str);
    let command = program(
        &source,
        text(&componentize.join("bin/componentize-py"))?,
        &arguments,
    );
    if !succeeds(command)? {
        return Ok(false);
    }
    // Renamed into place, so that nobody reads half of it.
    fs::rename(&made, component)
        .with_context(|| format!("cannot write {}", component.display()))?;
    Ok(true)
}

/// Everything that a guest is made of, as one text.
fn inputs(root: &Path, guest: &Guest) -> Result<String> {
    let folder = root.join(FOLDER);
    let mut files = vec![
        folder.join("requirements.txt"),
        folder.join(guest.folder).join("app.py"),
    ];
    for interfaces in [root.join(PLATFORM), folder.join(guest.folder).join("wit")] {
        let entries = fs::read_dir(&interfaces)
            .with_context(|| format!("cannot read {}", interfaces.display()))?;
        let paths: std::io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
        let mut paths = paths.with_context(|| format!("cannot read {}", interfaces.display()))?;
        paths.sort();
        files.extend(paths);
    }
    let read = |path: &PathBuf| {
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let texts: Result<Vec<String>> = files.iter().map(read).collect();
    Ok(texts?.join("\n"))
}
