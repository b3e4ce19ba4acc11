//! The api endpoint as programs outside see it: requests as they go over the wire, and what comes back.

use crate::hostile_host::{assert_neighbour_serves, assert_parts, hostile, neighbour};
use crate::paths::guest;
use crate::test_host::{Reply, TestHost, service};
use bookshop_host::certificates::{self, Credentials, Identity, Registrar};
use bookshop_host::client::{CallOptions, Client};
use bookshop_host::config::HostName;
use bookshop_host::os::Os;
use bookshop_host::os::network::TcpStream;
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt;

/// A connection to the api.
async fn connect(host: &TestHost) -> TcpStream {
    let stream = host.os.network.connect(host.host.api).await;
    stream.expect("the host listens")
}

/// Sends these bytes and reads the answer.
async fn send(host: &TestHost, request: &[u8]) -> Reply {
    let mut stream = connect(host).await;
    stream.write_all(request).await.expect("the host reads");
    Reply::read(&mut stream).await
}

/// `head` is the request line and headers, each with its line end.
pub async fn request(host: &TestHost, head: &str, body: &[u8]) -> Reply {
    let length = body.len();
    let head = format!(
        "{head}Host: localhost:7201\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    send(host, &[head.as_bytes(), body].concat()).await
}

pub async fn get(host: &TestHost, path: &str) -> Reply {
    request(host, &format!("GET {path} HTTP/1.1\r\n"), b"").await
}

/// A call with JSON; `path` is what follows `/call/`.
pub async fn call(host: &TestHost, path: &str, body: &str) -> Reply {
    let head = format!("POST /call/{path} HTTP/1.1\r\nContent-Type: application/json\r\n");
    request(host, &head, body.as_bytes()).await
}

/// A call in another form.
pub async fn call_as(host: &TestHost, path: &str, headers: &str, body: &[u8]) -> Reply {
    request(
        host,
        &format!("POST /call/{path} HTTP/1.1\r\n{headers}"),
        body,
    )
    .await
}

pub fn value(reply: &Reply) -> Value {
    assert!(
        reply.head.contains("content-type: application/json"),
        "{reply:?}"
    );
    serde_json::from_str(&reply.body).unwrap_or_else(|error| panic!("{error}: {reply:?}"))
}

#[track_caller]
fn assert_result(reply: &Reply, expected: &Value) {
    assert_eq!(
        (reply.status, value(reply)),
        (200, json!({ "result": expected }))
    );
}

#[track_caller]
pub fn assert_error(reply: &Reply, status: u16, code: &str, parts: &[&str]) {
    let (found, message) = reply.error();
    assert_eq!((reply.status, found.as_str()), (status, code), "{reply:?}");
    assert_parts(&message, parts);
}

#[tokio::test]
async fn arguments_are_json_in_order_or_by_name() {
    let host = hostile("").await;
    assert_result(&call(&host, "neighbour/ping", "[41]").await, &json!(41));
    assert_result(
        &call(&host, "neighbour/ping", r#"{"value": 41}"#).await,
        &json!(41),
    );
    assert_result(
        &call(&host, "neighbour/try-ping", "[41]").await,
        &json!({ "ok": 41 }),
    );
    // No parameter, no result, and an option that is left out.
    assert_result(&call(&host, "hostile/count", "").await, &json!(0));
    assert_result(&call(&host, "hostile/count", "{}").await, &json!(0));
    assert_result(&call(&host, "hostile/nap", "[1]").await, &Value::Null);
    let mut order = order();
    let echoed = call(
        &host,
        "hostile/echo-order",
        &json!({ "order": order }).to_string(),
    )
    .await;
    order["address"] = Value::Null;
    assert_result(&echoed, &order);
    host.stop().await;
}

fn order() -> Value {
    json!({
        "order-id": "1",
        "customer": { "name": "John Doe", "contact": "john.doe@example.com" },
        "items": [{ "name": "Book A", "quantity": 1 }],
        "shipping": "next-day",
        "gift-wrapping": false,
    })
}

#[tokio::test]
async fn a_function_is_named_by_interface_or_service_and_the_version_may_be_left_out() {
    let host = TestHost::start(&neighbour()).await;
    for target in [
        "neighbour",
        "fixture:hostile/neighbour",
        "fixture:hostile/neighbour@0.1.0",
        "fixture:hostile/neighbour@0.1.7",
        "fixture%3Ahostile%2Fneighbour%400.1.0",
    ] {
        let reply = call(&host, &format!("{target}/ping"), "[7]").await;
        assert_result(&reply, &json!(7));
    }
    // curl -d says that everything is a web form, and other programs say nothing.
    for media in [
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: text/json; charset=utf-8\r\n",
        "",
    ] {
        let reply = call_as(&host, "neighbour/ping", media, b"[7]").await;
        assert_result(&reply, &json!(7));
    }
    host.stop().await;
}

#[tokio::test]
async fn a_wrong_argument_is_refused_with_its_place_and_type() {
    let host = hostile("").await;
    let refused = async |path: &str, body: &str, parts: &[&str]| {
        let reply = call(&host, path, body).await;
        assert_error(&reply, 400, "incompatible", parts);
        assert_eq!(value(&reply)["error"]["service"], "hostile");
    };
    let mut wrong = order();
    wrong["items"][0]["quantity"] = json!("one");
    let wrong = json!([wrong]).to_string();
    let place = "$.items[0].quantity: expected a whole number (u32), found the text \"one\"";
    refused("hostile/echo-order", &wrong, &["argument order of", place]).await;
    refused(
        "hostile/nap",
        "[-1]",
        &["argument ms of fixture:hostile/hostile@0.1.nap", "u64"],
    )
    .await;
    refused(
        "hostile/nap",
        "[1, 2]",
        &["takes 1 arguments (ms: u64), but 2 were given"],
    )
    .await;
    refused(
        "hostile/nap",
        "",
        &["takes 1 arguments (ms: u64), but 0 were given"],
    )
    .await;
    refused(
        "hostile/nap",
        "{}",
        &["argument ms of", "is missing; it is of type u64"],
    )
    .await;
    refused(
        "hostile/nap",
        r#"{"ms": 1, "s": 2}"#,
        &["has no parameter \"s\"; it has ms"],
    )
    .await;
    refused(
        "hostile/count",
        r#"{"s": 2}"#,
        &["has no parameter \"s\"; it has none"],
    )
    .await;
    host.stop().await;
}

#[tokio::test]
async fn a_body_that_is_no_json_is_malformed_with_line_and_column() {
    let host = TestHost::start(&neighbour()).await;
    for (body, part) in [
        ("[1,", "EOF while parsing a value at line 1 column 3"),
        ("[1]\n x", "trailing characters at line 2 column 2"),
        ("value=1", "line 1 column 1"),
        (&"[".repeat(1_000), "recursion limit exceeded"),
        ("7", "neither an array"),
    ] {
        let reply = call(&host, "neighbour/ping", body).await;
        assert_error(&reply, 400, "malformed", &["the body is", part]);
    }
    let reply = call_as(&host, "neighbour/ping", "", b"[\xff]").await;
    assert_error(&reply, 400, "malformed", &["the body is not JSON"]);
    assert_neighbour_serves(&host).await;
    host.stop().await;
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_with_what_does() {
    let host =
        TestHost::start(&(neighbour() + &service("twin", &guest("fixture-neighbour"), ""))).await;
    let reply = call(&host, "neighbour/pong", "[]").await;
    let has = "it exports no function pong; it exports ping, ping-after, try-ping";
    assert_error(&reply, 404, "not-found", &[has]);
    assert_eq!(value(&reply)["error"]["service"], "neighbour");
    let reply = call(&host, "nobody:at/home/ping", "[]").await;
    assert_error(&reply, 404, "not-found", &["no service", "GET /functions"]);
    let reply = call(&host, "fixture:hostile/neighbour/ping", "[1]").await;
    let which = "say which: neighbour.ping or twin.ping";
    assert_error(
        &reply,
        400,
        "ambiguous",
        &["several services export", which],
    );
    // The platform's interfaces are not for others to call.
    let reply = call(&host, "wasi:http/incoming-handler/handle", "[]").await;
    assert_error(&reply, 404, "not-found", &["no service"]);

    let reply = get(&host, "/elsewhere").await;
    assert_error(&reply, 404, "no-such-path", &["/elsewhere", "POST /call/{"]);
    let reply = get(&host, "/call/neighbour/ping").await;
    assert_error(&reply, 405, "wrong-method", &["POST"]);
    assert_parts(&reply.head, &["allow: post"]);
    let reply = request(&host, "POST /functions HTTP/1.1\r\n", b"[]").await;
    assert_error(&reply, 405, "wrong-method", &["GET"]);
    host.stop().await;
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_unread() {
    let host = hostile(r#"limits = { arguments = "1KiB" }"#).await;
    let head = "POST /call/hostile/echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    let says = ["8192 bytes", "limits.arguments of hostile"];
    // By what it says, however much that is: nothing of it has come.
    for length in ["8193", "1073741824", "9223372036854775807"] {
        let announced = format!("{head}Content-Length: {length}\r\n\r\n");
        let reply = send(&host, announced.as_bytes()).await;
        assert_error(&reply, 413, "too-large", &says);
    }
    // By what comes, without a word on how much that will be.
    let mut streamed = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..8 {
        streamed.extend_from_slice(b"400\r\n");
        streamed.extend_from_slice(&[b' '; 0x400]);
        streamed.extend_from_slice(b"\r\n");
    }
    streamed.extend_from_slice(b"1\r\n \r\n");
    assert_error(&send(&host, &streamed).await, 413, "too-large", &says);
    // Text may be larger than the values; those are counted by themselves.
    let many = json!([vec![0; 1_025]]).to_string();
    let reply = call(&host, "hostile/echo", &many).await;
    assert_error(
        &reply,
        400,
        "incompatible",
        &["1033 bytes", "limits.arguments"],
    );
    let few = json!([vec![255; 1_000]]).to_string();
    assert_result(
        &call(&host, "hostile/echo", &few).await,
        &json!(vec![255; 1_000]),
    );
    host.stop().await;
}

#[tokio::test]
async fn a_page_in_a_browser_is_refused_before_anything_is_called() {
    let host = TestHost::start(&neighbour()).await;
    for headers in [
        "Host: 127.0.0.1:7201\r\nOrigin: https://shop.example\r\n",
        "Host: 127.0.0.1:7201\r\nOrigin: null\r\n",
        "Host: shop.example\r\n",
        "Host: shop.example:7201\r\n",
    ] {
        let request = format!(
            "POST /call/neighbour/ping HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: 3\r\n\r\n[1]"
        );
        let reply = send(&host, request.as_bytes()).await;
        assert_error(&reply, 403, "origin", &["header"]);
    }
    assert_eq!(host.service("neighbour").await["calls"], 0);
    host.stop().await;
}

#[tokio::test]
async fn a_trace_is_continued_and_named_in_every_answer() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let host = hostile("").await;
    let named = |reply: &Reply| {
        let line = reply
            .head
            .lines()
            .find_map(|line| line.strip_prefix("traceparent: "));
        let line = line.unwrap_or_else(|| panic!("no trace in {reply:?}"));
        let parts: Vec<String> = line.split('-').map(str::to_owned).collect();
        (parts[1].clone(), parts[2].clone())
    };
    let header = format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n");
    let reply = call_as(&host, "neighbour/ping", &header, b"[1]").await;
    let (trace, span) = named(&reply);
    assert_eq!((reply.status, trace.as_str()), (200, TRACE));
    assert_ne!(span, "00f067aa0ba902b7", "the call is one of its own");
    let reply = call_as(&host, "hostile/trap", &header, b"[]").await;
    assert_eq!((reply.status, named(&reply).0.as_str()), (502, TRACE));
    // What is no trace is no reason to refuse: the call begins one.
    let header = header.replace("-01\r\n", "\r\n");
    let reply = call_as(&host, "neighbour/ping", &header, b"[1]").await;
    assert_eq!(reply.status, 200);
    assert_ne!(named(&reply).0, TRACE);
    host.stop().await;
}

#[tokio::test]
async fn a_timeout_is_honoured_and_bounded_by_the_services_limit() {
    let host = hostile(r#"limits = { time = "300ms" }"#).await;
    for (timeout, says) in [("50", "within 50 ms"), ("60000", "within 300 ms")] {
        let header = format!("bookshop-timeout-ms: {timeout}\r\n");
        let reply = call_as(&host, "hostile/nap", &header, b"[60000]").await;
        assert_error(&reply, 504, "deadline-exceeded", &["did not answer", says]);
        assert_eq!(value(&reply)["error"]["service"], "hostile");
    }
    let header = "bookshop-timeout-ms: soon\r\n";
    let reply = call_as(&host, "hostile/nap", header, b"[1]").await;
    assert_error(&reply, 400, "malformed", &["bookshop-timeout-ms"]);
    host.until_under_way("hostile", 0, 0).await;
    host.stop().await;
}

#[tokio::test]
async fn arguments_that_never_come_end_with_the_deadline() {
    let host = hostile(r#"limits = { time = "200ms" }"#).await;
    let head = "POST /call/hostile/nap HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 3\r\n\r\n[";
    let reply = send(&host, head.as_bytes()).await;
    let says = ["the arguments did not arrive in time", "not begun"];
    assert_error(&reply, 504, "deadline-exceeded", &says);
    assert_neighbour_serves(&host).await;
    host.stop().await;
}

#[tokio::test]
async fn the_endpoint_says_what_can_be_called_wherever_it_runs() {
    let away = service("away", &guest("fixture-neighbour"), "hosts = [\"other\"]");
    let name = crate::paths::unique("host");
    let other = "[[host]]\nname = \"other\"\nhttp = \"127.0.0.1:0\"\npeer = \"127.0.0.1:0\"\napi = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\n";
    let sections = format!(
        "{other}{}{away}",
        service("hostile", &guest("fixture-hostile"), "")
    );
    let file = crate::test_host::cluster_file(&name, &sections);
    let host = TestHost::try_start_file(&name, &file).await;
    let host = host.expect("the host starts");

    let about = value(&get(&host, "/").await);
    assert_eq!(
        (&about["program"], &about["cluster"], &about["host"]),
        (&json!("bookshop-host"), &json!("test"), &json!(name))
    );
    let all = value(&get(&host, "/functions").await);
    let all = all["functions"].as_array().expect("functions are a list");
    let ping = json!({
        "service": "away",
        "interface": "fixture:hostile/neighbour@0.1",
        "function": "ping",
        "signature": "ping: async func(value: u32) -> u32;",
    });
    assert!(all.contains(&ping), "{all:?}");
    let nap = all.iter().find(|function| function["function"] == "nap");
    assert_eq!(
        nap.expect("it is listed")["signature"],
        "nap: func(ms: u64);"
    );

    let mut types = value(&get(&host, "/types/fixture:hostile/neighbour/ping").await);
    for part in ["arguments", "results"] {
        let hash = types[part]["hash"].take();
        assert_eq!(hash.as_str().map(str::len), Some(32));
    }
    let mut expected = ping;
    expected["arguments"] = json!({ "hash": null, "parts": [["value", "u32"]] });
    expected["results"] = json!({ "hash": null, "parts": [["", "u32"]] });
    assert_eq!(types, expected);

    let reply = get(&host, "/types/away/pong").await;
    assert_error(&reply, 404, "not-found", &["it exports no function pong"]);
    // Its arguments are checked here, before anybody is asked to run it.
    let reply = call(&host, "away/ping", "[\"one\"]").await;
    assert_error(&reply, 400, "incompatible", &["argument value of"]);
    host.stop().await;
}

#[tokio::test]
async fn a_service_that_could_not_be_loaded_is_unavailable_with_the_reason() {
    let broken = crate::test_host::written("broken.wasm", b"\0asm\x0d\0\x01\0 and no more");
    let host = TestHost::start(&(service("broken", &broken, "") + &neighbour())).await;
    let reply = call(&host, "broken/ping", "[1]").await;
    assert_error(&reply, 503, "unavailable", &["it could not be loaded"]);
    let error = &value(&reply)["error"];
    assert_eq!(
        (&error["service"], &error["maybe_executed"]),
        (&json!("broken"), &json!(false))
    );
    let reply = call(&host, "some:other/interface/ping", "[1]").await;
    assert_error(&reply, 404, "not-found", &["(could not be loaded: broken)"]);
    host.stop().await;
}

#[tokio::test]
async fn where_other_machines_can_call_a_certificate_is_needed() {
    let name: HostName = crate::paths::unique("host").parse().expect("a name");
    let folder = crate::paths::data().join(format!("certs-{name}"));
    let file = crate::test_host::cluster_file(name.as_str(), &neighbour())
        .replace("api = \"127.0.0.1:0\"", "api = \"0.0.0.0:0\"")
        .replace(
            "workers",
            &format!("certificates = \"{}\"\nworkers", folder.display()),
        );
    let (cluster, program) = (
        "test".parse().expect("a name"),
        "shop-page".parse().expect("a name"),
    );
    let os = Os::real();
    let registrar = Registrar::create(&folder, &cluster, &os).expect("the folder can be made");
    registrar
        .init(std::slice::from_ref(&name), 1)
        .expect("certificates can be made");
    let who = Identity::client(&cluster, &program);
    registrar.issue(&who, 1).expect("certificates can be made");
    let (host, os) = crate::test_host::start(name.as_str(), &file)
        .await
        .expect("the host starts");

    let address = SocketAddr::from(([127, 0, 0, 1], host.api.port()));
    let in_the_clear = match Client::connect(address, &os).await {
        Ok(client) => client
            .call_json("neighbour", "ping", &json!([7]), &CallOptions::default())
            .await
            .err(),
        Err(error) => Some(error),
    };
    assert!(in_the_clear.is_some(), "nobody is served in the clear");

    let config = certificates::client_config(&folder, &cluster, &program, &os)
        .expect("it has a certificate");
    let credentials = Credentials::load(&folder, &cluster, &name, &os).expect("the host has one");
    let client = Client::connect_tls(address, config, credentials.server_name(&name), &os).await;
    let client = client.expect("the certificate is accepted");
    let answer = client
        .call_json("neighbour", "ping", &json!([7]), &CallOptions::default())
        .await;
    assert_eq!(answer.ok(), Some(json!(7)));
    drop(client);
    host.stop().await;
}

#[tokio::test]
async fn what_is_no_http_is_a_bad_request_and_harms_nobody() {
    let host = TestHost::start(&neighbour()).await;
    for garbage in [
        &b"NONSENSE\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ] {
        let reply = send(&host, garbage).await;
        assert_eq!(reply.status, 400, "{reply:?}");
    }
    // HTTP/2 until its first frame, which is nonsense: the host says goodbye and closes.
    let mut stream = connect(&host).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense, and more of it";
    stream.write_all(preface).await.expect("the host reads");
    let mut answer = Vec::new();
    // A reset is as good an end as any other.
    let closed = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer);
    let _ = tokio::time::timeout(crate::cluster::PATIENCE, closed)
        .await
        .expect("the host closes");
    assert_neighbour_serves(&host).await;
    host.stop().await;
}
