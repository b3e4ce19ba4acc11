//! Functions as callers on other hosts know them, where that is not as they are known here: a service was replaced, and not everywhere at once, or
//! it is called by one that was built against another version of its interface.

use super::FunctionType;
use crate::codec::{FunctionTypes, MessageType, Shape};
use crate::signature::Signature;
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Signatures that are kept: several versions of all functions of a large cluster. With one more all are forgotten, and told again with the next calls.
const SIGNATURES_MAX: usize = 1_024;

/// The types of a function, as one host tells another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Name and type of each parameter.
    pub arguments: Vec<(String, Shape)>,
    /// None or one, without a name.
    pub results: Vec<(String, Shape)>,
}

impl Told {
    /// What to tell of a function.
    #[must_use]
    pub fn of(types: &FunctionTypes) -> Self {
        Self {
            arguments: types.arguments.parts().to_vec(),
            results: types.results.parts().to_vec(),
        }
    }
}

/// What was told.
#[derive(Default)]
pub struct Foreign(Mutex<HashMap<(String, HeaderValue), Arc<Signature>>>);

impl Foreign {
    /// The function of a service as a caller knows it whose types have this hash; none if nobody has told.
    #[must_use]
    pub fn get(
        &self,
        service: &str,
        own: &FunctionType,
        hash: &HeaderValue,
    ) -> Option<Arc<Signature>> {
        let key = (format!("{service}/{}", own.name), hash.clone());
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&key).cloned()
    }

    /// Remembers what a host tells of a function of a service.
    pub fn learn(&self, service: &str, own: &FunctionType, told: Told) {
        let types = FunctionTypes {
            arguments: MessageType::new(told.arguments),
            results: MessageType::new(told.results),
        };
        let Some(signature) = Signature::new(service, (*own.name).clone(), types) else {
            return;
        };
        let key = (format!("{service}/{}", own.name), signature.hash.clone());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= SIGNATURES_MAX {
            known.clear();
        }
        known.insert(key, Arc::new(signature));
    }
}
