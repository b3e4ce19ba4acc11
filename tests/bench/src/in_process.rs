//! A real host in this process, and calls that go through its router.

use crate::bare::Bare;
use crate::{Outcome, order, paths};
use bookshop_host::config::Config;
use bookshop_host::dispatch::{Dispatch, FunctionName, Invocation, ServiceId};
use bookshop_host::envelope::Envelope;
use bookshop_host::host::{self, Host};
use bookshop_host::json;
use bookshop_host::os::Os;
use bookshop_host::parent::Parent;
use bookshop_host::payload::Payload;
use bookshop_host::services::State;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Val;

/// What `verify` is called with.
pub const VERIFICATION: &str = "bookshop:shop/transaction-verification@0.1";
const VERIFICATION_VERSION: &str = "bookshop:shop/transaction-verification@0.1.0";
/// How long a call may take before its numbers mean nothing anyway.
const DEADLINE: Duration = Duration::from_secs(5);

/// A host with the shop's services and two fixtures, each twice: as `NAME`, a fresh instance a call, and as `NAME-pooled`.
pub struct InProcess {
    host: Host,
    os: Os,
}

impl InProcess {
    /// Starts it on free ports. Needs a tokio runtime, which has to live as long.
    ///
    /// # Errors
    /// Something is not built, or the host does not start.
    pub async fn start(program: &Path) -> Outcome<Self> {
        let text = cluster_file()?;
        let config = Config::parse(Path::new("bench.toml"), &text)?;
        let os = Os::real();
        let options = host::Options {
            config: Arc::new(config),
            name: "in-process".into(),
            program: program.into(),
            parent: Parent::none(),
            os: os.clone(),
        };
        Ok(Self {
            host: host::start(options).await?,
            os,
        })
    }

    /// A function of a running service with arguments in JSON.
    ///
    /// # Errors
    /// The service does not run, or has no such function with such parameters.
    pub fn call(
        &self,
        service: &str,
        interface: &str,
        function: &str,
        arguments: &[Value],
    ) -> Outcome<Call> {
        let slot = self
            .host
            .services
            .find(service)
            .ok_or(format!("no service {service}"))?;
        let version = match &*slot.state() {
            State::Running(version) => Arc::clone(version),
            State::Failed { reason } => return Err(format!("{service}: {reason}").into()),
            other @ (State::Elsewhere | State::Starting | State::Stopped | State::Stopping) => {
                return Err(format!("{service} is {}", other.name()).into());
            }
        };
        let function = FunctionName {
            interface: interface.into(),
            function: function.into(),
        };
        let export = version
            .exports
            .get(&function)
            .ok_or(format!("{service} has no function {function}"))?;
        let values = export
            .ty
            .params()
            .zip(arguments)
            .map(|((_, ty), argument)| json::from_json(argument, &ty));
        Ok(Call {
            dispatch: Arc::clone(&self.host.dispatch),
            envelope: Envelope::enter(
                self.os.entropy.as_ref(),
                &"bench".into(),
                Duration::ZERO,
                16,
            ),
            os: self.os.clone(),
            service: slot.service.id,
            function: Arc::new(function),
            arguments: values.collect::<Result<_, _>>()?,
        })
    }

    /// Drains and stops.
    pub async fn stop(self) {
        self.host.stop().await;
    }
}

/// One call, to be made again and again.
#[derive(Clone)]
pub struct Call {
    dispatch: Arc<dyn Dispatch>,
    os: Os,
    service: ServiceId,
    function: Arc<FunctionName>,
    /// What it is called with.
    pub arguments: Vec<Val>,
    envelope: Envelope,
}

impl Call {
    /// Makes the call through the router, as an import of another service would: the envelope is derived and the arguments are copied.
    ///
    /// # Errors
    /// As the host says.
    pub async fn run(&self) -> Outcome<Vec<Val>> {
        let envelope = Envelope {
            deadline: self.os.clock.monotonic() + DEADLINE,
            ..self.envelope.clone()
        };
        let invocation = Invocation {
            service: self.service,
            function: Arc::clone(&self.function),
            arguments: Payload::Values(self.arguments.clone()),
            envelope,
        };
        match Arc::clone(&self.dispatch).dispatch(invocation).await? {
            Payload::Values(values) => Ok(values),
            Payload::Request(_) | Payload::Response(_) => Err("the answer is no value".into()),
        }
    }
}

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

fn cluster_file() -> Outcome<String> {
    let mut text = format!(
        "[cluster]\nname = \"bench\"\ndata = {:?}\nworkers = 1\n\n[[host]]\nname = \"in-process\"\nhttp = \"127.0.0.1:0\"\npeer = \"127.0.0.1:0\"\napi = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n",
        paths::data()?
    );
    for (name, package, links) in [
        ("neighbour", "fixture-neighbour", &[][..]),
        (
            "caller",
            "fixture-caller",
            &[("fixture:hostile/neighbour", "neighbour")],
        ),
        ("transaction-verification", "transaction-verification", &[]),
        ("fraud-detection", "fraud-detection", &[]),
        ("suggestions", "suggestions", &[]),
        (
            "orchestrator",
            "orchestrator",
            &[
                (
                    "bookshop:shop/transaction-verification",
                    "transaction-verification",
                ),
                ("bookshop:shop/fraud-detection", "fraud-detection"),
                ("bookshop:shop/suggestions", "suggestions"),
            ],
        ),
    ] {
        let wasm = paths::guest(package)?;
        for (suffix, instance) in [("", "per-call"), ("-pooled", "pooled")] {
            let links: Vec<String> = links
                .iter()
                .map(|(interface, to)| format!("{interface:?} = {{ to = \"{to}{suffix}\" }}"))
                .collect();
            text += &format!(
                "\n[service.{name}{suffix}]\nwasm = {wasm:?}\ninstance = \"{instance}\"\nlinks = {{ {} }}\nlimits = {{ memory = \"16MiB\" }}\n",
                links.join(", ")
            );
        }
    }
    Ok(text)
}
