//! `GET /v1/logs`: the last lines of this host's log, or those after a sequence number, waiting for the first if asked to.

use crate::admin::{Admin, AdminError};
use crate::os::clock::sleep;
use crate::telemetry::log_ring::LogRecord;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Lines returned at once unless the request says less.
const LINES_MAX: usize = 10_000;
/// Longest wait for a new line; a follower asks again.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How often a waiting request looks for new lines.
const POLL: Duration = Duration::from_millis(50);
/// What the host's own lines are asked for by.
const HOST: &str = "host";

/// Lines of one service (`service=`, `host` for the host's own) or of all: the last `limit=`, or with `after=` the first ones after
/// that number, for which it waits up to `wait_ms=`. `next` is the number to go on after.
///
/// # Errors
/// [`AdminError::Invalid`]: not a number. [`AdminError::NotFound`]: no such service.
pub async fn read(admin: &Admin, query: &BTreeMap<String, String>) -> Result<Value, AdminError> {
    let service = query.get("service").map(String::as_str);
    if let Some(service) = service
        && service != HOST
        && admin.services.find(service).is_none()
    {
        return Err(AdminError::NotFound(format!(
            "no service {service} in the configuration"
        )));
    }
    let limit = number(query, "limit")?.and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(LINES_MAX).min(LINES_MAX);
    let wanted = |line: &LogRecord| {
        service.is_none_or(|service| line.service.as_deref().unwrap_or(HOST) == service)
    };
    let Some(after) = number(query, "after")? else {
        let ring = admin.log.lock();
        return Ok(json!({ "lines": ring.last(limit, wanted), "next": ring.last_sequence() }));
    };
    let wait = Duration::from_millis(number(query, "wait_ms")?.unwrap_or(0)).min(WAIT_MAX);
    let until = admin.os.clock.monotonic() + wait;
    loop {
        {
            let ring = admin.log.lock();
            let lines = ring.after(after, limit, wanted);
            if !lines.is_empty() || admin.os.clock.monotonic() >= until {
                // A cut-off answer goes on where it ended; a complete one goes on after everything that was looked at.
                let cut_off = lines.last().filter(|_| lines.len() == limit);
                let next = cut_off.map_or(ring.last_sequence(), |line| line.sequence);
                return Ok(json!({ "lines": lines, "next": next }));
            }
        }
        sleep(admin.os.clock.as_ref(), POLL).await;
    }
}

fn number(query: &BTreeMap<String, String>, key: &str) -> Result<Option<u64>, AdminError> {
    let parse = |text: &String| {
        let invalid = |_| AdminError::Invalid(format!("{key}={text} is not a whole number"));
        text.parse::<u64>().map_err(invalid)
    };
    query.get(key).map(parse).transpose()
}
