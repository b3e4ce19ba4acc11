//! What may be kept, and the refusals of the rest.

use crate::bindings::exports::bookshop::control::registry::{
    Bounded, Canary, Component, Excess, Refusal,
};
use crate::registry::Applied;

/// Largest file, in bytes: a hundred services, each with all keys.
const CONFIG_BYTES_MAX: u64 = 256 << 10;

/// Most components.
const COMPONENTS_MAX: u64 = 1_000;

/// Longest name of who applies, in bytes.
const BY_BYTES_MAX: u64 = 128;

/// Longest summary, in bytes.
const SUMMARY_BYTES_MAX: u64 = 2 << 10;

/// Longest name of a service or host, in bytes.
pub const NAME_BYTES_MAX: usize = 63;

/// Most shares of a canary after its first.
const STEPS_MAX: usize = 16;

/// Hexadecimal digits of a SHA-256.
const DIGEST_DIGITS: usize = 64;

/// Everything is within its bounds, and well formed. Sorts the components.
pub fn check(applied: &mut Applied) -> Result<(), Refusal> {
    let lengths = [
        (Bounded::ConfigBytes, applied.config.len(), CONFIG_BYTES_MAX),
        (
            Bounded::Components,
            applied.components.len(),
            COMPONENTS_MAX,
        ),
        (Bounded::ByBytes, applied.by.len(), BY_BYTES_MAX),
        (
            Bounded::SummaryBytes,
            applied.summary.len(),
            SUMMARY_BYTES_MAX,
        ),
    ];
    for (what, actual, most) in lengths {
        let actual = actual as u64;
        if actual > most {
            return Err(Refusal::TooLarge(Excess { what, actual, most }));
        }
    }
    applied
        .components
        .sort_by(|one, other| one.service.cmp(&other.service));
    for (index, component) in applied.components.iter().enumerate() {
        well_formed(component)?;
        if index > 0 && applied.components[index - 1].service == component.service {
            let message = format!("service {} has two components", component.service);
            return Err(Refusal::Invalid(message));
        }
    }
    Ok(())
}

fn well_formed(component: &Component) -> Result<(), Refusal> {
    let Component {
        service,
        digest,
        canary,
        ..
    } = component;
    if !(1..=NAME_BYTES_MAX).contains(&service.len()) {
        let message = format!(
            "the name of a service has 1 to {NAME_BYTES_MAX} bytes, not {}",
            service.len()
        );
        return Err(Refusal::Invalid(message));
    }
    check_digest(service, digest)?;
    match canary {
        Some(canary) => check_canary(service, digest, canary),
        None => Ok(()),
    }
}

/// Shares only grow: a canary that is worse is withdrawn.
fn check_canary(service: &str, digest: &str, canary: &Canary) -> Result<(), Refusal> {
    check_digest(service, &canary.digest)?;
    let invalid = |what: String| Err(Refusal::Invalid(format!("the canary of {service} {what}")));
    if canary.digest == digest {
        return invalid("is the component that it has".into());
    }
    if !(1..100).contains(&canary.percent) {
        return invalid(format!(
            "gets 1 to 99 % of the calls, not {}",
            canary.percent
        ));
    }
    if canary.then.len() > STEPS_MAX {
        return invalid(format!(
            "has {} more shares, at most {STEPS_MAX} are kept",
            canary.then.len()
        ));
    }
    let mut last = canary.percent;
    for percent in &canary.then {
        if !(last + 1..=100).contains(percent) {
            return invalid(format!(
                "gets {percent} % after {last} %: shares grow, up to 100"
            ));
        }
        last = *percent;
    }
    Ok(())
}

fn check_digest(service: &str, digest: &str) -> Result<(), Refusal> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if digest.len() != DIGEST_DIGITS || !digest.bytes().all(is_digit) {
        let message = format!(
            "the digest of {service} is not {DIGEST_DIGITS} lowercase hexadecimal digits: {:?}",
            keys::bytes::cut(digest, DIGEST_DIGITS)
        );
        return Err(Refusal::Invalid(message));
    }
    Ok(())
}
