//! The direction of dependencies inside the host: a module uses its own layer and those below it, in the order a request passes them.

use super::Problem;
use super::source::Source;
use super::tree::{File, Tree};
use std::collections::BTreeSet;

/// The modules of host/src from the top to the bottom, each layer with what it is for.
///
/// Imports reach the router only through the trait in `dispatch`, because `router` lies above them.
const LAYERS: [(&str, &str); 9] = [
    ("where it starts", "main lib cli launcher simulation"),
    ("where calls enter", "host http api admin origin arrival"),
    ("where a call runs", "router"),
    ("on another host", "transport"),
    (
        "what runs",
        "supervisor swap control services groups consensus daemon pool instance version",
    ),
    (
        "what a component is",
        "linker compat component depot imports compile engine",
    ),
    (
        "what is kept",
        "replica timer placement membership log state service storage",
    ),
    (
        "bounds and figures",
        "admission certificates chaos limits parent scratch recorder telemetry",
    ),
    (
        "values",
        "client codec config envelope call_error payload dispatch interface json signature",
    ),
];

/// Below all others: the outside world.
const BOTTOM: &str = "os";

/// Tests of any module may run on its simulated disk.
const SIMULATION: &str = "simulation";

/// The folder of the modules.
const FOLDER: &str = "host/src/";

/// See the module.
pub fn check(tree: &Tree) -> Vec<Problem> {
    let rust = || tree.below(FOLDER).filter(|file| file.extension() == "rs");
    let modules: BTreeSet<&str> = rust().map(module).collect();
    let unknown = |name: &&str| layer(name).is_none();
    let mut problems: Vec<Problem> = modules
        .iter()
        .filter(|name| unknown(name))
        .map(|name| not_in_a_layer(name))
        .collect();
    for file in rust() {
        let user = module(file);
        let Some(from) = layer(user) else { continue };
        let replaces_outside = |used: &str| used == SIMULATION && is_test(file);
        for (line, used) in uses(file, &modules) {
            if !replaces_outside(&used) && layer(&used).is_some_and(|to| to < from) {
                let (above, here) = (name_of(&used), name_of(user));
                let message = format!(
                    "{user} ({here}) uses {used} ({above}), which lies above it; move what both need below, or pass it in"
                );
                problems.push(Problem {
                    file: file.path.clone(),
                    line,
                    rule: "layers",
                    message,
                });
            }
        }
    }
    problems
}

fn not_in_a_layer(name: &str) -> Problem {
    let message =
        format!("the module {name} has no layer; give it one in tests/xtask/src/tidy/layers.rs");
    Problem {
        file: format!("{FOLDER}{name}"),
        line: 0,
        rule: "layers",
        message,
    }
}

/// Whether a file has nothing but tests.
fn is_test(file: &File) -> bool {
    file.path.contains("/tests/") || file.path.ends_with("/tests.rs")
}

/// The top-level module that a file belongs to.
fn module(file: &File) -> &str {
    let below = file.path.strip_prefix(FOLDER).unwrap_or(&file.path);
    below
        .split_once('/')
        .map_or_else(|| below.trim_end_matches(".rs"), |(folder, _)| folder)
}

/// Counted from the top.
fn layer(module: &str) -> Option<usize> {
    if module == BOTTOM {
        Some(LAYERS.len())
    } else {
        LAYERS
            .iter()
            .position(|(_, modules)| modules.split(' ').any(|name| name == module))
    }
}

fn name_of(module: &str) -> &'static str {
    layer(module)
        .and_then(|layer| LAYERS.get(layer))
        .map_or("the outside world", |(name, _)| name)
}

/// The modules that a file names, with the line.
fn uses(file: &File, modules: &BTreeSet<&str>) -> Vec<(usize, String)> {
    let code = Source::of(&file.text).code;
    let mut found: Vec<(usize, String)> = Vec::new();
    for (at, start) in code.match_indices("crate::") {
        let line = 1 + code[..at].matches('\n').count();
        found.extend(
            first_names(&code[at + start.len()..])
                .into_iter()
                .map(|name| (line, name)),
        );
    }
    // In a file directly below the folder, `super` at the left margin is the crate itself.
    if !file.path[FOLDER.len()..]
        .trim_end_matches("/mod.rs")
        .contains('/')
    {
        for (line, text) in (1..).zip(code.lines()) {
            let names = text
                .strip_prefix("use super::")
                .map(first_names)
                .unwrap_or_default();
            found.extend(names.into_iter().map(|name| (line, name)));
        }
    }
    found.retain(|(_, name)| modules.contains(name.as_str()));
    found
}

/// The names that directly follow `crate::`: one, or those of a group.
fn first_names(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return vec![first_word(path)];
    };
    let mut names = Vec::new();
    let mut depth = 0;
    let mut expects_name = true;
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expects_name = true,
            _ if expects_name && !character.is_whitespace() => {
                names.push(first_word(&group[at..]));
                expects_name = false;
            }
            _ => {}
        }
    }
    names
}

fn first_word(text: &str) -> String {
    text.chars()
        .take_while(|character| character.is_alphanumeric() || *character == '_')
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing;

    /// `uses` is the text of host/src/USER; every module that the tests name exists.
    #[track_caller]
    fn check(user: &str, uses: &str, expected: &[&str]) {
        let path = format!("host/src/{user}");
        let others = ["http", "router", "pool", "dispatch", "os/mod"]
            .map(|name| format!("host/src/{name}.rs"));
        let mut files: Vec<(&str, &str)> = others
            .iter()
            .map(|other| (other.as_str(), ""))
            .filter(|(other, _)| *other != path)
            .collect();
        files.push((&path, uses));
        testing::check(super::check, &files, expected);
    }

    const UPWARDS: &str = "pool (what runs) uses router (where a call runs), which lies above it; move what both need below, or pass it in";

    #[test]
    fn a_module_may_use_what_lies_below_and_beside_it() {
        check(
            "router.rs",
            "use crate::pool::Pool;\nuse crate::dispatch::{Answer, Dispatch};",
            &[],
        );
        check("http.rs", "use crate::router;", &[]);
        check("pool.rs", "use crate::os;", &[]);
        check("instance.rs", "use crate::pool;", &[]);
    }

    #[test]
    fn a_module_may_not_use_what_lies_above_it() {
        check(
            "pool.rs",
            "//! A pool.\nuse crate::router::Router;",
            &[&format!("host/src/pool.rs:2: {UPWARDS}")],
        );
        check(
            "pool/idle.rs",
            "fn f() { crate::router::f() }",
            &[&format!("host/src/pool/idle.rs:1: {UPWARDS}")],
        );
        check(
            "pool.rs",
            "use super::router;",
            &[&format!("host/src/pool.rs:1: {UPWARDS}")],
        );
    }

    #[test]
    fn groups_are_looked_into() {
        let at = format!("host/src/pool.rs:1: {UPWARDS}");
        check(
            "pool.rs",
            "use crate::{os::{self, Clock}, router::Router};",
            &[&at],
        );
        check("pool.rs", "use crate::{os::{self, router}};", &[]);
        check("pool.rs", "use crate::{\n    router,\n};", &[&at]);
    }

    #[test]
    fn prose_is_no_use() {
        check(
            "pool.rs",
            "/// See [`crate::router`].\nconst NAME: &str = \"crate::router\";",
            &[],
        );
    }

    #[test]
    fn a_module_without_a_layer_is_told_to_take_one() {
        check(
            "misc.rs",
            "",
            &[
                "host/src/misc: the module misc has no layer; give it one in tests/xtask/src/tidy/layers.rs",
            ],
        );
    }

    #[test]
    fn imports_reach_the_router_only_through_dispatch() {
        check("imports/service.rs", "use crate::dispatch::Dispatch;", &[]);
        let message = "imports (what a component is) uses router (where a call runs), which lies above it; move what both need below, or pass it in";
        check(
            "imports/service.rs",
            "use crate::router::Router;",
            &[&format!("host/src/imports/service.rs:1: {message}")],
        );
    }
}
