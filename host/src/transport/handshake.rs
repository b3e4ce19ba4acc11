//! Who somebody is that connects as another host, before anything is read of what it has to say.

use crate::certificates::{self, Credentials, Role};
use crate::os::Os;
use crate::os::clock::timeout;
use crate::transport::peers::Peers;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A peer has this long to show who it is.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns the connection and the peer's place in the configuration.
///
/// # Errors
/// It is no other host of this cluster, or does not say so in time; a sentence about it.
pub async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    peers: &Peers,
    credentials: &Credentials,
    os: &Os,
) -> Result<(TlsStream<S>, usize), String> {
    let acceptor = TlsAcceptor::from(credentials.server());
    let accepted = timeout(
        os.clock.as_ref(),
        HANDSHAKE_TIMEOUT,
        acceptor.accept(stream),
    );
    let tls = accepted
        .await
        .map_err(|_| {
            format!(
                "it did not finish its handshake within {} s",
                HANDSHAKE_TIMEOUT.as_secs()
            )
        })?
        .map_err(|error| certificates::explain(&error))?;
    let (_, session) = tls.get_ref();
    let identity = certificates::identity(session.peer_certificates().unwrap_or_default())
        .map_err(|error| error.to_string())?;
    if identity.role != Role::Host {
        return Err(format!(
            "its certificate is that of client {}, not of a host",
            identity.name
        ));
    }
    let index = peers.find(&identity.name).ok_or_else(|| {
        format!(
            "its certificate names host {}, which is no other host of the cluster file",
            identity.name
        )
    })?;
    Ok((tls, index))
}
