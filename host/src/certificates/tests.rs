//! What the parts do together: issued files, loaded and shown in real handshakes. Below, by what happens to the files.

use super::authority::DAY;
use super::*;
use crate::config::{ClusterName, HostName};
use crate::os::clock::Sleep;
use crate::os::{Clock, Os, task};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector};

mod changes;
mod handshakes;
mod issuing;
mod preparing;

/// 2026-01-01T00:00:00Z.
const NEW_YEAR: Duration = Duration::from_secs(1_767_225_600);

/// A wall clock that stands still until a test moves it. Sleeping takes no time.
struct TestClock {
    wall_s: AtomicU64,
    monotonic_ms: Arc<AtomicU64>,
}

impl TestClock {
    fn at(wall: Duration) -> Arc<Self> {
        Arc::new(Self {
            wall_s: AtomicU64::new(wall.as_secs()),
            monotonic_ms: Arc::default(),
        })
    }

    fn pass(&self, time: Duration) {
        self.wall_s.fetch_add(time.as_secs(), Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic_ms.load(Ordering::Relaxed))
    }

    fn wall(&self) -> Duration {
        Duration::from_secs(self.wall_s.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, moment: Duration) -> Sleep {
        let monotonic_ms = Arc::clone(&self.monotonic_ms);
        Box::pin(async move {
            // Others get their turn, or a loop of sleeps would keep the thread.
            task::yield_now().await;
            let moment = u64::try_from(moment.as_millis()).expect("a test is short");
            monotonic_ms.fetch_max(moment, Ordering::Relaxed);
        })
    }
}

/// A folder of certificates of a cluster, removed at the end of the test.
struct Scene {
    folder: PathBuf,
    cluster: ClusterName,
    clock: Arc<TestClock>,
    os: Os,
}

impl Scene {
    /// An empty folder; `name` is that of the test.
    fn empty(name: &str) -> Self {
        #[allow(
            clippy::disallowed_methods,
            reason = "a test has no data folder to put this into"
        )]
        let folder = std::env::temp_dir().join(format!(
            "bookshop-certs-{name}-{}",
            crate::os::process::id()
        ));
        let clock = TestClock::at(NEW_YEAR);
        let os = Os {
            clock: clock.clone(),
            ..Os::real()
        };
        Self {
            folder,
            cluster: "shop".parse().expect("a name"),
            clock,
            os,
        }
    }

    /// An authority with certificates for alpha and beta.
    fn new(name: &str) -> Self {
        let scene = Self::empty(name);
        scene
            .create()
            .init(&["alpha", "beta"].map(host), DAYS_DEFAULT)
            .expect("made");
        scene
    }

    fn create(&self) -> Registrar {
        Registrar::create(&self.folder, &self.cluster, &self.os).expect("taken")
    }

    fn registrar(&self) -> Registrar {
        Registrar::open(&self.folder, &self.cluster, &self.os).expect("taken")
    }

    fn host(&self, name: &str) -> Identity {
        Identity::host(&self.cluster, &host(name))
    }

    fn client(&self, name: &str) -> Identity {
        Identity::client(&self.cluster, &host(name))
    }

    fn credentials(&self, name: &str) -> Credentials {
        self.try_credentials(name).expect("loaded")
    }

    fn try_credentials(&self, name: &str) -> Result<Credentials, CertificateError> {
        Credentials::load(&self.folder, &self.cluster, &host(name), &self.os)
    }

    fn client_config(&self, name: &str) -> Arc<ClientConfig> {
        client_config(&self.folder, &self.cluster, &host(name), &self.os).expect("loaded")
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    fn read(&self, file: &str) -> String {
        let content = self.os.disk.read(&self.path(file)).expect("there");
        String::from_utf8(content).expect("text")
    }

    fn write(&self, file: &str, content: &str) {
        let path = self.path(file);
        self.os
            .disk
            .write_atomic(&path, content.as_bytes())
            .expect("written");
    }

    /// An error without the name of the folder, which differs from run to run.
    fn plain(&self, error: &dyn std::fmt::Display) -> String {
        error
            .to_string()
            .replace(&self.folder.display().to_string(), "DIR")
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        #[allow(
            clippy::disallowed_methods,
            reason = "a test removes what it made; the host never removes a whole folder"
        )]
        // A test that failed before there was a folder has said enough.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn host(name: &str) -> HostName {
    name.parse().expect("a name")
}

/// What one side of a handshake got: whom it talks to, or why it does not.
type Seen = Result<String, String>;

/// Connects two sides and says whom the server saw and whom the client saw.
async fn shake(
    client: Arc<ClientConfig>,
    name: ServerName<'static>,
    server: Arc<ServerConfig>,
) -> (Seen, Seen) {
    let (near, far) = tokio::io::duplex(64 << 10);
    let shown = |chain: Option<&[rustls::pki_types::CertificateDer<'static>]>| {
        identity(chain.unwrap_or_default())
            .map(|who| who.to_string())
            .map_err(|error| error.to_string())
    };
    let serving = async {
        let mut stream = TlsAcceptor::from(server)
            .accept(far)
            .await
            .map_err(|error| explain(&error))?;
        stream.write_all(b"!").await.expect("the client reads");
        stream.flush().await.expect("the client reads");
        shown(stream.get_ref().1.peer_certificates())
    };
    let connecting = async {
        let mut stream = TlsConnector::from(client)
            .connect(name, near)
            .await
            .map_err(|error| explain(&error))?;
        // In TLS 1.3 a client is done before the server has looked at its certificate.
        stream.read_u8().await.map_err(|error| explain(&error))?;
        shown(stream.get_ref().1.peer_certificates())
    };
    tokio::join!(serving, connecting)
}

/// Connects one host to another: what the server says of it, and what the client says.
async fn connect(from: &Credentials, to: &Credentials, name: &str) -> (Seen, Seen) {
    shake(from.client(), from.server_name(&host(name)), to.server()).await
}

fn accepted(who: &str) -> Seen {
    Ok(who.to_owned())
}

fn refused(reason: &str) -> Seen {
    Err(reason.to_owned())
}
