//! What is called and compared within one process: the same function by the engine alone and by the host, and chains of services.

use crate::bare::Bare;
use crate::in_process::{Call, InProcess};
use crate::{Outcome, order, paths};
use std::sync::Arc;
use wasmtime::component::Val;

/// The interface of `verify`, by its compatible version as the host names it, and as the component does.
const VERIFICATION: &str = "bookshop:shop/transaction-verification@0.1";
const VERIFICATION_VERSION: &str = "bookshop:shop/transaction-verification@0.1.0";

/// Who is called in a comparison.
#[derive(Clone)]
pub enum Callee {
    /// The host.
    Host(Call),
    /// The engine alone, a fresh instance a call.
    BareFresh(Arc<Bare>, Vec<Val>),
    /// The engine alone, instances used again.
    BareReused(Arc<Bare>, Vec<Val>),
}

impl Callee {
    /// One call.
    ///
    /// # Errors
    /// The call failed, so there is nothing to measure.
    pub async fn run(&self) -> Outcome<Vec<Val>> {
        match self {
            Self::Host(call) => call.run().await,
            Self::BareFresh(bare, arguments) => bare.call_fresh(arguments).await,
            Self::BareReused(bare, arguments) => bare.call_reused(arguments).await,
        }
    }
}

/// Everything that is compared in one process.
pub struct Callees {
    /// `transaction-verification.verify` with the whole order, by the engine alone.
    pub bare_fresh: Callee,
    /// The same on instances used again.
    pub bare_reused: Callee,
    /// The same through the host.
    pub verify: Callee,
    /// The same through the host, pooled.
    pub verify_pooled: Callee,
    /// `neighbour.ping` with a number.
    pub one_service: Callee,
    /// The same, pooled.
    pub one_service_pooled: Callee,
    /// `caller.call-ping`, which calls `neighbour.ping`.
    pub two_services: Callee,
    /// The same, both pooled.
    pub two_services_pooled: Callee,
    /// `orchestrator.checkout`, which calls three services at once.
    pub checkout: Callee,
    /// The same, all pooled.
    pub checkout_pooled: Callee,
}

impl Callees {
    /// Prepares all of them and makes each call once, so that a wrong answer is an error and not a number.
    ///
    /// # Errors
    /// Something is not built, or a call does not answer what it should.
    pub async fn prepare(host: &InProcess) -> Outcome<Self> {
        let order = [order::record()?];
        let verify = host.call("transaction-verification", VERIFICATION, "verify", &order)?;
        let bare = Arc::new(Bare::load(
            &paths::guest("transaction-verification")?,
            VERIFICATION_VERSION,
            "verify",
        )?);
        let one = |name: &str| {
            host.call(name, "fixture:hostile/neighbour@0.1", "ping", &[41.into()])
                .map(Callee::Host)
        };
        let two = |name: &str| {
            host.call(
                name,
                "fixture:hostile/caller@0.1",
                "call-ping",
                &[41.into()],
            )
            .map(Callee::Host)
        };
        let checkout = |name: &str| {
            host.call(name, "bookshop:shop/orchestrator@0.1", "checkout", &order)
                .map(Callee::Host)
        };
        let callees = Self {
            bare_fresh: Callee::BareFresh(Arc::clone(&bare), verify.arguments.clone()),
            bare_reused: Callee::BareReused(bare, verify.arguments.clone()),
            verify_pooled: Callee::Host(host.call(
                "transaction-verification-pooled",
                VERIFICATION,
                "verify",
                &order,
            )?),
            verify: Callee::Host(verify),
            one_service: one("neighbour")?,
            one_service_pooled: one("neighbour-pooled")?,
            two_services: two("caller")?,
            two_services_pooled: two("caller-pooled")?,
            checkout: checkout("orchestrator")?,
            checkout_pooled: checkout("orchestrator-pooled")?,
        };
        for callee in [
            &callees.bare_fresh,
            &callees.bare_reused,
            &callees.verify,
            &callees.verify_pooled,
        ] {
            expect(callee, "accepted").await?;
        }
        for callee in [
            &callees.one_service,
            &callees.one_service_pooled,
            &callees.two_services,
            &callees.two_services_pooled,
        ] {
            expect(callee, "41").await?;
        }
        for callee in [&callees.checkout, &callees.checkout_pooled] {
            expect(callee, "approved").await?;
        }
        Ok(callees)
    }
}

async fn expect(callee: &Callee, part: &str) -> Outcome {
    let answer = format!("{:?}", callee.run().await?);
    if answer.contains(part) {
        Ok(())
    } else {
        Err(format!("the answer should contain {part:?}: {answer}").into())
    }
}
