//! Why a command ends without having done what it was asked: messages for a person, a code for a script.

use crate::admin;
use crate::call_error::CallError;
use crate::client::ClientError;
use crate::config::ConfigError;
use crate::supervisor::chain;
use std::error::Error;
use std::io;

/// The end of a command that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    code: u8,
    messages: Vec<String>,
}

/// It was tried and did not work.
const OPERATION: u8 = 1;
/// The command line or the configuration has to be changed first.
const USAGE: u8 = 2;
/// No host answers: start one, or name another address.
const UNREACHABLE: u8 = 3;

impl Failure {
    /// It was tried and did not work, because of `error` and its causes.
    #[must_use]
    pub fn operation(error: &dyn Error) -> Self {
        Self::failed(chain(error))
    }

    /// It was tried and did not work.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self {
            code: OPERATION,
            messages: vec![message.into()],
        }
    }

    /// What was typed or configured is wrong.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            code: USAGE,
            messages: vec![message.into()],
        }
    }

    /// It did not work, and why is part of the result that was printed.
    #[must_use]
    pub fn reported(is_usage: bool) -> Self {
        Self {
            code: if is_usage { USAGE } else { OPERATION },
            messages: Vec::new(),
        }
    }

    /// What to print, one line each.
    #[must_use]
    pub fn messages(&self) -> &[String] {
        &self.messages
    }

    /// The exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.code
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self {
            code: USAGE,
            messages: error.problems().iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<admin::client::ClientError> for Failure {
    fn from(error: admin::client::ClientError) -> Self {
        Self {
            code: UNREACHABLE,
            messages: vec![chain(&error)],
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let code = match &error {
            ClientError::Connect { .. }
            | ClientError::Lost { .. }
            | ClientError::Timeout { .. }
            | ClientError::Protocol { .. } => UNREACHABLE,
            ClientError::Rejected { .. }
            | ClientError::Arguments(_)
            | ClientError::Refused(CallError::Incompatible { .. } | CallError::KeyReused { .. }) => {
                USAGE
            }
            ClientError::Refused(_) => OPERATION,
        };
        Self {
            code,
            messages: vec![chain(&error)],
        }
    }
}

/// Of writing to standard output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // Whoever read the output has seen enough, as `head` has after its lines.
            io::ErrorKind::BrokenPipe => Self {
                code: 0,
                messages: Vec::new(),
            },
            _ => Self::failed(format!("cannot write the output: {error}")),
        }
    }
}
