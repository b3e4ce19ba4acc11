//! What is called and compared within one process: the same function by the engine alone and by the host, and chains of services.

use crate::bare::Bare;
use crate::in_process::{Call, InProcess};
use crate::two_hosts::Remote;
use crate::{Outcome, order, paths};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::component::Val;

/// The interface of `init`, by its compatible version, as the host names it.
const VERIFICATION: &str = "bookshop:shop/transaction-verification@0.1";
/// The interface of `init` with the version that the component names.
pub const VERIFICATION_VERSION: &str = "bookshop:shop/transaction-verification@0.1.0";

/// Who is called in a comparison, and what becomes of the order that it is called with.
#[derive(Clone)]
pub struct Callee {
    target: Target,
    order: Order,
}

#[derive(Clone)]
enum Target {
    /// The host.
    Host(Call),
    /// The engine alone, a fresh instance a call.
    BareFresh(Arc<Bare>, Vec<Val>),
    /// The engine alone, instances used again.
    BareReused(Arc<Bare>, Vec<Val>),
    /// A host that is another process.
    Remote(Remote),
}

/// Each call brings an order of its own: one that is known already would be answered in another way.
#[derive(Clone, Copy)]
enum Order {
    /// The call is about none.
    None,
    /// It is cleared in the course of the call, or soon after.
    Cleared,
    /// The callee keeps it, so it is removed once the call is timed.
    Kept,
}

impl Callee {
    fn new(target: Target, order: Order) -> Self {
        Self { target, order }
    }

    /// A function of a service of another process.
    #[must_use]
    pub fn remote(remote: Remote) -> Self {
        let order = if remote.keeps_orders() {
            Order::Kept
        } else {
            Order::None
        };
        Self::new(Target::Remote(remote), order)
    }

    /// One call: how long it took, and the answer.
    ///
    /// # Errors
    /// The call failed or its answer is an error, so there is nothing to measure.
    pub async fn run(&self) -> Outcome<(Duration, Vec<Val>)> {
        let template = match &self.target {
            Target::Host(call) => &call.arguments,
            Target::BareFresh(_, arguments) | Target::BareReused(_, arguments) => arguments,
            Target::Remote(remote) => &remote.arguments,
        };
        let (arguments, order_id) = match self.order {
            Order::None => (template.clone(), String::new()),
            Order::Cleared | Order::Kept => order::renewed(template)?,
        };
        let started = Instant::now();
        let answer = match &self.target {
            Target::Host(call) => call.run(&arguments).await?,
            Target::BareFresh(bare, _) => bare.call_fresh(&arguments).await?,
            Target::BareReused(bare, _) => bare.call_reused(&arguments).await?,
            Target::Remote(remote) => remote.call(&arguments).await?,
        };
        let took = started.elapsed();
        if let Some(Val::Result(Err(error))) = answer.first() {
            return Err(format!("the answer is an error: {error:?}").into());
        }
        match (self.order, &self.target) {
            (Order::None | Order::Cleared, _) => {}
            (Order::Kept, Target::Host(call)) => call.forget(&order_id)?,
            (Order::Kept, Target::BareFresh(bare, _) | Target::BareReused(bare, _)) => {
                bare.forget(&order_id)?;
            }
            (Order::Kept, Target::Remote(remote)) => remote.forget(&order_id, &answer).await?,
        }
        Ok((took, answer))
    }

    /// Whether it is the engine alone, which never waits for anything: its calls run one after the other however many are asked for.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        match self.target {
            Target::Host(_) | Target::Remote(_) => false,
            Target::BareFresh(..) | Target::BareReused(..) => true,
        }
    }
}

/// Everything that is compared in one process.
pub struct Callees {
    /// `transaction-verification.init` with the whole order, by the engine alone.
    pub bare_fresh: Callee,
    /// The same on instances used again.
    pub bare_reused: Callee,
    /// The same through the host.
    pub init: Callee,
    /// The same through the host, pooled.
    pub init_pooled: Callee,
    /// `neighbour.ping` with a number.
    pub one_service: Callee,
    /// The same, pooled.
    pub one_service_pooled: Callee,
    /// `caller.call-ping`, which calls `neighbour.ping`.
    pub two_services: Callee,
    /// The same, both pooled.
    pub two_services_pooled: Callee,
    /// `orchestrator.checkout` with all that is behind it: four more services, thirteen calls.
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
        let order = [order::record()?, order::progress()];
        let init = |name: &str| host.call(name, VERIFICATION, "init", &order);
        let (fresh, pooled) = (
            init("transaction-verification")?,
            init("transaction-verification-pooled")?,
        );
        let bare = Arc::new(Bare::load(
            &paths::guest("transaction-verification")?,
            VERIFICATION_VERSION,
            "init",
        )?);
        let one = |name: &str| {
            host.call(name, "fixture:hostile/neighbour@0.1", "ping", &[41.into()])
                .map(|call| Callee::new(Target::Host(call), Order::None))
        };
        let two = |name: &str| {
            host.call(
                name,
                "fixture:hostile/caller@0.1",
                "call-ping",
                &[41.into()],
            )
            .map(|call| Callee::new(Target::Host(call), Order::None))
        };
        let checkout = |name: &str| {
            host.call(
                name,
                "bookshop:shop/orchestrator@0.1",
                "checkout",
                &order[..1],
            )
            .map(|call| Callee::new(Target::Host(call), Order::Cleared))
        };
        let kept = |target| Callee::new(target, Order::Kept);
        let callees = Self {
            bare_fresh: kept(Target::BareFresh(
                Arc::clone(&bare),
                fresh.arguments.clone(),
            )),
            bare_reused: kept(Target::BareReused(bare, fresh.arguments.clone())),
            init: kept(Target::Host(fresh)),
            init_pooled: kept(Target::Host(pooled)),
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
            &callees.init,
            &callees.init_pooled,
        ] {
            expect(callee, r#"("transaction-verification", U32(1))"#).await?;
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

/// Makes a call, and fails unless its answer contains `part`.
///
/// # Errors
/// It fails, or answers something else.
pub async fn expect(callee: &Callee, part: &str) -> Outcome {
    let answer = format!("{:?}", callee.run().await?.1);
    if answer.contains(part) {
        Ok(())
    } else {
        Err(format!("the answer should contain {part:?}: {answer}").into())
    }
}
