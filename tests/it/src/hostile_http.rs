//! The HTTP side, with clients and handlers that misbehave.

use crate::cluster::until;
use crate::hostile_host::{
    assert_neighbour_serves, assert_parts, neighbour, while_neighbour_serves,
};
use crate::paths::guest;
use crate::test_host::{Reply, TestHost, service};
use bookshop_host::os::network::TcpStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What the host takes as request line and headers together.
const HEADER_BYTES_MAX: usize = 64 << 10;

/// More than the sockets of both sides hold.
const MUCH: usize = 32 << 20;

/// A host that serves HTTP below a path, with further keys, and the neighbour.
async fn hello(path: &str, more: &str) -> TestHost {
    let keys = format!("http = {{ path = \"{path}\" }}\n{more}");
    TestHost::start(&(service("hello", &guest("fixture-http-hello"), &keys) + &neighbour())).await
}

#[tokio::test]
async fn a_path_that_nobody_serves_is_not_found_in_json() {
    let host = hello("/echo", "").await;
    let reply = host.get("/elsewhere").await;
    assert_eq!(reply.status, 404);
    let (code, message) = reply.error();
    assert_eq!(code, "NOT_FOUND");
    assert_parts(&message, &["no service of this host serves this path"]);
    assert_eq!(host.get("/echo").await.status, 200);
    host.stop().await;
}

#[tokio::test]
async fn a_body_that_comes_slowly_holds_up_nobody_else() {
    let host = hello("/", "").await;
    let mut slow = host.connect().await;
    let head = b"POST /echo HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 10\r\n\r\n12345";
    slow.write_all(head).await.expect("the host reads");
    host.until_under_way("hello", 1, 0).await;
    for _ in 0..20 {
        let reply = host.get("/").await;
        assert_eq!(reply.status, 200);
        assert_parts(&reply.body, &["Hello, world!"]);
    }
    assert_neighbour_serves(&host).await;
    slow.write_all(b"67890").await.expect("the host reads");
    let reply = Reply::read(&mut slow).await;
    assert_eq!(reply.status, 200);
    assert_parts(&reply.body, &["1234567890"]);
    host.stop().await;
}

#[tokio::test]
async fn a_body_that_never_comes_ends_with_the_deadline() {
    let host = hello("/", r#"limits = { time = "200ms" }"#).await;
    let request = b"POST /echo HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 10\r\n\r\n12345";
    let reply = while_neighbour_serves(&host, host.send(request)).await;
    assert_eq!(reply.status, 504);
    let (code, message) = reply.error();
    assert_eq!(code, "DEADLINE_EXCEEDED");
    assert_parts(&message, &["hello", "did not answer within"]);
    host.until_under_way("hello", 0, 0).await;
    host.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_cancels_the_call() {
    let host = hello("/", r#"limits = { time = "10min", cpu = "10min" }"#).await;
    let mut client = host.connect().await;
    client
        .write_all(b"GET /spin HTTP/1.1\r\nHost: test\r\n\r\n")
        .await
        .expect("the host reads");
    host.until_under_way("hello", 1, 0).await;
    drop(client);
    host.until_under_way("hello", 0, 0).await;
    assert_eq!(host.get("/").await.status, 200);
    host.stop().await;
}

/// The answer is larger than what sockets hold, so the guest is in the middle of it when the client leaves.
#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_the_answer_cancels_the_call() {
    let host = hello(
        "/",
        r#"limits = { time = "10min", cpu = "10min", memory = "256MiB" }"#,
    )
    .await;
    let client = send_much(&host).await;
    assert_eq!(
        host.under_way("hello").await,
        (1, 0),
        "the answer is not over"
    );
    drop(client);
    host.until_under_way("hello", 0, 0).await;
    assert_eq!(host.get("/").await.status, 200);
    assert_neighbour_serves(&host).await;
    host.stop().await;
}

/// The guest waits with the rest of its answer and the host keeps little of it, so the call lasts until its deadline.
#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_waited_for_until_the_deadline() {
    let host = hello("/", r#"limits = { time = "2s", memory = "256MiB" }"#).await;
    let mut client = send_much(&host).await;
    while_neighbour_serves(&host, host.until_under_way("hello", 0, 0)).await;
    let mut answer = Vec::new();
    // A reset is as good an end as any other.
    let _ = client.read_to_end(&mut answer).await;
    assert!(
        answer.len() < MUCH,
        "the host kept the whole answer for a client that did not read it"
    );
    until("the call is counted as an error", async || {
        (host.service("hello").await["errors"] == 1).then_some(())
    })
    .await;
    host.stop().await;
}

/// Asks for an answer that is larger than what sockets hold; returns when it has begun.
async fn send_much(host: &TestHost) -> TcpStream {
    let mut client = host.connect().await;
    let head = format!("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: {MUCH}\r\n\r\n");
    let request = [head.as_bytes(), &vec![b'x'; MUCH]].concat();
    client.write_all(&request).await.expect("the host reads");
    let mut start = [0; 64];
    client
        .read_exact(&mut start)
        .await
        .expect("the answer begins");
    assert!(start.starts_with(b"HTTP/1.1 200 OK"), "{start:?}");
    client
}

#[tokio::test]
async fn a_malformed_request_is_a_bad_request() {
    let host = hello("/", "").await;
    // As much as the host reads, and no end of it: bytes that it has not read would make its closing a reset, which discards its answer.
    let mut long = b"GET / HTTP/1.1\r\nHost: test\r\nX-Long: ".to_vec();
    long.resize(HEADER_BYTES_MAX, b'x');
    for (request, status) in [
        (&b"NONSENSE\r\n\r\n"[..], 400),
        (b"GET / HTTP/9.9\r\nHost: test\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: many\r\n\r\n",
            400,
        ),
        (&long, 431),
    ] {
        let answer = host.send_raw(request).await;
        let start = String::from_utf8_lossy(&request[..request.len().min(40)]);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{start:?} is answered {answer:?}"
        );
    }
    assert_eq!(host.get("/").await.status, 200);
    // The answer may be here before its place is free again.
    host.until_under_way("hello", 0, 0).await;
    host.stop().await;
}

#[tokio::test]
async fn a_handler_that_returns_without_an_answer_is_an_internal_error() {
    let host = hello("/", "").await;
    let reply = while_neighbour_serves(&host, host.get("/silent")).await;
    assert_eq!(reply.status, 500);
    let (code, message) = reply.error();
    assert_eq!(code, "INTERNAL");
    assert_parts(&message, &["hello", "returned without an answer"]);
    host.stop().await;
}

#[tokio::test]
async fn a_handler_that_loops_is_an_internal_error() {
    let host = hello("/", r#"limits = { cpu = "50ms" }"#).await;
    let reply = while_neighbour_serves(&host, host.get("/spin")).await;
    assert_eq!(reply.status, 500);
    assert_parts(&reply.error().1, &["hello", "50 ms", "limits.cpu"]);
    host.stop().await;
}

/// The status has left the guest already, so all that can be said is that the answer is not whole: its last chunk is missing.
#[tokio::test]
async fn a_handler_that_traps_in_the_middle_leaves_an_answer_that_is_visibly_cut_off() {
    let host = hello("/", "").await;
    let request = b"GET /trap HTTP/1.1\r\nHost: test\r\n\r\n";
    let answer = while_neighbour_serves(&host, host.send_raw(request)).await;
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer:?}");
    host.until_under_way("hello", 0, 0).await;
    assert_parts(
        &host.log("hello").await.join("\n"),
        &["the fixture was asked to trap"],
    );
    assert_eq!(host.service("hello").await["errors"], 1);
    host.stop().await;
}

#[tokio::test]
async fn a_full_queue_is_service_unavailable_with_retry_after() {
    let host = hello("/", "limits = { concurrency = 1, queue = 1 }").await;
    let third = async {
        host.until_under_way("hello", 1, 1).await;
        while_neighbour_serves(&host, host.get("/")).await
    };
    let (first, second, reply) = tokio::join!(host.get("/slow"), host.get("/slow"), third);
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(reply.status, 503);
    assert_eq!(reply.error().0, "OVERLOADED");
    assert_parts(&reply.head, &["retry-after: 1"]);
    host.stop().await;
}

#[tokio::test]
async fn a_stopped_service_is_service_unavailable_with_the_command_that_starts_it() {
    let host = hello("/", "").await;
    let nothing = serde_json::json!({});
    host.admin("/v1/services/hello/stop", Some(&nothing))
        .await
        .expect("it stops");
    let reply = while_neighbour_serves(&host, host.get("/")).await;
    assert_eq!(reply.status, 503);
    let (code, message) = reply.error();
    assert_eq!(code, "SERVICE_UNAVAILABLE");
    assert_parts(&message, &["hello", "bookshop-host start hello"]);
    host.admin("/v1/services/hello/start", Some(&nothing))
        .await
        .expect("it starts");
    assert_eq!(host.get("/").await.status, 200);
    host.stop().await;
}
