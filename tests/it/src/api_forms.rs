//! Arguments and results in forms other than JSON: WAVE texts and binary values.

use crate::api::{assert_error, call_as, get, value};
use crate::hostile_host::{assert_neighbour_serves, assert_parts, hostile, neighbour};
use crate::test_host::TestHost;
use bookshop_host::client::{TYPE_HEADER, VALUES, WAVE};
use serde_json::json;

#[tokio::test]
async fn wave_answers_as_text_and_as_json() {
    let host = TestHost::start(&neighbour()).await;
    let header = format!("Content-Type: {WAVE}\r\n");
    let wave =
        async |body: &str| call_as(&host, "neighbour/try-ping", &header, body.as_bytes()).await;
    let reply = wave(r#"{"arguments": ["7"]}"#).await;
    let results = json!({ "results": [{ "wave": "ok(7)", "json": { "ok": 7 } }] });
    assert_eq!((reply.status, value(&reply)), (200, results));
    let reply = wave(r#"{"arguments": ["seven"]}"#).await;
    let says = ["argument value of", "is not WAVE text of type u32"];
    assert_error(&reply, 400, "incompatible", &says);
    let reply = wave(r#"{"arguments": []}"#).await;
    assert_error(
        &reply,
        400,
        "incompatible",
        &["takes 1 arguments (value: u32)"],
    );
    for body in ["[7]", "{}x", r#"{"argument": ["7"]}"#, ""] {
        let reply = wave(body).await;
        assert_error(
            &reply,
            400,
            "malformed",
            &["the body is not {\"arguments\""],
        );
    }
    host.stop().await;
}

#[tokio::test]
async fn values_of_other_types_and_garbage_are_refused() {
    let host = hostile("").await;
    let types = value(&get(&host, "/types/hostile/echo").await);
    let hash = types["arguments"]["hash"]
        .as_str()
        .expect("a hash")
        .to_owned();
    let values = async |headers: &str, body: &[u8]| {
        let headers = format!("Content-Type: {VALUES}\r\n{headers}");
        call_as(&host, "hostile/echo", &headers, body).await
    };
    let typed = |hash: &str| format!("{TYPE_HEADER}: {hash}\r\n");
    let reply = values(&typed(&hash), &[3, 7, 8, 9]).await;
    assert_eq!(
        (reply.status, reply.body.as_bytes()),
        (200, &[3, 7, 8, 9][..])
    );
    let result = types["results"]["hash"].as_str().expect("a hash");
    assert_parts(
        &reply.head,
        &[VALUES, &typed(result).trim_end().to_ascii_lowercase()],
    );

    let other = typed(&hash.chars().rev().collect::<String>());
    let reply = values(&other, &[3, 7, 8, 9]).await;
    assert_error(&reply, 400, "incompatible", &[&hash, "GET /types"]);
    for header in ["", "bookshop-type: 12\r\n"] {
        let reply = values(header, &[3, 7, 8, 9]).await;
        assert_error(&reply, 400, "malformed", &[TYPE_HEADER, "GET /types"]);
    }
    // Too short, too long, and a gigabyte that is only spoken of.
    for garbage in [&[][..], &[3, 7], &[1, 7, 8], &[0xff, 0xff, 0xff, 0xff, 3]] {
        let reply = values(&typed(&hash), garbage).await;
        assert_error(&reply, 400, "malformed", &["the body is not the values"]);
    }
    assert_neighbour_serves(&host).await;
    host.stop().await;
}
