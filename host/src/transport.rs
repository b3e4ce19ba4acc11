//! Between hosts: calls to services that run elsewhere, calls from elsewhere to services that run here, and who is there at all.
//!
//! HTTP/2 over TLS 1.3 with a certificate on both sides. [`outgoing`] is called by the router, [`incoming`] calls `Dispatch`; [`peers`] is
//! what this host knows of the others, kept up to date by [`probe`]; [`wire`] has the connections. [`message`] and [`head`] say what is sent.
//! Messages between replicas go another way, with connections and a form of their own: [`replicas`]. [`components`] carries code.

use crate::os::Os;
use crate::telemetry::Log;
use crate::telemetry::rate::TokenBucket;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

pub mod components;
pub mod handshake;
pub mod head;
pub mod incoming;
pub mod lane;
pub mod message;
pub mod outgoing;
pub mod peers;
pub mod probe;
pub mod replicas;
pub mod unread;
pub mod wire;

/// Refused connections that are reported in a second, and at once after a pause; the rest are counted.
const REFUSALS_PER_SECOND: u32 = 2;
const REFUSALS_BURST: u32 = 20;

/// Reports connections of strangers, who could otherwise fill the log.
pub struct Refusals {
    log: Log,
    bucket: Mutex<TokenBucket>,
}

impl Refusals {
    /// Reports to `log`.
    #[must_use]
    pub fn new(log: Log) -> Self {
        Self {
            log,
            bucket: Mutex::new(TokenBucket::new(REFUSALS_PER_SECOND, REFUSALS_BURST)),
        }
    }

    /// A connection from `address`, which would have been that of a `role`, was refused; `reason` is a sentence about it.
    pub fn report(&self, os: &Os, address: SocketAddr, role: &str, reason: &str) {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        if bucket.allow(os.clock.monotonic()) {
            let dropped = match bucket.take_dropped() {
                0 => String::new(),
                dropped => format!(" ({dropped} more were not reported)"),
            };
            self.log.warn(
                None,
                &format!("refused {address} as a {role}: {reason}{dropped}"),
            );
        }
    }
}
