//! What keeps a host from following the cluster's state.

use crate::control::components::ComponentsError;
use crate::control::registry::{ApplyError, RegistryError, TurnError};
use crate::control::taken::TakenError;
use crate::host::spread::SpreadError;
use crate::host::{RestartError, StartError};
use crate::os::task::TaskError;
use crate::supervisor::SupervisorError;
use std::io;

/// Why a host does not get further with the cluster's state for now.
#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Turn(#[from] TurnError),
    #[error("the file that this host was started with cannot become the first value")]
    First(#[source] ApplyError),
    #[error("cannot put in force what is better")]
    Own(#[source] ApplyError),
    #[error("component of {service}")]
    Spread {
        service: String,
        #[source]
        source: SpreadError,
    },
    #[error(transparent)]
    Components(#[from] ComponentsError),
    #[error("cannot read the cluster file {file}")]
    File {
        file: String,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Taken(#[from] TakenError),
    #[error(transparent)]
    Task(#[from] TaskError),
}

/// Why a host cannot run a value.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    #[error("{}", .0.join("; "))]
    Services(Vec<String>),
    #[error("cannot try to load its services: {0}")]
    Engine(String),
    #[error(transparent)]
    Address(#[from] Box<StartError>),
    #[error("{0}")]
    Worse(String),
    #[error(transparent)]
    Swap(#[from] SupervisorError),
    #[error(transparent)]
    Restart(#[from] RestartError),
}
