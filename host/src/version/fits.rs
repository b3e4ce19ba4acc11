//! How a function is called by those who know it with other types.

use crate::codec::{FunctionTypes, TypeHash};
use crate::compat::{self, Fit, Mismatch};
use std::sync::{Arc, Mutex, PoisonError};

/// Callers' types that are remembered for one function: a few versions of each of its callers. The oldest is forgotten for another.
const FITS_MAX: usize = 64;

/// What was found out about one set of types.
type Known = ((TypeHash, TypeHash), Result<Arc<Fit>, Mismatch>);

/// What callers' types come to, for one function of one version.
#[derive(Default)]
pub struct Fits(Mutex<Vec<Known>>);

impl Fits {
    /// How the function with these types is called by a caller that knows it with those; none if they are the same.
    ///
    /// # Errors
    /// The first place where they do not fit.
    pub fn find(
        &self,
        own: &FunctionTypes,
        caller: &FunctionTypes,
    ) -> Result<Option<Arc<Fit>>, Mismatch> {
        if own.is_same(caller) {
            return Ok(None);
        }
        let hashes = caller.hashes();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, fit)) = known.iter().find(|(other, _)| *other == hashes) {
            return fit.clone().map(Some);
        }
        let fit = compat::fit(caller, own).map(Arc::new);
        if known.len() >= FITS_MAX {
            drop(known.remove(0));
        }
        known.push((hashes, fit.clone()));
        fit.map(Some)
    }
}
