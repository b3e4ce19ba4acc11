//! A cluster of two hosts with each service twice, once on each, so that the same call can be made with a hop and without.

use crate::callees::{Callee, VERIFICATION_VERSION, expect};
use crate::cluster_file::Draft;
use crate::{Outcome, bare, order, paths};
use bookshop_host::client::{CallOptions, Client, RemoteFunction};
use bookshop_host::os::Os;
use std::net::SocketAddr;
use std::time::Duration;
use wasmtime::component::Val;

/// The host that is asked.
const HERE: &str = "alpha";
/// The other one.
const THERE: &str = "beta";
/// How long a call may take before its numbers mean nothing anyway.
const DEADLINE: Duration = Duration::from_secs(5);
/// What `neighbour.ping` is called with, and answers.
const NUMBER: u32 = 41;

/// The cluster file, with the threads a host that are the default.
///
/// # Errors
/// A component is not built.
pub fn draft() -> Outcome<Draft> {
    let mut text = format!(
        "[cluster]\nname = \"two-hosts\"\n\n[[host]]\nname = {HERE:?}\n\n[[host]]\nname = {THERE:?}\n"
    );
    for (name, package) in [
        ("neighbour", "fixture-neighbour"),
        ("transaction-verification", "transaction-verification"),
    ] {
        let wasm = paths::guest(package)?;
        for host in [HERE, THERE] {
            for (suffix, instance) in [("", "per-call"), ("-pooled", "pooled")] {
                text += &format!(
                    "\n[service.{name}-on-{host}{suffix}]\nwasm = {wasm:?}\nhosts = [{host:?}]\ninstance = \"{instance}\"\nlimits = {{ memory = \"16MiB\", scratch = \"64MiB\" }}\n"
                );
            }
        }
    }
    Draft::of(&text)
}

/// A function of a service, called through the host that is asked.
#[derive(Clone)]
pub struct Remote {
    function: RemoteFunction,
    /// What makes the service forget an order that the function left there.
    clear: Option<RemoteFunction>,
    /// What it is called with, but for the identity of an order.
    pub arguments: Vec<Val>,
}

impl Remote {
    /// Whether each call leaves an order with the service.
    #[must_use]
    pub fn keeps_orders(&self) -> bool {
        self.clear.is_some()
    }

    /// Makes the call.
    ///
    /// # Errors
    /// As the host says.
    pub async fn call(&self, arguments: &[Val]) -> Outcome<Vec<Val>> {
        Ok(self.function.call(arguments, &options()).await?)
    }

    /// Has an order cleared. `answer` is that of the call that left it there, which has the clock that this takes.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn forget(&self, order_id: &str, answer: &[Val]) -> Outcome {
        let clear = self.clear.as_ref().ok_or("the service keeps no orders")?;
        let Some(Val::Result(Ok(Some(clock)))) = answer.first() else {
            return Err(format!("the answer has no clock: {answer:?}").into());
        };
        let arguments = [Val::String(order_id.to_owned()), Val::clone(clock)];
        let answer = clear.call(&arguments, &options()).await?;
        match answer.first() {
            Some(Val::Result(Ok(_))) => Ok(()),
            Some(_) | None => Err(format!("the order was not cleared: {answer:?}").into()),
        }
    }
}

fn options() -> CallOptions {
    CallOptions {
        timeout: Some(DEADLINE),
        idempotency_key: None,
        is_stale_ok: false,
    }
}

/// The same function on the host that is asked and on the other.
pub struct Places {
    /// On the host that is asked.
    pub here: Callee,
    /// On the other.
    pub there: Callee,
}

/// Everything that is called.
pub struct TwoHosts {
    /// `neighbour.ping` with a number.
    pub number: Places,
    /// The same, pooled.
    pub number_pooled: Places,
    /// `transaction-verification.init` with a whole order.
    pub order: Places,
    /// The same, pooled.
    pub order_pooled: Places,
    /// Bytes of the values of a call with a number, and of its answer.
    pub number_bytes: Bytes,
    /// Bytes of the values of a call with an order, and of its answer.
    pub order_bytes: Bytes,
}

/// Bytes that a call takes one way and the other, without any headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes {
    /// Of the arguments.
    pub request: usize,
    /// Of the results.
    pub answer: usize,
}

/// The arguments of `transaction-verification.init`.
///
/// # Errors
/// The component is not built.
pub fn order_arguments() -> Outcome<Vec<Val>> {
    bare::arguments(
        &paths::guest("transaction-verification")?,
        VERIFICATION_VERSION,
        "init",
        &[order::record()?, order::progress()],
    )
}

/// `neighbour.ping` on the host that is asked or on the other, over a connection of its own to the `api` of the first.
///
/// # Errors
/// The host or the service does not answer.
pub async fn ping(api: SocketAddr, is_here: bool, is_pooled: bool) -> Outcome<Callee> {
    let client = Client::connect(api, &Os::real()).await?;
    number(&client, is_here, is_pooled).await
}

impl TwoHosts {
    /// Makes each call once, so that a wrong answer is an error and not a number. All share one connection to `api`, that of the first
    /// host; calls belong to the runtime that this is called on.
    ///
    /// # Errors
    /// A host or a service does not answer, or not what it should.
    pub async fn connect(api: SocketAddr, order_arguments: &[Val]) -> Outcome<Self> {
        let client = Client::connect(api, &Os::real()).await?;
        let numbers = async |is_pooled| {
            let (here, there) = (
                number(&client, true, is_pooled).await?,
                number(&client, false, is_pooled).await?,
            );
            Outcome::Ok(Places { here, there })
        };
        let orders = async |is_pooled| {
            let (here, there) = (
                init(&client, true, is_pooled, order_arguments).await?,
                init(&client, false, is_pooled, order_arguments).await?,
            );
            Outcome::Ok(Places { here, there })
        };
        let (ping, take) = (
            client
                .function(&service("neighbour", true, false), "ping")
                .await?,
            client
                .function(&service("transaction-verification", true, false), "init")
                .await?,
        );
        Ok(Self {
            number: numbers(false).await?,
            number_pooled: numbers(true).await?,
            order: orders(false).await?,
            order_pooled: orders(true).await?,
            number_bytes: bytes(&ping, &[Val::U32(NUMBER)]).await?,
            order_bytes: bytes(&take, &order::renewed(order_arguments)?.0).await?,
        })
    }
}

async fn number(client: &Client, is_here: bool, is_pooled: bool) -> Outcome<Callee> {
    let service = service("neighbour", is_here, is_pooled);
    let callee = Callee::remote(Remote {
        function: client.function(&service, "ping").await?,
        clear: None,
        arguments: vec![Val::U32(NUMBER)],
    });
    expect(&callee, &NUMBER.to_string()).await?;
    Ok(callee)
}

async fn init(
    client: &Client,
    is_here: bool,
    is_pooled: bool,
    arguments: &[Val],
) -> Outcome<Callee> {
    let service = service("transaction-verification", is_here, is_pooled);
    let callee = Callee::remote(Remote {
        function: client.function(&service, "init").await?,
        clear: Some(client.function(&service, "clear").await?),
        arguments: arguments.to_vec(),
    });
    expect(&callee, r#"("transaction-verification", U32(1))"#).await?;
    Ok(callee)
}

fn service(name: &str, is_here: bool, is_pooled: bool) -> String {
    let host = if is_here { HERE } else { THERE };
    let suffix = if is_pooled { "-pooled" } else { "" };
    format!("{name}-on-{host}{suffix}")
}

async fn bytes(function: &RemoteFunction, arguments: &[Val]) -> Outcome<Bytes> {
    let answer = function.call(arguments, &options()).await?;
    Ok(Bytes {
        request: function.arguments().encode(arguments)?.len(),
        answer: function.results().encode(&answer)?.len(),
    })
}
