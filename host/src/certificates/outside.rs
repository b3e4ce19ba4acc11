//! TLS for a program outside the cluster that has a client's certificate.

use super::CertificateError;
use super::certificate::date;
use super::files;
use super::folder::Folder;
use super::identity::Identity;
use super::tls;
use crate::config::{ClusterName, HostName};
use crate::os::Os;
use rustls::ClientConfig;
use std::path::Path;
use std::sync::Arc;

/// For connections to the api addresses of a cluster: shows the certificate of the client `name`, and takes only that of
/// the host asked for; HTTP/2. Reads `clients/NAME.pem`, its key, `authority.pem` and `revoked.pem` of `folder`, once.
///
/// # Errors
/// A file is missing or unusable, they do not fit together, or the certificate has ended or was revoked.
pub fn client_config(
    folder: &Path,
    cluster: &ClusterName,
    name: &HostName,
    os: &Os,
) -> Result<Arc<ClientConfig>, CertificateError> {
    let who = Identity::client(cluster, name);
    Folder::check_name(&who)?;
    let folder = Folder::new(folder, Arc::clone(&os.disk));
    let now = os.clock.wall();
    let (_, usable) = files::look(&folder, &who, None, now)?.expect("nothing is in effect yet");
    if usable.facts.ends < now {
        let date = date(usable.facts.ends);
        return Err(CertificateError::Ended { who, date });
    }
    if usable.is_revoked {
        return Err(CertificateError::Revoked { who });
    }
    tls::client(&usable, cluster, tls::HTTP_2, &os.clock).map_err(CertificateError::Make)
}
