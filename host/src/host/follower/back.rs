//! The way back for all hosts from something that one of them has tried while it served.

use super::{FollowError, Follower};
use crate::control::registry::{Application, BY_HOST, Value};

impl Follower {
    /// Puts what this host runs in force again, in place of `revision`, which it has tried in vain.
    pub(super) async fn go_back(&self, revision: u64, reason: &str) -> Result<(), FollowError> {
        let (config, components) = match &self.taken.taken.value {
            Some(Value {
                config, components, ..
            }) => (config.clone(), components.clone()),
            None => self.own().await?,
        };
        let tried = self.registry.at(revision).await?;
        let changed = tried.map(|tried| {
            let others = tried
                .components
                .into_iter()
                .filter(|it| !components.contains(it));
            others.map(|it| it.service).collect::<Vec<_>>().join(", ")
        });
        let changed = changed.unwrap_or_default();
        let application = Application {
            base: revision,
            config,
            components,
            by: format!("{BY_HOST}{}", self.host),
            summary: format!("{changed}: as before, since on {}: {reason}", self.host),
        };
        self.propose(&application).await
    }
}
