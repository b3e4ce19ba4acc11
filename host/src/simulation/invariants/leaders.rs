//! A term has at most one leader.

use super::at;
use crate::config::HostName;
use crate::state::GroupId;
use std::collections::BTreeMap;

/// Who leads in which term.
#[derive(Default)]
pub struct Leaders(BTreeMap<(GroupId, u64), HostName>);

impl Leaders {
    /// A replica says that it leads. Whether that is new.
    ///
    /// # Errors
    /// Another one does in that term.
    pub fn leads(&mut self, group: GroupId, term: u64, host: &HostName) -> Result<bool, String> {
        let mut is_new = false;
        let known = self.0.entry((group, term)).or_insert_with(|| {
            is_new = true;
            host.clone()
        });
        if known != host {
            return Err(format!(
                "{} leads in term {term}, in which {known} does",
                at(group, host)
            ));
        }
        Ok(is_new)
    }
}
