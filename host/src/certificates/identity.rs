//! Who a certificate says somebody is: a DNS name of a private domain among its alternative names.

use super::CertificateError;
use super::certificate::Facts;
use crate::config::{ClusterName, HostName};
use rustls::pki_types::{CertificateDer, ServerName};
use std::fmt;

/// The domain below which all names are; `internal` is set aside for private use, so no public authority signs for it.
const DOMAIN: [&str; 2] = ["bookshop", "internal"];

/// What somebody may do with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A host of the cluster: takes and makes connections between hosts.
    Host,
    /// A program outside the cluster: only makes connections to the api address.
    Client,
}

impl Role {
    /// One word for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Client => "client",
        }
    }

    /// The label in DNS names.
    fn label(self) -> &'static str {
        match self {
            Self::Host => "hosts",
            Self::Client => "clients",
        }
    }
}

/// Who a certificate says somebody is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The cluster: a [`ClusterName`].
    pub cluster: String,
    /// The name, unique among those of its role in the cluster; written like a [`HostName`].
    pub name: String,
    /// Host or client.
    pub role: Role,
}

impl Identity {
    /// A host of a cluster.
    #[must_use]
    pub fn host(cluster: &ClusterName, name: &HostName) -> Self {
        Self::new(cluster, name, Role::Host)
    }

    /// A program outside the cluster.
    #[must_use]
    pub fn client(cluster: &ClusterName, name: &HostName) -> Self {
        Self::new(cluster, name, Role::Client)
    }

    pub(super) fn new(cluster: &ClusterName, name: &HostName, role: Role) -> Self {
        Self {
            cluster: cluster.to_string(),
            name: name.to_string(),
            role,
        }
    }

    /// `alpha.hosts.bookshop.bookshop.internal`: the name, the role, the cluster, the domain.
    pub(super) fn dns_name(&self) -> String {
        let [bookshop, internal] = DOMAIN;
        let Self {
            cluster,
            name,
            role,
        } = self;
        format!("{name}.{}.{cluster}.{bookshop}.{internal}", role.label())
    }

    /// The name that is asked for when connecting to this host.
    #[must_use]
    pub fn server_name(&self) -> ServerName<'static> {
        ServerName::try_from(self.dns_name())
            .expect("kebab-case names of at most 63 characters are labels of a DNS name")
    }

    /// Whose DNS name this is; none for one of another form.
    fn parse(dns_name: &str) -> Option<Self> {
        let mut labels = dns_name.split('.');
        let (name, role, cluster) = (labels.next()?, labels.next()?, labels.next()?);
        let role = [Role::Host, Role::Client]
            .into_iter()
            .find(|known| known.label() == role)?;
        let cluster: ClusterName = cluster.parse().ok()?;
        let name: HostName = name.parse().ok()?;
        labels.eq(DOMAIN).then(|| Self::new(&cluster, &name, role))
    }

    /// The one identity among the DNS names of a certificate; none if there is none or more than one.
    pub(super) fn of_names<'a>(dns_names: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut found = dns_names.filter_map(Self::parse);
        let first = found.next()?;
        // A certificate for two would be allowed what either is; nobody needs one.
        found.next().is_none().then_some(first)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role.name(), self.name)
    }
}

/// The identity in a verified certificate chain: that of its first certificate. Verifies nothing itself.
///
/// # Errors
/// [`CertificateError::Unnamed`]: the chain is empty, or its first certificate has no such name or several.
pub fn identity(chain: &[CertificateDer<'_>]) -> Result<Identity, CertificateError> {
    let first = chain.first().ok_or(CertificateError::Unnamed)?;
    let facts = Facts::read(first).map_err(|_| CertificateError::Unnamed)?;
    facts.identity.ok_or(CertificateError::Unnamed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(dns_names: &str, expected: Expect) {
        let shown = Identity::of_names(dns_names.split_whitespace()).map_or_else(
            || "nobody".to_owned(),
            |who| format!("{who} of {}", who.cluster),
        );
        expected.assert_eq(&shown);
    }

    #[test]
    fn a_name_says_cluster_role_and_name() {
        check(
            "alpha.hosts.shop.bookshop.internal",
            expect!["host alpha of shop"],
        );
        check(
            "reports.clients.shop.bookshop.internal",
            expect!["client reports of shop"],
        );
        check(
            "example.org alpha.hosts.shop.bookshop.internal",
            expect!["host alpha of shop"],
        );
    }

    #[test]
    fn other_names_are_nobody() {
        for name in [
            "",
            "example.org",
            "alpha.hosts.shop.bookshop.internal.example.org",
            "a.alpha.hosts.shop.bookshop.internal",
            "*.hosts.shop.bookshop.internal",
            "Alpha.hosts.shop.bookshop.internal",
            "alpha.guests.shop.bookshop.internal",
            ".hosts.shop.bookshop.internal",
            "alpha.hosts.shop.bookshop",
            "alpha.hosts.shop.bookshop.internal.",
        ] {
            check(name, expect!["nobody"]);
        }
    }

    #[test]
    fn two_names_are_nobody() {
        check(
            "alpha.hosts.shop.bookshop.internal beta.hosts.shop.bookshop.internal",
            expect!["nobody"],
        );
    }

    #[test]
    fn the_longest_names_still_make_a_server_name() {
        let (cluster, name) = ("c".repeat(63), "h".repeat(63));
        let who = Identity::host(
            &cluster.parse().expect("a name"),
            &name.parse().expect("a name"),
        );
        assert_eq!(who.server_name().to_str(), who.dns_name());
        assert_eq!(Identity::parse(&who.dns_name()), Some(who));
    }
}
