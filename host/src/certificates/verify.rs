//! Whom to believe: the checks of webpki (chain, dates, purpose, revocation, name), and on top of them cluster and role.
//!
//! Nothing that webpki checks is left out. What is added only refuses more, and gives reasons an operator understands.

use super::certificate::Facts;
use super::identity::{Identity, Role};
use crate::config::ClusterName;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use std::sync::Arc;

/// Why a certificate that may be genuine is refused all the same. Displays after "refused ADDRESS: ".
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("its certificate is of cluster {theirs}, not of {ours}")]
    OtherCluster { theirs: String, ours: ClusterName },
    #[error("its certificate names neither a host nor a client of a cluster")]
    Unnamed,
    #[error("its certificate is of {who}, and only hosts may connect here")]
    NotAHost { who: Identity },
    #[error("its certificate is of {who}, not of {wanted}")]
    OtherHost { who: Identity, wanted: String },
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        CertificateError::Other(OtherError(Arc::new(refusal))).into()
    }
}

/// Who may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admits {
    /// Hosts of the cluster.
    Hosts,
    /// Hosts and clients of the cluster.
    Everyone,
}

/// Verifies whoever connects.
#[derive(Debug)]
pub(super) struct Callers {
    pub webpki: Arc<dyn ClientCertVerifier>,
    pub cluster: ClusterName,
    pub admits: Admits,
}

/// Verifies whom we connect to.
#[derive(Debug)]
pub(super) struct Callees {
    pub webpki: Arc<WebPkiServerVerifier>,
    pub cluster: ClusterName,
}

/// Whom a certificate names, before anything is verified. A name is only ever used to refuse here:
/// saying that somebody is of another cluster helps more than that their authority is unknown.
fn named(certificate: &CertificateDer<'_>, ours: &ClusterName) -> Result<Option<Identity>, Error> {
    let facts = Facts::read(certificate)
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    match facts.identity {
        Some(who) if who.cluster != ours.as_str() => Err(Refusal::OtherCluster {
            theirs: who.cluster,
            ours: ours.clone(),
        }
        .into()),
        who => Ok(who),
    }
}

impl ClientCertVerifier for Callers {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // No hints: a program with a certificate of another authority then presents it, and is told what is wrong with it.
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        self.webpki.client_auth_mandatory()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let who = named(certificate, &self.cluster)?;
        let verified = self
            .webpki
            .verify_client_cert(certificate, intermediates, now)?;
        let who = who.ok_or(Refusal::Unnamed)?;
        match (who.role, self.admits) {
            (Role::Host, Admits::Hosts | Admits::Everyone) | (Role::Client, Admits::Everyone) => {
                Ok(verified)
            }
            (Role::Client, Admits::Hosts) => Err(Refusal::NotAHost { who }.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

impl ServerCertVerifier for Callees {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let who = named(certificate, &self.cluster)?;
        let verified = self.webpki.verify_server_cert(
            certificate,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let name_differs = matches!(
            verified,
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
            ))
        );
        match who {
            Some(who) if name_differs => {
                let wanted = server_name.to_str();
                let wanted = Identity::of_names([wanted.as_ref()].into_iter())
                    .map_or_else(|| wanted.into_owned(), |wanted| wanted.to_string());
                Err(Refusal::OtherHost { who, wanted }.into())
            }
            Some(Identity {
                role: Role::Host, ..
            }) => verified,
            Some(who) => verified.and_then(|_| Err(Refusal::NotAHost { who }.into())),
            None => verified.and_then(|_| Err(Refusal::Unnamed.into())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}
