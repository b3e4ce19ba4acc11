//! An authority: a certificate that signs others, with its key where certificates are issued.

use super::CertificateError;
use super::certificate::{Facts, moment};
use super::folder::Folder;
use super::identity::{Identity, Role};
use super::pem;
use super::revocation::List;
use crate::config::ClusterName;
use crate::os::Os;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PublicKeyData, RevokedCertParams, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::time::Duration;

/// Certificates begin this long before they are made, so that a host whose clock is behind takes them at once.
/// A day covers every clock that is set to the wrong time zone.
const CLOCK_SKEW: Duration = DAY;
/// How long an authority lives. Hosts come and go below it, and replacing it takes an operator.
const LIFE: Duration = Duration::from_secs(10 * 365 * DAY.as_secs());
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// An authority.
pub(super) struct Authority {
    pub certificate: CertificateDer<'static>,
    pub facts: Facts,
    /// The certificate as it stands in the file.
    pub pem: String,
    key: Option<KeyPair>,
}

/// A certificate that was just made, with its key.
pub(super) struct Issued {
    pub certificate_pem: String,
    pub key_pem: String,
    /// Since 1970.
    pub ends: Duration,
}

impl Authority {
    /// A new authority of a cluster.
    pub fn make(cluster: &ClusterName, os: &Os) -> Result<Self, CertificateError> {
        let mut number = [0; 6];
        os.entropy.fill(&mut number);
        // Authorities differ in name, not only in key: revocation lists are found by the name of their issuer.
        let name = format!("authority {}", hex::encode(number));
        let now = os.clock.wall();
        let mut params = params(cluster.as_str(), &name, now, now.saturating_add(LIFE), os);
        // It signs hosts and clients, and no further authorities.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let facts = Facts::read(certificate.der()).map_err(CertificateError::Make)?;
        Ok(Self {
            facts,
            pem: certificate.pem(),
            certificate: certificate.into(),
            key: Some(key),
        })
    }

    /// The authorities of a folder, the newest first; none if there is no file.
    ///
    /// # Errors
    /// A file cannot be read, or is not what it should be.
    pub fn read_all(folder: &Folder) -> Result<Vec<Self>, CertificateError> {
        let text = |path: &Path| {
            let content = folder.read(path)?.unwrap_or_default();
            String::from_utf8(content).map_err(|_| unusable(path, "is not text"))
        };
        let (path, key_path) = (folder.authority(), folder.authority_key());
        let mut keys = Vec::new();
        for key in PrivateKeyDer::pem_slice_iter(text(&key_path)?.as_bytes()) {
            let key = key.map_err(|error| unusable(&key_path, &pem::broken(&error)))?;
            keys.push(KeyPair::try_from(&key).map_err(|_| {
                unusable(&key_path, "holds a key that cannot be used; write an ECDSA P-256 or P-384, Ed25519 or RSA key as PKCS #8")
            })?);
        }
        let certificates = text(&path)?;
        let read = |pem: &str| {
            let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
                .map_err(|error| unusable(&path, &pem::broken(&error)))?;
            let facts = Facts::read(&certificate)
                .map_err(|reason| unusable(&path, &format!("holds {reason}")))?;
            let fits = |key: &KeyPair| key.subject_public_key_info() == facts.public_key;
            Ok(Self {
                key: keys
                    .iter()
                    .position(fits)
                    .map(|index| keys.swap_remove(index)),
                certificate,
                facts,
                pem: pem.to_owned(),
            })
        };
        pem::blocks(&certificates, "CERTIFICATE")
            .into_iter()
            .map(read)
            .collect()
    }

    /// Its name, for people.
    pub fn name(&self) -> &str {
        &self.facts.common_name
    }

    /// Its key as a block of PEM, if it is here.
    pub fn key_pem(&self) -> Option<String> {
        self.key.as_ref().map(KeyPair::serialize_pem)
    }

    /// Whether it can sign.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Makes a key and signs a certificate for it, for `days` or as long as this authority lives, whichever is shorter.
    pub fn issue(
        &self,
        who: &Identity,
        days: u32,
        folder: &Folder,
        os: &Os,
    ) -> Result<Issued, CertificateError> {
        let now = os.clock.wall();
        let ends = now
            .saturating_add(DAY.saturating_mul(days))
            .min(self.facts.ends);
        let mut params = params(&who.cluster, &who.name, now, ends, os);
        let name = who.dns_name().try_into()?;
        params.subject_alt_names = vec![rcgen::SanType::DnsName(name)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = match who.role {
            Role::Host => vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ],
            Role::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
        };
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer(folder)?)?;
        Ok(Issued {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            ends,
        })
    }

    /// A list of what `list` has revoked and `serial`, signed. What has ended by itself is left out.
    pub fn revoke(
        &self,
        list: Option<&List>,
        serial: &[u8],
        folder: &Folder,
        os: &Os,
    ) -> Result<String, CertificateError> {
        let now = os.clock.wall();
        let earlier = list.map(|list| list.revoked.as_slice()).unwrap_or_default();
        // An authority's certificates end with it, so one revoked longer ago than an authority lives has ended.
        let is_of_use = |(_, when): &&(Vec<u8>, Duration)| when.saturating_add(LIFE) > now;
        let revoked = earlier
            .iter()
            .filter(is_of_use)
            .map(|(serial, when)| (serial.as_slice(), *when))
            .chain([(serial, now)]);
        let entry = |(serial, when): (&[u8], Duration)| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: moment(when),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: moment(now),
            // Hosts do not refuse a list for its age: one is only written when something is revoked.
            next_update: moment(now.saturating_add(LIFE)),
            crl_number: SerialNumber::from(list.map_or(1, |list| list.number.saturating_add(1))),
            issuing_distribution_point: None,
            revoked_certs: revoked.map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(params.signed_by(&self.issuer(folder)?)?.pem()?)
    }

    fn issuer(&self, folder: &Folder) -> Result<Issuer<'_, &KeyPair>, CertificateError> {
        let Some(key) = &self.key else {
            return Err(CertificateError::NoKey {
                authority: self.name().to_owned(),
                path: folder.authority_key(),
            });
        };
        Ok(Issuer::from_ca_cert_der(&self.certificate, key)?)
    }
}

/// What every certificate has.
fn params(cluster: &str, name: &str, now: Duration, ends: Duration, os: &Os) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, cluster);
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    let mut serial = [0; 16];
    os.entropy.fill(&mut serial);
    // Positive and always of one length, as every reader of serial numbers expects; 126 random bits are left.
    serial[0] = serial[0] & 0x3f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = moment(now.saturating_sub(CLOCK_SKEW));
    params.not_after = moment(ends);
    params
}

fn unusable(path: &Path, reason: &str) -> CertificateError {
    CertificateError::Unusable {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}
