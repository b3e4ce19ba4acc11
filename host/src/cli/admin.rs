//! Talks to the admin interface of a host on behalf of a command.

use crate::admin::client;
use crate::cli::failure::Failure;
use crate::os::Os;
use bytes::Bytes;
use clap::Args;
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Which host to talk to.
#[derive(Debug, Clone, Args)]
pub struct Admin {
    /// Admin address of the host to ask
    #[arg(long = "admin", value_name = "ADDR", default_value = "127.0.0.1:9101", value_parser = address)]
    address: SocketAddr,
}

/// An address as people type it: `127.0.0.1:9101`, `localhost:9101`, `:9101`, `9101`, or as a URL.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let plain = text
        .strip_prefix("http://")
        .unwrap_or(text)
        .trim_end_matches('/');
    let port = plain
        .strip_prefix("localhost:")
        .or_else(|| plain.strip_prefix(':'))
        .unwrap_or(plain);
    let local = |port: u16| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    plain
        .parse()
        .or_else(|_| port.parse().map(local))
        .map_err(|_| "write IP:PORT, for example 127.0.0.1:9101".to_owned())
}

impl Admin {
    /// That of the host which listens there.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Reads something.
    ///
    /// # Errors
    /// No host answers, or it answers with an error.
    pub async fn get<T: DeserializeOwned>(
        &self,
        os: &Os,
        path: &str,
        within: Duration,
    ) -> Result<T, Failure> {
        self.exchange(os, path, None, within).await
    }

    /// Has something done.
    ///
    /// # Errors
    /// No host answers, or it answers with an error.
    pub async fn post<T: DeserializeOwned>(
        &self,
        os: &Os,
        path: &str,
        body: &Value,
        within: Duration,
    ) -> Result<T, Failure> {
        self.exchange(os, path, Some(body), within).await
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        os: &Os,
        path: &str,
        body: Option<&Value>,
        within: Duration,
    ) -> Result<T, Failure> {
        let answered = client::request(os, self.address, path, body, within).await?;
        self.read(path, answered)
    }

    /// Hands a component over.
    ///
    /// # Errors
    /// No host answers, or it answers with an error.
    pub async fn hand_over<T: DeserializeOwned>(
        &self,
        os: &Os,
        component: Bytes,
        within: Duration,
    ) -> Result<T, Failure> {
        let answered = client::hand_over(os, self.address, component, within).await?;
        self.read(client::COMPONENTS_PATH, answered)
    }

    fn read<T: DeserializeOwned>(
        &self,
        path: &str,
        (status, answer): (StatusCode, Value),
    ) -> Result<T, Failure> {
        if !status.is_success() {
            return Err(refusal(status, &answer));
        }
        // A path by which the mistake can be found is worth more than the whole answer, which may be long.
        serde_json::from_value(answer).map_err(|error| Failure::failed(format!("{} answered {path} with something else ({error}); are host and command of the same version?", self.address)))
    }
}

fn refusal(status: StatusCode, answer: &Value) -> Failure {
    let message = answer
        .pointer("/error/message")
        .and_then(Value::as_str)
        .map_or_else(|| format!("the host answers {status}"), ToOwned::to_owned);
    if status == StatusCode::BAD_REQUEST {
        Failure::usage(message)
    } else {
        Failure::failed(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_address_may_be_typed_in_short() {
        let full = Ok("127.0.0.1:9102".parse().expect("an address"));
        for text in [
            "127.0.0.1:9102",
            "localhost:9102",
            ":9102",
            "9102",
            "http://127.0.0.1:9102/",
        ] {
            assert_eq!(address(text), full, "{text}");
        }
        assert!(address("alpha:9102").is_err());
        assert!(address("127.0.0.1").is_err());
    }

    #[test]
    fn a_refusal_says_what_the_host_said() {
        let answer = json!({ "error": { "code": "invalid", "message": "no such function" } });
        assert_eq!(
            refusal(StatusCode::BAD_REQUEST, &answer),
            Failure::usage("no such function")
        );
        assert_eq!(
            refusal(StatusCode::NOT_FOUND, &answer),
            Failure::failed("no such function")
        );
        assert_eq!(
            refusal(StatusCode::BAD_GATEWAY, &Value::Null),
            Failure::failed("the host answers 502 Bad Gateway")
        );
    }
}
