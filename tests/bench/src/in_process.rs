//! A real host in this process, and calls that go through its router.

use crate::{Outcome, paths, scratch};
use bookshop_host::certificates;
use bookshop_host::config::Config;
use bookshop_host::dispatch::{Dispatch, FunctionName, Invocation, Reach};
use bookshop_host::envelope::Envelope;
use bookshop_host::host::{self, Host};
use bookshop_host::json;
use bookshop_host::os::Os;
use bookshop_host::parent::Parent;
use bookshop_host::payload::Payload;
use bookshop_host::service::Service;
use bookshop_host::services::State;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Val;

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
        certificates::prepare(&config, &os)?;
        let options = host::Options {
            config: Arc::new(config),
            name: "in-process".into(),
            program: program.into(),
            parent: Parent::none(),
            restart: host::Restart::refused(),
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
            service: Arc::clone(&slot.service),
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
    service: Arc<Service>,
    function: Arc<FunctionName>,
    /// What it is called with, but for the identity of an order.
    pub arguments: Vec<Val>,
    envelope: Envelope,
}

impl Call {
    /// Makes the call through the router, as an import of another service would: the envelope is derived and the arguments are copied.
    ///
    /// # Errors
    /// As the host says.
    pub async fn run(&self, arguments: &[Val]) -> Outcome<Vec<Val>> {
        let envelope = Envelope {
            deadline: self.os.clock.monotonic() + DEADLINE,
            ..self.envelope.clone()
        };
        let invocation = Invocation {
            service: self.service.id,
            function: Arc::clone(&self.function),
            types: None,
            arguments: Payload::Values(arguments.to_vec()),
            envelope,
            reach: Reach::Cluster,
        };
        match Arc::clone(&self.dispatch).dispatch(invocation).await? {
            Payload::Values(values) => Ok(values),
            Payload::Request(_) | Payload::Response(_) => Err("the answer is no value".into()),
        }
    }

    /// Removes an order that a call left.
    ///
    /// # Errors
    /// No call left it.
    pub fn forget(&self, order_id: &str) -> Outcome {
        scratch::forget(&self.service.scratch, &self.os, order_id)
    }
}

fn cluster_file() -> Outcome<String> {
    let mut text = format!(
        "[cluster]\nname = \"bench\"\ndata = {:?}\ncertificates = {:?}\nworkers = 1\n\n[[host]]\nname = \"in-process\"\nhttp = \"127.0.0.1:0\"\npeer = \"127.0.0.1:0\"\napi = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n",
        paths::data()?,
        paths::certificates("bench")?
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
        ("orders", "orders", &[]),
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
                ("bookshop:shop/orders", "orders"),
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
                "\n[service.{name}{suffix}]\nwasm = {wasm:?}\ninstance = \"{instance}\"\nlinks = {{ {} }}\nlimits = {{ memory = \"16MiB\", scratch = \"64MiB\" }}\n",
                links.join(", ")
            );
            if name == "orders" {
                text += "storage = \"volatile\"\n";
            }
        }
    }
    Ok(text)
}
