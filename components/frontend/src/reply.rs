//! A response as a value, before it is sent.

use serde::Serialize;
use std::borrow::Cow;

/// A response. Pages served from elsewhere may read every one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Names in lowercase, and values.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body, whole.
    pub body: Cow<'static, [u8]>,
}

impl Reply {
    /// A response with a body.
    pub fn new(
        status: u16,
        content_type: &'static str,
        body: impl Into<Cow<'static, [u8]>>,
    ) -> Self {
        let body = body.into();
        let headers = vec![
            ("access-control-allow-origin", Cow::Borrowed("*")),
            ("content-type", Cow::Borrowed(content_type)),
            ("content-length", Cow::Owned(body.len().to_string())),
        ];
        Self {
            status,
            headers,
            body,
        }
    }

    /// A response with a JSON body.
    pub fn json(status: u16, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("answers have text keys");
        Self::new(status, "application/json", body)
    }

    /// The answer to a browser that asks whether a page from elsewhere may send a request with one of `methods`.
    pub fn preflight(methods: &'static str) -> Self {
        let headers = vec![
            ("access-control-allow-origin", Cow::Borrowed("*")),
            ("access-control-allow-methods", Cow::Borrowed(methods)),
            ("access-control-allow-headers", Cow::Borrowed("*")),
            ("access-control-max-age", Cow::Borrowed("86400")),
            ("allow", Cow::Borrowed(methods)),
        ];
        Self {
            status: 204,
            headers,
            body: Cow::Borrowed(&[]),
        }
    }

    /// The same with one more header.
    pub fn with_header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same without a body, for the answer to HEAD, and without its length: the host takes that for a promise.
    pub fn without_body(mut self) -> Self {
        self.headers.retain(|(name, _)| *name != "content-length");
        self.body = Cow::Borrowed(&[]);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reply: &Reply, expected: &[(&str, &str)]) {
        let headers: Vec<(&str, &str)> = reply
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_ref()))
            .collect();
        assert_eq!(headers, expected);
    }

    #[test]
    fn every_reply_may_be_read_from_elsewhere_and_knows_its_length() {
        let headers = [
            ("access-control-allow-origin", "*"),
            ("content-type", "application/json"),
            ("content-length", "5"),
        ];
        let reply = Reply::json(200, &[1, 2]);
        check(&reply, &headers);
        let without = reply.without_body();
        check(&without, &headers[..2]);
        assert_eq!(without.body.len(), 0);
    }

    #[test]
    fn a_preflight_allows_every_header() {
        let reply = Reply::preflight("POST, OPTIONS");
        let headers = [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-methods", "POST, OPTIONS"),
            ("access-control-allow-headers", "*"),
            ("access-control-max-age", "86400"),
            ("allow", "POST, OPTIONS"),
        ];
        check(&reply, &headers);
        assert_eq!((reply.status, reply.body.len()), (204, 0));
    }
}
