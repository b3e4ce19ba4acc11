//! The HTTP side of the admin interface.
//!
//! A page in somebody's browser can send requests to loopback too: [`origin`] refuses them, and a POST must say `application/json`,
//! or `application/wasm` where components are handed over, which a page cannot without asking first, and the asking is never answered.

use crate::admin::client::{COMPONENT_MEDIA, COMPONENTS_PATH};
use crate::admin::control::Change;
use crate::admin::groups::changes::Verb;
use crate::admin::{Admin, AdminError, chaos, control, groups, logs, registry, restart, status};
use crate::arrival::Arrival;
use crate::origin;
use crate::os::network::{TcpListener, TcpStream};
use crate::os::task::{self, Task};
use crate::parent::HostRequest;
use crate::supervisor::chain;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Connections served at once; a person and a few scripts.
const CONNECTIONS_MAX: usize = 64;
/// The largest request has a cluster file of 256 KiB with the digests of its components.
const BODY_BYTES_MAX: usize = 1 << 20;
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves the admin interface until `stopped`, and the requests under way then to their end.
pub async fn serve(admin: Arc<Admin>, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
    let mut open: Vec<Task<()>> = Vec::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        open.retain(|task| !task.is_finished());
        // Beyond the bound a connection is closed at once: an operator sees that, and can ask again.
        if let Ok((stream, _)) = accepted
            && open.len() < CONNECTIONS_MAX
        {
            let admin = Arc::clone(&admin);
            open.push(task::spawn(connection(
                Arc::clone(&admin),
                stream,
                stopped.clone(),
            )));
        }
    }
    for task in open {
        // A connection that panicked is as closed as any other.
        let _ = task.await;
    }
}

async fn connection(admin: Arc<Admin>, stream: TcpStream, mut stopped: watch::Receiver<bool>) {
    let (arrival, clock) = (Arrival::default(), Arc::clone(&admin.os.clock));
    let coming = arrival.clone();
    let service = service_fn(move |request| {
        coming.came();
        let admin = Arc::clone(&admin);
        async move { Ok::<_, Infallible>(answer(&admin, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // Clients that go away in the middle have nobody left to tell.
    tokio::select! {
        biased;
        _ = &mut connection => return,
        () = arrival.may_end(&mut stopped, clock.as_ref()) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn answer(admin: &Admin, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, value) = match route(admin, request).await {
        Ok(value) => (StatusCode::OK, value),
        Err(error) => {
            let (status, code) = match &error {
                AdminError::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid"),
                AdminError::NotFound(_) => (StatusCode::NOT_FOUND, "not-found"),
                AdminError::Refused(_) => (StatusCode::CONFLICT, "refused"),
            };
            (
                status,
                json!({ "error": { "code": code, "message": chain(&error) } }),
            )
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

async fn route(admin: &Admin, request: Request<Incoming>) -> Result<Value, AdminError> {
    check(&request)?;
    let (path, query) = (
        request.uri().path().to_owned(),
        query(request.uri().query().unwrap_or_default()),
    );
    let is_own = query.get("scope").is_some_and(|scope| scope == "host");
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match (request.method(), segments.as_slice()) {
        (&Method::GET, ["v1", "status"]) if is_own => Ok(json!(status::own(admin))),
        (&Method::GET, ["v1", "status"]) => Ok(status::cluster(admin).await),
        (&Method::GET, ["v1", "logs"]) => logs::read(admin, &query).await,
        (&Method::POST, ["v1", "services", name, verb @ ("stop" | "start")]) => {
            if is_own {
                control::own(admin, name, change(verb)).await
            } else {
                control::everywhere(admin, name, change(verb)).await
            }
        }
        (&Method::GET, ["v1", "control"]) => Ok(json!(registry::show(admin).await?)),
        (&Method::GET, ["v1", "control", "revisions", revision]) => {
            Ok(json!(registry::at(admin, revision).await?))
        }
        (&Method::POST, ["v1", "control", "components"]) => {
            Ok(json!(registry::keep(admin, request.into_body()).await?))
        }
        (&Method::POST, ["v1", "control", "components", "missing"]) => {
            let wanted: registry::Wanted = body(request).await?;
            Ok(json!(registry::missing(admin, wanted.digests).await?))
        }
        (&Method::POST, ["v1", "control", "fits"]) => {
            let candidate = body(request).await?;
            Ok(json!(registry::fits(admin, candidate).await?))
        }
        (&Method::POST, ["v1", "control", "apply"]) => {
            let apply = body(request).await?;
            Ok(json!(registry::apply(admin, &apply).await?))
        }
        (&Method::GET, ["v1", "chaos"]) if is_own => Ok(json!(chaos::faults(admin)?)),
        (&Method::GET, ["v1", "chaos"]) => Ok(json!(chaos::everywhere::faults(admin).await?)),
        (&Method::POST, ["v1", "chaos"]) => {
            let injection = body(request).await?;
            if is_own {
                Ok(json!(chaos::inject(admin, &injection)?))
            } else {
                chaos::everywhere::inject(admin, &injection).await
            }
        }
        (&Method::POST, ["v1", "chaos", "heal"]) => {
            let healing = body(request).await?;
            if is_own {
                Ok(json!(chaos::heal(admin, &healing)?))
            } else {
                chaos::everywhere::heal(admin, &healing).await
            }
        }
        (&Method::POST, ["v1", "chaos", "services", name, verb @ ("stop" | "start")]) => {
            let place = body(request).await?;
            chaos::everywhere::service(admin, name, change(verb), &place).await
        }
        (&Method::GET, ["v1", "groups", name]) => Ok(json!(groups::members(admin, name).await?)),
        (&Method::GET, ["v1", "groups", name, "members"]) => groups::members_own(admin, name).await,
        (&Method::POST, ["v1", "groups", name, verb @ ("add" | "remove")]) => {
            let target = body(request).await?;
            let verb = match *verb {
                "add" => Verb::Add,
                _ => Verb::Remove,
            };
            if is_own {
                groups::changes::here(admin, name, verb, target).await
            } else {
                groups::changes::anywhere(admin, name, verb, target).await
            }
        }
        (&Method::POST, ["v1", "groups", name, "snapshot"]) if is_own => {
            Ok(json!(groups::snapshots::here(admin, name).await?))
        }
        (&Method::POST, ["v1", "groups", name, "snapshot"]) => {
            Ok(json!(groups::snapshots::everywhere(admin, name).await?))
        }
        (&Method::POST, ["v1", "groups", name, "backup"]) if is_own => {
            groups::snapshots::keep_here(admin, name).await
        }
        (&Method::POST, ["v1", "groups", name, "backup"]) => {
            groups::snapshots::keep(admin, name).await
        }
        (&Method::POST, ["v1", "groups", name, "chunk"]) => {
            let asked = body(request).await?;
            groups::snapshots::chunk(admin, name, asked).await
        }
        (&Method::POST, ["v1", "groups", name, "transfer"]) => {
            let transfer = body(request).await?;
            if is_own {
                groups::transfer_own(admin, name, transfer).await
            } else {
                groups::transfer(admin, name, transfer).await
            }
        }
        (&Method::POST, ["v1", "hosts", name, "stop"]) => {
            host_request(admin, HostRequest::Stop((*name).to_owned())).await
        }
        (&Method::POST, ["v1", "hosts", name, "start"]) => {
            host_request(admin, HostRequest::Start((*name).to_owned())).await
        }
        (&Method::POST, ["v1", "hosts", name, "restart"]) => restart::host(admin, name).await,
        (method, _) => Err(AdminError::NotFound(format!("there is no {method} {path}"))),
    }
}

/// The last part of the paths that end in `stop` or `start`.
fn change(verb: &str) -> Change {
    if verb == "stop" {
        Change::Stop
    } else {
        Change::Start
    }
}

async fn host_request(admin: &Admin, request: HostRequest) -> Result<Value, AdminError> {
    let message = admin
        .parent
        .request(request)
        .await
        .map_err(|error| AdminError::Refused(error.to_string()))?;
    Ok(json!({ "message": message }))
}

fn check<B>(request: &Request<B>) -> Result<(), AdminError> {
    origin::check(request).map_err(|error| AdminError::Invalid(error.to_string()))?;
    let media = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok()?.split(';').next())
        .map(str::trim);
    // Neither is a type that a page of another origin may send without being asked.
    let needed = match request.uri().path() {
        COMPONENTS_PATH => COMPONENT_MEDIA,
        _ => "application/json",
    };
    if request.method() != Method::GET && media != Some(needed) {
        return Err(AdminError::Invalid(format!(
            "a POST to {} needs the header Content-Type: {needed}",
            request.uri().path()
        )));
    }
    Ok(())
}

async fn body<T: serde::de::DeserializeOwned>(request: Request<Incoming>) -> Result<T, AdminError> {
    let bytes = Limited::new(request.into_body(), BODY_BYTES_MAX)
        .collect()
        .await
        .map_err(|error| AdminError::Invalid(format!("cannot read the request: {error}")))?
        .to_bytes();
    serde_json::from_slice(&bytes).map_err(|error| {
        AdminError::Invalid(format!("the request is not what is expected here: {error}"))
    })
}

/// Parameters of a query. Values are numbers and names, so nothing needs decoding.
fn query(text: &str) -> BTreeMap<String, String> {
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
