//! Somebody at the peer port who is not the host it claims to be: any certificate, any bytes.

use bookshop_host::certificates::{Identity, Registrar, Role};
use bookshop_host::client::RemoteFunction;
use bookshop_host::os::Os;
use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::TLS13;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What every HTTP/2 client sends first (RFC 9113, section 3.4), and empty settings.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
/// Longer than a host keeps anybody waiting for the end of a connection.
const PATIENCE: Duration = Duration::from_secs(45);

/// The folder with the certificates of a cluster, beside its file.
pub fn certificates(cluster_file: &Path) -> PathBuf {
    let folder = cluster_file.parent().expect("a file is in a folder");
    folder.join("data/certs")
}

/// The folder of another authority, made here, which signs for hosts of a cluster of this name.
pub fn other_authority(cluster_file: &Path, cluster: &str, hosts: &[&str]) -> PathBuf {
    let folder = cluster_file.with_file_name(format!("certs-of-{cluster}"));
    let cluster = cluster.parse().expect("a name");
    let hosts: Vec<_> = hosts
        .iter()
        .map(|host| host.parse().expect("a name"))
        .collect();
    let registrar = Registrar::create(&folder, &cluster, &Os::real()).expect("a new folder");
    registrar.init(&hosts, 1).expect("the folder was empty");
    folder
}

/// Signs with the authority of a folder for whoever it is; what is written lies beside the others.
pub fn sign(folder: &Path, cluster: &str, name: &str, role: Role) {
    let parsed = cluster.parse().expect("a name");
    let registrar = Registrar::open(folder, &parsed, &Os::real()).expect("the folder is there");
    let who = Identity {
        cluster: cluster.to_owned(),
        name: name.to_owned(),
        role,
    };
    registrar.issue(&who, 1).expect("the name is free");
}

/// A certificate with its key.
pub struct Papers {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Papers {
    /// Those in a folder under a name, `clients/NAME` for a client.
    pub fn read(folder: &Path, name: &str) -> Self {
        let file = |ending: &str| folder.join(format!("{name}{ending}"));
        let chain = CertificateDer::pem_file_iter(file(".pem")).expect("the file is there");
        Self {
            chain: chain.map(|der| der.expect("a certificate")).collect(),
            key: PrivateKeyDer::from_pem_file(file("-key.pem")).expect("the file is there"),
        }
    }
}

/// Trusts whoever answers, so that it is the host that has to refuse.
#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = ring::default_provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Connects and shakes hands. That the host refuses the papers is only seen when reading afterwards.
pub async fn shake_hands(
    address: SocketAddr,
    papers: Option<Papers>,
) -> io::Result<TlsStream<TcpStream>> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has it")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous));
    let mut config = match papers {
        Some(Papers { chain, key }) => builder
            .with_client_auth_cert(chain, key)
            .expect("the key fits the certificate"),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("anybody.example").expect("a name");
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

/// The certificate that a host shows at an address.
pub async fn shown(address: SocketAddr, papers: Papers) -> CertificateDer<'static> {
    let stream = shake_hands(address, Some(papers))
        .await
        .expect("a host listens");
    let (_, session) = stream.get_ref();
    let chain = session
        .peer_certificates()
        .expect("a host shows a certificate");
    chain[0].clone().into_owned()
}

/// Waits until the other end closes a connection; what it says before is read and forgotten.
pub async fn until_closed<S: AsyncReadExt + Unpin>(stream: &mut S) {
    let mut buffer = [0; 4096];
    let closed = async {
        // An end, a reset and a refusal are all the same here.
        while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
    };
    let closed = tokio::time::timeout(PATIENCE, closed).await;
    closed.unwrap_or_else(|_| panic!("the host kept the connection for {PATIENCE:?}"));
}

/// Sends bytes that nobody wants, as far as the other end takes them.
pub async fn throw<S: AsyncWriteExt + Unpin>(stream: &mut S, bytes: &[u8]) {
    // The other end may close at any byte.
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
}

/// Bytes without any meaning, the same in every run.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let byte = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[7]
    };
    (0..length).map(byte).collect()
}

/// Somebody who speaks HTTP/2 with a host, with good papers.
pub struct Visitor {
    pub sender: SendRequest<Bytes>,
    driver: JoinHandle<()>,
}

impl Visitor {
    /// Connects with a certificate.
    pub async fn connect(address: SocketAddr, papers: Papers) -> Self {
        Self::over(
            shake_hands(address, Some(papers))
                .await
                .expect("a host listens"),
        )
        .await
    }

    /// Connects without any, as programs on this machine do to the api.
    pub async fn in_the_clear(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.expect("a host listens")).await
    }

    async fn over<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> Self {
        let shaken = h2::client::handshake(stream).await;
        let (sender, connection) = shaken.expect("a host speaks HTTP/2");
        let driver = tokio::spawn(async move { drop(connection.await) });
        Self { sender, driver }
    }

    /// Sends a request, and its body as far as the host takes it; returns its answer.
    pub async fn ask(
        &mut self,
        request: Request<()>,
        body: Option<Bytes>,
    ) -> Result<(StatusCode, HeaderMap, String), h2::Error> {
        let mut sender = self.sender.clone().ready().await?;
        let (response, mut stream) = sender.send_request(request, false)?;
        // A host that refuses resets the stream; its answer counts.
        if let Some(body) = body {
            let _ = stream.send_data(body, true);
        }
        let response = tokio::time::timeout(PATIENCE, response).await;
        let response = response.expect("the host answers in time")?;
        let (head, mut body) = response.into_parts();
        let mut bytes = Vec::new();
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            let _ = body.flow_control().release_capacity(chunk.len());
            bytes.extend_from_slice(&chunk);
        }
        Ok((
            head.status,
            head.headers,
            String::from_utf8_lossy(&bytes).into_owned(),
        ))
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The hashes of a function's types, as hosts tell one another.
pub fn types_hash(function: &RemoteFunction) -> String {
    let (arguments, results) = (function.arguments(), function.results());
    format!("{}{}", arguments.hash(), results.hash())
}

/// A call between hosts with a good envelope.
pub fn call_request(path: &str, type_hash: &str) -> Request<()> {
    let mut request = Request::post(format!("https://peer/call/{path}"))
        .body(())
        .expect("a request");
    let headers = request.headers_mut();
    for (name, value) in [
        ("content-type", "application/vnd.bookshop.values"),
        ("bookshop-type", type_hash),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
        ("bookshop-timeout-us", "20000000"),
        ("bookshop-caller", "stranger"),
        ("bookshop-hops-left", "4"),
    ] {
        let value = HeaderValue::from_str(value).expect("text");
        headers.insert(HeaderName::from_static(name), value);
    }
    request
}
