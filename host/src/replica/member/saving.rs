//! What a replica keeps on the disk: what the engine wants to be there, and what is not needed there any more.

use super::{Member, Output, Save, record};
use crate::replica::consensus::Consensus;
use crate::replica::identity::Position;
use crate::replica::mutant::Mutant;
use crate::replica::wit;
use bytes::Bytes;
use std::collections::VecDeque;

/// What is on its way to the disk. Saves have numbers of the member's own: the engine's begin anew when it is started again, and some are not of the engine.
#[derive(Default)]
pub(super) struct Saves {
    /// The last save that was ordered.
    ordered: u64,
    /// The last one that is durable.
    durable: u64,
    /// The last one that notes a change of the members.
    noted: u64,
    /// With which save, by our numbers, one of the engine's is durable. No longer than saves on their way, which the log bounds.
    of_engine: VecDeque<(u64, u64)>,
}

impl Saves {
    /// Orders the next one.
    pub(super) fn order(&mut self) -> u64 {
        self.ordered += 1;
        self.ordered
    }

    /// Whether nothing is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.durable >= self.ordered
    }

    /// The engine's save is durable with the last one that was ordered.
    fn tie(&mut self, token: u64) {
        match self.of_engine.back_mut() {
            Some((number, last)) if *number == self.ordered => *last = token,
            Some(_) | None => self.of_engine.push_back((self.ordered, token)),
        }
    }

    /// Everything up to this one is durable. The last of the engine's that is too, if it has not been told yet.
    fn persisted(&mut self, number: u64) -> Option<u64> {
        self.durable = self.durable.max(number);
        let mut known = None;
        while let Some((_, token)) = self.of_engine.pop_front_if(|(tied, _)| *tied <= number) {
            known = Some(token);
        }
        known
    }

    /// The engine that ordered them failed, and another one is not to be told of them.
    pub(super) fn forget_engine(&mut self) {
        self.of_engine.clear();
    }
}

impl<C: Consensus> Member<C> {
    pub(super) fn persisted(&mut self, number: u64, outputs: &mut Vec<Output>) {
        let Some(token) = self.saves.persisted(number) else {
            return;
        };
        self.events.push(wit::Event::Persisted(token));
        if self.has(Mutant::AnswerAlone) {
            let answers = self.group.take_answers();
            outputs.extend(answers.into_iter().map(Output::Group));
        }
    }

    /// Keeps what the engine wants to be kept, in memory at once and on the disk later.
    pub(super) fn save(&mut self, save: wit::Save, outputs: &mut Vec<Output>) {
        let wit::Save {
            token,
            hard,
            entries,
            install,
        } = save;
        let mut is_needed = !entries.is_empty() || install.is_some();
        let mut identity = None;
        if let Some(hard) = hard {
            // What is known to be committed may be behind: the others know.
            is_needed |=
                (hard.term, hard.vote) != (self.identity.hard.term, self.identity.hard.vote);
            if !self.has(Mutant::ForgetVote) {
                self.identity.hard = hard;
            }
            identity = Some(());
        }
        if let Some(snapshot) = &install {
            self.identity.start = Position {
                index: snapshot.index,
                term: snapshot.term,
            };
            self.identity.installing = None;
            self.restarting = None;
            identity = Some(());
        }
        if !is_needed {
            if self.saves.is_idle() {
                self.events.push(wit::Event::Persisted(token));
            } else {
                self.saves.tie(token);
            }
            return;
        }
        let records = entries.iter().map(record::encode).collect();
        self.engine.window_mut().append(entries);
        let number = self.saves.order();
        self.saves.tie(token);
        outputs.push(Output::Save(Save {
            token: number,
            identity: identity.map(|()| self.identity.to_bytes()),
            restart: install.map(|snapshot| snapshot.index),
            entries: records,
        }));
        if self.has(Mutant::SpeakFirst) {
            self.events.push(wit::Event::Persisted(token));
        }
    }

    /// Keeps that the members are others as of this entry. They count as soon as it is committed, and whoever has it and does not know that cannot elect anybody
    /// without those who had a vote before, who may be gone by then. Other entries need no such note: whoever is elected finds out about them.
    pub(super) fn note_change(&mut self, index: u64, outputs: &mut Vec<Output>) {
        if self.has(Mutant::ForgetMembers) {
            return;
        }
        let commit = &mut self.identity.hard.commit;
        *commit = index.max(*commit);
        self.saves.noted = self.saves.order();
        outputs.push(Output::Save(Save {
            token: self.saves.noted,
            identity: Some(self.identity.to_bytes()),
            restart: None,
            entries: Vec::new(),
        }));
    }

    /// Whether it would know its members after a loss of power.
    pub fn keeps_members(&self) -> bool {
        self.saves.noted <= self.saves.durable
    }

    /// Everything up to this entry is in the state store, and those who lag behind need no more of it either: the log may let go.
    /// Returns through which entry.
    pub fn compact(&mut self, folded: u64, keep_bytes: usize) -> (u64, Bytes) {
        let keep = if self.roster.hosts.len() > 1 {
            keep_bytes
        } else {
            0
        };
        let window = self.engine.window_mut();
        let through = window.trailing(keep).min(folded).max(window.first() - 1);
        let term = window.term(through).unwrap_or_default();
        if through >= window.first() {
            window.compact(through);
            self.events.push(wit::Event::Compacted(through));
        }
        self.identity.start = Position {
            index: through,
            term,
        };
        (through, self.identity.to_bytes())
    }
}
