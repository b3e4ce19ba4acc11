//! What ends a host's serving, and the wish for a restart in place: a new image of the program in the same process.
//!
//! Whoever runs the host drains it and replaces the process; this only carries the wish there.

use std::future::pending;
use tokio::sync::watch;

/// What ends a host's serving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// What it keeps is not safe any more, and why. It is not to be drained.
    Failed(String),
    /// It was told to stop.
    Stopped,
    /// It is to begin anew in the same process.
    RestartInPlace,
}

/// Why a host does not restart in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RestartError {
    /// The process is not the host's own.
    #[error(
        "this host runs inside another program, which cannot be replaced; stop the host and start it again"
    )]
    NotAlone,
}

/// Asks for a restart in place. Clones ask the same host.
#[derive(Debug, Clone)]
pub struct Restart(Option<watch::Sender<bool>>);

impl Restart {
    /// For a host that is a process of its own, which [`Restart::asked`] is waited for in.
    #[must_use]
    pub fn in_place() -> Self {
        Self(Some(watch::channel(false).0))
    }

    /// For a host inside another program: every wish is refused.
    #[must_use]
    pub fn refused() -> Self {
        Self(None)
    }

    /// Asks the host to drain and to begin anew. Returns at once; asking twice is asking once.
    ///
    /// # Errors
    /// See [`RestartError`].
    pub fn ask(&self) -> Result<(), RestartError> {
        let Self(Some(asked)) = self else {
            return Err(RestartError::NotAlone);
        };
        asked.send_replace(true);
        Ok(())
    }

    /// Waits until somebody asks.
    pub async fn asked(&self) {
        match &self.0 {
            // The sender is here, so the channel does not end.
            Some(asked) => drop(asked.subscribe().wait_for(|asked| *asked).await),
            None => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wish_is_heard_also_by_who_listens_later() {
        let restart = Restart::in_place();
        let asker = restart.clone();
        assert_eq!(asker.ask(), Ok(()));
        assert_eq!(asker.ask(), Ok(()));
        restart.asked().await;
    }

    #[tokio::test]
    async fn a_host_inside_another_program_refuses() {
        assert_eq!(Restart::refused().ask(), Err(RestartError::NotAlone));
    }
}
