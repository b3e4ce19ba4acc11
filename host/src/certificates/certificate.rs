//! What there is to know of one certificate, read from its bytes. Verifies nothing.

use super::identity::Identity;
use rustls::pki_types::CertificateDer;
use std::time::Duration;
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Whom it names; none for an authority.
    pub identity: Option<Identity>,
    /// For people.
    pub common_name: String,
    /// Unique among those of its issuer; without leading zeros.
    pub serial: Vec<u8>,
    /// The distinguished name of whoever signed it, encoded.
    pub issuer: Vec<u8>,
    /// Its own distinguished name, encoded.
    pub subject: Vec<u8>,
    /// Its public key, encoded.
    pub public_key: Vec<u8>,
    /// Since 1970; not valid before.
    pub starts: Duration,
    /// Since 1970; not valid after.
    pub ends: Duration,
}

impl Facts {
    /// Reads a certificate.
    ///
    /// # Errors
    /// It is none; the text says what is wrong with it, after "holds".
    pub fn read(certificate: &CertificateDer<'_>) -> Result<Self, String> {
        let (rest, parsed) = X509Certificate::from_der(certificate)
            .map_err(|_| "something that is no certificate".to_owned())?;
        if !rest.is_empty() {
            return Err("a certificate with something behind its end".to_owned());
        }
        let names = parsed
            .subject_alternative_name()
            .map_err(|_| "a certificate without readable names".to_owned())?;
        let names = names
            .iter()
            .flat_map(|names| &names.value.general_names)
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(*name),
                _ => None,
            });
        let common_name = parsed
            .subject()
            .iter_common_name()
            .next()
            .and_then(|name| name.as_str().ok())
            .unwrap_or_default();
        Ok(Self {
            identity: Identity::of_names(names),
            common_name: common_name.to_owned(),
            serial: parsed.serial.to_bytes_be(),
            issuer: parsed.issuer().as_raw().to_vec(),
            subject: parsed.subject().as_raw().to_vec(),
            public_key: parsed.public_key().raw.to_vec(),
            starts: since_1970(parsed.validity().not_before.timestamp()),
            ends: since_1970(parsed.validity().not_after.timestamp()),
        })
    }
}

/// A certificate from before 1970 counts as one from then.
fn since_1970(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// A moment as certificates write it: whole seconds.
pub(super) fn moment(since_1970: Duration) -> OffsetDateTime {
    i64::try_from(since_1970.as_secs())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        // Only a clock that is off by thousands of years comes here.
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The day of a moment since 1970 in UTC: `2026-01-31`.
pub(super) fn date(since_1970: Duration) -> String {
    let moment = moment(since_1970);
    format!(
        "{:04}-{:02}-{:02}",
        moment.year(),
        u8::from(moment.month()),
        moment.day()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_as_in_iso_8601() {
        let day = |seconds| date(Duration::from_secs(seconds));
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(1_767_225_599), "2025-12-31");
        assert_eq!(day(1_767_225_600), "2026-01-01");
    }

    #[test]
    fn rubbish_is_no_certificate() {
        for bytes in [&b""[..], b"\0", b"hello", &[0x30, 0x82, 0xff, 0xff]] {
            assert!(Facts::read(&CertificateDer::from(bytes)).is_err());
        }
    }
}
