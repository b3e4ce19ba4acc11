//! A host's addresses, listened on and held for a restart in place.

use super::StartError;
use crate::os::Os;
use crate::os::listeners::Listeners;
use crate::os::network::TcpListener;
use std::io;
use std::net::SocketAddr;

/// Listens, and says where: a port 0 of the configuration is some other one. `held` has the socket too.
pub(super) fn listen(
    os: &Os,
    host: &str,
    key: &'static str,
    address: SocketAddr,
    held: &mut Listeners,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let listening = os.network.listen(address).and_then(|listener| {
        held.hold(&listener)?;
        Ok(listener)
    });
    let listener = listening.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::PortInUse {
            host: host.to_owned(),
            key,
            address,
        },
        _ => StartError::Listen {
            host: host.to_owned(),
            key,
            address,
            source,
        },
    })?;
    let address = listener.local_addr().unwrap_or(address);
    Ok((listener, address))
}
