//! From which entry on a state is new enough: one question to the others for all who want to know.

use super::{Member, Output};
use crate::replica::consensus::Consensus;
use crate::replica::event::{Action, Answer, CommandId, Refusal};
use crate::replica::mutant::Mutant;
use crate::replica::time::Now;
use crate::replica::wit;
use std::mem;
use std::time::Duration;

/// Questions of callers that one question to the others stands for, at most. They are cheap, so this only bounds a list.
const READS_MAX: usize = 10_000;

/// How long those who come wait for the answer to the question before theirs. Asked together they cost one question; but the answer may be lost, and comes
/// with a heartbeat then.
const QUESTION_TIME: Duration = Duration::from_millis(10);

/// Who wants to know what is committed.
#[derive(Clone, Copy)]
pub(super) enum Asker {
    /// A caller, by its number.
    Caller(u64),
    /// A command that changed nothing.
    Command(CommandId),
}

impl Asker {
    /// Nobody can say; nothing was executed.
    pub(super) fn failed(self) -> Output {
        match self {
            Self::Caller(caller) => Output::ReadFailed(caller),
            Self::Command(id) => Output::Group(Action::Answer {
                id,
                answer: Answer::Refused(Refusal::NotLeading),
            }),
        }
    }
}

impl<C: Consensus> Member<C> {
    pub(super) fn read(&mut self, caller: u64, outputs: &mut Vec<Output>) {
        let waiting = self.asking.len() + self.reading.len();
        if self.has(Mutant::ReadLocally) || self.told.serves && self.roster.is_alone(self.id()) {
            outputs.push(Output::ReadReady(caller, self.group.committed().2));
        } else if waiting >= READS_MAX || self.broken.is_some() {
            outputs.push(Output::ReadFailed(caller));
        } else {
            self.asking.push(Asker::Caller(caller));
        }
    }

    /// When the callers that came since the last question may be asked for; none if there are none.
    pub(super) fn next_question(&self) -> Option<Duration> {
        if self.asking.is_empty() {
            None
        } else if self.asked.is_empty() {
            Some(Duration::ZERO)
        } else {
            Some(self.asked_at.saturating_add(QUESTION_TIME))
        }
    }

    /// Asks the engine one question for all callers that came since the last one.
    pub(super) fn ask(&mut self, now: Now) {
        if self.next_question().is_some_and(|at| at <= now.monotonic) {
            self.asked_at = now.monotonic;
            self.next_question += 1;
            let callers = mem::take(&mut self.asking);
            self.asked.insert(self.next_question, callers);
            self.events.push(wit::Event::Read(self.next_question));
        }
    }

    pub(super) fn answer_reads(&mut self, outputs: &mut Vec<Output>) {
        let index = self.group.committed().2;
        let mut waiting = mem::take(&mut self.reading);
        waiting.retain(|(needed, asker)| {
            let is_ready = *needed <= index;
            if is_ready {
                outputs.push(match *asker {
                    Asker::Caller(caller) => Output::ReadReady(caller, index),
                    Asker::Command(id) => Output::Group(Action::Answer {
                        id,
                        answer: Answer::Own,
                    }),
                });
            }
            !is_ready
        });
        self.reading = waiting;
    }

    /// What commands saw that changed nothing may be older than what the next leader commits: its word about now says nothing about then.
    pub(super) fn forget_commands(&mut self, outputs: &mut Vec<Output>) {
        let mut forget = |asker: &Asker| {
            let is_command = matches!(asker, Asker::Command(_));
            if is_command {
                outputs.push(asker.failed());
            }
            !is_command
        };
        self.asking.retain(&mut forget);
        for askers in self.asked.values_mut() {
            askers.retain(&mut forget);
        }
        self.reading.retain(|(_, asker)| forget(asker));
    }
}
