//! What a running host holds of certificates. Follows its files; what does not fit together never takes effect.

use super::CertificateError;
use super::authority::DAY;
use super::certificate::{Facts, date};
use super::files::{self, Files, Usable};
use super::folder::Folder;
use super::identity::Identity;
use super::tls::{self, CONTROL, HTTP_1, HTTP_2, REPLICA};
use super::verify::Admits;
use crate::config::{ClusterName, HostName};
use crate::os::Os;
use crate::os::clock::sleep;
use crate::telemetry::Log;
use arc_swap::ArcSwap;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, ServerConfig};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How often the files are looked at: an operator who revokes does not want to wait, and three small files cost nothing.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long before its end a certificate is warned about.
pub(super) const WARN_BEFORE: Duration = Duration::from_secs(30 * DAY.as_secs());

/// This host's certificate, key and trust; a cheap handle; follows changes of its files without a restart.
#[derive(Clone)]
pub struct Credentials(Arc<Inner>);

struct Inner {
    folder: Folder,
    cluster: ClusterName,
    who: Identity,
    os: Os,
    current: ArcSwap<Current>,
    /// One look at a time, or an older one could take effect last.
    looking: Mutex<()>,
    changes: watch::Sender<u64>,
}

/// What is in effect.
struct Current {
    files: Files,
    facts: Facts,
    is_revoked: bool,
    server: Arc<ServerConfig>,
    api_server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    control: Arc<ClientConfig>,
    replica: Arc<ClientConfig>,
    callers: Arc<dyn ClientCertVerifier>,
}

impl Credentials {
    /// Reads the files of a host.
    ///
    /// # Errors
    /// A file is missing or unusable, they do not fit together, or the certificate has ended or was revoked.
    pub fn load(
        folder: &Path,
        cluster: &ClusterName,
        host: &HostName,
        os: &Os,
    ) -> Result<Self, CertificateError> {
        let who = Identity::host(cluster, host);
        Folder::check_name(&who)?;
        let folder = Folder::new(folder, Arc::clone(&os.disk));
        let now = os.clock.wall();
        let (files, usable) =
            files::look(&folder, &who, None, now)?.expect("nothing is in effect yet");
        if usable.facts.ends < now {
            let date = date(usable.facts.ends);
            return Err(CertificateError::Ended { who, date });
        }
        if usable.is_revoked {
            return Err(CertificateError::Revoked { who });
        }
        let current = Current::make(files, usable, cluster, os)?;
        Ok(Self(Arc::new(Inner {
            folder,
            cluster: cluster.clone(),
            who,
            os: os.clone(),
            current: ArcSwap::from_pointee(current),
            looking: Mutex::new(()),
            changes: watch::channel(0).0,
        })))
    }

    /// For connections between hosts: a host of this cluster has to show its certificate; HTTP/2.
    #[must_use]
    pub fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.current.load().server)
    }

    /// For the api address: a host or client of this cluster has to show its certificate; HTTP/2 or HTTP/1.1.
    #[must_use]
    pub fn api_server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.current.load().api_server)
    }

    /// For connections to other hosts: shows this host's certificate, and takes only that of the host asked for; HTTP/2.
    #[must_use]
    pub fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0.current.load().client)
    }

    /// The same for probes: the host that is asked tells them from calls by the first message of the handshake.
    #[must_use]
    pub fn control(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0.current.load().control)
    }

    /// The same for messages between replicas.
    #[must_use]
    pub fn replica(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0.current.load().replica)
    }

    /// Verifies once more what a host showed when it connected: what is in effect may have changed since.
    ///
    /// # Errors
    /// It would not be let in now.
    pub fn verify_again(&self, chain: &[CertificateDer<'_>]) -> Result<(), rustls::Error> {
        let (first, others) = chain
            .split_first()
            .ok_or(rustls::Error::NoCertificatesPresented)?;
        let now = UnixTime::since_unix_epoch(self.0.os.clock.wall());
        let current = self.0.current.load();
        current.callers.verify_client_cert(first, others, now)?;
        Ok(())
    }

    /// The name to ask for when connecting to a host.
    #[must_use]
    pub fn server_name(&self, peer: &HostName) -> ServerName<'static> {
        Identity::host(&self.0.cluster, peer).server_name()
    }

    /// Counts up whenever other files took effect; connections made before should be made again.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Looks at the files once; true if something new took effect.
    ///
    /// # Errors
    /// A file is missing or unusable, or they do not fit together: then what was in effect stays. That this host's own
    /// certificate has ended or was revoked is no error here, so that what is said about others takes effect.
    pub fn reload(&self) -> Result<bool, CertificateError> {
        let inner = &self.0;
        let _one_at_a_time = inner.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let current = inner.current.load();
        let now = inner.os.clock.wall();
        let look = files::look(&inner.folder, &inner.who, Some(&current.files), now)?;
        let Some((files, usable)) = look else {
            return Ok(false);
        };
        let next = Current::make(files, usable, &inner.cluster, &inner.os)?;
        inner.current.store(Arc::new(next));
        inner.changes.send_modify(|changes| *changes += 1);
        Ok(true)
    }

    /// Looks at the files every second until it is dropped. Says once in `log` what is refused and what took effect,
    /// and once a day that this host's certificate is about to end, has ended, or was revoked.
    pub async fn watch(self, log: Log) {
        let clock = Arc::clone(&self.0.os.clock);
        let mut refused = None;
        let mut warned: Option<(String, Duration)> = None;
        loop {
            match self.reload() {
                Ok(is_new) => {
                    if is_new {
                        let ends = date(self.0.current.load().facts.ends);
                        let message = format!(
                            "took new certificates of {}; this host's ends on {ends}",
                            self.0.folder.path.display()
                        );
                        log.info(None, &message);
                    }
                    refused = None;
                }
                Err(error) => {
                    let reason = with_cause(&error);
                    if refused.as_ref() != Some(&reason) {
                        log.error(
                            None,
                            &format!("kept the old certificates, since the new ones cannot be used: {reason}"),
                        );
                        refused = Some(reason);
                    }
                }
            }
            let (warning, now) = (self.warning(), clock.monotonic());
            let is_new = |warning: &String| {
                warned
                    .as_ref()
                    .is_none_or(|(said, when)| said != warning || now.saturating_sub(*when) >= DAY)
            };
            if let Some(warning) = warning.filter(is_new) {
                log.warn(None, &warning);
                warned = Some((warning, now));
            }
            sleep(clock.as_ref(), LOOK_EVERY).await;
        }
    }

    /// What an operator should do something about.
    fn warning(&self) -> Option<String> {
        let Inner { who, os, .. } = self.0.as_ref();
        let (current, now) = (self.0.current.load(), os.clock.wall());
        let ends = current.facts.ends;
        let state = if current.is_revoked {
            "was revoked".to_owned()
        } else if ends < now {
            format!("ended on {}", date(ends))
        } else if ends < now.saturating_add(WARN_BEFORE) {
            format!("ends on {}", date(ends))
        } else {
            return None;
        };
        Some(format!(
            "the certificate of this host {state}; run `bookshop-host certs rotate FILE {}`",
            who.name
        ))
    }
}

impl Current {
    fn make(
        files: Files,
        usable: Usable,
        cluster: &ClusterName,
        os: &Os,
    ) -> Result<Self, CertificateError> {
        let server = |admits, protocols: &[&[u8]]| {
            tls::server(&usable, cluster, admits, protocols, &os.clock)
                .map_err(CertificateError::Make)
        };
        let callers =
            tls::callers(&usable, cluster, Admits::Hosts).map_err(CertificateError::Make)?;
        let client = |protocol| {
            tls::client(&usable, cluster, protocol, &os.clock).map_err(CertificateError::Make)
        };
        Ok(Self {
            server: server(Admits::Hosts, &[HTTP_2, CONTROL, REPLICA])?,
            api_server: server(Admits::Everyone, &[HTTP_2, HTTP_1])?,
            client: client(HTTP_2)?,
            control: client(CONTROL)?,
            replica: client(REPLICA)?,
            callers,
            facts: usable.facts,
            is_revoked: usable.is_revoked,
            files,
        })
    }
}

fn with_cause(error: &CertificateError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
