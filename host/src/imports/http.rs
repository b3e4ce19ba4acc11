//! Outgoing HTTP: only to `http:HOST:PORT` grants.

use crate::config::Grant;
use crate::service::Service;
use std::sync::Arc;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// The requests a service sends.
pub struct Outgoing {
    service: Arc<Service>,
}

impl Outgoing {
    /// Requests of `service`.
    #[must_use]
    pub fn new(service: Arc<Service>) -> Self {
        Self { service }
    }

    fn is_granted(&self, uri: &http::Uri) -> bool {
        let Some(host) = uri.host() else { return false };
        let port = uri
            .port_u16()
            .unwrap_or(if uri.scheme() == Some(&http::uri::Scheme::HTTP) {
                80
            } else {
                443
            });
        self.service.config.grants.iter().any(|grant| match grant {
            Grant::Http {
                host: granted,
                port: granted_port,
            } => granted.eq_ignore_ascii_case(host) && *granted_port == port,
            Grant::Tcp { .. } | Grant::Listen { .. } | Grant::Env { .. } => false,
        })
    }
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Box<dyn Future<Output = Result<(http::Response<WasiBody>, Io), Error>> + Send>;

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _received: Io,
    ) -> Sent {
        if !self.is_granted(request.uri()) {
            let uri = request.uri();
            let (host, port) = (
                uri.host().unwrap_or("no host"),
                uri.port_u16().unwrap_or(443),
            );
            self.service.log.warn(&format!("refused a request to {host}:{port}; to allow it, add grants = [\"http:{host}:{port}\"] to [service.{}]", self.service.name));
            return Box::new(std::future::ready(Err(Error::HttpRequestDenied)));
        }
        Box::new(async move {
            let (response, io) = wasmtime_wasi_http::default_send_request(request, options).await?;
            Ok((
                response.map(http_body_util::BodyExt::boxed_unsync),
                Box::new(io) as Io,
            ))
        })
    }
}
