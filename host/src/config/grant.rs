//! Grants: what of the outside world a service may reach. Nothing is granted that the file does not name.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::error::InvalidValue;
use super::kind::Kind;

/// One capability. Displays, and is read, as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    /// `http:HOST:PORT`: send HTTP requests there.
    Http {
        /// As it stands in a URL: a name in lower case or an IP address, version 6 in brackets.
        host: String,
        /// Port, from 1.
        port: u16,
    },
    /// `tcp:HOST:PORT`: open TCP connections there.
    Tcp {
        /// As a resolver takes it: a name in lower case or an IP address, version 6 without brackets.
        host: String,
        /// Port, from 1.
        port: u16,
    },
    /// `listen:IP:PORT`: accept TCP connections there.
    Listen {
        /// The address; its port is not 0.
        address: SocketAddr,
    },
    /// `env:NAME`: see this variable of the host's environment.
    Env {
        /// Name of the variable.
        name: String,
    },
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { host, port } => write!(f, "http:{host}:{port}"),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp:[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp:{host}:{port}"),
            Self::Listen { address } => write!(f, "listen:{address}"),
            Self::Env { name } => write!(f, "env:{name}"),
        }
    }
}

impl FromStr for Grant {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        read(text).ok_or_else(|| Kind::Grants.invalid(text, guess(text).as_deref()))
    }
}

fn read(text: &str) -> Option<Grant> {
    let (capability, scope) = text.split_once(':')?;
    match capability {
        "http" => target(scope).map(|(host, port)| Grant::Http {
            host: in_url(host),
            port,
        }),
        "tcp" => target(scope).map(|(host, port)| Grant::Tcp { host, port }),
        "listen" => scope
            .parse()
            .ok()
            .filter(|address: &SocketAddr| address.port() > 0)
            .map(|address| Grant::Listen { address }),
        "env" => is_variable(scope).then(|| Grant::Env {
            name: scope.to_owned(),
        }),
        _ => None,
    }
}

/// Host and port of `HOST:PORT` or `[IPv6]:PORT`.
fn target(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        let address: IpAddr = address.parse().ok().filter(IpAddr::is_ipv6)?;
        return Some((address.to_string(), port));
    }
    is_domain(host).then(|| (host.to_ascii_lowercase(), port))
}

fn in_url(host: String) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host
    }
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

fn is_variable(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What a text that is no grant was probably meant to be: a URL, a missing port, a bare variable.
fn guess(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
    let authority = rest
        .trim_start_matches('/')
        .split(['/', '?', '#'])
        .next()
        .unwrap_or_default();
    let guess = match scheme {
        "http" if target(authority).is_some() => format!("http:{authority}"),
        "http" => format!("http:{authority}:80"),
        "https" if target(authority).is_some() => format!("http:{authority}"),
        "https" => format!("http:{authority}:443"),
        "listen" => format!(
            "listen:127.0.0.1:{}",
            rest.rsplit(':').next().unwrap_or_default()
        ),
        "" if is_variable(rest) => format!("env:{rest}"),
        _ if target(text).is_some() => format!("tcp:{text}"),
        _ => return None,
    };
    // A guess that would be refused in its turn helps nobody.
    read(&guess).map(|grant| grant.to_string())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[test]
    fn a_grant_is_printed_as_it_is_read() {
        for text in [
            "http:api.example.org:443",
            "http:10.0.0.1:80",
            "http:[::1]:80",
            "tcp:localhost:5432",
            "tcp:[2001:db8::1]:5432",
            "listen:0.0.0.0:12345",
            "listen:[::]:12345",
            "env:DATABASE_URL",
        ] {
            assert_eq!(text.parse::<Grant>().expect(text).to_string(), text);
        }
        assert_eq!(
            "http:API.Example.org:443"
                .parse::<Grant>()
                .expect("any case")
                .to_string(),
            "http:api.example.org:443"
        );
    }

    #[test]
    fn what_was_probably_meant_becomes_the_example() {
        check(
            "https://api.example.org/v1",
            expect![[r#"for example "http:api.example.org:443""#]],
        );
        check(
            "http://api.example.org",
            expect![[r#"for example "http:api.example.org:80""#]],
        );
        check(
            "http://api.example.org:8080/",
            expect![[r#"for example "http:api.example.org:8080""#]],
        );
        check(
            "localhost:5432",
            expect![[r#"for example "tcp:localhost:5432""#]],
        );
        check(
            "listen:8080",
            expect![[r#"for example "listen:127.0.0.1:8080""#]],
        );
        check(
            "listen:localhost:8080",
            expect![[r#"for example "listen:127.0.0.1:8080""#]],
        );
        check("HOME", expect![[r#"for example "env:HOME""#]]);
    }

    #[test]
    fn everything_else_is_refused_with_the_four_forms() {
        check_all("disk:/tmp");
        for text in [
            "",
            ":",
            "http:",
            "http::80",
            "http:*:80",
            "tcp:host",
            "tcp:host:0",
            "tcp:host:70000",
            "listen:x",
            "env:",
            "env:2B",
            "env:A B",
        ] {
            assert!(text.parse::<Grant>().is_err(), "{text:?}");
        }
    }

    #[track_caller]
    fn check(text: &str, expected: Expect) {
        let message = text.parse::<Grant>().expect_err("not a grant").to_string();
        expected.assert_eq(message.rsplit(", ").next().unwrap_or_default());
    }

    #[track_caller]
    fn check_all(text: &str) {
        expect![[r#""disk:/tmp" is not a grant; write "http:HOST:PORT", "tcp:HOST:PORT", "listen:IP:PORT" or "env:NAME", for example "http:api.example.org:443""#]]
            .assert_eq(&text.parse::<Grant>().expect_err("not a grant").to_string());
    }
}
