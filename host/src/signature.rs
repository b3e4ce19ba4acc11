//! Functions as those know them who call them and those who have them, which need not be the same.

use crate::codec::FunctionTypes;
use crate::dispatch::FunctionName;
use http::{HeaderValue, Uri};
use std::sync::Arc;

/// Where the calls of other hosts begin: `/call/SERVICE/INTERFACE.FUNCTION`.
pub const CALL_PATH: &str = "/call/";

/// A function of a service as one side of its calls knows it.
pub struct Signature {
    /// Shared with every invocation of it.
    pub name: Arc<FunctionName>,
    /// What goes in and what comes out.
    pub types: FunctionTypes,
    /// Hashes of both, as hosts tell one another.
    pub hash: HeaderValue,
    /// Where it is called on any other host.
    pub uri: Uri,
}

impl Signature {
    /// The function of this name of `service`; none if it cannot be named in a request.
    #[must_use]
    pub fn new(service: &str, name: FunctionName, types: FunctionTypes) -> Option<Self> {
        let (arguments, results) = types.hashes();
        Some(Self {
            hash: format!("{arguments}{results}").try_into().ok()?,
            uri: format!("https://peer{CALL_PATH}{service}/{name}")
                .parse()
                .ok()?,
            name: Arc::new(name),
            types,
        })
    }
}
