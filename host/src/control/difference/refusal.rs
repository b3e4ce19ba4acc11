//! What a new cluster file must not change while the cluster runs, with the place in the file.

use crate::config::{Config, Problem, ServiceConfig};
use toml::de::{DeTable, DeValue};

/// Whether what services keep may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Losses {
    /// Nothing that is kept may be lost.
    Refused,
    /// Whoever applies has said that it may.
    Accepted,
}

/// What of the change from `before` to `after`, whose text is `text`, cannot be done; nothing if all of it can.
#[must_use]
pub fn refusals(before: &Config, after: &Config, text: &str, losses: Losses) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut refuse = |path: &[&str], message: String| {
        problems.push(problem(after, text, path, message));
    };
    let (was, is) = (&before.cluster, &after.cluster);
    if was.name != is.name {
        let message = format!(
            "a cluster that runs keeps its name, which is in its hosts' certificates; write name = \"{}\"",
            was.name
        );
        refuse(&["cluster", "name"], message);
    }
    if was.data != is.data {
        let message = format!(
            "hosts keep their data where it is, in {}; to move it, stop all hosts, move the folder, and start them with this file",
            was.data.display()
        );
        refuse(&["cluster", "data"], message);
    }
    if was.control && !is.control {
        refuse(
            &["cluster", "control"],
            "a cluster that keeps its own state goes on to; write control = true".into(),
        );
    }
    for service in before.services.iter().filter(|it| it.replicated.is_some()) {
        let name = service.name.as_str();
        match after.service(name) {
            // Said above.
            None if before.is_builtin(service) => {}
            Some(other) if other.replicated.is_some() => {
                if let Some(message) = stranded(service, other) {
                    refuse(&["service", name, "hosts"], message);
                }
            }
            other => {
                if losses == Losses::Refused {
                    let what = match other {
                        None => "is not in the file any more",
                        Some(_) => "is not replicated any more",
                    };
                    let message = format!(
                        "{what}, so all that it keeps would be lost; write a backup (`bookshop-host backup`), then say --accept-data-loss"
                    );
                    refuse(&["service", name], message);
                }
            }
        }
    }
    problems
}

/// A group moves from host to host as long as one of the old ones has its state.
fn stranded(before: &ServiceConfig, after: &ServiceConfig) -> Option<String> {
    let stays = |host| after.hosts.contains(host);
    if before.hosts.iter().any(stays) {
        return None;
    }
    let hosts: Vec<String> = before.hosts.iter().map(ToString::to_string).collect();
    Some(format!(
        "none of the hosts that have its state ({}) stays; change the hosts in two steps, with one of them in both",
        hosts.join(", ")
    ))
}

fn problem(config: &Config, text: &str, path: &[&str], message: String) -> Problem {
    let place = place(text, path);
    Problem {
        file: config.path.clone(),
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
        key: Some(path.join(".")),
        message,
    }
}

/// Line and column, from 1, of a key, or of the nearest table around it that the file has; none if it has none.
fn place(text: &str, path: &[&str]) -> Option<(usize, usize)> {
    let document = DeTable::parse(text).ok()?;
    let (mut table, mut offset) = (document.get_ref(), None);
    for name in path {
        let Some((key, value)) = table.get_key_value(*name) else {
            break;
        };
        offset = Some(key.span().start);
        let DeValue::Table(inner) = value.get_ref() else {
            break;
        };
        table = inner;
    }
    let before = text.get(..offset?)?;
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before[line_start..].chars().count() + 1;
    Some((before.matches('\n').count() + 1, column))
}
