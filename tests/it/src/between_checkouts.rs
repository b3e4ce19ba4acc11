//! The bookshop spread over hosts, as its operator and its customers see it when hosts come and go.

use crate::between_cluster::{AT_ONCE, assert_says, command, shop_with, start, timed, until_link};
use crate::cluster::{Cluster, until};
use crate::processes::good_order;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The limit of a checkout: nothing in the test's file says otherwise.
const CHECKOUT_TIME: Duration = Duration::from_secs(5);

async fn checkout(cluster: &Cluster, host: &str) -> (u16, Value, Duration) {
    let (answer, took) = timed(cluster.checkout(host, &good_order())).await;
    let (status, answer) = answer.expect("the host answers");
    (status, answer, took)
}

#[tokio::test]
async fn a_checkout_goes_on_through_another_host_and_says_what_is_missing_when_there_is_none() {
    let sections = shop_with("fraud-detection", &["beta", "gamma"]);
    let cluster = start(&["alpha", "beta", "gamma"], &sections).await;
    let admin = cluster.host("alpha").admin.to_string();
    let order = async |verb: &str, host: &str| command(&[verb, host, "--admin", &admin]).await;
    for stopped in ["beta", "gamma"] {
        order("stop-host", stopped).await;
        for _ in 0..5 {
            let (status, answer, _) = checkout(&cluster, "alpha").await;
            assert_eq!(
                (status, &answer["status"]),
                (200, &json!("Order Approved")),
                "{answer}"
            );
        }
        order("start-host", stopped).await;
        until_link(&cluster, "alpha", stopped, "up").await;
    }
    for stopped in ["beta", "gamma"] {
        order("stop-host", stopped).await;
    }
    let (status, answer, took) = checkout(&cluster, "alpha").await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (503, &json!("SERVICE_UNAVAILABLE")),
        "{answer}"
    );
    assert_says(&answer["error"]["message"], &["fraud-detection"]);
    assert!(took < CHECKOUT_TIME, "answered after {took:?}");

    order("start-host", "gamma").await;
    until("alpha checks out again", async || {
        (checkout(&cluster, "alpha").await.0 == 200).then_some(())
    })
    .await;
    cluster.terminate().await;
}

/// The answer to a request as it came over the wire.
async fn get(cluster: &Cluster, host: &str, request: &str) -> (String, Vec<u8>) {
    let address = cluster.host(host).http;
    let mut stream = TcpStream::connect(address).await.expect("the host listens");
    let request = format!("{request} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it is taken");
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(AT_ONCE, stream.read_to_end(&mut bytes)).await;
    read.expect("the host answers in time")
        .expect("the answer can be read");
    let end = bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let body = bytes.split_off(end.expect("an answer has a head") + 4);
    (String::from_utf8(bytes).expect("a head is text"), body)
}

#[tokio::test]
async fn a_host_hands_requests_to_the_host_that_runs_their_handler() {
    let cluster = start(&["alpha", "beta"], &shop_with("frontend", &["beta"])).await;
    for (request, expected) in [
        ("GET /", "HTTP/1.1 200 "),
        ("GET /openapi.json", "HTTP/1.1 "),
        ("GET /no/such/path", "HTTP/1.1 404 "),
        ("DELETE /checkout", "HTTP/1.1 405 "),
    ] {
        let (there, here) = (
            get(&cluster, "beta", request).await,
            get(&cluster, "alpha", request).await,
        );
        assert!(here.0.starts_with(expected), "{request}: {}", here.0);
        assert!(!here.0.contains("bookshop-"), "{request}: {}", here.0);
        assert_eq!(here.1, there.1, "{request}");
    }
    let (status, answer, _) = checkout(&cluster, "alpha").await;
    assert_eq!(status, 200, "{answer}");
    let id = answer["orderId"].as_str().expect("an order has an id");
    // The order is kept on the host that decided it, which the whole of its course did not leave.
    let (head, _) = get(&cluster, "alpha", &format!("GET /orders/{id}")).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");

    let admin = cluster.host("alpha").admin.to_string();
    command(&["stop-host", "beta", "--admin", &admin]).await;
    let (status, answer, took) = checkout(&cluster, "alpha").await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (503, &json!("SERVICE_UNAVAILABLE")),
        "{answer}"
    );
    assert_says(&answer["error"]["message"], &["frontend", "beta"]);
    assert!(took < CHECKOUT_TIME, "answered after {took:?}");
    cluster.terminate().await;
}
