//! What somebody sends who has a host's certificate, or has none, and is no host.

use super::*;
use crate::os::network::TcpStream;
use crate::replica::network::ReplicaLane;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Connects to alpha in the name of another host.
async fn connect(scene: &Scene, alpha: &Node, config: Arc<ClientConfig>) -> TlsStream<TcpStream> {
    let stream = scene.os.network.connect(alpha.address).await;
    let name = alpha.credentials.server_name(&scene::host("alpha"));
    let connector = TlsConnector::from(config);
    let connected = connector.connect(name, stream.expect("it listens")).await;
    connected.expect("alpha shows its certificate")
}

/// Sends bytes, and waits until the other end closes the connection; what it says before is returned.
async fn throw(stream: &mut TlsStream<TcpStream>, bytes: &[u8]) -> Vec<u8> {
    // The other end may close at any byte.
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    said
}

/// Alpha, connected with beta; gamma's papers are the stranger's.
struct Attacked {
    scene: Scene,
    alpha: Node,
    beta: Node,
}

impl Attacked {
    async fn new(name: &str) -> Self {
        let scene = Scene::new(name);
        let (alpha, beta) = scene.pair().await;
        Self { scene, alpha, beta }
    }

    fn gamma(&self) -> Arc<ClientConfig> {
        self.scene.credentials(&scene::host("gamma")).replica()
    }

    async fn check(&mut self, bytes: &[u8], is_welcome: bool, logged: &str) {
        let mut stream = connect(&self.scene, &self.alpha, self.gamma()).await;
        let said = throw(&mut stream, bytes).await;
        let welcome = if is_welcome {
            frame::welcome()
        } else {
            Vec::new()
        };
        assert_eq!(said, welcome, "{logged}");
        self.check_logged(logged);
        self.check_works().await;
    }

    #[track_caller]
    fn check_logged(&self, logged: &str) {
        let lines = self.alpha.log.lock().last(100, |_| true);
        let is_there = lines.iter().any(|line| line.message.contains(logged));
        assert!(is_there, "{logged:?} is not in {lines:?}");
    }

    /// What is connected goes on.
    async fn check_works(&mut self) {
        for lane in LANES {
            self.beta.send("alpha", lane, b"works");
            assert_eq!(self.alpha.message().await.1, b"works");
        }
    }
}

#[tokio::test]
async fn a_frame_that_makes_no_sense_ends_its_connection_and_nothing_else() {
    let mut attacked = Attacked::new("garbage").await;
    let control = frame::greeting("test", ReplicaLane::Control);
    let mut message = Vec::new();
    assert!(frame::put_message(
        &mut message,
        "orders",
        b"message",
        ReplicaLane::Control
    ));
    let mut damaged = message.clone();
    *damaged.last_mut().expect("it has bytes") ^= 1;
    let too_long = "at most 65536 are allowed";
    for (bytes, is_welcome, logged) in [
        (vec![0xff; 100], false, "at most 257 are allowed"),
        (vec![0; 100], false, "not what is expected here"),
        (message.clone(), false, "speaks version 6 of the protocol"),
        (
            frame::greeting("other", ReplicaLane::Append),
            false,
            "of cluster \"other\"",
        ),
        ([&control[..], &[0xff; 8]].concat(), true, too_long),
        (
            [control.clone(), damaged].concat(),
            true,
            "checksum is wrong",
        ),
        (
            [control, frame::welcome()].concat(),
            true,
            "not what is expected here",
        ),
    ] {
        attacked.check(&bytes, is_welcome, logged).await;
    }
}

#[tokio::test]
async fn strangers_are_refused() {
    let mut attacked = Attacked::new("strangers").await;
    // Of another authority, with the right names.
    let other = Scene::new("strangers-other");
    let credulous = attacked.gamma();
    let mut config = ClientConfig::clone(&credulous);
    config.client_auth_cert_resolver = Arc::clone(
        &other
            .credentials(&scene::host("gamma"))
            .replica()
            .client_auth_cert_resolver,
    );
    let mut stream = connect(&attacked.scene, &attacked.alpha, Arc::new(config)).await;
    let said = throw(&mut stream, &frame::greeting("test", ReplicaLane::Control)).await;
    assert_eq!(said, b"");
    attacked.check_logged("as a replica: ");
    // A host that wants to speak HTTP with replicas.
    let http = attacked.scene.credentials(&scene::host("gamma")).client();
    let mut stream = connect(&attacked.scene, &attacked.alpha, http).await;
    assert_eq!(throw(&mut stream, b"").await, b"");
    attacked.check_logged("wants to speak another protocol");
    attacked.check_works().await;
}

#[tokio::test]
async fn a_peer_that_comes_again_takes_the_place_of_its_own_connection() {
    let mut attacked = Attacked::new("again").await;
    let greeting = frame::greeting("test", ReplicaLane::Append);
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = connect(&attacked.scene, &attacked.alpha, attacked.gamma()).await;
        stream.write_all(&greeting).await.expect("it is read");
        let mut said = vec![0; frame::welcome().len()];
        stream.read_exact(&mut said).await.expect("it is welcome");
        streams.push(stream);
    }
    let mut last = streams.pop().expect("there are three");
    for mut stream in streams {
        assert_eq!(throw(&mut stream, b"").await, b"");
    }
    let mut message = Vec::new();
    assert!(frame::put_message(
        &mut message,
        "orders",
        b"message",
        ReplicaLane::Append
    ));
    last.write_all(&message).await.expect("it is read");
    assert_eq!(
        attacked.alpha.message().await,
        ("gamma".into(), b"message".to_vec())
    );
    attacked.check_works().await;
}
