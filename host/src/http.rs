//! The HTTP front: connections in, one [`Invocation`] per request, the component's answer out.
//!
//! Each serving thread has a [`Front`] of its own, and runs [`connection`] for the connections it is given; a request never leaves that thread.

use crate::arrival::Arrival;
use crate::call_error::CallError;
use crate::config::Limits;
use crate::dispatch::{Dispatch, FunctionName, Invocation, Reach, ServiceId};
use crate::envelope::trace::TraceParent;
use crate::envelope::{Envelope, IDEMPOTENCY_KEY_BYTES_MAX};
use crate::os::Os;
use crate::os::network::TcpStream;
use crate::payload::{Body, Payload};
use crate::version::HTTP_INTERFACE;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A client has this long for its request line and headers, and may be silent this long between requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of request line and headers together.
const HEADER_BYTES_MAX: usize = 64 << 10;

/// A service that serves HTTP below a path.
#[derive(Debug, Clone)]
pub struct Route {
    /// The path prefix, `/` for everything.
    pub prefix: String,
    /// Who serves it.
    pub service: ServiceId,
    /// Its limits; `time` is the request's deadline.
    pub limits: Limits,
}

/// What every request needs.
pub struct Front {
    routes: Vec<Route>,
    dispatch: Arc<dyn Dispatch>,
    function: Arc<FunctionName>,
    caller: Arc<str>,
    hops_max: u8,
    os: Os,
}

impl Front {
    /// A front that hands requests for `routes` to `dispatch`.
    #[must_use]
    pub fn new(mut routes: Vec<Route>, dispatch: Arc<dyn Dispatch>, hops_max: u8, os: Os) -> Self {
        // The first prefix that fits is the longest one.
        routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
        let function = FunctionName {
            interface: HTTP_INTERFACE.into(),
            function: "handle".into(),
        };
        Self {
            routes,
            dispatch,
            function: Arc::new(function),
            caller: "http".into(),
            hops_max,
            os,
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        let Some(route) = self
            .routes
            .iter()
            .find(|route| is_below(path, &route.prefix))
        else {
            return failure(
                StatusCode::NOT_FOUND,
                "NOT_FOUND",
                "no service of this host serves this path",
                None,
            );
        };
        let deadline = self.os.clock.monotonic().saturating_add(route.limits.time);
        let mut envelope = Envelope::enter(
            self.os.entropy.as_ref(),
            &self.caller,
            deadline,
            self.hops_max,
        );
        // Whoever traces the request finds what happened here under the same trace; without one, or with nonsense, it is our own.
        if let Some(parent) = TraceParent::of(request.headers()) {
            envelope.trace_id = parent.trace_id;
        }
        if let Some(key) = request
            .headers()
            .get("idempotency-key")
            .and_then(|key| key.to_str().ok())
        {
            // The client may repeat this request, so calls below it may be repeated too, on other hosts. Their keys come from one of this
            // request's own: a handler that is run again need not call the same with the same arguments, and what the client's key
            // stands for is its application's to say.
            envelope.idempotency_key = (key.len() <= IDEMPOTENCY_KEY_BYTES_MAX).then(|| {
                let mut random = [0; 16];
                self.os.entropy.fill(&mut random);
                hex::encode(random).into()
            });
        }
        let mut request = request.map(|body| body.map_err(Into::into).boxed_unsync());
        if !request.headers().contains_key(header::HOST) && request.uri().authority().is_none() {
            // HTTP/1.0 clients need not send one, and the component's interface has no way to leave it out.
            request
                .headers_mut()
                .insert(header::HOST, HeaderValue::from_static("localhost"));
        }
        let invocation = Invocation {
            service: route.service,
            function: Arc::clone(&self.function),
            types: None,
            arguments: Payload::Request(request),
            envelope,
            reach: Reach::Cluster,
        };
        match Arc::clone(&self.dispatch).dispatch(invocation).await {
            Ok(Payload::Response(response)) => response,
            Ok(Payload::Values(_) | Payload::Request(_)) => failure(
                StatusCode::INTERNAL_SERVER_ERROR,
                "INTERNAL",
                "the service did not answer with a response",
                None,
            ),
            Err(error) => refuse(&error),
        }
    }
}

/// Serves one connection until it ends, or until `stop` becomes true and the request it is in is answered.
pub async fn connection(front: Arc<Front>, stream: TcpStream, mut stop: watch::Receiver<bool>) {
    let (arrival, clock) = (Arrival::default(), Arc::clone(&front.os.clock));
    let coming = arrival.clone();
    let service = service_fn(move |request| {
        coming.came();
        let front = Arc::clone(&front);
        async move { Ok::<_, Infallible>(front.answer(request).await) }
    });
    let mut builder = http1::Builder::new();
    // Without `pipeline_flush`, which keeps an answer back while there is input left: a malformed request would never get its own.
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        biased;
        // Errors here are clients that went away or spoke something else; there is nobody left to tell.
        _ = &mut connection => return,
        () = arrival.may_end(&mut stop, clock.as_ref()) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

fn is_below(path: &str, prefix: &str) -> bool {
    prefix == "/"
        || path
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'))
}

/// The answer for a request whose service could not answer itself.
fn refuse(error: &CallError) -> Response<Body> {
    let message = error.to_string();
    match error {
        CallError::Overloaded { retry_after, .. } => failure(
            StatusCode::SERVICE_UNAVAILABLE,
            "OVERLOADED",
            &message,
            Some(*retry_after),
        ),
        CallError::DeadlineExceeded { .. } => failure(
            StatusCode::GATEWAY_TIMEOUT,
            "DEADLINE_EXCEEDED",
            &message,
            None,
        ),
        CallError::Unavailable { .. }
        | CallError::NotFound { .. }
        | CallError::Redirected { .. } => failure(
            StatusCode::SERVICE_UNAVAILABLE,
            "SERVICE_UNAVAILABLE",
            &message,
            None,
        ),
        CallError::KeyReused { .. } => failure(
            StatusCode::CONFLICT,
            "IDEMPOTENCY_KEY_REUSED",
            &message,
            None,
        ),
        CallError::KeyExpired { .. } => failure(
            StatusCode::CONFLICT,
            "IDEMPOTENCY_KEY_EXPIRED",
            &message,
            None,
        ),
        CallError::NotGranted { .. }
        | CallError::Incompatible { .. }
        | CallError::Trapped { .. }
        | CallError::HopLimit { .. }
        | CallError::Cancelled => failure(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL",
            &message,
            None,
        ),
    }
}

fn failure(
    status: StatusCode,
    code: &str,
    message: &str,
    retry_after: Option<Duration>,
) -> Response<Body> {
    let body = serde_json::json!({ "error": { "code": code, "message": message } }).to_string();
    let mut response = Response::new(
        Full::new(Bytes::from(body))
            .map_err(|never| match never {})
            .boxed_unsync(),
    );
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    // Nothing in it is private, and a page from elsewhere that may read the service's answers should read this one too.
    response.headers_mut().insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    if let Some(retry_after) = retry_after {
        // The header counts whole seconds; rounding down would invite the client back too early.
        response.headers_mut().insert(
            header::RETRY_AFTER,
            HeaderValue::from(retry_after.as_millis().div_ceil(1000) as u64),
        );
    }
    response
}

#[cfg(test)]
mod tests {
    use super::{CallError, is_below, refuse};

    #[track_caller]
    fn check(path: &str, prefix: &str, expected: bool) {
        assert_eq!(is_below(path, prefix), expected, "{path} below {prefix}");
    }

    #[test]
    fn a_prefix_ends_at_a_slash() {
        check("/anything", "/", true);
        check("/api", "/api", true);
        check("/api/orders", "/api", true);
        check("/apiary", "/api", false);
        check("/", "/api", false);
    }

    #[track_caller]
    fn check_refusal(error: CallError, expected: u16) {
        assert_eq!(refuse(&error).status().as_u16(), expected, "{error}");
    }

    #[test]
    fn a_key_that_stands_in_the_way_is_a_conflict() {
        let (service, message) = (|| "orders".to_owned(), || "why".to_owned());
        check_refusal(
            CallError::KeyReused {
                service: service(),
                message: message(),
            },
            409,
        );
        check_refusal(
            CallError::KeyExpired {
                service: service(),
                message: message(),
            },
            409,
        );
        check_refusal(
            CallError::HopLimit {
                service: service(),
                message: message(),
            },
            500,
        );
    }
}
