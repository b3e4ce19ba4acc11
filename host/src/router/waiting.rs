//! Waiting for a replicated service to change, here or on the host that has its state.

use super::Router;
use crate::call_error::CallError;
use crate::dispatch::Wait;
use std::sync::Arc;

impl Router {
    pub(super) async fn wait_for(self: Arc<Self>, wait: Wait) -> Result<u64, CallError> {
        let Some(slot) = self.services.find(&wait.service) else {
            return Err(CallError::NotFound {
                service: wait.service,
                message: "no such service".into(),
            });
        };
        if slot.service.config.replicated.is_none() {
            return Err(CallError::Incompatible {
                service: wait.service,
                message: "its state is not replicated, so it has no position to wait for".into(),
            });
        }
        match &slot.service.published {
            Some(published) => {
                let (waits, clock) = (&self.services.waits, self.os.clock.as_ref());
                waits
                    .beyond(&wait.service, published, wait.after, wait.timeout, clock)
                    .await
            }
            None => self.outgoing.wait(slot, &wait).await,
        }
    }
}
