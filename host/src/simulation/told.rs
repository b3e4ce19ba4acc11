//! Tells the workload what is committed and what was seen, in the order in which it is so.

use super::history::Cause;
use super::workload::{Committed, Looked};
use super::world::{Step, Stop, World, violated};
use crate::state::GroupId;

impl World<'_> {
    /// Tells the workload of entries that are committed for good.
    pub(super) fn settle_history(&mut self, group: GroupId, index: u64) -> Step {
        loop {
            let Some((name, history)) = self.histories.get_mut(&group) else {
                return Ok(());
            };
            let made = history
                .commit(index)
                .map_err(|what| Stop::Violated(format!("{name}: {what}")))?;
            let Some(made) = made else { return Ok(()) };
            self.report.entries += 1;
            let (mut request, mut message, mut timer, mut reply) = (None, None, None, None);
            match &made.cause {
                Cause::Client(caller, client) => {
                    if self.denied.contains(caller) {
                        return violated(format!(
                            "{name}.{} took effect, although its caller was told that it did not",
                            client.function
                        ));
                    }
                    self.results.insert(*caller, made.result.clone());
                    request = Some((caller.0, client.as_ref()));
                }
                Cause::Message {
                    function,
                    arguments,
                    ..
                } => message = Some((function.as_str(), arguments.as_str())),
                Cause::Timer(key) => timer = Some(key.as_str()),
                Cause::Reply { tag, .. } => reply = Some(tag.as_str()),
            }
            let committed = Committed {
                service: name,
                index: made.index,
                kind: made.kind,
                time_ms: made.time_ms,
                request,
                message,
                timer,
                reply,
                result: &made.result,
            };
            self.workload
                .committed(&committed)
                .map_err(Stop::Violated)?;
            self.settle_looks(group)?;
        }
    }

    /// Tells the workload what commands saw that changed nothing, once everything that they saw is committed and nothing else.
    pub(super) fn settle_looks(&mut self, group: GroupId) -> Step {
        let member = self
            .node
            .as_mut()
            .and_then(|node| node.members.get_mut(&group));
        let (Some(member), Some((name, history))) = (member, self.histories.get(&group)) else {
            return Ok(());
        };
        let seen = member
            .commands
            .values_mut()
            .filter(|pending| pending.seen <= history.through);
        for sight in seen.filter_map(|pending| pending.looked.take()) {
            let looked = Looked {
                service: name,
                client: sight.caller.0,
                request: &sight.request,
                time_ms: Some(sight.time_ms),
                result: &sight.result,
            };
            self.workload.looked(&looked).map_err(Stop::Violated)?;
            self.results.insert(sight.caller, sight.result);
        }
        Ok(())
    }
}
