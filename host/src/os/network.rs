//! Sockets. Protocols (HTTP here, TLS between hosts) are spoken by the callers.

use super::listeners::Inherited;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

pub use tokio::net::{TcpListener, TcpStream};

/// A connection on its way from the thread that accepted it to the one that serves it: a socket belongs to one runtime at a time.
pub type Accepted = std::net::TcpStream;

/// A connection being made.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// Sockets of one host.
pub trait Network: Send + Sync {
    /// Listens on `address`; port 0 asks for any free port. Must be called inside a runtime. A socket that the image of this process
    /// before a restart in place left listening there is taken over, with the connections that wait in it.
    ///
    /// # Errors
    /// `AddrInUse`: another process listens there. Others as the operating system says.
    fn listen(&self, address: SocketAddr) -> io::Result<TcpListener>;

    /// Closes listening sockets that the image before a restart in place left and that nobody listens on any more.
    fn close_inherited(&self);

    /// Connects to `address`.
    fn connect(&self, address: SocketAddr) -> Connecting;
}

/// The network of the machine.
pub struct RealNetwork {
    inherited: Inherited,
}

impl RealNetwork {
    /// The network as this process found it.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self {
            inherited: Inherited::of_this_process(),
        }
    }
}

/// Connections that the kernel holds ready while every thread is busy.
const BACKLOG: u32 = 1024;

impl Network for RealNetwork {
    fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        if let Some(listener) = self.inherited.take(address) {
            listener.set_nonblocking(true)?;
            return TcpListener::from_std(listener);
        }
        let socket = if address.is_ipv4() {
            tokio::net::TcpSocket::new_v4()?
        } else {
            tokio::net::TcpSocket::new_v6()?
        };
        // Without this a host that restarts would have to wait for its old connections to be forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    }

    fn close_inherited(&self) {
        self.inherited.close();
    }

    fn connect(&self, address: SocketAddr) -> Connecting {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        })
    }
}

/// Has the system end a connection whose other side has not answered for `within`: what was sent was not acknowledged or taken, or, if
/// nothing was sent, a question of the system itself was not. The end of a process is noticed at once without this, that of a machine is not.
///
/// # Errors
/// As the operating system says.
pub fn end_if_silent(stream: &TcpStream, within: Duration) -> io::Result<()> {
    /// Questions in that time.
    const QUESTIONS: u32 = 4;
    let every = (within / QUESTIONS).max(Duration::from_secs(1));
    let socket = socket2::SockRef::from(stream);
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(every)
        .with_interval(every);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(within))
}

/// Whether the machine's resolver has `address` among those of `host`. A literal address resolves to itself.
#[must_use]
pub fn resolves_to(host: &str, port: u16, address: std::net::IpAddr) -> bool {
    use std::net::ToSocketAddrs;
    (host, port)
        .to_socket_addrs()
        .is_ok_and(|mut addresses| addresses.any(|candidate| candidate.ip() == address))
}
