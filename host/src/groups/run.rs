//! Runs one job of a group on its service's component, and says what came of it. The same in production and in the simulator.

use crate::call_error::CallError;
use crate::dispatch::{Dispatch, FunctionName};
use crate::envelope::Envelope;
use crate::pool;
use crate::replica::event::Outcome;
use crate::replica::keyspace::{KeyHash, Meta};
use crate::replica::sessions::{Recorded, SessionKey};
use crate::replica::work::{Effects, Work};
use crate::signature::Signature;
use crate::version::Version;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use wasmtime::component::Val;

/// The interfaces that the host calls on a group's component.
pub const TIMER_HANDLER: &str = "bookshop:platform/timer-handler@0.1";
const ON_TIMER: &str = "on-timer";
/// See [`TIMER_HANDLER`].
pub const OUTBOX_HANDLER: &str = "bookshop:platform/outbox-handler@0.1";
const ON_REPLY: &str = "on-reply";

/// A call of a function with everything that it needs.
pub struct Call {
    /// What is called.
    pub function: Arc<FunctionName>,
    /// Its arguments.
    pub arguments: Vec<Val>,
    /// Its identity and bounds.
    pub envelope: Envelope,
    /// The function as the caller knows it; none of handlers.
    pub types: Option<Arc<Signature>>,
    /// Whether its answer is kept, as the caller reads it: with these types it is found again, whichever version runs then.
    pub keeps_answer: bool,
}

impl Call {
    /// The handler of a timer.
    #[must_use]
    pub fn timer(key: String, payload: &[u8], envelope: Envelope) -> Self {
        let payload = payload.iter().copied().map(Val::U8).collect();
        Self::handler(
            TIMER_HANDLER,
            ON_TIMER,
            vec![Val::String(key), Val::List(payload)],
            envelope,
        )
    }

    /// The handler of a message's answer.
    #[must_use]
    pub fn reply(tag: String, reply: &Result<String, CallError>, envelope: Envelope) -> Self {
        let reply = match reply {
            Ok(json) => Ok(Some(Box::new(Val::String(json.clone())))),
            Err(error) => Err(Some(Box::new(error.to_value()))),
        };
        Self::handler(
            OUTBOX_HANDLER,
            ON_REPLY,
            vec![Val::String(tag), Val::Result(reply)],
            envelope,
        )
    }

    fn handler(interface: &str, function: &str, arguments: Vec<Val>, envelope: Envelope) -> Self {
        Self {
            function: Arc::new(FunctionName {
                interface: interface.to_owned(),
                function: function.to_owned(),
            }),
            arguments,
            envelope,
            types: None,
            keeps_answer: false,
        }
    }
}

/// Runs a call on a state. Returns its results, and what it changes.
///
/// # Errors
/// As of any call; it has no effect then.
pub async fn run(
    version: &Arc<Version>,
    call: &Call,
    work: Work,
    dispatch: Arc<dyn Dispatch>,
) -> Result<(Vec<Val>, Outcome), CallError> {
    let Call {
        function,
        arguments,
        envelope,
        types,
        keeps_answer,
    } = call;
    let fit = version.fit(function, types.as_deref())?;
    let fitting = fit.as_ref().map(|fit| fit.arguments(arguments.clone()));
    let (results, effects) = pool::command(
        version,
        function,
        envelope.clone(),
        fitting.as_ref().unwrap_or(arguments),
        work,
        dispatch,
    )
    .await?;
    let results = match &fit {
        Some(fit) => fit.results(results),
        None => results,
    };
    let answer =
        match types.as_ref().filter(|_| *keeps_answer) {
            None => None,
            Some(types) => {
                let service = || version.service.name.to_string();
                let reply = types.types.results.encode(&results).map_err(|error| {
                    CallError::Incompatible {
                        service: service(),
                        message: format!("its answer cannot be kept: {error}"),
                    }
                })?;
                Some(Recorded {
                    type_hash: types.types.results.hash().to_bytes(),
                    reply: reply.into(),
                })
            }
        };
    let outcome = Outcome::Done {
        effects,
        answer,
        version: version.short_digest(),
    };
    Ok((results, outcome))
}

/// The outcome of a job that has nothing to run: it changes nothing of the service's own.
#[must_use]
pub fn unchanged(meta: Meta) -> Outcome {
    Outcome::Done {
        effects: Effects {
            data_bytes: meta.data_bytes,
            ..Effects::default()
        },
        answer: None,
        version: [0; 8],
    }
}

/// What a call with an idempotency key is known by.
///
/// # Errors
/// The arguments do not have the function's types.
pub fn session_key(key: &str, types: &Signature, arguments: &[Val]) -> Result<SessionKey, String> {
    let encoded = types
        .types
        .arguments
        .encode(arguments)
        .map_err(|error| error.to_string())?;
    let mut call = Sha256::new();
    let name = types.name.to_string();
    // The length first: no two different pairs hash the same bytes.
    call.update((name.len() as u64).to_be_bytes());
    call.update(name);
    call.update(encoded);
    Ok(SessionKey {
        hash: half(Sha256::digest(key)),
        call: half(call.finalize()),
    })
}

fn half(digest: impl AsRef<[u8]>) -> KeyHash {
    let mut hash = KeyHash::default();
    for (to, from) in hash.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    hash
}
