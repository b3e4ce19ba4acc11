//! What a replica keeps on the disk: what the engine wants to be there, and what is not needed there any more.

use super::{Member, Output, Save, record};
use crate::replica::consensus::Consensus;
use crate::replica::identity::Position;
use crate::replica::mutant::Mutant;
use crate::replica::wit;
use bytes::Bytes;

/// What is on its way to the disk.
#[derive(Default)]
pub(super) struct Saves {
    /// The last save that was ordered.
    pub(super) ordered: u64,
    /// The last one that is durable.
    pub(super) durable: u64,
    /// A later one of the engine that needed nothing on the disk: it counts as durable with the last ordered one.
    pub(super) trailing: Option<u64>,
    /// What was ordered before the engine was last started: its own numbers begin after that.
    pub(super) base: u64,
}

impl<C: Consensus> Member<C> {
    pub(super) fn persisted(&mut self, token: u64, outputs: &mut Vec<Output>) {
        self.saves.durable = self.saves.durable.max(token);
        // Of an engine that failed since.
        let Some(mut known) = token
            .checked_sub(self.saves.base)
            .filter(|known| *known > 0)
        else {
            return;
        };
        if token >= self.saves.ordered
            && let Some(trailing) = self.saves.trailing.take()
        {
            known = trailing;
        }
        self.events.push(wit::Event::Persisted(known));
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
            if self.saves.durable >= self.saves.ordered {
                self.events.push(wit::Event::Persisted(token));
            } else {
                self.saves.trailing = Some(token);
            }
            return;
        }
        let records = entries.iter().map(record::encode).collect();
        self.engine.window_mut().append(entries);
        self.saves.trailing = None;
        self.saves.ordered = self.saves.base + token;
        outputs.push(Output::Save(Save {
            token: self.saves.ordered,
            identity: identity.map(|()| self.identity.to_bytes()),
            restart: install.map(|snapshot| snapshot.index),
            entries: records,
        }));
        if self.has(Mutant::SpeakFirst) {
            self.events.push(wit::Event::Persisted(token));
        }
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
