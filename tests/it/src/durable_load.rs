//! Clients that write without pause while hosts are killed, and remember what they were told.

use crate::cluster::{PATIENCE, until};
use crate::durable_hosts::with_key;
use crate::processes::good_order;
use bookshop_host::client::{CallOptions, Client, ClientError};
use bookshop_host::os::Os;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A client that finds nobody looks again after this long: a host is back within a few hundred milliseconds.
const AGAIN_AFTER: std::time::Duration = std::time::Duration::from_millis(10);

/// What clients were told, shared by all of them.
#[derive(Default)]
pub struct Told {
    /// Orders that the queue has accepted from a client of its own.
    pub enqueued: RefCell<BTreeSet<String>>,
    /// All that clients of its own ever offered it.
    pub offered: RefCell<BTreeSet<String>>,
    /// Orders whose checkout was approved.
    pub approved: RefCell<BTreeSet<String>>,
    /// What the counter was raised by in calls that were answered.
    pub counted: Cell<u64>,
    /// Answers of any kind.
    pub answers: Cell<u64>,
    next: Cell<u64>,
    is_enough: Cell<bool>,
}

impl Told {
    /// Has the clients finish what they do, and end.
    pub fn enough(&self) {
        self.is_enough.set(true);
    }

    fn number(&self) -> u64 {
        self.next.set(self.next.get() + 1);
        self.next.get()
    }

    fn answered(&self) {
        self.answers.set(self.answers.get() + 1);
    }
}

/// A connection that is made again when it breaks.
pub struct Caller {
    address: SocketAddr,
    os: Os,
    client: Option<Client>,
}

impl Caller {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            os: Os::real(),
            client: None,
        }
    }

    /// One attempt. `None`: there was no answer, or one that says that it may or may not have been executed, or not now.
    async fn attempt(
        &mut self,
        (service, function): (&str, &str),
        arguments: &Value,
        options: &CallOptions,
    ) -> Option<Value> {
        if self.client.is_none() {
            self.client = Client::connect(self.address, &self.os).await.ok();
        }
        let Some(client) = &self.client else {
            tokio::time::sleep(AGAIN_AFTER).await;
            return None;
        };
        match client
            .call_json(service, function, arguments, options)
            .await
        {
            Ok(value) => Some(value),
            Err(ClientError::Refused(error)) => {
                let is_passing = matches!(
                    error.code(),
                    "unavailable" | "overloaded" | "deadline-exceeded" | "cancelled"
                );
                assert!(is_passing, "{service}.{function}: {error}");
                tokio::time::sleep(AGAIN_AFTER).await;
                None
            }
            Err(_) => {
                self.client = None;
                None
            }
        }
    }

    /// The same call with the same idempotency key until it is answered.
    async fn insist(&mut self, function: (&str, &str), arguments: &Value, key: &str) -> Value {
        until(
            &format!("{}.{} is answered", function.0, function.1),
            async || self.attempt(function, arguments, &with_key(key)).await,
        )
        .await
    }
}

/// Between two orders of one client. Nobody takes orders out of the queue, and a fast machine would fill it before the last kill.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(4);

fn queued(order: &str) -> Value {
    let items = json!([{ "name": "Book A", "quantity": 1 }]);
    json!([{ "order-id": order, "items": items, "shipping-method": "express" }, order])
}

/// Offers orders to the queue; each once, whatever comes of it.
pub async fn enqueue_once(told: &Told, mut caller: Caller) {
    while !told.is_enough.get() {
        let order = format!("once-{}", told.number());
        told.offered.borrow_mut().insert(order.clone());
        let enqueue = ("order-queue", "enqueue");
        let (arguments, options) = (queued(&order), CallOptions::default());
        if let Some(answer) = caller.attempt(enqueue, &arguments, &options).await {
            assert!(answer["ok"].is_u64(), "{order}: {answer}");
            told.enqueued.borrow_mut().insert(order);
            told.answered();
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Offers orders to the queue; each, with its key, until there is an answer.
pub async fn enqueue_with_key(told: &Told, mut caller: Caller) {
    while !told.is_enough.get() {
        let order = format!("key-{}", told.number());
        told.offered.borrow_mut().insert(order.clone());
        let enqueue = ("order-queue", "enqueue");
        let answer = caller.insist(enqueue, &queued(&order), &order).await;
        assert!(answer["ok"].is_u64(), "{order}: {answer}");
        told.enqueued.borrow_mut().insert(order);
        told.answered();
        tokio::time::sleep(PAUSE).await;
    }
}

/// Raises a counter: a call that has no key of its own, so that only the host's can keep it from having two effects.
pub async fn count_with_key(told: &Told, mut caller: Caller) {
    while !told.is_enough.get() {
        let key = format!("count-{}", told.number());
        let arguments = json!(["counter"]);
        let count = caller.insist(("keeper", "count"), &arguments, &key).await;
        let count = count.as_u64().expect("a count");
        told.counted.set(told.counted.get() + 1);
        // Nobody else raises it, so nothing but a lost or a doubled effect makes a difference.
        assert_eq!(count, told.counted.get(), "{key}");
        told.answered();
    }
}

/// Buys books; every other time with a key, until there is an answer.
pub async fn check_out(told: &Told, address: SocketAddr) {
    while !told.is_enough.get() {
        let number = told.number();
        let key = number
            .is_multiple_of(2)
            .then(|| format!("checkout-{number}"));
        let bought = async || {
            let (status, answer) = post(address, key.as_deref()).await?;
            // Nothing else is said of an order that may be bought while hosts come and go.
            assert!(
                matches!(status, 200 | 503 | 504),
                "{key:?}: {status} {answer}"
            );
            (status == 200).then_some(answer)
        };
        let answer = match &key {
            Some(key) => Some(until(&format!("checkout {key} is answered"), bought).await),
            None => bought().await,
        };
        if let Some(answer) = answer {
            assert_eq!(answer["status"], "Order Approved", "{answer}");
            let order = answer["orderId"].as_str().expect("an order has an id");
            told.approved.borrow_mut().insert(order.to_owned());
            told.answered();
        }
    }
}

/// One checkout; none if there was no whole answer.
pub async fn post(address: SocketAddr, key: Option<&str>) -> Option<(u16, Value)> {
    let answer = exchange(address, "/checkout", key, &good_order()).await;
    if answer.is_none() {
        tokio::time::sleep(AGAIN_AFTER).await;
    }
    answer
}

/// Posts JSON, with an idempotency key; none if there was no whole answer.
pub async fn exchange(
    address: SocketAddr,
    path: &str,
    key: Option<&str>,
    body: &Value,
) -> Option<(u16, Value)> {
    let body = body.to_string();
    let key = key.map_or_else(String::new, |key| format!("Idempotency-Key: {key}\r\n"));
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{key}Connection: close\r\n\r\n{body}",
        body.len()
    );
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.ok()?;
        Some(bytes)
    };
    let answer = tokio::time::timeout(PATIENCE, exchange).await;
    let bytes = answer.expect("a host answers or is gone")?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}
