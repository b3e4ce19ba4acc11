//! Checks that span several parts of the file: names that must exist or be unique, addresses and prefixes that must not meet.

use std::net::SocketAddr;

use super::error::{At, Report};
use super::host::RawHost;
use super::name::HostName;
use super::nearest::nearest;
use super::service::{RawHosts, RawService};

/// Notes everything that does not fit together. A host or service that is only partly readable still counts as one,
/// so that a mistake is reported where it is and not once more by everything that refers to it.
pub(super) fn check(hosts: &[RawHost], services: &[RawService], report: &Report<'_>) {
    host_names_are_unique(hosts, report);
    addresses_do_not_meet(hosts, report);
    for service in services {
        service_hosts_exist(service, hosts, report);
        replicas_have_hosts(service, hosts, report);
        links_lead_somewhere(service, services, report);
    }
    prefixes_do_not_meet(services, hosts, report);
}

fn host_names_are_unique(hosts: &[RawHost], report: &Report<'_>) {
    let names: Vec<&At<HostName>> = hosts.iter().filter_map(|host| host.name.as_ref()).collect();
    for (index, name) in names.iter().enumerate() {
        if let Some(first) = names[..index]
            .iter()
            .find(|first| first.value == name.value)
        {
            let line = report.line(&first.place);
            report.add(
                &name.place,
                format!("the host on line {line} has this name too; give each host its own"),
            );
        }
    }
}

fn addresses_do_not_meet(hosts: &[RawHost], report: &Report<'_>) {
    let addresses: Vec<&At<SocketAddr>> = hosts.iter().flat_map(RawHost::addresses).collect();
    for (index, address) in addresses.iter().enumerate() {
        if let Some(first) = addresses[..index]
            .iter()
            .find(|first| meet(first.value, address.value))
        {
            let (first, line) = (&first.place.key, report.line(&first.place));
            let message = format!(
                "{} is taken by {first} on line {line}; give each a port of its own",
                address.value
            );
            report.add(&address.place, message);
        }
    }
}

/// Whether two sockets could not listen on one machine at once. Ports may be equal on different addresses, since the
/// hosts of one file can be on different machines; port 0 takes a free one each time.
fn meet(one: SocketAddr, other: SocketAddr) -> bool {
    let same_ip =
        one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && one.port() != 0 && same_ip
}

fn service_hosts_exist(service: &RawService, hosts: &[RawHost], report: &Report<'_>) {
    let RawHosts::Named(names) = &service.hosts else {
        return;
    };
    let known: Vec<&str> = hosts
        .iter()
        .filter_map(|host| Some(host.name.as_ref()?.value.as_str()))
        .collect();
    for (index, name) in names.iter().enumerate() {
        if names[..index].iter().any(|first| first.value == name.value) {
            report.add(
                &name.place,
                format!("\"{}\" is named twice; remove one", name.value),
            );
        } else if !known.contains(&name.value.as_str()) {
            report.add(
                &name.place,
                unknown("host", name.value.as_str(), &known, "this file"),
            );
        }
    }
}

/// Each replica is on a host of its own, and it must be clear on which: on another one the state would be missing.
fn replicas_have_hosts(service: &RawService, hosts: &[RawHost], report: &Report<'_>) {
    let Some(replicated) = &service.replicated else {
        return;
    };
    let Some(replicas) = replicated.replicas.map(|replicas| replicas as usize) else {
        return;
    };
    let placed = match &service.hosts {
        RawHosts::All => hosts.len(),
        RawHosts::Named(names) => names.len(),
    };
    if placed == replicas {
        return;
    }
    let (place, verb) = match &service.hosts_place {
        Some(place) => (place, "write"),
        None => (&replicated.place, "add"),
    };
    let names = hosts
        .iter()
        .filter_map(|host| Some(&host.name.as_ref()?.value));
    // Those that the service has already come first.
    let (here, elsewhere): (Vec<_>, Vec<_>) = names.partition(|name| runs_on(service, name));
    let chosen: Vec<String> = here
        .into_iter()
        .chain(elsewhere)
        .take(replicas)
        .map(|name| format!("\"{name}\""))
        .collect();
    if chosen.len() < replicas {
        // A host whose name cannot be read is reported as that.
        if hosts.len() < replicas {
            let message = format!(
                "{replicas} replicas need {replicas} hosts, and this file has {}; add hosts, or write replicas = {}",
                hosts.len(),
                fewer(hosts.len())
            );
            report.add(&replicated.place, message);
        }
        return;
    }
    let hosts = chosen.join(", ");
    let message = if replicas == 1 {
        format!(
            "the state of one replica is on one host, and this service has several; {verb} hosts = [{hosts}]"
        )
    } else {
        format!(
            "{replicas} replicas are on {replicas} hosts, and this service has {placed}; {verb} hosts = [{hosts}]"
        )
    };
    report.add(place, message);
}

/// The most replicas that so many hosts can have.
fn fewer(hosts: usize) -> usize {
    hosts.saturating_sub(1) / 2 * 2 + 1
}

fn links_lead_somewhere(service: &RawService, services: &[RawService], report: &Report<'_>) {
    let known: Vec<&str> = services
        .iter()
        .filter_map(|service| Some(service.name.as_ref()?.as_str()))
        .collect();
    for (_, to) in &service.links {
        if !known.contains(&to.value.as_str()) {
            report.add(
                &to.place,
                unknown("service", to.value.as_str(), &known, "this file"),
            );
        }
    }
}

fn prefixes_do_not_meet(services: &[RawService], hosts: &[RawHost], report: &Report<'_>) {
    for (index, service) in services.iter().enumerate() {
        let Some(prefix) = &service.http else {
            continue;
        };
        let same = |other: &&RawService| {
            other
                .http
                .as_ref()
                .is_some_and(|http| http.value == prefix.value)
        };
        let meeting = services[..index].iter().filter(same).find_map(|other| {
            let mut names = hosts
                .iter()
                .filter_map(|host| Some(&host.name.as_ref()?.value));
            Some((
                other.name.as_ref()?,
                names.find(|name| runs_on(service, name) && runs_on(other, name))?,
            ))
        });
        if let Some((other, host)) = meeting {
            let prefix_text = &prefix.value;
            let message = format!(
                "{other} answers {prefix_text} on host {host} too; give one of them another path or other hosts"
            );
            report.add(&prefix.place, message);
        }
    }
}

fn runs_on(service: &RawService, host: &HostName) -> bool {
    match &service.hosts {
        RawHosts::All => true,
        RawHosts::Named(names) => names.iter().any(|name| name.value == *host),
    }
}

/// What is said of a name that nothing has: what was probably meant, and all names of `whole`.
pub(super) fn unknown(noun: &str, name: &str, known: &[&str], whole: &str) -> String {
    let meant =
        nearest(name, known.iter().copied()).map(|meant| format!("did you mean \"{meant}\"? "));
    format!(
        "there is no {noun} \"{name}\"; {}{noun}s of {whole}: {}",
        meant.unwrap_or_default(),
        known.join(", ")
    )
}
