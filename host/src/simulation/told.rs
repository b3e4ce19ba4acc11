//! Tells the workload what is committed and what was seen, in the order in which it is so.

use super::history::{Caller, Cause, Made};
use super::workload::{Committed, Looked, Request};
use super::world::{Step, Stop, World, violated};
use crate::replica::wit::EntryKind;
use crate::state::GroupId;
use serde_json::Value;
use std::sync::Arc;

/// What a command that changed nothing saw.
pub(super) struct Sight {
    pub caller: Caller,
    pub request: Arc<Request>,
    pub time_ms: u64,
    pub result: Value,
}

/// A look at a state that may not be committed yet.
pub(super) struct Look {
    pub host: usize,
    pub group: GroupId,
    /// The last entry in it, and its term.
    pub seen: (u64, u64),
    pub sight: Sight,
}

impl World<'_> {
    /// Takes notice of what a replica has applied.
    pub(super) fn settle(&mut self, host: usize, group: GroupId) -> Step {
        loop {
            let Some(replica) = self.hosts[host].replica_mut(group) else {
                return Ok(());
            };
            if replica.applied >= replica.member.group().committed().2 {
                let last = replica.member.group().last_index();
                // What was seen above entries that were dropped will never be.
                let is_there =
                    |look: &Look| (look.host, look.group) != (host, group) || look.seen.0 <= last;
                self.looks.retain(is_there);
                return Ok(());
            }
            replica.applied += 1;
            let index = replica.applied;
            let Some(term) = replica.terms.get(&index).copied() else {
                return violated(format!(
                    "{} applies entry {index} of group {}, which it does not have",
                    self.names[host], group.0
                ));
            };
            self.applied(host, group, index, term)?;
        }
    }

    /// A replica has applied an entry; if it is the first one, that is what is committed.
    fn applied(&mut self, host: usize, group: GroupId, index: u64, term: u64) -> Step {
        let durable = &self.invariants.durable;
        let Some(replica) = self.hosts[host].replica(group) else {
            return Ok(());
        };
        let (id, roster) = (replica.member.id(), replica.member.roster());
        let is_durable = durable.applies(group, id, index, term);
        is_durable.map_err(Stop::Violated)?;
        let Some((name, history)) = self.histories.get_mut(&group) else {
            return violated("a group applies entries that nobody knows");
        };
        if index <= history.through {
            let known = history.term(index);
            if known == Some(term) {
                return Ok(());
            }
            return violated(format!(
                "{name} on {}: entry {index} of term {term} is applied, where one of term {known:?} was committed",
                self.names[host]
            ));
        }
        // A change counts from when its leader has applied it: what was under way by then may be committed by the members before. Majorities of both have
        // somebody in common, and the next change does not begin earlier.
        let members = history.members().map_err(Stop::Violated)?;
        let by = |members| durable.commits(group, members, index, term);
        let is_common = by(&members).or_else(|error| match &history.members_before {
            Some(before) => by(before),
            None => Err(error),
        });
        is_common.map_err(Stop::Violated)?;
        let Some(entry) = self.invariants.entries.get(group, index, term) else {
            return violated(format!("{name}: nobody knows entry {index} of term {term}"));
        };
        if entry.kind == EntryKind::Change {
            history.commit_change(term, &roster.to_bytes());
            return self.settle_looks(group, index);
        }
        let origin = self.origins.get(&(group, index, term)).cloned();
        let made = history
            .commit(term, &entry.data, origin)
            .map_err(|what| Stop::Violated(format!("{name}: {what}")))?;
        self.trace(&[u64::from(group.0), index, term]);
        if let Some(made) = made {
            self.report.entries += 1;
            self.committed(group, &made)?;
        }
        self.settle_looks(group, index)
    }

    fn committed(&mut self, group: GroupId, made: &Made) -> Step {
        let Some((name, _)) = self.histories.get(&group) else {
            return Ok(());
        };
        let (mut request, mut message, mut timer, mut reply) = (None, None, None, None);
        match &made.origin.cause {
            Cause::Client(caller, attempt, client) => {
                if self.denied.contains(&(caller.0, *attempt)) {
                    return violated(format!(
                        "{name}.{} took effect, although its caller was told that it did not",
                        client.function
                    ));
                }
                self.effects.insert((caller.0, *attempt));
                let results = self.results.entry(*caller).or_default();
                results.push(made.origin.result.clone());
                request = Some((caller.0, client.as_ref()));
            }
            Cause::Message {
                function,
                arguments,
                ..
            } => message = Some((function.as_str(), arguments.as_str())),
            // For those who call it, nothing changes.
            Cause::Migration => return Ok(()),
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
            result: &made.origin.result,
        };
        self.workload.committed(&committed).map_err(Stop::Violated)
    }

    /// A command that changed nothing has run. What it saw is told once everything that it saw is committed and nothing else; if more is committed
    /// already, its replica has been replaced as leader, and its caller must not hear of it.
    pub(super) fn looked(&mut self, look: Look) -> Step {
        let through = self
            .histories
            .get(&look.group)
            .map(|(_, history)| history.through);
        match through {
            Some(through) if through == look.seen.0 => self.look(look),
            Some(through) if through < look.seen.0 => {
                self.looks.push(look);
                Ok(())
            }
            Some(_) | None => Ok(()),
        }
    }

    fn look(&mut self, look: Look) -> Step {
        let Look {
            group, seen, sight, ..
        } = look;
        let Some((name, history)) = self.histories.get(&group) else {
            return Ok(());
        };
        if history.term(seen.0) != Some(seen.1) {
            return Ok(());
        }
        let looked = Looked {
            service: name,
            client: sight.caller.0,
            request: &sight.request,
            is_query: false,
            time_ms: sight.time_ms,
            result: &sight.result,
        };
        self.workload.looked(&looked).map_err(Stop::Violated)?;
        self.results
            .entry(sight.caller)
            .or_default()
            .push(sight.result);
        Ok(())
    }

    /// Tells of those who saw exactly what is committed now.
    fn settle_looks(&mut self, group: GroupId, index: u64) -> Step {
        let (now, later) = std::mem::take(&mut self.looks)
            .into_iter()
            .partition(|look| look.group == group && look.seen.0 == index);
        self.looks = later;
        let now: Vec<Look> = now;
        for look in now {
            self.look(look)?;
        }
        Ok(())
    }
}
