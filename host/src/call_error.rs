//! Why a call did not return its callee's answer, and its form as a WIT value.
//!
//! The WIT form is `bookshop:platform/call-error.call-error`, recognised by structure (the component model's types have no names).

pub mod wire;

#[cfg(test)]
mod tests;

use std::time::Duration;
use wasmtime::component::Val;
use wasmtime::component::types::Type;

/// One case per thing a caller would do differently.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No such service or function: fix the name.
    #[error("{service}: {message}")]
    NotFound {
        /// The service that was asked for.
        service: String,
        /// What is missing.
        message: String,
    },
    /// The configuration does not allow it: add the grant.
    #[error("{service}: {message}")]
    NotGranted {
        /// The service that lacks the grant.
        service: String,
        /// What is not granted.
        message: String,
    },
    /// The arguments do not have the callee's types, or are too large: change the caller.
    #[error("{service}: {message}")]
    Incompatible {
        /// The callee.
        service: String,
        /// Which part, and why.
        message: String,
    },
    /// The callee has as many calls as it may: come back later.
    #[error("{service} is overloaded; try again in {} ms", .retry_after.as_millis())]
    Overloaded {
        /// The callee.
        service: String,
        /// When trying again may succeed.
        retry_after: Duration,
    },
    /// The answer did not come in time; the call may have had effects.
    #[error("{service}: {message}")]
    DeadlineExceeded {
        /// The callee.
        service: String,
        /// Which time was exceeded.
        message: String,
    },
    /// Whoever asked no longer wants the answer.
    #[error("the call was cancelled")]
    Cancelled,
    /// The callee failed in the middle of the call: report it to its author.
    #[error("{service}: {message}")]
    Trapped {
        /// The callee.
        service: String,
        /// How it failed.
        message: String,
    },
    /// The callee does not run, or cannot be reached: try again later or elsewhere.
    #[error("{service} is unavailable: {message}")]
    Unavailable {
        /// The callee.
        service: String,
        /// Why.
        message: String,
        /// Whether the call may have had effects.
        maybe_executed: bool,
    },
    /// The callee's leader is elsewhere.
    #[error("redirected to {to}")]
    Redirected {
        /// The host to ask.
        to: String,
    },
    /// The call is too many calls away from where it entered, most likely in a cycle: break the cycle.
    #[error("{service}: {message}")]
    HopLimit {
        /// The callee that was not called.
        service: String,
        /// The limit.
        message: String,
    },
    /// The call's idempotency key was used before, for another call; nothing was executed: make a key of its own for each call.
    #[error("{service}: {message}")]
    KeyReused {
        /// The callee.
        service: String,
        /// What the key was used for.
        message: String,
    },
    /// The call's idempotency key was used before, and its answer is no longer kept; nothing was executed: ask what came of it.
    #[error("{service}: {message}")]
    KeyExpired {
        /// The callee.
        service: String,
        /// How long answers are kept.
        message: String,
    },
}

impl CallError {
    /// The name of the case in WIT, which is also the code in JSON answers.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not-found",
            Self::NotGranted { .. } => "not-granted",
            Self::Incompatible { .. } => "incompatible",
            Self::Overloaded { .. } => "overloaded",
            Self::DeadlineExceeded { .. } => "deadline-exceeded",
            Self::Cancelled => "cancelled",
            Self::Trapped { .. } => "trapped",
            Self::Unavailable { .. } => "unavailable",
            Self::Redirected { .. } => "redirected",
            Self::HopLimit { .. } => "hop-limit",
            Self::KeyReused { .. } => "key-reused",
            Self::KeyExpired { .. } => "key-expired",
        }
    }

    /// The service that it is about; none if it is about no particular one.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        match self {
            Self::NotFound { service, .. }
            | Self::NotGranted { service, .. }
            | Self::Incompatible { service, .. }
            | Self::Overloaded { service, .. }
            | Self::DeadlineExceeded { service, .. }
            | Self::Trapped { service, .. }
            | Self::Unavailable { service, .. }
            | Self::HopLimit { service, .. }
            | Self::KeyReused { service, .. }
            | Self::KeyExpired { service, .. } => Some(service),
            Self::Cancelled | Self::Redirected { .. } => None,
        }
    }

    /// Whether the same call, repeated with the same idempotency key, can only fail in the same way, wherever it is sent.
    ///
    /// A key makes it safe to send a call again after any failure; after these it is also pointless, and another host that has not
    /// heard of the key yet must not be given the chance to execute the call.
    #[must_use]
    pub fn is_final_for_key(&self) -> bool {
        match self {
            Self::KeyReused { .. } | Self::KeyExpired { .. } => true,
            Self::NotFound { .. }
            | Self::NotGranted { .. }
            | Self::Incompatible { .. }
            | Self::Overloaded { .. }
            | Self::DeadlineExceeded { .. }
            | Self::Cancelled
            | Self::Trapped { .. }
            | Self::Unavailable { .. }
            | Self::Redirected { .. }
            | Self::HopLimit { .. } => false,
        }
    }

    /// This error, as one that came from another host, which its message then names.
    #[must_use]
    pub fn on_host(mut self, host: &str) -> Self {
        match &mut self {
            Self::NotFound { message, .. }
            | Self::NotGranted { message, .. }
            | Self::Incompatible { message, .. }
            | Self::DeadlineExceeded { message, .. }
            | Self::Trapped { message, .. }
            | Self::Unavailable { message, .. }
            | Self::HopLimit { message, .. }
            | Self::KeyReused { message, .. }
            | Self::KeyExpired { message, .. } => *message = format!("on {host}: {message}"),
            Self::Overloaded { .. } | Self::Cancelled | Self::Redirected { .. } => {}
        }
        self
    }

    /// This error as a value of `bookshop:platform/call-error.call-error`.
    #[must_use]
    pub fn to_value(&self) -> Val {
        let failure = |service: &str, message: &str| {
            Some(record([
                ("service", Val::String(service.into())),
                ("message", Val::String(message.into())),
            ]))
        };
        let payload = match self {
            Self::NotFound { service, message }
            | Self::NotGranted { service, message }
            | Self::Incompatible { service, message }
            | Self::DeadlineExceeded { service, message }
            | Self::Trapped { service, message }
            | Self::HopLimit { service, message }
            | Self::KeyReused { service, message }
            | Self::KeyExpired { service, message } => failure(service, message),
            Self::Overloaded {
                service,
                retry_after,
            } => Some(record([
                ("service", Val::String(service.clone())),
                (
                    "retry-after-ms",
                    Val::U64(u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX)),
                ),
            ])),
            Self::Cancelled => None,
            Self::Unavailable {
                service,
                message,
                maybe_executed,
            } => Some(record([
                ("service", Val::String(service.clone())),
                ("message", Val::String(message.clone())),
                ("maybe-executed", Val::Bool(*maybe_executed)),
            ])),
            Self::Redirected { to } => Some(Val::String(to.clone())),
        };
        Val::Variant(self.code().into(), payload.map(Box::new))
    }
}

fn record<const N: usize>(fields: [(&str, Val); N]) -> Val {
    Val::Record(
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

/// Where a function's result has room for a [`CallError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorPlace {
    /// The result's error type is `call-error` itself.
    Error,
    /// The result's error type is a variant with a case `call(call-error)`.
    Case,
    /// Nowhere: the call traps in the caller.
    None,
}

impl ErrorPlace {
    /// Looks at the result type of a function.
    #[must_use]
    pub fn of(result: Option<&Type>) -> Self {
        let Some(Type::Result(result)) = result else {
            return Self::None;
        };
        let Some(error) = result.err() else {
            return Self::None;
        };
        if is_call_error(&error) {
            return Self::Error;
        }
        let Type::Variant(variant) = error else {
            return Self::None;
        };
        let call = variant.cases().find(|case| case.name == "call");
        if call
            .and_then(|case| case.ty)
            .is_some_and(|ty| is_call_error(&ty))
        {
            Self::Case
        } else {
            Self::None
        }
    }

    /// The result that carries `error` to the caller, if there is room for it.
    #[must_use]
    pub fn result(self, error: &CallError) -> Option<Val> {
        let value = match self {
            Self::Error => error.to_value(),
            Self::Case => Val::Variant("call".into(), Some(Box::new(error.to_value()))),
            Self::None => return None,
        };
        Some(Val::Result(Err(Some(Box::new(value)))))
    }
}

/// Names of the cases of `call-error`, in order, with the names of their payload's fields.
const CASES: [(&str, &[&str]); 12] = [
    ("not-found", &["service", "message"]),
    ("not-granted", &["service", "message"]),
    ("incompatible", &["service", "message"]),
    ("overloaded", &["service", "retry-after-ms"]),
    ("deadline-exceeded", &["service", "message"]),
    ("cancelled", &[]),
    ("trapped", &["service", "message"]),
    ("unavailable", &["service", "message", "maybe-executed"]),
    ("redirected", &[]),
    ("hop-limit", &["service", "message"]),
    ("key-reused", &["service", "message"]),
    ("key-expired", &["service", "message"]),
];

fn is_call_error(ty: &Type) -> bool {
    let Type::Variant(variant) = ty else {
        return false;
    };
    variant.cases().len() == CASES.len()
        && variant.cases().zip(CASES).all(|(case, (name, fields))| {
            case.name == name
                && match (&case.ty, name) {
                    (None, "cancelled") | (Some(Type::String), "redirected") => true,
                    (Some(Type::Record(record)), _) => record
                        .fields()
                        .map(|field| field.name)
                        .eq(fields.iter().copied()),
                    (_, _) => false,
                }
        })
}
