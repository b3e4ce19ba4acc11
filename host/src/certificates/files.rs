//! What somebody with a certificate needs of a folder: read together, and taken only if it fits together.

use super::CertificateError;
use super::certificate::Facts;
use super::folder::Folder;
use super::identity::{Identity, Role};
use super::pem;
use super::revocation::List;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Looks at the files while somebody is replacing them, until they fit together.
const LOOKS: usize = 3;

/// The content of the files of one holder.
#[derive(PartialEq, Eq)]
pub(super) struct Files {
    authority: Vec<u8>,
    certificate: Vec<u8>,
    keys: Vec<u8>,
    revoked: Option<Vec<u8>>,
}

/// Files that fit together, as TLS needs them.
pub(super) struct Usable {
    pub provider: Arc<CryptoProvider>,
    pub roots: Arc<RootCertStore>,
    pub lists: Vec<CertificateRevocationListDer<'static>>,
    pub own: Arc<CertifiedKey>,
    pub facts: Facts,
    /// Whether the holder's own certificate is on a list.
    pub is_revoked: bool,
}

/// Reads the files of a holder and checks that they fit together; none if they are those `in_effect`.
///
/// # Errors
/// A file is missing or cannot be read, or they do not fit together.
pub(super) fn look(
    folder: &Folder,
    who: &Identity,
    in_effect: Option<&Files>,
    now: Duration,
) -> Result<Option<(Files, Usable)>, CertificateError> {
    let mut files = Files::read(folder, who)?;
    let mut looks = 1;
    loop {
        if Some(&files) == in_effect {
            return Ok(None);
        }
        let error = match files.check(folder, who, now) {
            Ok(usable) => return Ok(Some((files, usable))),
            Err(error) => error,
        };
        // Files are replaced one by one: what did not fit may have been read while that happened.
        let again = Files::read(folder, who)?;
        looks += 1;
        if again == files || looks > LOOKS {
            return Err(error);
        }
        files = again;
    }
}

impl Files {
    fn read(folder: &Folder, who: &Identity) -> Result<Self, CertificateError> {
        let Some(authority) = folder.read(&folder.authority())? else {
            return Err(CertificateError::NoAuthority {
                folder: folder.path.clone(),
                file: "FILE".to_owned(),
            });
        };
        let needed = |path: std::path::PathBuf| {
            folder
                .read(&path)?
                .ok_or_else(|| CertificateError::missing(who, path))
        };
        Ok(Self {
            authority,
            certificate: needed(folder.certificate(who))?,
            keys: needed(folder.key(who))?,
            revoked: folder.read(&folder.revoked())?,
        })
    }

    fn check(
        &self,
        folder: &Folder,
        who: &Identity,
        now: Duration,
    ) -> Result<Usable, CertificateError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let authorities = certificates(&folder.authority(), &self.authority)?;
        let mut roots = RootCertStore::empty();
        let mut anchors = Vec::new();
        for authority in authorities {
            let unusable = |reason: String| unusable(&folder.authority(), reason);
            anchors.push(
                Facts::read(&authority).map_err(|reason| unusable(format!("holds {reason}")))?,
            );
            roots.add(authority).map_err(|error| {
                unusable(format!(
                    "holds a certificate that cannot be an authority ({error})"
                ))
            })?;
        }
        let roots = Arc::new(roots);
        let path = folder.certificate(who);
        let chain = certificates(&path, &self.certificate)?;
        let facts =
            Facts::read(&chain[0]).map_err(|reason| unusable(&path, format!("holds {reason}")))?;
        names(&path, &facts, who)?;
        let own = Arc::new(self.certified_key(folder, who, &chain, &provider)?);
        is_signed(&chain, &facts, who, &roots, &provider, now).map_err(|error| {
            let reason = format!(
                "is not signed by an authority of {} ({error}); copy the files of one `bookshop-host certs` together",
                folder.authority().display()
            );
            unusable(&path, reason)
        })?;
        let lists = self.lists(folder, &anchors)?;
        Ok(Usable {
            is_revoked: lists
                .iter()
                .any(|list| list.has(&facts.issuer, &facts.serial)),
            lists: lists.into_iter().map(|list| list.der).collect(),
            provider,
            roots,
            own,
            facts,
        })
    }

    /// The chain with the key that fits it. While a certificate is being replaced there are two keys in the file.
    fn certified_key(
        &self,
        folder: &Folder,
        who: &Identity,
        chain: &[CertificateDer<'static>],
        provider: &CryptoProvider,
    ) -> Result<CertifiedKey, CertificateError> {
        let path = folder.key(who);
        for key in PrivateKeyDer::pem_slice_iter(&self.keys) {
            let key = key.map_err(|error| unusable(&path, pem::broken(&error)))?;
            if let Ok(own) = CertifiedKey::from_der(chain.to_vec(), key, provider) {
                return Ok(own);
            }
        }
        let reason = format!(
            "holds no key that fits {}; copy both files of one `bookshop-host certs` together",
            folder.certificate(who).display()
        );
        Err(unusable(&path, reason))
    }

    /// The lists of the authorities that are trusted. A list of another, which was retired, is of no use.
    fn lists(&self, folder: &Folder, anchors: &[Facts]) -> Result<Vec<List>, CertificateError> {
        let path = folder.revoked();
        let Some(content) = &self.revoked else {
            return Ok(Vec::new());
        };
        let mut lists = List::read_all(content).map_err(|reason| unusable(&path, reason))?;
        lists.retain(|list| anchors.iter().any(|anchor| anchor.subject == list.issuer));
        let is_genuine = |list: &List| {
            anchors.iter().any(|anchor| {
                anchor.subject == list.issuer && list.is_signed_by(&anchor.public_key)
            })
        };
        // A list that fails here would make every certificate of its authority fail in a handshake.
        if lists.iter().all(is_genuine) {
            Ok(lists)
        } else {
            Err(unusable(&path, "holds a list that its authority did not sign; restore it, or run `bookshop-host certs revoke` again".to_owned()))
        }
    }
}

impl CertificateError {
    pub(super) fn missing(who: &Identity, path: std::path::PathBuf) -> Self {
        Self::Missing {
            option: match who.role {
                Role::Host => "",
                Role::Client => " --client",
            },
            who: who.clone(),
            path,
        }
    }
}

/// Whether a chain leads to an authority, for everything its holder does with it. That it may have ended is looked at elsewhere.
fn is_signed(
    chain: &[CertificateDer<'_>],
    facts: &Facts,
    who: &Identity,
    roots: &Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
    now: Duration,
) -> Result<(), rustls::Error> {
    let moment = UnixTime::since_unix_epoch(now.clamp(facts.starts, facts.ends.max(facts.starts)));
    let other =
        |error: rustls::server::VerifierBuilderError| rustls::Error::General(error.to_string());
    let as_client =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider))
            .build()
            .map_err(other)?;
    as_client.verify_client_cert(&chain[0], &chain[1..], moment)?;
    if who.role == Role::Host {
        let as_server =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider))
                .build()
                .map_err(other)?;
        as_server.verify_server_cert(&chain[0], &chain[1..], &who.server_name(), &[], moment)?;
    }
    Ok(())
}

/// At least one certificate.
fn certificates(
    path: &Path,
    content: &[u8],
) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let read: Vec<_> = CertificateDer::pem_slice_iter(content)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(path, pem::broken(&error)))?;
    if read.is_empty() {
        return Err(unusable(path, "holds no certificate".to_owned()));
    }
    Ok(read)
}

fn names(path: &Path, facts: &Facts, who: &Identity) -> Result<(), CertificateError> {
    match &facts.identity {
        Some(identity) if identity == who => Ok(()),
        Some(identity) => {
            let reason = format!(
                "is the certificate of {identity} of cluster {}, not of {who} of cluster {}",
                identity.cluster, who.cluster
            );
            Err(unusable(path, reason))
        }
        None => Err(unusable(
            path,
            format!(
                "names nobody; its alternative names need {}",
                who.dns_name()
            ),
        )),
    }
}

fn unusable(path: &Path, reason: String) -> CertificateError {
    CertificateError::Unusable {
        path: path.to_owned(),
        reason,
    }
}
