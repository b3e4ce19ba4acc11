//! Who is let in, and what is said of those who are not.

use super::*;
use rustls::client::ResolvesClientCert;
use rustls::version::TLS12;
use rustls::{HandshakeKind, RootCertStore, SignatureScheme};

const NOT_TRUSTED: &str = "it does not trust the authority of this side's certificate";
const REFUSES: &str = "it refuses this side's certificate; its log says why";

/// What beta says of a connection made to its peer address, and what the caller hears.
#[track_caller]
fn check(seen: (Seen, Seen), by_server: &str, by_client: &str) {
    assert_eq!(seen, (refused(by_server), refused(by_client)));
}

#[tokio::test]
async fn hosts_of_one_cluster_know_each_other() {
    let scene = Scene::new("know");
    let (alpha, beta) = (scene.credentials("alpha"), scene.credentials("beta"));
    let seen = connect(&alpha, &beta, "beta").await;
    assert_eq!(seen, (accepted("host alpha"), accepted("host beta")));
}

#[tokio::test]
async fn a_client_of_the_cluster_may_use_the_api_and_nothing_else() {
    let scene = Scene::new("api");
    let reports = scene.client("reports");
    scene.registrar().issue(&reports, 90).expect("issued");
    let (client, beta) = (scene.client_config("reports"), scene.credentials("beta"));
    let name = || beta.server_name(&host("beta"));
    let api = shake(client.clone(), name(), beta.api_server()).await;
    assert_eq!(api, (accepted("client reports"), accepted("host beta")));
    let host = shake(
        scene.credentials("alpha").client(),
        name(),
        beta.api_server(),
    )
    .await;
    assert_eq!(host, (accepted("host alpha"), accepted("host beta")));
    check(
        shake(client, name(), beta.server()).await,
        "its certificate is of client reports, and only hosts may connect here",
        REFUSES,
    );
}

#[derive(Debug)]
struct NoCertificate;

impl ResolvesClientCert for NoCertificate {
    fn resolve(
        &self,
        _: &[&[u8]],
        _: &[SignatureScheme],
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn who_shows_no_certificate_is_refused() {
    let scene = Scene::new("none");
    let beta = scene.credentials("beta");
    let mut client = ClientConfig::clone(&beta.client());
    client.client_auth_cert_resolver = Arc::new(NoCertificate);
    let client = Arc::new(client);
    for server in [beta.server(), beta.api_server()] {
        let name = beta.server_name(&host("beta"));
        check(
            shake(Arc::clone(&client), name, server).await,
            "it presented no certificate",
            "it asks for a certificate, and got none",
        );
    }
}

#[tokio::test]
async fn a_host_of_another_cluster_is_refused_with_the_name_of_that_cluster() {
    let scene = Scene::new("cluster");
    let mut other = Scene::empty("cluster-lab");
    other.cluster = "lab".parse().expect("a name");
    other
        .create()
        .init(&[host("alpha")], DAYS_DEFAULT)
        .expect("made");
    let (stranger, beta) = (other.credentials("alpha"), scene.credentials("beta"));
    let seen = connect(&stranger, &beta, "beta").await;
    // The caller looks first, and hangs up.
    check(
        seen,
        "it refuses this side's certificate; its log says why",
        "its certificate is of cluster shop, not of lab",
    );
    let mut trusting = ClientConfig::clone(&scene.credentials("alpha").client());
    trusting.client_auth_cert_resolver = stranger.client().client_auth_cert_resolver.clone();
    let name = beta.server_name(&host("beta"));
    check(
        shake(Arc::new(trusting), name, beta.server()).await,
        "its certificate is of cluster lab, not of shop",
        REFUSES,
    );
}

#[tokio::test]
async fn one_authority_for_two_clusters_does_not_make_them_one() {
    let scene = Scene::new("shared");
    let lab: ClusterName = "lab".parse().expect("a name");
    let stranger = Identity::host(&lab, &host("gamma"));
    scene.registrar().issue(&stranger, 90).expect("issued");
    let gamma = Credentials::load(&scene.folder, &lab, &host("gamma"), &scene.os).expect("loaded");
    let beta = scene.credentials("beta");
    let mut client = ClientConfig::clone(&beta.client());
    client.client_auth_cert_resolver = gamma.client().client_auth_cert_resolver.clone();
    let name = beta.server_name(&host("beta"));
    check(
        shake(Arc::new(client), name, beta.server()).await,
        "its certificate is of cluster lab, not of shop",
        REFUSES,
    );
    let name = gamma.server_name(&host("gamma"));
    check(
        shake(beta.client(), name, gamma.server()).await,
        REFUSES,
        "its certificate is of cluster lab, not of shop",
    );
}

#[tokio::test]
async fn the_name_of_the_cluster_is_not_enough() {
    let (scene, forged) = (Scene::new("genuine"), Scene::new("forged"));
    let (forger, beta) = (forged.credentials("alpha"), scene.credentials("beta"));
    let said = "its certificate is not signed by this cluster's authority";
    check(connect(&forger, &beta, "beta").await, NOT_TRUSTED, said);
    let mut client = ClientConfig::clone(&beta.client());
    client.client_auth_cert_resolver = forger.client().client_auth_cert_resolver.clone();
    let name = beta.server_name(&host("beta"));
    let seen = shake(Arc::new(client), name, beta.server()).await;
    check(seen, said, NOT_TRUSTED);
}

#[tokio::test]
async fn another_host_than_the_one_asked_for_is_refused() {
    let scene = Scene::new("name");
    let (alpha, beta) = (scene.credentials("alpha"), scene.credentials("beta"));
    let (_, by_client) = connect(&alpha, &beta, "gamma").await;
    assert_eq!(
        by_client,
        refused("its certificate is of host beta, not of host gamma")
    );
}

#[tokio::test]
async fn a_client_cannot_stand_in_for_a_host() {
    let scene = Scene::new("impostor");
    scene
        .registrar()
        .issue(&scene.client("alpha"), 90)
        .expect("issued");
    let folder = folder::Folder::new(&scene.folder, Arc::clone(&scene.os.disk));
    let (_, usable) = files::look(&folder, &scene.client("alpha"), None, NEW_YEAR)
        .expect("usable")
        .expect("new");
    let admits = verify::Admits::Everyone;
    let server = tls::server(&usable, &scene.cluster, admits, &[b"h2"], &scene.os.clock);
    let beta = scene.credentials("beta");
    let name = beta.server_name(&host("alpha"));
    let (_, by_client) = shake(beta.client(), name, server.expect("made")).await;
    assert_eq!(
        by_client,
        refused("its certificate is not for this side of a connection")
    );
}

#[tokio::test]
async fn a_certificate_that_ended_is_refused_with_the_day() {
    let scene = Scene::new("ended");
    let (alpha, beta) = (scene.credentials("alpha"), scene.credentials("beta"));
    scene
        .registrar()
        .renew(&scene.host("alpha"), 2)
        .expect("issued");
    alpha.reload().expect("usable");
    let seen = connect(&alpha, &beta, "beta").await;
    assert_eq!(seen, (accepted("host alpha"), accepted("host beta")));
    scene.clock.pass(3 * DAY);
    check(
        connect(&alpha, &beta, "beta").await,
        "its certificate ended on 2026-01-03",
        "it says that this side's certificate ended, or has not begun",
    );
}

#[tokio::test]
async fn a_clock_that_is_behind_for_less_than_a_day_is_no_matter() {
    let scene = Scene::new("skew");
    let alpha = scene.credentials("alpha");
    let behind = |time: Duration| {
        let os = Os {
            clock: TestClock::at(NEW_YEAR.saturating_sub(time)),
            ..scene.os.clone()
        };
        Credentials::load(&scene.folder, &scene.cluster, &host("beta"), &os).expect("loaded")
    };
    let seen = connect(&alpha, &behind(DAY - Duration::from_secs(60)), "beta").await;
    assert_eq!(seen, (accepted("host alpha"), accepted("host beta")));
    let (by_server, _) = connect(&alpha, &behind(2 * DAY), "beta").await;
    assert_eq!(
        by_server,
        refused(
            "its certificate begins on 2025-12-31, after this host's clock; compare the clocks"
        )
    );
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_on_both_sides_once_the_list_is_read() {
    let scene = Scene::new("revoked");
    let (alpha, beta) = (scene.credentials("alpha"), scene.credentials("beta"));
    assert!(
        scene
            .registrar()
            .revoke(&scene.host("alpha"))
            .expect("written")
    );
    let before = connect(&alpha, &beta, "beta").await;
    assert_eq!(before, (accepted("host alpha"), accepted("host beta")));
    assert!(beta.reload().expect("usable"));
    let (said, heard) = (
        "its certificate was revoked",
        "it says that this side's certificate was revoked",
    );
    check(connect(&alpha, &beta, "beta").await, said, heard);
    check(connect(&beta, &alpha, "alpha").await, heard, said);
}

#[tokio::test]
async fn sessions_are_not_resumed() {
    let scene = Scene::new("resumed");
    let (alpha, beta) = (scene.credentials("alpha"), scene.credentials("beta"));
    let (client, server) = (alpha.client(), beta.server());
    for _ in 0..2 {
        let (near, far) = tokio::io::duplex(64 << 10);
        let serving = async {
            let mut stream = TlsAcceptor::from(server.clone())
                .accept(far)
                .await
                .expect("accepted");
            stream.write_all(b"!").await.expect("written");
            stream.flush().await.expect("written");
            stream.get_ref().1.handshake_kind()
        };
        let connecting = async {
            let name = alpha.server_name(&host("beta"));
            let connector = TlsConnector::from(client.clone());
            let mut stream = connector.connect(name, near).await.expect("connected");
            stream.read_u8().await.expect("read");
            let connection = stream.get_ref().1;
            (
                connection.handshake_kind(),
                connection.tls13_tickets_received(),
            )
        };
        let full = Some(HandshakeKind::Full);
        assert_eq!(tokio::join!(serving, connecting), (full, (full, 0)));
    }
}

#[tokio::test]
async fn only_tls_1_3_is_spoken() {
    let scene = Scene::new("version");
    let beta = scene.credentials("beta");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let old = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS12])
        .expect("offered")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = beta.server_name(&host("beta"));
    check(
        shake(Arc::new(old), name, beta.server()).await,
        "it does not speak TLS 1.3",
        "it does not speak TLS 1.3",
    );
}

#[tokio::test]
async fn only_the_api_speaks_http_1() {
    let scene = Scene::new("protocol");
    let (alpha, beta) = (scene.credentials("alpha"), scene.credentials("beta"));
    let mut client = ClientConfig::clone(&alpha.client());
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    let client = Arc::new(client);
    let name = || alpha.server_name(&host("beta"));
    let (said, heard) = shake(Arc::clone(&client), name(), beta.server()).await;
    let reason = refused("it offers no protocol that is spoken here (HTTP/2 between hosts)");
    assert_eq!((&said, &heard), (&reason, &reason));
    let seen = shake(client, name(), beta.api_server()).await;
    assert_eq!(seen, (accepted("host alpha"), accepted("host beta")));
}

#[tokio::test]
async fn what_is_not_tls_is_called_so() {
    let scene = Scene::new("garbage");
    let beta = scene.credentials("beta");
    for (bytes, said) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "it does not speak TLS"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "it does not speak TLS"),
        (
            b"\x16\x03\x01\x00",
            "it closed the connection during the handshake",
        ),
        (b"", "it closed the connection during the handshake"),
    ] {
        let (mut near, far) = tokio::io::duplex(1 << 10);
        near.write_all(bytes).await.expect("there is room");
        near.shutdown().await.expect("closed");
        let error = TlsAcceptor::from(beta.server()).accept(far).await;
        assert_eq!(explain(&error.expect_err("refused")), said, "{bytes:?}");
        let (mut far, near) = tokio::io::duplex(1 << 10);
        far.write_all(bytes).await.expect("there is room");
        far.shutdown().await.expect("closed");
        let name = beta.server_name(&host("beta"));
        let error = TlsConnector::from(beta.client()).connect(name, near).await;
        assert_eq!(explain(&error.expect_err("refused")), said, "{bytes:?}");
    }
}
