//! Revocation lists: which certificates of an authority are not to be taken any more, although they have not ended.

use super::pem;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use std::time::Duration;
use x509_parser::prelude::{CertificateRevocationList, FromDer};
use x509_parser::x509::SubjectPublicKeyInfo;

/// What one authority has revoked.
pub(super) struct List {
    pub der: CertificateRevocationListDer<'static>,
    /// The list as it stands in the file.
    pub pem: String,
    /// The distinguished name of the authority, encoded.
    pub issuer: Vec<u8>,
    /// Counts up with each list of an authority.
    pub number: u64,
    /// Serial numbers, and when each was revoked, since 1970.
    pub revoked: Vec<(Vec<u8>, Duration)>,
}

impl List {
    /// The lists of a file.
    ///
    /// # Errors
    /// One cannot be read; the text says what is wrong, after the name of the file.
    pub fn read_all(content: &[u8]) -> Result<Vec<Self>, String> {
        let text = std::str::from_utf8(content).map_err(|_| "is not text".to_owned())?;
        let lists: Vec<_> = pem::blocks(text, "X509 CRL");
        if lists.is_empty() {
            return Err("holds no revocation list; remove it if nothing is revoked".to_owned());
        }
        lists.into_iter().map(Self::read).collect()
    }

    fn read(pem: &str) -> Result<Self, String> {
        let broken = |error: &dyn std::fmt::Display| {
            format!("holds something that is no revocation list ({error})")
        };
        let der = CertificateRevocationListDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| pem::broken(&error))?;
        let (_, parsed) =
            CertificateRevocationList::from_der(&der).map_err(|error| broken(&error))?;
        let seconds = |moment: i64| Duration::from_secs(u64::try_from(moment).unwrap_or(0));
        let revoked = parsed.iter_revoked_certificates().map(|entry| {
            (
                entry.serial().to_bytes_be(),
                seconds(entry.revocation_date.timestamp()),
            )
        });
        let number = parsed
            .crl_number()
            .and_then(|number| number.try_into().ok());
        Ok(Self {
            revoked: revoked.collect(),
            issuer: parsed.issuer().as_raw().to_vec(),
            number: number.unwrap_or(0),
            pem: pem.to_owned(),
            der,
        })
    }

    /// Whether the list was signed with the key to this encoded public key.
    pub fn is_signed_by(&self, public_key: &[u8]) -> bool {
        let Ok((_, list)) = CertificateRevocationList::from_der(&self.der) else {
            return false;
        };
        SubjectPublicKeyInfo::from_der(public_key)
            .is_ok_and(|(_, key)| list.verify_signature(&key).is_ok())
    }

    /// Whether the list has this certificate of its issuer.
    pub fn has(&self, issuer: &[u8], serial: &[u8]) -> bool {
        self.issuer == issuer && self.revoked.iter().any(|(revoked, _)| revoked == serial)
    }
}
