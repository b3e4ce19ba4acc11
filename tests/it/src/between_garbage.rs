//! What reaches the peer port and is no call of a host: noise, frames that make no sense, lengths that lie, envelopes with parts
//! missing. After each the host serves, and has not kept what it was sent.

use crate::between_cluster::{
    AT_ONCE, GROWTH_BYTES_MAX, assert_says, pid, placed, resident_bytes, shop_with, start, timed,
    until_log,
};
use crate::between_stranger::{
    PREFACE, Papers, Visitor, call_request, certificates, noise, shake_hands, throw, types_hash,
    until_closed,
};
use crate::cluster::Cluster;
use crate::processes::good_order;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const ECHO: &str = "hostile/fixture:hostile/hostile@0.1.echo";
/// A length of four billion, as the binary value format writes it.
const FOUR_BILLION: &[u8] = b"\xff\xff\xff\xff\x0f";

/// The attacked host is beta, the attacker has the papers of alpha.
struct Attacked {
    cluster: Cluster,
    pid: u32,
    resident_before: u64,
}

impl Attacked {
    async fn start() -> Self {
        let sections = shop_with("fraud-detection", &["beta"])
            + &placed("hostile", "fixture-hostile", &["beta"], "");
        let cluster = start(&["alpha", "beta"], &sections).await;
        let pid = pid(&cluster, "beta").await;
        let attacked = Self {
            resident_before: 0,
            cluster,
            pid,
        };
        // What a host takes for its first calls is not what this is about.
        for _ in 0..20 {
            attacked.assert_serves().await;
        }
        let resident_before = resident_bytes(pid);
        Self {
            resident_before,
            ..attacked
        }
    }

    fn papers(&self) -> Papers {
        Papers::read(&certificates(&self.cluster.file), "alpha")
    }

    async fn visitor(&self) -> Visitor {
        Visitor::connect(self.cluster.host("beta").peer, self.papers()).await
    }

    /// A connection on which both sides have shown their papers, and nothing was said yet.
    async fn connection(&self) -> tokio_rustls::client::TlsStream<TcpStream> {
        let shaken = shake_hands(self.cluster.host("beta").peer, Some(self.papers())).await;
        shaken.expect("the papers are good")
    }

    /// The hashes of the types of `echo`.
    async fn echo_hash(&self) -> String {
        let client = self.cluster.client("beta").await;
        let function = client
            .function("hostile", "echo")
            .await
            .expect("it is there");
        types_hash(&function)
    }

    async fn assert_serves(&self) {
        for host in ["alpha", "beta"] {
            let answer = self.cluster.checkout(host, &good_order()).await;
            let (status, answer) = answer.expect("the host answers");
            assert_eq!(status, 200, "{answer}");
        }
    }

    /// The host serves after all that, is still the same process, and has given back the memory.
    async fn end(self) {
        self.assert_serves().await;
        assert_eq!(
            pid(&self.cluster, "beta").await,
            self.pid,
            "it was started again"
        );
        let grown = resident_bytes(self.pid).saturating_sub(self.resident_before);
        assert!(
            grown < GROWTH_BYTES_MAX,
            "it has {grown} bytes more than before"
        );
        self.cluster.terminate().await;
    }
}

#[tokio::test]
async fn noise_at_the_peer_port_is_closed_and_reported() {
    let attacked = Attacked::start().await;
    let address = attacked.cluster.host("beta").peer;
    for bytes in [
        noise(1 << 16),
        PREFACE.to_vec(),
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
    ] {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        throw(&mut stream, &bytes).await;
        let ((), took) = timed(until_closed(&mut stream)).await;
        assert!(took < AT_ONCE, "closed after {took:?}");
        attacked.assert_serves().await;
    }
    until_log(
        &attacked.cluster,
        "beta",
        &["refused 127.0.0.1:", "as a peer", "does not speak TLS"],
    )
    .await;
    for garbage in [
        noise(1 << 20),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        [PREFACE, &noise(1 << 16)].concat(),
    ] {
        let mut stream = attacked.connection().await;
        throw(&mut stream, &garbage).await;
        let ((), took) = timed(until_closed(&mut stream)).await;
        assert!(took < AT_ONCE, "closed after {took:?}");
        attacked.assert_serves().await;
    }
    attacked.end().await;
}

#[tokio::test]
async fn connections_on_which_nothing_more_comes_are_not_kept() {
    let attacked = Attacked::start().await;
    let address = attacked.cluster.host("beta").peer;
    // A stranger, one that stops in its handshake, and peers that stop before, in and after their preface, and in a frame.
    let stranger = TcpStream::connect(address).await.expect("it listens");
    let mut halfway = TcpStream::connect(address).await.expect("it listens");
    throw(&mut halfway, b"\x16\x03\x01\x02\x00\x01").await;
    let mut silent = Vec::new();
    for said in [
        &b""[..],
        &PREFACE[..10],
        PREFACE,
        &[PREFACE, b"\x00\x00\xff\x01\x05\x00\x00\x00\x01short"].concat(),
    ] {
        let mut stream = attacked.connection().await;
        throw(&mut stream, said).await;
        silent.push(stream);
    }
    attacked.assert_serves().await;
    let strangers = async {
        for mut stream in [stranger, halfway] {
            until_closed(&mut stream).await;
        }
    };
    let peers = async {
        for mut stream in silent {
            until_closed(&mut stream).await;
        }
    };
    tokio::join!(strangers, peers);
    until_log(
        &attacked.cluster,
        "beta",
        &["as a peer", "did not finish its handshake within"],
    )
    .await;

    // A frame that is cut off by the end of the connection ends it at once.
    let mut stream = attacked.connection().await;
    throw(
        &mut stream,
        &[PREFACE, b"\x00\x00\xff\x01\x05\x00\x00\x00\x01short"].concat(),
    )
    .await;
    stream.shutdown().await.expect("it can be closed");
    let ((), took) = timed(until_closed(&mut stream)).await;
    assert!(took < AT_ONCE, "closed after {took:?}");
    attacked.end().await;
}

/// A frame: its type, its flags, its stream and what is in it.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .expect("a short frame")
        .to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

#[tokio::test]
async fn floods_of_headers_and_resets_end_their_own_connection_only() {
    const HEADERS: u8 = 1;
    const RESET: u8 = 3;
    const CONTINUATION: u8 = 9;
    let attacked = Attacked::start().await;
    // One header that never ends: 16 KiB in each of a thousand frames.
    let mut stream = attacked.connection().await;
    throw(
        &mut stream,
        &[PREFACE.to_vec(), frame(HEADERS, 0, 1, b"\x82")].concat(),
    )
    .await;
    let more = frame(CONTINUATION, 0, 1, &vec![0; 16 << 10]);
    for _ in 0..1_000 {
        throw(&mut stream, &more).await;
    }
    until_closed(&mut stream).await;
    attacked.assert_serves().await;

    // Requests that are taken back at once, ten thousand of them (CVE-2023-44487).
    let mut stream = attacked.connection().await;
    let request = b"\x83\x87\x84\x41\x01a";
    let mut flood = PREFACE.to_vec();
    for number in 0..10_000 {
        let id = number * 2 + 1;
        flood.extend(frame(HEADERS, 4, id, request));
        flood.extend(frame(RESET, 0, id, &8_u32.to_be_bytes()));
    }
    throw(&mut stream, &flood).await;
    attacked.assert_serves().await;
    drop(stream);

    let mut visitor = attacked.visitor().await;
    let mut request = call_request(ECHO, "0");
    for number in 0..200 {
        let name = HeaderName::try_from(format!("x-{number}")).expect("a name");
        let value = HeaderValue::try_from("v".repeat(1_000)).expect("text");
        request.headers_mut().insert(name, value);
    }
    let answer = visitor.ask(request, Some(Bytes::new())).await;
    let is_refused = match &answer {
        Ok((status, _, _)) => *status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Err(_) => true,
    };
    assert!(is_refused, "{answer:?}");
    attacked.end().await;
}

#[tokio::test]
async fn calls_that_lie_about_their_arguments_are_refused_before_memory_is_taken() {
    let attacked = Attacked::start().await;
    let hash = attacked.echo_hash().await;
    let mut visitor = attacked.visitor().await;
    let good = Bytes::from_static(b"\x03abc");
    let answer = visitor
        .ask(call_request(ECHO, &hash), Some(good.clone()))
        .await;
    let (status, _, echoed) = answer.expect("a good call is answered");
    assert_eq!((status, echoed.as_bytes()), (StatusCode::OK, &good[..]));

    // A gigabyte that is announced, and never sent.
    let mut huge = call_request(ECHO, &hash);
    huge.headers_mut()
        .insert("content-length", HeaderValue::from_static("1000000000"));
    let without = |name: &str| {
        let mut request = call_request(ECHO, &hash);
        request.headers_mut().remove(name).expect("it was there");
        (request, Some(good.clone()))
    };
    let with = |name: &'static str, value: &'static str| {
        let mut request = call_request(ECHO, &hash);
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
        (request, Some(good.clone()))
    };
    let sending = |bytes: &[u8]| {
        (
            call_request(ECHO, &hash),
            Some(Bytes::copy_from_slice(bytes)),
        )
    };
    let telling = |bytes: &'static [u8]| {
        let request = Request::post(format!("https://peer/types/{ECHO}"));
        let request = request.body(()).expect("a request");
        (request, Some(Bytes::from_static(bytes)))
    };
    let calling = |path: &str| (call_request(path, &hash), Some(good.clone()));
    let asking = |path: &str| {
        let request = Request::get(format!("https://peer{path}"))
            .body(())
            .expect("a request");
        (request, Some(Bytes::new()))
    };
    let too_large = ["incompatible", "limits.arguments"];
    let unreadable = ["incompatible", "the arguments cannot be read"];
    for ((request, body), parts) in [
        ((huge, None), too_large),
        (
            sending(&[b"\xff\xff\xff\x03", &noise(8 << 20)[..]].concat()),
            too_large,
        ),
        (sending(FOUR_BILLION), unreadable),
        (sending(&[FOUR_BILLION, &[7; 1_000]].concat()), unreadable),
        (sending(b"\x03ab"), unreadable),
        (sending(b"\x03abcd"), unreadable),
        (sending(b""), unreadable),
        (
            sending(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
            unreadable,
        ),
        (
            telling(b"{\"arguments\": 7}"),
            ["incompatible", "the types are not what is expected here"],
        ),
        (
            with("bookshop-type", "0000000000000000"),
            ["incompatible", "with other types"],
        ),
        (
            without("bookshop-type"),
            ["incompatible", "with other types"],
        ),
        (
            without("traceparent"),
            ["incompatible", "the header traceparent is missing"],
        ),
        (
            without("bookshop-timeout-us"),
            ["incompatible", "the header bookshop-timeout-us is missing"],
        ),
        (
            without("bookshop-caller"),
            ["incompatible", "the header bookshop-caller is missing"],
        ),
        (
            without("bookshop-hops-left"),
            ["incompatible", "the header bookshop-hops-left is missing"],
        ),
        (
            with("bookshop-timeout-us", "18446744073709551616"),
            ["incompatible", "not a number"],
        ),
        (
            with("bookshop-timeout-us", "0"),
            ["deadline-exceeded", "hostile"],
        ),
        (with("bookshop-hops-left", "0"), ["hop-limit", "hostile"]),
        (
            calling("nobody/fixture:hostile/hostile@0.1.echo"),
            ["not-found", "nobody"],
        ),
        (
            calling("hostile/fixture:hostile/hostile@0.1.nothing"),
            ["not-found", "no function"],
        ),
        (
            calling("hostile"),
            ["incompatible", "is not SERVICE/INTERFACE.FUNCTION"],
        ),
        (
            asking("/"),
            ["incompatible", "there is no GET / between hosts"],
        ),
        (
            asking("/probe"),
            ["incompatible", "there is no GET /probe between hosts"],
        ),
    ] {
        let what = format!("{request:?}");
        let (answer, took) = timed(visitor.ask(request, body)).await;
        let (status, headers, said) = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(status.as_u16() >= 400, "{what}: {status} {said}");
        assert!(
            headers.contains_key("bookshop-error"),
            "{what}: {headers:?}"
        );
        assert_says(&said, &parts);
        assert!(took < AT_ONCE, "{what}: after {took:?}");
    }
    attacked.assert_serves().await;

    // Arguments and a probe that never end.
    let mut slow = call_request(ECHO, &hash);
    slow.headers_mut()
        .insert("bookshop-timeout-us", HeaderValue::from_static("500000"));
    let probe = Request::post("https://peer/probe")
        .body(())
        .expect("a request");
    for (request, part) in [
        (slow, "deadline-exceeded"),
        (probe, "the probe does not end"),
    ] {
        let (answer, took) = timed(visitor.ask(request, None)).await;
        let (_, _, said) = answer.expect("the host answers all the same");
        assert_says(&said, &[part]);
        assert!(took < 2 * AT_ONCE, "{said} after {took:?}");
    }

    // A probe that is no probe, or that speaks for another host.
    for body in [
        &noise(1_000)[..],
        b"{}",
        br#"{"host":"beta","peer":"127.0.0.1:1","wall_ms":0,"is_stopping":true,"services":{}}"#,
    ] {
        let request = Request::post("https://peer/probe")
            .body(())
            .expect("a request");
        let answer = visitor
            .ask(request, Some(Bytes::copy_from_slice(body)))
            .await;
        let (status, _, said) = answer.expect("the connection lives");
        assert_eq!(status, StatusCode::BAD_REQUEST, "{said}");
    }
    attacked.end().await;
}
