//! HTTP requests whose handler runs on another host: bodies in both directions, answers that break off, clients that leave.

use crate::between_cluster::{
    AT_ONCE, assert_says, pid, placed, start, timed, until_link, until_under_way,
};
use crate::between_stranger::noise;
use crate::cluster::{Cluster, kill};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than any test waits for a handler that should have ended before.
const LONG: Duration = Duration::from_secs(20);

/// A cluster whose handler is on beta, and its door on alpha.
async fn started() -> Cluster {
    let patient =
        "http = { path = \"/\" }\nlimits = { time = \"20s\", cpu = \"20s\", arguments = \"2MiB\" }";
    let sections = placed("hello", "fixture-http-hello", &["beta"], patient);
    start(&["alpha", "beta"], &sections).await
}

async fn send(cluster: &Cluster, path: &str, body: &[u8]) -> TcpStream {
    let address = cluster.host("alpha").http;
    let mut stream = TcpStream::connect(address).await.expect("the host listens");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream
        .write_all(&[head.as_bytes(), body].concat())
        .await
        .expect("it is taken");
    stream
}

/// Head and body of an answer, chunks as they are, and whether it came to its end.
async fn receive(mut stream: TcpStream) -> (String, Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(LONG, stream.read_to_end(&mut bytes)).await;
    // What came before a reset is what counts.
    let _ = read.expect("the host answers in time");
    let end = bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    // An answer that breaks off early enough has not even a head.
    let body = bytes.split_off(end.map_or(bytes.len(), |end| end + 4));
    let head = String::from_utf8(bytes)
        .expect("a head is text")
        .to_ascii_lowercase();
    let is_whole = end.is_some()
        && (!head.contains("transfer-encoding: chunked") || body.ends_with(b"0\r\n\r\n"));
    (head, body, is_whole)
}

/// What was sent in chunks.
fn joined(mut chunked: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let end = chunked
            .windows(2)
            .position(|pair| pair == b"\r\n")
            .expect("a chunk has a length");
        let length = std::str::from_utf8(&chunked[..end]).expect("digits");
        let length = usize::from_str_radix(length, 16).expect("digits");
        if length == 0 {
            return bytes;
        }
        bytes.extend_from_slice(&chunked[end + 2..][..length]);
        chunked = &chunked[end + 2 + length + 2..];
    }
}

#[tokio::test]
async fn a_handler_on_another_host_gets_the_whole_body_and_its_answer_comes_back_whole() {
    let cluster = started().await;
    let body = noise(1 << 20);
    let (head, echoed, is_whole) = receive(send(&cluster, "/echo", &body).await).await;
    assert!(head.starts_with("http/1.1 200 ") && is_whole, "{head}");
    let echoed = if head.contains("chunked") {
        joined(&echoed)
    } else {
        echoed
    };
    assert!(
        echoed == body,
        "{} of {} bytes came back",
        echoed.len(),
        body.len()
    );
    cluster.terminate().await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_on_another_host_is_not_taken_for_a_whole_one() {
    let cluster = started().await;
    let (head, body, is_whole) = receive(send(&cluster, "/trap", b"").await).await;
    // What breaks off before alpha has sent anything can still be answered with the reason.
    assert!(
        !is_whole || head.starts_with("http/1.1 503 "),
        "{head}{}",
        String::from_utf8_lossy(&body)
    );
    let (head, body, _) = receive(send(&cluster, "/silent", b"").await).await;
    assert!(head.starts_with("http/1.1 500 "), "{head}");
    assert_says(&String::from_utf8_lossy(&body), &["hello", "beta"]);

    let stream = send(&cluster, "/spin", b"").await;
    until_under_way(&cluster, "beta", "hello", 1).await;
    kill(pid(&cluster, "beta").await, "KILL").await;
    let ((head, body, _), took) = timed(receive(stream)).await;
    assert!(head.starts_with("http/1.1 503 "), "{head}");
    assert_says(
        &String::from_utf8_lossy(&body),
        &["hello", "beta", "may have been executed"],
    );
    assert!(took < LONG / 2, "told after {took:?}");
    until_link(&cluster, "alpha", "beta", "up").await;
    let (head, _, _) = receive(send(&cluster, "/", b"").await).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    cluster.terminate().await;
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_handler_on_another_host() {
    let cluster = started().await;
    let stream = send(&cluster, "/spin", b"").await;
    until_under_way(&cluster, "beta", "hello", 1).await;
    drop(stream);
    let ((), took) = timed(until_under_way(&cluster, "beta", "hello", 0)).await;
    assert!(took < 2 * AT_ONCE, "ended after {took:?}");
    cluster.terminate().await;
}
