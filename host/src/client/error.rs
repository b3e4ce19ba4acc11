//! Why a call from outside has no result.

use crate::call_error::CallError;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// One case per thing a caller would do differently.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No host there: start it, or ask another. Nothing was called.
    #[error("no host answers at {address}; is it running, and is this its `api` address?")]
    Connect {
        /// The address.
        address: SocketAddr,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The connection ended before the answer came: connect again. Only a call that was not executed, or has a key, is safe to repeat.
    #[error("the connection to {address} was lost: {reason}{}", if *.maybe_executed { "; the call may have been executed" } else { "; the call was not executed" })]
    Lost {
        /// The address.
        address: SocketAddr,
        /// How it ended.
        reason: String,
        /// Whether the call may have had effects.
        maybe_executed: bool,
    },
    /// The host did not answer in time, not even that the call is late: it is stuck, or the network is. The call may have been executed.
    #[error("the host at {address} did not answer within {} ms", .after.as_millis())]
    Timeout {
        /// The address.
        address: SocketAddr,
        /// The time waited.
        after: Duration,
    },
    /// The call failed: what to do depends on the case.
    #[error(transparent)]
    Refused(#[from] CallError),
    /// The host did not accept the request: change it. Nothing was called.
    #[error("{message}")]
    Rejected {
        /// What is wrong, in a word.
        code: String,
        /// What is wrong.
        message: String,
    },
    /// The arguments do not have the types of the function: a mistake of this program. Nothing was sent.
    #[error("the arguments cannot be sent: {0}")]
    Arguments(String),
    /// What listens there is no host, or one of another version.
    #[error("the answer of {address} cannot be read: {reason}; is it the api address of a host?")]
    Protocol {
        /// The address.
        address: SocketAddr,
        /// The reason.
        reason: String,
    },
}
