//! `bookshop-host storage check`.

use super::folder::{Found, Problem, Service};
use super::{Place, folder, host};
use crate::cli::failure::Failure;
use crate::cli::output::{self, Style};
use crate::cli::table::Table;
use crate::config::HostName;
use crate::os::Os;
use crate::replica::keyspace::{DATA, MESSAGE, SESSION, TIMER};
use crate::state::View;
use crate::supervisor::chain;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Only this host; otherwise all hosts of the file
    #[arg(long, value_name = "NAME", value_parser = str::parse::<HostName>)]
    host: Option<HostName>,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// What was found on all hosts.
#[derive(Debug, Serialize)]
struct Audit {
    ok: bool,
    hosts: Vec<HostAudit>,
}

/// What was found on a host.
#[derive(Debug, Serialize)]
struct HostAudit {
    host: String,
    folder: PathBuf,
    /// Whether there is anything at all.
    is_empty: bool,
    log: Option<LogAudit>,
    state_file_bytes: Option<u64>,
    services: Vec<ServiceAudit>,
    problems: Vec<Problem>,
}

/// What was found in a log.
#[derive(Debug, Serialize)]
struct LogAudit {
    segments: usize,
    /// The length of all files.
    bytes: u64,
    /// What the next start has to read.
    used_bytes: u64,
    /// What the next start will cut off: a crash left it, and nobody was told that it was durable.
    torn_bytes: u64,
}

/// What was found of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct ServiceAudit {
    service: String,
    /// Entries that were ever applied.
    position: u64,
    /// Those of them that are in the state store.
    checkpoint: u64,
    /// The service's own keys.
    keys: u64,
    /// Those and their values in bytes, as `limits.storage` counts them.
    bytes: u64,
    timers: u64,
    messages: u64,
    /// Idempotency keys that are known.
    sessions: u64,
}

/// Checks and prints what it found.
///
/// # Errors
/// A host runs, its disk cannot be read, or something is wrong with what it keeps.
pub fn run(arguments: &Arguments, os: &Os) -> Result<(), Failure> {
    let config = arguments.place.config(os)?;
    let names: Vec<&HostName> = match &arguments.host {
        Some(name) => vec![host(&config, name)?],
        None => config.hosts.iter().map(|host| &host.name).collect(),
    };
    // All are locked before the first is read, so that a running one is known at once.
    let mut folders = Vec::new();
    for name in names {
        folders.push((name, folder(&config, name, os)?));
    }
    let mut hosts = Vec::new();
    for (name, folder) in folders {
        let mut audit = HostAudit {
            host: name.to_string(),
            folder: config.cluster.data.join(name.as_str()),
            is_empty: folder.is_none(),
            log: None,
            state_file_bytes: None,
            services: Vec::new(),
            problems: Vec::new(),
        };
        if let Some(folder) = folder {
            audit.add(folder.read(false)?);
        }
        hosts.push(audit);
    }
    let audit = Audit {
        ok: hosts.iter().all(|host| host.problems.is_empty()),
        hosts,
    };
    if arguments.json {
        output::json(&audit)?;
    } else {
        output::line(&text(&config.path, &audit, Style::of_stdout()))?;
    }
    if audit.ok {
        Ok(())
    } else {
        Err(Failure::reported(false))
    }
}

impl HostAudit {
    fn add(&mut self, found: Found) {
        self.log = found.log.map(|report| LogAudit {
            segments: report.segments.len(),
            bytes: report.segments.iter().map(|segment| segment.bytes).sum(),
            used_bytes: report
                .segments
                .iter()
                .map(|segment| segment.used_bytes)
                .sum(),
            torn_bytes: report.torn.map_or(0, |cut| cut.bytes),
        });
        self.state_file_bytes = found.state_bytes;
        self.problems = found.problems;
        for service in found.services {
            match count(&service) {
                Ok((audit, differences)) => {
                    self.services.push(audit);
                    for what in differences {
                        self.problem(&service.name, &what);
                    }
                }
                Err(what) => self.problem(&service.name, &what),
            }
        }
    }

    fn problem(&mut self, service: &str, what: &str) {
        self.problems.push(Problem {
            file: self.folder.clone(),
            offset: None,
            what: format!("service {service}: {what}"),
        });
    }
}

/// Counts what a service keeps, and compares it with what its group counts.
fn count(service: &Service) -> Result<(ServiceAudit, Vec<String>), String> {
    let (view, meta, position) = service.group.committed();
    let (keys, bytes) = pairs(view, DATA)?;
    let audit = ServiceAudit {
        service: service.name.clone(),
        position,
        checkpoint: service.checkpoint,
        keys,
        bytes: meta.data_bytes,
        timers: pairs(view, TIMER)?.0,
        messages: pairs(view, MESSAGE)?.0,
        sessions: pairs(view, SESSION)?.0,
    };
    let mut differences = Vec::new();
    for (what, found, counted) in [
        ("bytes of keys and values", bytes, meta.data_bytes),
        ("timers", audit.timers, meta.timers),
        ("messages", audit.messages, meta.messages),
    ] {
        if found != counted {
            differences.push(format!("{found} {what} are there, {counted} should be"));
        }
    }
    Ok((audit, differences))
}

/// How many pairs there are whose keys begin with a byte, and what they take.
fn pairs(view: &View, prefix: u8) -> Result<(u64, u64), String> {
    let (mut keys, mut bytes) = (0, 0);
    for pair in view.scan(&[prefix], Some(&[prefix + 1]), false) {
        let (key, value) = pair.map_err(|error| chain(&error))?;
        keys += 1;
        bytes += crate::replica::work::pair_bytes(&key, &value);
    }
    Ok((keys, bytes))
}

fn text(file: &Path, audit: &Audit, style: Style) -> String {
    let mut table = Table::new(&[
        "HOST",
        "SERVICE",
        ">POSITION",
        ">CHECKPOINT",
        ">KEYS",
        ">BYTES",
        ">TIMERS",
        ">MESSAGES",
        ">SESSIONS",
    ]);
    for host in &audit.hosts {
        for service in &host.services {
            let numbers = [service.position, service.checkpoint, service.keys];
            let more = [service.timers, service.messages, service.sessions];
            let mut cells = vec![host.host.as_str().into(), service.service.as_str().into()];
            cells.extend(numbers.map(|number| number.to_string().into()));
            cells.push(output::size(service.bytes).into());
            cells.extend(more.map(|number| number.to_string().into()));
            table.row(cells);
        }
    }
    let mut lines = Vec::new();
    if audit.hosts.iter().any(|host| !host.services.is_empty()) {
        lines = table.lines(style);
        lines.push(String::new());
    }
    lines.extend(audit.hosts.iter().map(in_words));
    let problems = |host: &HostAudit| host.problems.len();
    for host in &audit.hosts {
        for problem in &host.problems {
            let text = problem.text();
            lines.push(format!("{} {}: {text}", style.bad("error:"), host.host));
        }
        if problems(host) > 0 {
            lines.push(format!(
                "{} cannot start like this. Move {folder} away, and what services with several replicas keep comes back from the other hosts; what others kept is lost then. Put a copy of {folder} from before back only if no service on it has several replicas: an old copy has forgotten what this host promised the others.",
                host.host,
                folder = host.folder.display()
            ));
        }
    }
    let hosts = output::count(audit.hosts.len(), "host");
    let problems = match audit.hosts.iter().map(problems).sum() {
        0 => "all is well".to_owned(),
        some => output::count(some, "problem"),
    };
    lines.push(format!("{}: {hosts}, {problems}", file.display()));
    lines.join("\n")
}

fn in_words(host: &HostAudit) -> String {
    let name = &host.host;
    if host.is_empty {
        return format!("{name} keeps nothing");
    }
    let log = host.log.as_ref().map_or("no log".to_owned(), |log| {
        let torn = match log.torn_bytes {
            0 => String::new(),
            bytes => format!(
                " ({} at its end were being written when the host was ended, and will be cut off)",
                output::size(bytes)
            ),
        };
        format!(
            "{} of {} of the log in {} are used{torn}",
            output::size(log.used_bytes),
            output::size(log.bytes),
            output::count(log.segments, "segment")
        )
    });
    let state = host
        .state_file_bytes
        .map_or("no state store".to_owned(), |bytes| {
            format!("the state store has {}", output::size(bytes))
        });
    format!("{name}: {log}, {state}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn healthy() -> HostAudit {
        HostAudit {
            host: "beta".into(),
            folder: "data/beta".into(),
            is_empty: false,
            log: Some(LogAudit {
                segments: 2,
                bytes: 64 << 20,
                used_bytes: 12 << 10,
                torn_bytes: 0,
            }),
            state_file_bytes: Some(1 << 20),
            services: vec![ServiceAudit {
                service: "order-queue".into(),
                position: 120,
                checkpoint: 100,
                keys: 42,
                bytes: 9_300,
                timers: 1,
                messages: 0,
                sessions: 20,
            }],
            problems: Vec::new(),
        }
    }

    #[test]
    fn a_line_for_each_service_and_each_host() {
        let empty = HostAudit {
            host: "alpha".into(),
            is_empty: true,
            log: None,
            state_file_bytes: None,
            services: Vec::new(),
            ..healthy()
        };
        let audit = Audit {
            ok: true,
            hosts: vec![empty, healthy()],
        };
        expect![[r#"
            HOST  SERVICE      POSITION  CHECKPOINT  KEYS    BYTES  TIMERS  MESSAGES  SESSIONS
            beta  order-queue       120         100    42  9.1 KiB       1         0        20

            alpha keeps nothing
            beta: 12.0 KiB of 64.0 MiB of the log in 2 segments are used, the state store has 1.0 MiB
            c.toml: 2 hosts, all is well"#]]
        .assert_eq(&text(Path::new("c.toml"), &audit, Style::PLAIN));
    }

    #[test]
    fn a_problem_is_named_with_its_place_and_the_way_out() {
        let mut host = healthy();
        host.services.clear();
        host.state_file_bytes = None;
        host.log = host.log.map(|log| LogAudit {
            torn_bytes: 1024,
            ..log
        });
        host.problems = vec![
            Problem {
                file: "data/beta/log/0000000001.log".into(),
                offset: Some(1536),
                what: "a damaged sector".into(),
            },
            Problem {
                file: "data/beta/state/state.redb".into(),
                offset: None,
                what: "the state store is missing".into(),
            },
        ];
        let audit = Audit {
            ok: false,
            hosts: vec![host],
        };
        expect![[r#"
            beta: 12.0 KiB of 64.0 MiB of the log in 2 segments are used (1.0 KiB at its end were being written when the host was ended, and will be cut off), no state store
            error: beta: data/beta/log/0000000001.log at byte 1536: a damaged sector
            error: beta: data/beta/state/state.redb: the state store is missing
            beta cannot start like this. Move data/beta away, and what services with several replicas keep comes back from the other hosts; what others kept is lost then. Put a copy of data/beta from before back only if no service on it has several replicas: an old copy has forgotten what this host promised the others.
            c.toml: 1 host, 2 problems"#]]
        .assert_eq(&text(Path::new("c.toml"), &audit, Style::PLAIN));
    }
}
