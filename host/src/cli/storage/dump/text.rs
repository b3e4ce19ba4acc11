//! What a host keeps, for people.

use super::{Dump, EntryDump, Listed, ServiceDump};
use crate::cli::output::{self, Style};

/// Longest part of a key, a value or arguments that is printed, in characters; `--json` has all of it.
const CHARACTERS_MAX: usize = 160;

/// All of it, one thing a line.
pub fn text(dump: &Dump, style: Style) -> String {
    let mut lines = Vec::new();
    for service in &dump.services {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        add(service, style, &mut lines);
    }
    for problem in &dump.problems {
        lines.push(format!(
            "{} {}: {}",
            style.bad("error:"),
            dump.host,
            problem.text()
        ));
    }
    if lines.is_empty() {
        lines.push(format!("{} keeps nothing", dump.host));
    }
    lines.join("\n")
}

fn add(service: &ServiceDump, style: Style, lines: &mut Vec<String>) {
    lines.push(format!(
        "{}: position {}, checkpoint {}, {} at {}",
        style.bold(&service.service),
        service.position,
        service.checkpoint,
        output::size(service.meta.data_bytes),
        service.meta.time
    ));
    section("keys", &service.keys, lines, |pair| {
        vec![format!(
            "{} = {} ({})",
            pair.key.line(CHARACTERS_MAX),
            pair.value.line(CHARACTERS_MAX),
            output::size(pair.bytes as u64)
        )]
    });
    section("timers", &service.timers, lines, |timer| {
        let (key, payload) = (
            timer.key.line(CHARACTERS_MAX),
            timer.payload.line(CHARACTERS_MAX),
        );
        vec![format!("{} {key}, payload {payload}", timer.due)]
    });
    section("messages", &service.messages, lines, |message| {
        let arguments = super::Readable::from(message.arguments.as_bytes());
        vec![format!(
            "{} to {} {} {}, tag {:?}",
            message.id,
            message.service,
            message.function,
            arguments.line(CHARACTERS_MAX),
            message.tag
        )]
    });
    section("sessions", &service.sessions, lines, |session| {
        let answer = match (&session.answered, session.answer_bytes) {
            (Some(at), Some(bytes)) => format!("answered {at}, {}", output::size(bytes as u64)),
            _ => "used; its answer is no longer kept".to_owned(),
        };
        vec![format!("{} {answer}", session.key_hash)]
    });
    if let Some(entries) = &service.entries {
        section("entries", entries, lines, entry);
    }
}

fn entry(entry: &EntryDump) -> Vec<String> {
    let EntryDump {
        index,
        term,
        kind,
        time,
        version,
        writes,
    } = entry;
    let mut line = format!("{index} {kind}, term {term}");
    if let (Some(time), Some(version)) = (time, version) {
        line += &format!(", {time}, component {version}");
    }
    let mut lines = vec![line];
    for write in writes {
        let key = write.key.line(CHARACTERS_MAX);
        let value = match &write.value {
            Some(value) => format!("= {}", value.line(CHARACTERS_MAX)),
            None => "deleted".to_owned(),
        };
        lines.push(format!("  {} {key} {value}", write.kind));
    }
    lines
}

fn section<T>(
    heading: &str,
    listed: &Listed<T>,
    lines: &mut Vec<String>,
    show: impl Fn(&T) -> Vec<String>,
) {
    let shown = listed.shown.len() as u64;
    if listed.total == 0 {
        return;
    }
    lines.push(if shown < listed.total {
        format!("{heading}: {shown} of {}; --limit shows more", listed.total)
    } else {
        format!("{heading}: {shown}")
    });
    let all = listed.shown.iter().flat_map(show);
    lines.extend(all.map(|line| format!("  {line}")));
}
