//! What the api endpoint hands to the router and what it makes of its failures: an endpoint over a [`Dispatch`] of the test's own.

use crate::hostile_host::neighbour;
use crate::test_host::TestHost;
use bookshop_host::api::{Api, Caller};
use bookshop_host::call_error::CallError;
use bookshop_host::client::{CallOptions, Client, ClientError, Val};
use bookshop_host::config::Config;
use bookshop_host::dispatch::{Answer, Dispatch, Invocation};
use bookshop_host::envelope::Envelope;
use bookshop_host::payload::Payload;
use serde_json::json;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn options() -> CallOptions {
    CallOptions::default()
}

/// Answers every call with the same failure, and remembers what it was asked.
struct Failing {
    error: Mutex<CallError>,
    asked: Mutex<Vec<Envelope>>,
}

impl Dispatch for Failing {
    fn dispatch(self: Arc<Self>, invocation: Invocation) -> Answer {
        self.asked
            .lock()
            .expect("no test panics here")
            .push(invocation.envelope);
        let error = self.error.lock().expect("no test panics here").clone();
        Box::pin(async move { Err::<Payload, _>(error) })
    }
}

/// An endpoint over the services of a host whose calls all fail, and a client of it.
struct FailingApi {
    dispatch: Arc<Failing>,
    client: Client,
    _server: tokio::task::JoinHandle<()>,
    _stop: tokio::sync::watch::Sender<bool>,
}

impl FailingApi {
    /// The envelopes of all calls so far.
    fn asked(&self) -> Vec<Envelope> {
        let asked = self.dispatch.asked.lock();
        asked.expect("no test panics here").clone()
    }
}

async fn failing(host: &TestHost, caller: Caller) -> FailingApi {
    let dispatch = Arc::new(Failing {
        error: Mutex::new(CallError::Cancelled),
        asked: Mutex::new(Vec::new()),
    });
    let file = crate::test_host::cluster_file("alpha", &neighbour());
    let config = Config::parse(Path::new("test.toml"), &file).expect("the configuration is right");
    let name = config.hosts[0].name.clone();
    let api = Api::new(
        Arc::new(config),
        name,
        Arc::clone(&host.host.services),
        Arc::clone(&dispatch) as Arc<dyn Dispatch>,
        host.os.clone(),
    );
    let listener = host
        .os
        .network
        .listen(([127, 0, 0, 1], 0).into())
        .expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("the client comes");
        bookshop_host::api::server::connection(Arc::new(api), stream, caller, stopped).await;
    });
    FailingApi {
        dispatch,
        client: Client::connect(address, &host.os)
            .await
            .expect("it listens"),
        _server: server,
        _stop: stop,
    }
}

#[tokio::test]
async fn every_kind_of_failure_crosses_without_loss() {
    let host = TestHost::start(&neighbour()).await;
    let api = failing(&host, Caller::Local).await;
    let (service, message) = (|| "neighbour".to_owned(), || "why: \"ü\"".to_owned());
    let errors = [
        CallError::NotFound {
            service: service(),
            message: message(),
        },
        CallError::NotGranted {
            service: service(),
            message: message(),
        },
        CallError::Incompatible {
            service: service(),
            message: message(),
        },
        CallError::Overloaded {
            service: service(),
            retry_after: Duration::from_millis(1_500),
        },
        CallError::DeadlineExceeded {
            service: service(),
            message: message(),
        },
        CallError::Cancelled,
        CallError::Trapped {
            service: service(),
            message: message(),
        },
        CallError::Unavailable {
            service: service(),
            message: message(),
            maybe_executed: true,
        },
        CallError::Unavailable {
            service: service(),
            message: message(),
            maybe_executed: false,
        },
        CallError::Redirected { to: "beta".into() },
        CallError::HopLimit {
            service: service(),
            message: message(),
        },
        CallError::KeyReused {
            service: service(),
            message: message(),
        },
        CallError::KeyExpired {
            service: service(),
            message: message(),
        },
    ];
    let ping = api
        .client
        .function("neighbour", "ping")
        .await
        .expect("a function");
    for error in errors {
        *api.dispatch.error.lock().expect("no test panics here") = error.clone();
        let json = api
            .client
            .call_json("neighbour", "ping", &json!([1]), &options())
            .await;
        let wave = api
            .client
            .call_wave("neighbour", "ping", &["1".into()], &options())
            .await;
        let values = ping.call(&[Val::U32(1)], &options()).await;
        for failed in [json.err(), wave.err(), values.err()] {
            assert!(
                matches!(&failed, Some(ClientError::Refused(found)) if *found == error),
                "{failed:?}"
            );
        }
    }
    host.stop().await;
}

#[tokio::test]
async fn a_call_carries_its_key_its_caller_and_its_time() {
    let host = TestHost::start(&neighbour()).await;
    for (caller, name) in [
        (Caller::Local, "api"),
        (Caller::Certified("reports".into()), "reports"),
    ] {
        let api = failing(&host, caller).await;
        let keyed = CallOptions {
            timeout: Some(Duration::from_millis(1_234)),
            idempotency_key: Some("order-1".into()),
            ..CallOptions::default()
        };
        let before = host.os.clock.monotonic();
        for options in [&keyed, &options()] {
            let failed = api
                .client
                .call_json("neighbour", "ping", &json!([1]), options)
                .await;
            assert!(
                matches!(failed, Err(ClientError::Refused(CallError::Cancelled))),
                "{failed:?}"
            );
        }
        let after = host.os.clock.monotonic();
        let asked = api.asked();
        let keys: Vec<_> = asked
            .iter()
            .map(|envelope| envelope.idempotency_key.as_deref())
            .collect();
        assert_eq!(keys, [Some("order-1"), None]);
        assert!(
            asked.iter().all(|envelope| &*envelope.caller == name),
            "{asked:?}"
        );
        // The second has the service's own limit, 5 s.
        for (envelope, time) in asked.iter().zip([1_234, 5_000].map(Duration::from_millis)) {
            assert!(
                (before + time..=after + time).contains(&envelope.deadline),
                "{envelope:?}"
            );
        }
        let long = CallOptions {
            idempotency_key: Some("k".repeat(257).into()),
            ..options()
        };
        let refused = api
            .client
            .call_json("neighbour", "ping", &json!([1]), &long)
            .await;
        assert!(
            matches!(&refused, Err(ClientError::Rejected { code, .. }) if code == "malformed"),
            "{refused:?}"
        );
    }
    host.stop().await;
}
