//! A customer of the shop, and an operator who looks at its status.

use crate::{Outcome, order};
use bookshop_host::admin::client;
use bookshop_host::os::{Os, task};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// Longest wait for any one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// What the shop says to a good order.
const APPROVED: &str = "Order Approved";

/// A client with a runtime of its own.
pub struct ShopClient {
    runtime: Runtime,
    os: Os,
    order: Value,
}

impl ShopClient {
    /// Reads the order that it will send.
    ///
    /// # Errors
    /// The order cannot be read.
    pub fn new() -> Outcome<Self> {
        Ok(Self {
            runtime: task::runtime()?,
            os: Os::real(),
            order: order::checkout()?,
        })
    }

    /// What `bookshop-host status --json` prints.
    ///
    /// # Errors
    /// Nobody answers.
    pub fn status(&self, admin: SocketAddr) -> Outcome<Value> {
        Ok(self
            .runtime
            .block_on(client::request(
                &self.os,
                admin,
                "/v1/status",
                None,
                PATIENCE,
            ))?
            .1)
    }

    /// Has something done through the admin interface.
    ///
    /// # Errors
    /// It is refused.
    pub fn admin(&self, admin: SocketAddr, path: &str, body: &Value) -> Outcome {
        let asked = client::request(&self.os, admin, path, Some(body), PATIENCE);
        let (status, answer) = self.runtime.block_on(asked)?;
        if status.is_success() {
            Ok(())
        } else {
            Err(format!("{path}: {status}: {answer}").into())
        }
    }

    /// One checkout on a connection of its own.
    ///
    /// # Errors
    /// The order was not approved.
    pub fn checkout(&self, http: SocketAddr) -> Outcome {
        let (status, answer) = self.runtime.block_on(client::request(
            &self.os,
            http,
            "/checkout",
            Some(&self.order),
            PATIENCE,
        ))?;
        if answer["status"] == APPROVED {
            Ok(())
        } else {
            Err(format!("{status}: {answer}").into())
        }
    }

    /// `count` checkouts on connections that are kept, each with one checkout under way.
    ///
    /// # Errors
    /// One of them was not approved.
    pub fn checkouts(&self, http: SocketAddr, count: usize, connections: usize) -> Outcome {
        let order = Bytes::from(self.order.to_string());
        self.runtime.block_on(async {
            let customers: Vec<_> = (0..connections)
                .map(|place| {
                    // The first ones take what does not divide evenly.
                    let own = count / connections + usize::from(place < count % connections);
                    task::spawn(tokio::time::timeout(
                        PATIENCE * 30,
                        customer(http, order.clone(), own),
                    ))
                })
                .collect();
            for customer in customers {
                customer.await???;
            }
            Ok(())
        })
    }
}

async fn customer(http: SocketAddr, order: Bytes, count: usize) -> Outcome {
    let (mut sender, connection) = handshake(TokioIo::new(TcpStream::connect(http).await?)).await?;
    // Drives the connection; ends with this function.
    let _connection = task::spawn(async move { drop(connection.await) });
    for _ in 0..count {
        checkout(&mut sender, http, order.clone()).await?;
    }
    Ok(())
}

async fn checkout(
    sender: &mut SendRequest<Full<Bytes>>,
    http: SocketAddr,
    order: Bytes,
) -> Outcome {
    let request = Request::post("/checkout")
        .header(header::HOST, http.to_string())
        .header(header::CONTENT_TYPE, "application/json");
    sender.ready().await?;
    let answer = sender
        .send_request(request.body(Full::new(order))?)
        .await?
        .into_body()
        .collect()
        .await?
        .to_bytes();
    let answer: Value = serde_json::from_slice(&answer)?;
    if answer["status"] == APPROVED {
        Ok(())
    } else {
        Err(answer.to_string().into())
    }
}
