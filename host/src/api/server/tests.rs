use super::*;
use crate::call_error::CallError;
use crate::client::{CallOptions, Client, ClientError};
use crate::config::Config;
use crate::dispatch::{Answer, Dispatch, Invocation};
use crate::os::Os;
use crate::services::Services;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use std::path::Path;

/// There is nothing to call.
struct Nothing;

impl Dispatch for Nothing {
    fn dispatch(self: Arc<Self>, _invocation: Invocation) -> Answer {
        Box::pin(async { Err(CallError::Cancelled) })
    }
}

fn api(os: &Os) -> Arc<Api> {
    let file = r#"
        [cluster]
        name = "test"
        [[host]]
        name = "alpha"
        http = "127.0.0.1:0"
        peer = "127.0.0.1:0"
        api = "127.0.0.1:0"
        admin = "127.0.0.1:0"
    "#;
    let config = Config::parse(Path::new("test.toml"), file).expect("the configuration is right");
    let host = config.hosts[0].name.clone();
    let services = Arc::new(Services::new(Vec::new()));
    Arc::new(Api::new(
        Arc::new(config),
        host,
        services,
        Arc::new(Nothing),
        os.clone(),
    ))
}

/// An authority, and what it issues.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        Arc::new(roots)
    }

    fn issue(&self, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        (vec![certificate.der().clone()], key)
    }
}

/// What a client whose certificate `issuer` issued gets of a host whose authority is `authority`.
async fn check(
    authority: &Authority,
    issuer: Option<&Authority>,
    is_somebody: bool,
) -> Result<CallError, ClientError> {
    let provider = || Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(authority.roots(), provider());
    let (chain, key) = authority.issue("alpha.test");
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(chain, key)
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authority.roots());
    let client = match issuer {
        Some(issuer) => {
            let (chain, key) = issuer.issue("reports.test");
            client.with_client_auth_cert(chain, key).unwrap()
        }
        None => client.with_no_client_auth(),
    };
    let os = Os::real();
    let listener = os.network.listen(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let (_stop, stopped) = watch::channel(false);
    let served = secured_once(api(&os), listener, server, is_somebody, stopped);
    let called = async {
        let name = "alpha.test".try_into().unwrap();
        let client = Client::connect_tls(address, Arc::new(client), name, &os).await?;
        let arguments = json!([]);
        match client
            .call_json("a", "f", &arguments, &CallOptions::default())
            .await
        {
            Err(ClientError::Refused(error)) => Ok(error),
            Err(error) => Err(error),
            Ok(answer) => panic!("there is nothing to call: {answer}"),
        }
    };
    let (_, called) = tokio::join!(served, called);
    called
}

async fn secured_once(
    api: Arc<Api>,
    listener: crate::os::network::TcpListener,
    config: ServerConfig,
    is_somebody: bool,
    stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let (stream, _) = listener.accept().await?;
    let name = move |chain: &[CertificateDer<'static>]| {
        assert_eq!(chain.len(), 1);
        is_somebody.then(|| "reports".into())
    };
    secured(api, stream, Arc::new(config), name, stopped).await
}

#[tokio::test]
async fn a_client_with_a_certificate_of_the_authority_is_served() {
    let authority = Authority::new();
    let answer = check(&authority, Some(&authority), true).await;
    assert_eq!(answer.unwrap().code(), "not-found");
}

#[tokio::test]
async fn other_clients_are_not_served() {
    let authority = Authority::new();
    for (issuer, is_somebody) in [
        (None, true),
        (Some(&Authority::new()), true),
        (Some(&authority), false),
    ] {
        let refused = check(&authority, issuer, is_somebody).await;
        let is_refused = matches!(
            refused,
            Err(ClientError::Connect { .. }
                | ClientError::Lost { .. }
                | ClientError::Protocol { .. })
        );
        assert!(is_refused, "{refused:?}");
    }
}
