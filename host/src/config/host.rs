//! One process of the cluster: `[[host]]`.

use std::net::SocketAddr;

use super::error::At;
use super::name::HostName;
use super::section::Section;

/// One process of the cluster. Its addresses differ from those of every other host of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Name, unique in the file.
    pub name: HostName,
    /// Where services with `http` answer. Port 0 takes a free one, here and below.
    pub http: SocketAddr,
    /// Where the other hosts connect.
    pub peer: SocketAddr,
    /// Where programs outside the cluster call services.
    pub api: SocketAddr,
    /// Where status, logs and commands are served; on the loopback interface.
    pub admin: SocketAddr,
}

/// Names of the folders and files that lie beside those of the hosts, in the data folder and among the certificates.
const RESERVED: [&str; 4] = ["authority", "certs", "compiled", "revoked"];

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || name.ends_with("-key")
}

/// A host as far as it could be read.
pub(super) struct RawHost {
    pub name: Option<At<HostName>>,
    pub http: Option<At<SocketAddr>>,
    pub peer: Option<At<SocketAddr>>,
    pub api: Option<At<SocketAddr>>,
    pub admin: Option<At<SocketAddr>>,
}

impl RawHost {
    pub fn read(section: Section<'_>) -> Self {
        let name = section.text("name", str::parse::<HostName>);
        let section = match &name {
            Some(name) => section.renamed(name.value.as_str()),
            None => section,
        };
        if let Some(name) = name
            .as_ref()
            .filter(|name| is_reserved(name.value.as_str()))
        {
            section.problem(
                &name.place,
                format!(
                    "\"{}\" is a name that files of the cluster need for themselves; write another, for example \"alpha\"",
                    name.value
                ),
            );
        }
        let admin = section.address("admin");
        if let Some(remote) = admin
            .as_ref()
            .filter(|admin| !admin.value.ip().is_loopback())
        {
            let port = remote.value.port();
            section.problem(
                &remote.place,
                format!(
                    "{} can be reached from other machines, and admin does not yet ask who is there; write \"127.0.0.1:{port}\"",
                    remote.value
                ),
            );
        }
        let host = Self {
            http: section.address("http"),
            peer: section.address("peer"),
            api: section.address("api"),
            admin,
            name,
        };
        section.finish();
        host
    }

    /// The addresses that could be read.
    pub fn addresses(&self) -> impl Iterator<Item = &At<SocketAddr>> {
        [&self.http, &self.peer, &self.api, &self.admin]
            .into_iter()
            .flatten()
    }

    /// The host; none if part of it could not be read.
    pub fn complete(self) -> Option<Host> {
        Some(Host {
            name: self.name?.value,
            http: self.http?.value,
            peer: self.peer?.value,
            api: self.api?.value,
            admin: self.admin?.value,
        })
    }
}
