//! From something that waits to an entry: what is run, and what is made of how it ended.

use super::super::draft::Draft;
use super::super::entry::{ENTRY_BYTES_MAX, Entry, Kind, write_bytes};
use super::super::event::{Action, Answer, Job, Outcome, Refusal};
use super::super::keyspace::MessageId;
use super::super::mutant::Mutant;
use super::super::sessions::{self, Found};
use super::super::time::Now;
use super::super::work::Effects;
use super::super::{messages, timers};
use super::{Cause, Group, GroupError, PENDING_BYTES_MAX, Pending, Running, Waiting};

impl Group {
    /// Begins what waits, if nothing runs.
    pub(super) fn run(&mut self, now: Now, actions: &mut Vec<Action>) -> Result<(), GroupError> {
        while self.running.is_none() && self.pending_bytes < PENDING_BYTES_MAX {
            let Some(waiting) = self.queue.pop_front() else {
                return Ok(());
            };
            self.begin(now, waiting, actions)?;
        }
        Ok(())
    }

    fn begin(
        &mut self,
        now: Now,
        waiting: Waiting,
        actions: &mut Vec<Action>,
    ) -> Result<(), GroupError> {
        let Some(view) = &self.speculative else {
            return Ok(());
        };
        let meta = self.speculative_meta();
        let time_ms = self.time.at(now);
        let job = match &waiting {
            Waiting::Command(id, key) => {
                if let Some(key) = key {
                    let answer = match sessions::find(view, key)? {
                        Found::New => None,
                        Found::Answered(recorded) => Some(Answer::Recorded(recorded)),
                        Found::Reused => Some(Answer::Refused(Refusal::KeyReused)),
                        Found::Expired => Some(Answer::Refused(Refusal::KeyExpired)),
                    };
                    if let Some(answer) = answer {
                        self.answer(*id, answer, actions);
                        return Ok(());
                    }
                }
                let keeps_answer = key.is_some();
                Job::Command {
                    id: *id,
                    keeps_answer,
                }
            }
            Waiting::Timer(timer) => match timers::read(view, timer)? {
                Some((key, payload)) => Job::Timer { key, payload },
                // Cancelled or set anew by something that is not committed yet; whether it goes off is known when that is.
                None => {
                    self.timers.failed(timer, now.monotonic);
                    return Ok(());
                }
            },
            Waiting::Reply(id) => {
                let Some(message) = messages::read(view, *id)? else {
                    self.messages.remove(id);
                    return Ok(());
                };
                Job::Reply {
                    id: *id,
                    tag: message.tag,
                }
            }
        };
        let view = view.clone();
        self.running = Some(Running {
            waiting,
            time_ms,
            is_stale: false,
        });
        actions.push(Action::Run {
            job,
            view,
            meta,
            time_ms,
        });
        Ok(())
    }

    pub(super) fn ran(
        &mut self,
        now: Now,
        outcome: Outcome,
        actions: &mut Vec<Action>,
    ) -> Result<(), GroupError> {
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        match outcome {
            Outcome::Failed => match running.waiting {
                Waiting::Command(..) => {}
                Waiting::Timer(timer) => self.timers.failed(&timer, now.monotonic),
                // The answer is asked for again, and is the same: the callee has seen the key.
                Waiting::Reply(id) => self.messages.failed(&id, now.monotonic),
            },
            Outcome::Done { .. } if running.is_stale => self.queue.push_front(running.waiting),
            Outcome::Done {
                effects,
                answer,
                version,
            } => self.make_entry(&running, effects, answer, version, actions)?,
        }
        Ok(())
    }

    /// Makes an entry of what ran.
    fn make_entry(
        &mut self,
        running: &Running,
        effects: Effects,
        answer: Option<sessions::Recorded>,
        version: [u8; 8],
        actions: &mut Vec<Action>,
    ) -> Result<(), GroupError> {
        let (kind, cause) = match &running.waiting {
            Waiting::Command(id, None) if effects.is_empty() => {
                if self.pending.is_empty() && !self.is_alone && !self.has(Mutant::TrustLead) {
                    actions.push(Action::Confirm(*id));
                } else {
                    self.answer(*id, Answer::Own, actions);
                }
                return Ok(());
            }
            Waiting::Command(..) => (Kind::Command, Cause::Command),
            Waiting::Timer(timer) => (Kind::Timer, Cause::Timer(timer.clone())),
            Waiting::Reply(id) => (Kind::Reply, Cause::Reply(*id)),
        };
        let index = self.last_index() + 1;
        let Some(speculative) = &self.speculative else {
            return Ok(());
        };
        let mut draft = Draft::new(speculative, self.speculative_meta());
        draft.meta.time_ms = draft.meta.time_ms.max(running.time_ms);
        draft.meta.data_bytes = effects.data_bytes;
        draft.meta.form = effects.form.unwrap_or(draft.meta.form);
        draft.extend(effects.writes);
        match &running.waiting {
            Waiting::Command(_, key) => {
                if let (Some(key), Some(answer)) = (key, &answer)
                    && !self.has(Mutant::ForgetSession)
                {
                    let bounds = self.options.sessions;
                    sessions::record(&mut draft, key, answer, running.time_ms, bounds)?;
                    if self.has(Mutant::ForgetExpired) {
                        sessions::forget(&mut draft, u64::MAX, bounds)?;
                    }
                }
            }
            Waiting::Timer(timer) => {
                if !self.has(Mutant::KeepTimer) {
                    timers::end(&mut draft, timer)?;
                }
            }
            Waiting::Reply(id) => messages::end(&mut draft, *id)?,
        }
        for (key, alarm) in effects.timers {
            timers::change(&mut draft, &key, alarm)?;
        }
        for (ordinal, message) in (0..).zip(effects.messages) {
            messages::begin(&mut draft, MessageId { index, ordinal }, &message);
        }
        let (writes, meta) = draft.finish();
        let bytes: usize = writes.iter().map(write_bytes).sum();
        if bytes > ENTRY_BYTES_MAX {
            self.too_large(running, bytes, actions);
            return Ok(());
        }
        let entry = Entry {
            kind,
            time_ms: running.time_ms,
            version,
            writes,
        };
        actions.push(Action::Append {
            index,
            entry: entry.to_bytes(),
        });
        if let Some(speculative) = &mut self.speculative {
            speculative.apply(entry.writes.iter().cloned());
        }
        self.pending_bytes += bytes;
        self.pending.push_back(Pending {
            index,
            bytes,
            meta,
            writes: entry.writes,
            cause,
            answers: Vec::new(),
        });
        if let Waiting::Command(id, _) = running.waiting {
            self.answer(id, Answer::Own, actions);
        }
        Ok(())
    }

    fn too_large(&mut self, running: &Running, bytes: usize, actions: &mut Vec<Action>) {
        match &running.waiting {
            Waiting::Command(id, _) => {
                let answer = Answer::Refused(Refusal::TooLarge { bytes });
                self.answer(*id, answer, actions);
            }
            // The guest's own bounds are lower than this one, so a handler does not get here; if it did, it is tried again.
            Waiting::Timer(timer) => self.timers.release(timer),
            Waiting::Reply(id) => self.messages.release(id),
        }
    }
}
