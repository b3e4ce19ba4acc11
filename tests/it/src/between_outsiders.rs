//! What reaches the api port and is no call: noise, lengths that lie, values that are none. After each the host serves, and has
//! not kept what it was sent.

use crate::between_cluster::{
    AT_ONCE, GROWTH_BYTES_MAX, assert_says, call, pid, placed, resident_bytes, start, timed,
};
use crate::between_stranger::{PREFACE, noise, throw, until_closed};
use crate::cluster::{Cluster, until};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

const ECHO: &str = "/call/hostile/echo";
const VALUES: &str = "application/vnd.bookshop.values";

async fn assert_serves(cluster: &Cluster) {
    let echo = call(cluster, "alpha", "hostile.echo", &json!([[1, 2]]), AT_ONCE).await;
    assert_eq!(echo, Ok(json!([1, 2])));
}

/// Sends bytes to the api of alpha, whose service is on beta; returns what comes until the host closes.
async fn send(cluster: &Cluster, bytes: &[u8]) -> String {
    let stream = TcpStream::connect(cluster.host("alpha").api).await;
    let mut stream = stream.expect("the host listens");
    throw(&mut stream, bytes).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(AT_ONCE, stream.read_to_end(&mut answer)).await;
    // What came before a reset is what counts.
    let _ = read.expect("the host answers in time");
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_with_a_reason_before_memory_is_taken() {
    let sections = placed("hostile", "fixture-hostile", &["beta"], "");
    let cluster = start(&["alpha", "beta"], &sections).await;
    let client = cluster.client("alpha").await;
    let echo = client
        .function("hostile", "echo")
        .await
        .expect("it is there");
    let hash = echo.arguments().hash().to_string();
    for _ in 0..20 {
        assert_serves(&cluster).await;
    }
    let pid = pid(&cluster, "alpha").await;

    let values = |bytes: &[u8]| {
        post(
            ECHO,
            &format!("Content-Type: {VALUES}\r\nBookshop-Type: {hash}\r\n"),
            bytes,
        )
    };
    let json = |body: &[u8]| post(ECHO, "Content-Type: application/json\r\n", body);
    let headers = |more: &str| post(ECHO, more, b"[[1]]");
    let announced =
        format!("POST {ECHO} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n");
    let deep = "[".repeat(100_000);
    let wide = format!("[[{}1]]", "1,".repeat(2_000_000));
    let requests = [
        (announced.into_bytes(), 413, "limits.arguments of hostile"),
        (json(&noise(32 << 20)), 413, "limits.arguments of hostile"),
        (json(&noise(1_000)), 400, "malformed"),
        (json(b"[["), 400, "malformed"),
        (json(deep.as_bytes()), 400, "malformed"),
        (json(b"\xff\xfe"), 400, "malformed"),
        (json(b"[]"), 400, "bytes"),
        (json(b"[[256]]"), 400, "bytes"),
        (json(wide.as_bytes()), 400, "hostile"),
        (values(b"\xff\xff\xff\xff\x0fabc"), 400, "argument"),
        (values(b"\x03ab"), 400, "argument"),
        (
            values(&[b"\xff\xff\xff\x03", &noise(8 << 20)[..]].concat()),
            413,
            "limits.arguments",
        ),
        (
            post(
                ECHO,
                &format!("Content-Type: {VALUES}\r\nBookshop-Type: 00\r\n"),
                b"\0",
            ),
            400,
            "type",
        ),
        (
            post(ECHO, &format!("Content-Type: {VALUES}\r\n"), b"\0"),
            400,
            "type",
        ),
        (headers("Bookshop-Timeout-Ms: soon\r\n"), 400, "timeout"),
        (headers("Idempotency-Key: \r\n"), 400, "idempotency-key"),
        (headers("Origin: https://shop.example\r\n"), 403, "origin"),
        (
            headers(&format!("X: {}\r\n", "x".repeat(100 << 10))),
            431,
            "",
        ),
        (post("/call/nobody/echo", "", b"[]"), 404, "nobody"),
        (post("/call/hostile/nothing", "", b"[]"), 404, "nothing"),
        (post("/probe", "", b"{}"), 404, "no-such-path"),
        (post("/call/%ff/echo", "", b"[]"), 400, "malformed"),
    ];
    let refuse = async |(bytes, status, part): &(Vec<u8>, u16, &str)| {
        let what = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
        let (answer, took) = timed(send(&cluster, bytes)).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{what:?}: {answer:?}"
        );
        assert_says(&answer, &[part]);
        assert!(took < AT_ONCE, "{what:?}: after {took:?}");
    };
    for request in &requests {
        refuse(request).await;
    }
    assert_serves(&cluster).await;
    // What an allocator keeps of the first time serves for the second.
    let before = resident_bytes(pid);
    for request in &requests {
        refuse(request).await;
    }

    for bytes in [
        noise(1 << 16),
        [PREFACE, &noise(1 << 16)].concat(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
    ] {
        let stream = TcpStream::connect(cluster.host("alpha").api).await;
        let mut stream = stream.expect("the host listens");
        throw(&mut stream, &bytes).await;
        let ((), took) = timed(until_closed(&mut stream)).await;
        assert!(took < AT_ONCE, "closed after {took:?}");
        assert_serves(&cluster).await;
    }
    assert_eq!(
        crate::between_cluster::pid(&cluster, "alpha").await,
        pid,
        "it was started again"
    );
    // The allocator gives back what was freed about a second later, and the first look may have come after that.
    until("it has given back what it was sent", async || {
        assert_serves(&cluster).await;
        let grown = resident_bytes(pid).saturating_sub(before);
        (grown < GROWTH_BYTES_MAX).then_some(())
    })
    .await;
    cluster.terminate().await;
}
