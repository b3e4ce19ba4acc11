//! Beginning and ceasing to lead, and what becomes of entries that are not committed.

use super::super::event::{Action, Answer, Doubt, Refusal};
use super::super::mutant::Mutant;
use super::super::time::GroupTime;
use super::{Cause, Group, Waiting};

impl Group {
    /// From now on commands run here, timers go off, and messages leave.
    pub(super) fn lead(&mut self) {
        if self.leads() {
            return;
        }
        self.time = GroupTime::new(if self.has(Mutant::TrustClock) {
            0
        } else {
            self.meta.time_ms
        });
        self.speculative = Some(self.committed.clone());
    }

    /// Drops all that is under way.
    pub(super) fn follow(&mut self, actions: &mut Vec<Action>) {
        if !self.leads() {
            return;
        }
        self.doubt(Doubt::Deposed, actions);
        if !self.has(Mutant::KeepDeposed) {
            self.pending.clear();
        }
        self.pending_bytes = 0;
        self.speculative = None;
        self.is_closing = false;
        let running = self.running.take().map(|running| running.waiting);
        if running.is_some() {
            actions.push(Action::Abandon);
        }
        for waiting in running.into_iter().chain(self.queue.drain(..)) {
            if let Waiting::Command(id, _) = waiting {
                let answer = Answer::Refused(Refusal::NotLeading);
                actions.push(Action::Answer { id, answer });
            }
        }
        self.timers.reset();
        self.messages.reset();
    }

    /// For a deliberate bug: those who wait for entries are told that these are committed.
    pub(in crate::replica) fn take_answers(&mut self) -> Vec<Action> {
        let waiting = self
            .pending
            .iter_mut()
            .flat_map(|pending| pending.answers.drain(..));
        waiting
            .map(|(id, answer)| Action::Answer { id, answer })
            .collect()
    }

    /// Tells those who wait for entries that nobody here knows what becomes of them.
    pub(super) fn doubt(&mut self, doubt: Doubt, actions: &mut Vec<Action>) {
        let waiting = self
            .pending
            .iter_mut()
            .flat_map(|pending| pending.answers.drain(..));
        for (id, _) in waiting {
            let answer = Answer::Unsure(doubt);
            actions.push(Action::Answer { id, answer });
        }
    }

    /// Drops entries that did not get into the log.
    pub(super) fn refuse(&mut self, index: u64, actions: &mut Vec<Action>) {
        if self.has(Mutant::KeepRefused) {
            return;
        }
        let kept = self
            .pending
            .partition_point(|pending| pending.index < index);
        for pending in self.pending.split_off(kept) {
            self.pending_bytes -= pending.bytes;
            match &pending.cause {
                Cause::Command | Cause::Members => {}
                Cause::Timer(timer) => self.timers.release(timer),
                Cause::Reply(id) => self.messages.release(id),
            }
            // Also those that only read: they saw what is not so.
            for (id, _) in pending.answers {
                let answer = Answer::Refused(Refusal::NotLeading);
                actions.push(Action::Answer { id, answer });
            }
        }
        self.rebuild();
        if !self.has(Mutant::KeepStaleRun)
            && let Some(running) = &mut self.running
        {
            running.is_stale = true;
        }
    }

    /// Makes the speculative state anew above the committed one.
    pub(super) fn rebuild(&mut self) {
        let Some(speculative) = &mut self.speculative else {
            return;
        };
        *speculative = self.committed.clone();
        for pending in &self.pending {
            speculative.apply(pending.writes.iter().cloned());
        }
    }
}
