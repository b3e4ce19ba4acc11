//! Why a handshake failed, in words for a log line. The subject of every sentence is the other side.

use super::certificate::date;
use super::verify::Refusal;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};
use std::io::{self, ErrorKind};
use std::time::Duration;

/// Why a TLS handshake failed, in words an operator understands: "it presented no certificate".
///
/// Takes what a handshake or the first read after it returned. An error that is no error of TLS is said in its own words.
#[must_use]
pub fn explain(error: &io::Error) -> String {
    let inner = error.get_ref();
    if let Some(error) = inner.and_then(|inner| inner.downcast_ref::<Error>()) {
        return tls(error);
    }
    match error.kind() {
        ErrorKind::UnexpectedEof => "it closed the connection during the handshake".to_owned(),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            "it broke off the connection during the handshake".to_owned()
        }
        _ => error.to_string(),
    }
}

fn tls(error: &Error) -> String {
    let said = match error {
        Error::NoCertificatesPresented => "it presented no certificate",
        Error::InvalidCertificate(reason) => return certificate(reason),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => "it does not speak TLS",
        Error::PeerIncompatible(
            PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => "it does not speak TLS 1.3",
        Error::NoApplicationProtocol => {
            "it offers no protocol that is spoken here (HTTP/2 between hosts)"
        }
        Error::AlertReceived(alert) => return received(*alert),
        other => return format!("the handshake with it failed: {other}"),
    };
    said.to_owned()
}

fn certificate(reason: &CertificateError) -> String {
    let day = |moment: &UnixTime| date(Duration::from_secs(moment.as_secs()));
    let said = match reason {
        CertificateError::Other(other) => match other.0.downcast_ref::<Refusal>() {
            Some(refusal) => return refusal.to_string(),
            None => return format!("its certificate is refused: {other}"),
        },
        CertificateError::ExpiredContext { not_after, .. } => {
            return format!("its certificate ended on {}", day(not_after));
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            let day = day(not_before);
            return format!(
                "its certificate begins on {day}, after this host's clock; compare the clocks"
            );
        }
        CertificateError::Revoked => "its certificate was revoked",
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is not signed by this cluster's authority"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its certificate is not for this side of a connection"
        }
        other => return format!("its certificate is refused: {other}"),
    };
    said.to_owned()
}

/// What the other side said of us before it hung up.
fn received(alert: AlertDescription) -> String {
    let said = match alert {
        AlertDescription::CertificateRequired => "it asks for a certificate, and got none",
        AlertDescription::CertificateRevoked => "it says that this side's certificate was revoked",
        AlertDescription::CertificateExpired => {
            "it says that this side's certificate ended, or has not begun"
        }
        AlertDescription::UnknownCA => "it does not trust the authority of this side's certificate",
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::AccessDenied => "it refuses this side's certificate; its log says why",
        AlertDescription::ProtocolVersion => "it does not speak TLS 1.3",
        AlertDescription::NoApplicationProtocol => {
            "it offers no protocol that is spoken here (HTTP/2 between hosts)"
        }
        other => return format!("it ended the handshake: {other:?}"),
    };
    said.to_owned()
}
