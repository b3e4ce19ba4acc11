//! What a checkpoint takes out of a group, and gives back.

use super::super::mutant::Mutant;
use super::Group;
use crate::state::{Base, Layer};

impl Group {
    /// Takes what came since the last checkpoint out, to be folded into the state store as of the returned index. None if nothing did.
    /// [`folded`](Self::folded) has to follow before this may be called again.
    pub fn freeze(&mut self) -> Option<(u64, Layer)> {
        if self.committed.recent().is_empty() {
            return None;
        }
        if self.has(Mutant::FoldUncommitted)
            && let (Some(pending), Some(speculative)) = (self.pending.back(), &self.speculative)
        {
            let (index, layer) = (pending.index, speculative.recent().clone());
            self.committed.freeze();
            self.rebuild();
            return Some((index, layer));
        }
        let layer = self.committed.freeze();
        self.rebuild();
        Some((self.index, layer))
    }

    /// What [`freeze`](Self::freeze) gave is in the state store.
    pub fn folded(&mut self, base: Base) {
        drop(self.committed.folded(base.clone()));
        if let Some(speculative) = &mut self.speculative {
            drop(speculative.folded(base));
        }
    }

    /// What [`freeze`](Self::freeze) gave could not be folded: it counts as recent again.
    pub fn unfreeze(&mut self) {
        self.committed.unfreeze();
        self.rebuild();
    }
}
