//! A replica gives its vote to one candidate in a term.

use super::at;
use crate::config::HostName;
use crate::replica::wit::{Message, MessageKind};
use crate::state::GroupId;
use std::collections::BTreeMap;

/// Votes, by group, replica and term.
#[derive(Default)]
pub struct Promises(BTreeMap<(GroupId, u64, u64), u64>);

impl Promises {
    /// A replica sends a message.
    ///
    /// # Errors
    /// It votes a second time.
    pub fn sends(
        &mut self,
        group: GroupId,
        host: &HostName,
        message: &Message,
    ) -> Result<(), String> {
        if message.kind != MessageKind::VoteResponse || message.reject {
            return Ok(());
        }
        let vote = (group, message.from, message.term);
        let known = *self.0.entry(vote).or_insert(message.to);
        if known != message.to {
            return Err(format!(
                "{} votes for replica {} in term {}, and has voted for {known}",
                at(group, host),
                message.to,
                message.term
            ));
        }
        Ok(())
    }
}
