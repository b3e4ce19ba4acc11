//! What travels with each call: identity, deadline, trace, idempotency key, hop budget.

pub mod trace;

use crate::os::Entropy;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use trace::TraceParent;

/// Longest idempotency key that is taken from anybody (the draft standard for the header suggests UUIDs, 36 characters).
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 256;
/// The header by which a caller says how new the state has to be that a query is answered from.
pub const CONSISTENCY_HEADER: &str = "bookshop-consistency";
/// Its value where a state that is a little older than the call will do.
pub const STALE: &str = "stale";
/// A caller leaves its callee this much less time than it has itself, at most, so that it can still
/// handle the callee's lateness as an answer instead of being ended together with it.
const HOP_MARGIN: Duration = Duration::from_millis(10);

/// Identity and bounds of one call.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The trace this call belongs to (W3C Trace Context, trace-id).
    pub trace_id: u128,
    /// This call within its trace (W3C Trace Context, parent-id of what it causes).
    pub span_id: u64,
    /// Moment of the host's monotonic clock after which the answer is of no use.
    pub deadline: Duration,
    /// Calls with equal keys have one effect.
    pub idempotency_key: Option<Arc<str>>,
    /// Who calls: a service's name, or where the call entered (`http`, `admin`).
    pub caller: Arc<str>,
    /// Calls that may still be made below this one.
    pub hops_left: u8,
    /// Whether a query may be answered from a state that is a little older than the call.
    pub is_stale_ok: bool,
}

impl Envelope {
    /// The envelope of a call that enters this host from outside.
    #[must_use]
    pub fn enter(
        entropy: &dyn Entropy,
        caller: &Arc<str>,
        deadline: Duration,
        hops_max: u8,
    ) -> Self {
        let mut random = [0; 24];
        entropy.fill(&mut random);
        let (trace, span) = random.split_at(16);
        Self {
            trace_id: u128::from_le_bytes(trace.try_into().expect("16 of 24 bytes")),
            span_id: u64::from_le_bytes(span.try_into().expect("8 of 24 bytes")),
            deadline,
            idempotency_key: None,
            caller: Arc::clone(caller),
            hops_left: hops_max,
            is_stale_ok: false,
        }
    }

    /// The envelope of call number `ordinal` that `service` makes while it serves this one.
    ///
    /// `function` names what is called. The key derives from this call's, so a repeated parent repeats its children's keys.
    #[must_use]
    pub fn child(&self, service: &Arc<str>, function: &str, ordinal: u32, now: Duration) -> Self {
        let margin = HOP_MARGIN.min(self.deadline.saturating_sub(now) / 10);
        Self {
            trace_id: self.trace_id,
            span_id: mix(self.span_id, ordinal),
            deadline: self.deadline.saturating_sub(margin),
            idempotency_key: self
                .idempotency_key
                .as_deref()
                .map(|key| derive_key(key, function, ordinal)),
            caller: Arc::clone(service),
            hops_left: self.hops_left.saturating_sub(1),
            // Whoever asked for it knows this call, and not what it causes.
            is_stale_ok: false,
        }
    }

    /// The name of this call for what it causes outside, as the header [`trace::HEADER`].
    #[must_use]
    pub fn trace_parent(&self) -> TraceParent {
        TraceParent {
            trace_id: self.trace_id,
            span_id: self.span_id,
        }
    }

    /// `TRACE-SPAN` in hexadecimal: unique for each call, the first part shared by all calls of one request.
    #[must_use]
    pub fn call_id(&self) -> CallId {
        CallId {
            trace_id: self.trace_id,
            span_id: self.span_id,
        }
    }
}

/// Prints as `TRACE-SPAN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallId {
    trace_id: u128,
    span_id: u64,
}

impl fmt::Display for CallId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}-{:016x}", self.trace_id, self.span_id)
    }
}

/// Output number `ordinal` of SplitMix64 from `seed`: a bijection of the seed, and for one seed different numbers give different outputs.
#[must_use]
pub fn mix(seed: u64, ordinal: u32) -> u64 {
    let mut mixed = seed.wrapping_add(
        u64::from(ordinal)
            .wrapping_add(1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15),
    );
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn derive_key(parent: &str, function: &str, ordinal: u32) -> Arc<str> {
    let mut hash = Sha256::new();
    // Lengths first: no two different triples hash the same bytes.
    hash.update((parent.len() as u64).to_le_bytes());
    hash.update(parent);
    hash.update((function.len() as u64).to_le_bytes());
    hash.update(function);
    hash.update(ordinal.to_le_bytes());
    hex::encode(&hash.finalize()[..16]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent() -> Envelope {
        Envelope {
            trace_id: 7,
            span_id: 9,
            deadline: Duration::from_secs(10),
            idempotency_key: Some("order-1".into()),
            caller: "http".into(),
            hops_left: 2,
            is_stale_ok: true,
        }
    }

    #[test]
    fn a_child_keeps_the_trace_and_gets_a_span_key_and_hop_of_its_own() {
        let (parent, service) = (parent(), Arc::from("orchestrator"));
        let first = parent.child(&service, "f", 0, Duration::from_secs(9));
        let second = parent.child(&service, "f", 1, Duration::from_secs(9));
        assert_eq!(first.trace_id, parent.trace_id);
        assert_ne!(first.span_id, second.span_id);
        assert_ne!(first.idempotency_key, second.idempotency_key);
        assert_eq!(
            first.idempotency_key,
            parent
                .child(&service, "f", 0, Duration::ZERO)
                .idempotency_key
        );
        assert_eq!(
            (first.hops_left, first.deadline),
            (1, Duration::from_millis(9_990))
        );
        assert!(!first.is_stale_ok, "only the call itself was meant");
    }

    #[test]
    fn a_childs_margin_shrinks_with_the_time_that_is_left() {
        let child = parent().child(&Arc::from("a"), "f", 0, Duration::from_millis(9_990));
        assert_eq!(child.deadline, Duration::from_millis(9_999));
    }
}
