//! The two ends of links, as they are typed: `alpha beta,gamma`.

use crate::admin::chaos::Link;
use crate::cli::failure::Failure;
use crate::config::{HostName, InvalidValue};
use std::str::FromStr;

/// Hosts at one end: at least one, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side(Vec<HostName>);

/// Why a text is not one side.
#[derive(Debug, thiserror::Error)]
pub enum SideError {
    /// A part of it cannot be the name of a host.
    #[error(transparent)]
    Name(#[from] InvalidValue),
    /// A host is named more than once.
    #[error("{0} is named twice; remove one")]
    Twice(HostName),
}

impl FromStr for Side {
    type Err = SideError;

    fn from_str(text: &str) -> Result<Self, SideError> {
        let mut hosts: Vec<HostName> = Vec::new();
        for name in text.split(',') {
            let host = name.parse()?;
            if hosts.contains(&host) {
                return Err(SideError::Twice(host));
            }
            hosts.push(host);
        }
        Ok(Self(hosts))
    }
}

/// The links from each host of `one` to each of `other`, and those back unless it is one way.
///
/// # Errors
/// A host is on both sides.
pub fn links(one: &Side, other: &Side, is_one_way: bool) -> Result<Vec<Link>, Failure> {
    if let Some(host) = one.0.iter().find(|host| other.0.contains(host)) {
        return Err(Failure::usage(format!(
            "{host} is on both sides, and a host has no link to itself; name different hosts"
        )));
    }
    let mut links = Vec::new();
    for from in &one.0 {
        for to in &other.0 {
            links.push(link(from, to));
            if !is_one_way {
                links.push(link(to, from));
            }
        }
    }
    Ok(links)
}

fn link(from: &HostName, to: &HostName) -> Link {
    Link {
        from: from.to_string(),
        to: to.to_string(),
    }
}
