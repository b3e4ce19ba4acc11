//! The file that `run` was given, and what is in force: a file that was edited since is put in force, after showing what that changes.

use crate::admin::registry::ControlPart;
use crate::cli::admin::Admin;
use crate::cli::apply::{Proposal, WITHIN, lines};
use crate::cli::failure::Failure;
use crate::cli::output::Style;
use crate::control::difference::Losses;
use crate::control::registry::Value;
use crate::os::clock::sleep;
use crate::os::{Os, console};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// How often the cluster is asked for its first value.
const POLL: Duration = Duration::from_millis(200);
/// When the cluster is up its groups need an election at most, and then the first value.
const FIRST_VALUE_MAX: Duration = Duration::from_secs(30);

/// Puts the file at `path` in force if it never was, by the host with this admin address, and says what came of it.
pub async fn put_in_force(path: &Path, admin: SocketAddr, os: &Os) {
    let said = match compare(path, Admin::at(admin), os).await {
        Ok(Some(said)) => said,
        Ok(None) => return,
        Err(failure) => format!(
            "{} was not put in force, and the hosts run on with what is:\n{}",
            path.display(),
            failure.messages().join("\n")
        ),
    };
    console::line(&said);
}

async fn compare(path: &Path, admin: Admin, os: &Os) -> Result<Option<String>, Failure> {
    let (state, current) = in_force(&admin, os).await?;
    let proposal = Proposal::read(path, os)?;
    if proposal.is(&current) {
        return Ok(None);
    }
    let before = state
        .history
        .iter()
        .filter(|it| it.revision != current.revision && it.has_config);
    for entry in before {
        let at = format!("/v1/control/revisions/{}", entry.revision);
        let value: Value = admin.get(os, &at, WITHIN).await?;
        if proposal.is(&value) {
            let file = path.display();
            return Ok(Some(format!(
                "{file} is revision {}; revision {}, by {}, is in force. To go back: bookshop-host apply {file}",
                value.revision, current.revision, current.applied_by
            )));
        }
    }
    let changes = proposal.changes(&current, Losses::Refused)?;
    let shown = lines(
        &changes,
        &proposal.config,
        Some(&current),
        Style::of_stderr(),
    );
    let file = path.display();
    let since = format!(
        "{file} is not what is in force (revision {}):",
        current.revision
    );
    console::line(&format!("{since}\n{}", shown.join("\n")));
    let put = proposal.put_in_force(current.revision, &changes, Losses::Refused, &admin, os);
    let revision = put.await?;
    Ok(Some(format!(
        "revision {revision} is in force; the hosts take it up one after another"
    )))
}

/// What is in force, once something is.
async fn in_force(admin: &Admin, os: &Os) -> Result<(ControlPart, Value), Failure> {
    let until = os.clock.monotonic().saturating_add(FIRST_VALUE_MAX);
    loop {
        let state: Result<ControlPart, Failure> = admin.get(os, "/v1/control", WITHIN).await;
        let is_late = os.clock.monotonic() >= until;
        match state {
            Ok(mut state) => match state.current.take() {
                Some(current) => return Ok((state, current)),
                None if is_late => {
                    let reason = "the cluster's state has no first value; the log says why";
                    return Err(Failure::failed(reason));
                }
                None => {}
            },
            Err(failure) if is_late => return Err(failure),
            Err(_) => {}
        }
        sleep(os.clock.as_ref(), POLL).await;
    }
}
