//! Why a request to the endpoint has no result, and the answer that says so.

use crate::call_error::{CallError, wire};
use crate::origin::OriginError;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};

/// A request that has no result. All but [`ApiError::Call`] are about the request itself: nothing was called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// It cannot be read: 400.
    #[error("{0}")]
    Malformed(String),
    /// What it names is not one thing: 400.
    #[error("{0}")]
    Ambiguous(String),
    /// It comes from a page in a browser: 403.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// There is no such path: 404.
    #[error(
        "there is no {path}; there are POST /call/{{interface or service}}/{{function}}, GET /types/{{interface or service}}/{{function}}, GET /functions and GET /"
    )]
    NoSuchPath {
        /// What was asked for.
        path: String,
    },
    /// The path is served by another method: 405.
    #[error("this path takes {allowed} only")]
    WrongMethod {
        /// The method that it takes.
        allowed: &'static str,
    },
    /// Its body is larger than the service takes: 413.
    #[error("the body may have {limit} bytes, by limits.arguments of {service}")]
    TooLarge {
        /// The callee.
        service: String,
        /// The most that is read.
        limit: usize,
    },
    /// The call failed: the status is that of the failure.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl ApiError {
    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::Ambiguous(_) => StatusCode::BAD_REQUEST,
            Self::Origin(_) => StatusCode::FORBIDDEN,
            Self::NoSuchPath { .. } => StatusCode::NOT_FOUND,
            Self::WrongMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Call(error) => wire::status(error),
        }
    }

    /// `{"code": …, "message": …}` with what else the case has.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let code = match self {
            Self::Malformed(_) => "malformed",
            Self::Ambiguous(_) => "ambiguous",
            Self::Origin(_) => "origin",
            Self::NoSuchPath { .. } => "no-such-path",
            Self::WrongMethod { .. } => "wrong-method",
            Self::TooLarge { .. } => "too-large",
            Self::Call(error) => return wire::to_json(error),
        };
        json!({ "code": code, "message": self.to_string() })
    }

    /// The answer, the same for all forms of arguments.
    #[must_use]
    pub fn response(&self) -> Response<Full<Bytes>> {
        let body = json!({ "error": self.to_json() }).to_string();
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        if let Self::WrongMethod { allowed } = self {
            headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        if let Self::Call(error) = self
            && let Some(seconds) = wire::retry_after_seconds(error)
        {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
