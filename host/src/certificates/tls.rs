//! TLS configurations: version 1.3 only, both sides show a certificate, and every connection is a full handshake.
//!
//! Sessions are never resumed. A resumed one would be let in by what was verified when it began, so a certificate revoked
//! since would still open connections; and connections between hosts are few and long, so there is little to save.

use super::files::Usable;
use super::verify::{Admits, Callees, Callers};
use crate::config::ClusterName;
use crate::os::Clock;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};
use std::fmt;
use std::sync::Arc;

/// HTTP/2, as it is named in handshakes.
pub(super) const HTTP_2: &[u8] = b"h2";
/// HTTP/2 for probes alone, as it is named in handshakes: who takes connections sorts them by it.
pub(super) const CONTROL: &[u8] = b"bookshop-control";
/// Messages between replicas, which are not HTTP, as they are named in handshakes.
pub const REPLICA: &[u8] = b"bookshop-replica";
/// HTTP/1.1, as it is named in handshakes.
pub(super) const HTTP_1: &[u8] = b"http/1.1";

/// The wall clock of this host, for the dates in certificates.
struct Wall(Arc<dyn Clock>);

impl fmt::Debug for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wall")
    }
}

impl TimeProvider for Wall {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.0.wall()))
    }
}

/// For connections that others make to us.
///
/// # Errors
/// The cryptography refuses the files; the text says why.
pub(super) fn server(
    usable: &Usable,
    cluster: &ClusterName,
    admits: Admits,
    protocols: &[&[u8]],
    clock: &Arc<dyn Clock>,
) -> Result<Arc<ServerConfig>, String> {
    let verifier = callers(usable, cluster, admits)?;
    let mut config = ServerConfig::builder_with_details(
        Arc::clone(&usable.provider),
        Arc::new(Wall(Arc::clone(clock))),
    )
    .with_protocol_versions(&[&TLS13])
    .map_err(|error| error.to_string())?
    .with_client_cert_verifier(verifier)
    .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&usable.own))));
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Verifies whoever connects.
///
/// # Errors
/// The cryptography refuses the files; the text says why.
pub(super) fn callers(
    usable: &Usable,
    cluster: &ClusterName,
    admits: Admits,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let builder = WebPkiClientVerifier::builder_with_provider(
        Arc::clone(&usable.roots),
        Arc::clone(&usable.provider),
    );
    // There are lists only of authorities that revoked something: a certificate of another is not on any list, and fine.
    let webpki = builder
        .with_crls(usable.lists.iter().cloned())
        .only_check_end_entity_revocation()
        .allow_unknown_revocation_status()
        .build()
        .map_err(|error: VerifierBuilderError| error.to_string())?;
    Ok(Arc::new(Callers {
        webpki,
        cluster: cluster.clone(),
        admits,
    }))
}

/// What a connection between hosts is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Calls, and everything else that is HTTP.
    Calls,
    /// Probes.
    Control,
    /// Messages between replicas.
    Replica,
}

/// What a connection is for, by the first message of its handshake, of which `bytes` is the beginning; none if more of it is needed.
#[must_use]
pub fn purpose(mut bytes: &[u8]) -> Option<Purpose> {
    let mut acceptor = rustls::server::Acceptor::default();
    if acceptor.read_tls(&mut bytes).is_err() {
        return Some(Purpose::Calls);
    }
    // What is no handshake is refused, with the reason, by whoever takes the connection.
    let Ok(accepted) = acceptor.accept() else {
        return Some(Purpose::Calls);
    };
    let accepted = accepted?;
    let hello = accepted.client_hello();
    let protocols = hello.alpn().into_iter().flatten();
    let mut purposes = protocols.filter_map(|protocol| match protocol {
        CONTROL => Some(Purpose::Control),
        REPLICA => Some(Purpose::Replica),
        _ => None,
    });
    Some(purposes.next().unwrap_or(Purpose::Calls))
}

/// For connections that we make to hosts.
///
/// # Errors
/// The cryptography refuses the files; the text says why.
pub(super) fn client(
    usable: &Usable,
    cluster: &ClusterName,
    protocol: &[u8],
    clock: &Arc<dyn Clock>,
) -> Result<Arc<ClientConfig>, String> {
    let builder = WebPkiServerVerifier::builder_with_provider(
        Arc::clone(&usable.roots),
        Arc::clone(&usable.provider),
    );
    let webpki = builder
        .with_crls(usable.lists.iter().cloned())
        .only_check_end_entity_revocation()
        .allow_unknown_revocation_status()
        .build()
        .map_err(|error| error.to_string())?;
    let verifier = Callees {
        webpki,
        cluster: cluster.clone(),
    };
    let mut config = ClientConfig::builder_with_details(
        Arc::clone(&usable.provider),
        Arc::new(Wall(Arc::clone(clock))),
    )
    .with_protocol_versions(&[&TLS13])
    .map_err(|error| error.to_string())?
    // What rustls calls dangerous is a verifier of one's own; this one asks webpki everything first.
    .dangerous()
    .with_custom_certificate_verifier(Arc::new(verifier))
    .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&usable.own))));
    config.alpn_protocols = vec![protocol.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}
