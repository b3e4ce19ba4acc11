//! Calls services from outside their cluster, through the `api` endpoint of a host.
//!
//! One connection carries many calls at once; a [`Client`] is a cheap handle to it. It belongs to the runtime on which it was connected
//! and is used up when the connection is lost: whoever wants to go on connects again, to this host or another.
//!
//! ```no_run
//! # async fn example(os: &bookshop_host::os::Os) -> Result<(), bookshop_host::client::ClientError> {
//! use bookshop_host::client::{CallOptions, Client};
//! let client = Client::connect("127.0.0.1:7201".parse().expect("an address"), os).await?;
//! let arguments = serde_json::json!([[{ "name": "Book A", "quantity": 1 }]]);
//! let books = client.call_json("bookshop:shop/suggestions", "recommend", &arguments, &CallOptions::default()).await?;
//! # drop(books);
//! # Ok(())
//! # }
//! ```

use crate::os::Os;
use crate::os::clock::timeout;
use crate::os::executor::Tasks;
use crate::os::task::{self, Task};
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

mod error;
mod exchange;
mod function;

pub use error::ClientError;
pub use function::RemoteFunction;
pub use wasmtime::component::Val;

use exchange::Content;

/// The header with the time that the answer may take, in milliseconds.
pub const TIMEOUT_HEADER: &str = "bookshop-timeout-ms";
/// The header with the key of calls that are to have one effect together.
pub const IDEMPOTENCY_KEY_HEADER: &str = "idempotency-key";
/// Arguments and results as people write them on the command line.
pub const WAVE: &str = "application/vnd.bookshop.wave+json";
/// Arguments and results in the component model's binary value format.
pub const VALUES: &str = "application/vnd.bookshop.values";
/// The hash of the types that [`VALUES`] were written with.
pub const TYPE_HEADER: &str = "bookshop-type";

/// A host that takes longer than this to accept a connection is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a host with calls under way is asked whether it is still there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How a call is made.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    /// How long the callee may take; its own limit, if that is shorter or this is none.
    pub timeout: Option<Duration>,
    /// Calls with equal keys have one effect; 1 to 256 ASCII characters.
    pub idempotency_key: Option<Arc<str>>,
    /// Whether a query may be answered from a state that is a little older than the call: at once, by any replica.
    pub is_stale_ok: bool,
}

/// A connection to the `api` endpoint of a host.
#[derive(Clone)]
pub struct Client(Arc<Connection>);

struct Connection {
    address: SocketAddr,
    scheme: &'static str,
    sender: SendRequest<Full<Bytes>>,
    os: Os,
    _driver: Task<()>,
    _tasks: Tasks,
}

/// A result of [`Client::call_wave`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WaveResult {
    /// The value as WAVE text.
    pub wave: String,
    /// The same as JSON.
    pub json: Value,
}

impl Client {
    /// Connects in the clear, which hosts serve on loopback addresses only.
    ///
    /// # Errors
    /// [`ClientError::Connect`]; [`ClientError::Protocol`]: what listens there does not speak HTTP/2.
    pub async fn connect(address: SocketAddr, os: &Os) -> Result<Self, ClientError> {
        let stream = open(address, os, os.network.connect(address)).await?;
        Self::over(stream, address, "http", os).await
    }

    /// Connects with TLS to the host that `name` is the name of. `config` has the certificate of this program, and that of the
    /// authority that the host's has to come from.
    ///
    /// # Errors
    /// As [`connect`](Self::connect); a certificate that is not accepted is a [`ClientError::Connect`].
    pub async fn connect_tls(
        address: SocketAddr,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        os: &Os,
    ) -> Result<Self, ClientError> {
        let secured = async {
            let stream = os.network.connect(address).await?;
            TlsConnector::from(config).connect(name, stream).await
        };
        let stream = open(address, os, secured).await?;
        Self::over(stream, address, "https", os).await
    }

    /// A client over a stream that is connected to the host at `address`.
    ///
    /// # Errors
    /// [`ClientError::Protocol`]: the other end does not speak HTTP/2.
    async fn over<S>(
        stream: S,
        address: SocketAddr,
        scheme: &'static str,
        os: &Os,
    ) -> Result<Self, ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let tasks = Tasks::default();
        let shake = http2::Builder::new(tasks.executor())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_TIMEOUT)
            .handshake(TokioIo::new(stream));
        let (sender, connection) = shake.await.map_err(|error| ClientError::Protocol {
            address,
            reason: error.to_string(),
        })?;
        // What ends the connection ends the calls on it, each with its own error.
        let driver = task::spawn(async move { drop(connection.await) });
        Ok(Self(Arc::new(Connection {
            address,
            scheme,
            sender,
            os: os.clone(),
            _driver: driver,
            _tasks: tasks,
        })))
    }

    /// The host's address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Calls `function` of `target`, an interface or a service, with an array of arguments in order or an object by parameter name.
    /// The answer is null for a function without a result.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn call_json(
        &self,
        target: &str,
        function: &str,
        arguments: &Value,
        options: &CallOptions,
    ) -> Result<Value, ClientError> {
        let path = exchange::path("call", target, function);
        let content = Content::json("application/json", arguments);
        let answer = self.post(&path, content, options).await?;
        let mut answer: Value = self.parse(&answer.body)?;
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(self.protocol("the answer has no result")),
        }
    }

    /// Calls `function` of `target` with a WAVE text for each parameter. There are as many results as the function has, none or one.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn call_wave(
        &self,
        target: &str,
        function: &str,
        arguments: &[String],
        options: &CallOptions,
    ) -> Result<Vec<WaveResult>, ClientError> {
        #[derive(Deserialize)]
        struct Answer {
            results: Vec<WaveResult>,
        }
        let path = exchange::path("call", target, function);
        let content = Content::json(WAVE, &json!({ "arguments": arguments }));
        let answer = self.post(&path, content, options).await?;
        self.parse::<Answer>(&answer.body)
            .map(|answer| answer.results)
    }

    /// A function to be called with values, with its types as they are now.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::Refused`] if there is no such function.
    pub async fn function(
        &self,
        target: &str,
        function: &str,
    ) -> Result<RemoteFunction, ClientError> {
        let answer = self.get(&exchange::path("types", target, function)).await?;
        RemoteFunction::new(self.clone(), target, function, self.parse(&answer.body)?)
    }
}

/// Waits for a connection, but not forever.
async fn open<S>(
    address: SocketAddr,
    os: &Os,
    connecting: impl Future<Output = io::Result<S>>,
) -> Result<S, ClientError> {
    timeout(os.clock.as_ref(), CONNECT_TIMEOUT, connecting)
        .await
        .unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()))
        .map_err(|source| ClientError::Connect { address, source })
}
