//! What may be kept, and the refusals of the rest.

use crate::bindings::exports::bookshop::control::registry::{Bounded, Component, Excess, Refusal};
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
        service, digest, ..
    } = component;
    if !(1..=NAME_BYTES_MAX).contains(&service.len()) {
        let message = format!(
            "the name of a service has 1 to {NAME_BYTES_MAX} bytes, not {}",
            service.len()
        );
        return Err(Refusal::Invalid(message));
    }
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
