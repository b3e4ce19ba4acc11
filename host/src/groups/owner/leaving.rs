//! A replica takes part no more: it was removed, its host got another one meanwhile, or what it has is wrong. It keeps what it has until the group takes it in again.

use super::{Ended, Owner};
use crate::call_error::CallError;
use crate::groups::handle::Request;
use crate::groups::journal::Order;
use crate::replica::identity::{Birth, Identity};
use crate::replica::member::MemberError;
use tokio::sync::oneshot;

impl Owner {
    /// Takes part no more, for this reason.
    pub(super) fn leaves(&mut self, reason: &str) {
        if self.is_leaving {
            return;
        }
        self.is_leaving = true;
        let line = format!(
            "the replica of {} on this host, number {}, takes part no more: {reason}",
            self.parts.name,
            self.member.id()
        );
        self.parts.log.warn(None, &line);
    }

    /// Whether nobody relies on it any more. If it leads another one is asked to first; if none does, the others have to elect one.
    pub(super) fn has_let_go(&mut self) -> Result<bool, MemberError> {
        if !self.member.group().leads() || self.was_asked_to_hand_over {
            return Ok(self.handover.is_none());
        }
        self.was_asked_to_hand_over = true;
        let (reply, _) = oneshot::channel();
        self.take(Request::HandOver(reply))?;
        Ok(self.handover.is_none())
    }

    /// Notes that it takes part no more, and tells whoever waits for it.
    pub(super) async fn leave(&mut self) -> Ended {
        let identity = Identity {
            birth: Birth::Removed,
            ..self.member.identity().clone()
        };
        let (done, recorded) = oneshot::channel();
        let record = Order::Record(self.parts.id, identity.to_bytes(), done);
        self.parts.journal.order(record);
        if recorded.await.is_err() {
            return self.log_ended();
        }
        self.parts.origin.identity = Some(identity);
        self.running = None;
        for waiting in std::mem::take(&mut self.commands).into_values() {
            let error = CallError::Unavailable {
                service: self.name(),
                message: "its replica on this host was removed".into(),
                maybe_executed: true,
            };
            // Whoever asked may have gone.
            let _ = waiting.command.reply.send(Err(error));
        }
        Ended::Removed
    }
}
