//! The WASI context of one call: the host's clocks and randomness, output to the log, no files, no socket that was not granted.

use crate::config::Grant;
use crate::imports::logging::GuestOutput;
use crate::os::{Clock, Entropy, process};
use crate::service::Service;
use crate::telemetry::Level;
use rand_core::TryRng;
use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx};

/// Bytes of randomness a guest gets at once.
const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// The context for a call of `service`.
#[must_use]
pub fn context(service: &Arc<Service>) -> WasiCtx {
    let os = &service.os;
    let mut builder = WasiCtx::builder();
    builder
        .wall_clock(GuestClock(Arc::clone(&os.clock)))
        .monotonic_clock(GuestClock(Arc::clone(&os.clock)))
        .secure_random(GuestRandom(Arc::clone(&os.entropy)))
        .insecure_random(GuestRandom(Arc::clone(&os.entropy)))
        .insecure_random_seed(u128::from(os.entropy.next()) << 64 | u128::from(os.entropy.next()))
        .max_random_size(RANDOM_BYTES_MAX)
        .stdout(GuestOutput::new(service, Level::Info))
        .stderr(GuestOutput::new(service, Level::Warn));
    let mut is_networked = false;
    for grant in &service.config.grants {
        match grant {
            Grant::Env { name } => {
                if let Some(value) = process::variable(name) {
                    builder.env(name, value);
                }
            }
            Grant::Tcp { .. } | Grant::Listen { .. } => is_networked = true,
            Grant::Http { .. } => {}
        }
    }
    builder.allow_udp(false).allow_tcp(is_networked);
    if is_networked {
        let granted = Arc::clone(service);
        builder
            .allow_ip_name_lookup(true)
            .socket_addr_check(move |address, purpose| {
                Box::pin(ready(is_granted(&granted.config.grants, address, purpose)))
            });
    }
    builder.build()
}

/// Whether a socket may be used with `address`. Grants by host name hold for the addresses that name has on this machine's resolver.
fn is_granted(grants: &[Grant], address: SocketAddr, purpose: SocketAddrUse) -> bool {
    match purpose {
        SocketAddrUse::TcpConnect => grants.iter().any(|grant| match grant {
            Grant::Tcp { host, port } => {
                *port == address.port()
                    && crate::os::network::resolves_to(host, *port, address.ip())
            }
            Grant::Listen { .. } | Grant::Http { .. } | Grant::Env { .. } => false,
        }),
        SocketAddrUse::TcpBind => {
            // Port 0 is what every outgoing connection binds to.
            address.port() == 0
                || grants.iter().any(|grant| match grant {
                    Grant::Listen { address: granted } => *granted == address,
                    Grant::Tcp { .. } | Grant::Http { .. } | Grant::Env { .. } => false,
                })
        }
        // What was bound by a grant may be listened on, and whoever comes may be accepted.
        SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => true,
        SocketAddrUse::UdpBind | SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => false,
    }
}

struct GuestClock(Arc<dyn Clock>);

impl HostWallClock for GuestClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        self.0.wall()
    }
}

impl HostMonotonicClock for GuestClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.monotonic().as_nanos()).unwrap_or(u64::MAX)
    }
}

struct GuestRandom(Arc<dyn Entropy>);

impl TryRng for GuestRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}
