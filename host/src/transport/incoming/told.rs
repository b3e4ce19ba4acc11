//! What other hosts tell of the types that they call functions with.

use super::{FIRST_MESSAGE_TIMEOUT, Incoming, malformed};
use crate::call_error::CallError;
use crate::os::clock::{Elapsed, timeout};
use crate::payload::Body;
use crate::services::foreign::Told;
use crate::transport::message::{self, TYPES_PATH};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming as Arriving;

/// The types of a function have at most a mebibyte of structure for each message; as JSON that is a few times as much.
const TOLD_BYTES_MAX: usize = 8 << 20;

impl Incoming {
    pub(super) async fn told(
        &self,
        request: Request<Arriving>,
    ) -> Result<Response<Body>, CallError> {
        let path = request.uri().path()[TYPES_PATH.len()..].to_owned();
        let (slot, function) = self.find(&path)?;
        let read = Limited::new(request.into_body(), TOLD_BYTES_MAX).collect();
        let bytes = timeout(self.os.clock.as_ref(), FIRST_MESSAGE_TIMEOUT, read)
            .await
            .map_err(|Elapsed| malformed("the types do not end".into()))?
            .map_err(|error| malformed(format!("the types cannot be read: {error}")))?
            .to_bytes();
        let told: Told = serde_json::from_slice(&bytes).map_err(|error| {
            malformed(format!("the types are not what is expected here: {error}"))
        })?;
        self.services
            .foreign
            .learn(&slot.service.name, &function, told);
        Ok(Response::new(message::full(Bytes::new())))
    }
}
