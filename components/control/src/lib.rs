//! Keeps the state of a cluster itself: the file in force, those before it, and how far each host is with it.
//!
//! Built into the host (`host/build.rs`), which runs it as the replicated service `control` and is the only one to call it. It knows nothing of what a
//! file says: whoever applies one has checked it. Everything is in the host's storage.

#[allow(
    unsafe_code,
    missing_docs,
    reason = "generated: values cross the component's border as raw memory, and the documentation is in the WIT"
)]
mod bindings;
mod bounds;
mod registry;
mod stored;
mod turns;

use bindings::bookshop::platform::context;
use bindings::exports::bookshop::control::registry::{
    Component, Guest, Outcome, Refusal, RevisionEntry, Standing, Turn, TurnRefusal, Value,
};
use keys::Storage;
use registry::Registry;
use turns::Turns;

/// The component.
pub struct Service;

impl Guest for Service {
    fn current() -> Option<Value> {
        Registry::new(&Storage).current()
    }

    fn history(limit: u32) -> Vec<RevisionEntry> {
        Registry::new(&Storage).history(limit)
    }

    fn at(revision: u64) -> Option<Value> {
        Registry::new(&Storage).at(revision)
    }

    fn apply(
        base: u64,
        config: String,
        components: Vec<Component>,
        by: String,
        summary: String,
    ) -> Result<u64, Refusal> {
        host().map_err(Refusal::NotAllowed)?;
        let applied = registry::Applied {
            config,
            components,
            by,
            summary,
        };
        Registry::new(&Storage).apply(base, applied, context::now_ms())
    }

    fn take_turn(host_name: String, revision: u64) -> Result<(), TurnRefusal> {
        host().map_err(TurnRefusal::NotAllowed)?;
        let current = Registry::new(&Storage).revision();
        Turns::new(&Storage).take(&host_name, revision, current, context::now_ms())
    }

    fn report(host_name: String, revision: u64, outcome: Outcome) -> bool {
        if host().is_err() {
            return false;
        }
        Turns::new(&Storage).report(&host_name, revision, outcome, context::now_ms())
    }

    fn standings() -> Vec<Standing> {
        Turns::new(&Storage).standings()
    }

    fn current_turn() -> Option<Turn> {
        Turns::new(&Storage).current(context::now_ms())
    }
}

/// Whether a host itself calls. No service, certificate or entrance has a colon in its name, so nobody else is called so.
fn host() -> Result<(), String> {
    let caller = context::caller();
    if caller.starts_with("control:") {
        Ok(())
    } else {
        Err(caller)
    }
}
