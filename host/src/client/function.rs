//! A function that is called with values: its types are asked for once, and each call carries bytes only.

use super::exchange::{self, Content};
use super::{CallOptions, Client, ClientError, TYPE_HEADER};
use crate::codec::{MessageType, Shape};
use serde::Deserialize;
use std::sync::Arc;
use wasmtime::component::Val;

/// The values of a result are bounded by the service's `limits.result`, which this end does not know: this is the largest that
/// can be configured.
const RESULT_BYTES_MAX: usize = 256 << 20;

/// A function of a service, as its types were when it was asked for.
///
/// After a version with other types has taken over, calls are refused as incompatible; [`Client::function`] has the new ones.
#[derive(Clone)]
pub struct RemoteFunction {
    client: Client,
    path: Arc<str>,
    types: Arc<Types>,
}

struct Types {
    arguments: MessageType,
    results: MessageType,
}

/// The part of the answer of `GET /types` that is of interest here.
#[derive(Deserialize)]
pub(super) struct Description {
    arguments: Message,
    results: Message,
}

#[derive(Deserialize)]
struct Message {
    hash: String,
    parts: Vec<(String, Shape)>,
}

impl RemoteFunction {
    pub(super) fn new(
        client: Client,
        target: &str,
        function: &str,
        description: Description,
    ) -> Result<Self, ClientError> {
        let message = |message: Message| {
            let ty = MessageType::new(message.parts);
            if ty.hash().to_string() == message.hash {
                Ok(ty)
            } else {
                Err(client.protocol("its types do not have the hash that it says"))
            }
        };
        let types = Types {
            arguments: message(description.arguments)?,
            results: message(description.results)?,
        };
        Ok(Self {
            path: exchange::path("call", target, function).into(),
            types: Arc::new(types),
            client,
        })
    }

    /// What it is called with.
    #[must_use]
    pub fn arguments(&self) -> &MessageType {
        &self.types.arguments
    }

    /// What it answers.
    #[must_use]
    pub fn results(&self) -> &MessageType {
        &self.types.results
    }

    /// Calls it. There are as many results as the function has, none or one.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn call(
        &self,
        arguments: &[Val],
        options: &CallOptions,
    ) -> Result<Vec<Val>, ClientError> {
        let Types {
            arguments: written,
            results: read,
        } = &*self.types;
        let bytes = written
            .encode(arguments)
            .map_err(|error| ClientError::Arguments(error.to_string()))?;
        let content = Content::values(written.hash(), bytes);
        let answer = self.client.post(&self.path, content, options).await?;
        let hash = answer
            .headers
            .get(TYPE_HEADER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        if hash != Some(read.hash()) {
            let reason = "the result was written with other types than those that were asked for";
            return Err(self.client.protocol(reason));
        }
        read.decode(&answer.body, RESULT_BYTES_MAX)
            .map_err(|error| self.client.protocol(&error.to_string()))
    }
}
