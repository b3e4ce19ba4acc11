//! Files that are no components: the service says what is wrong with its file, the others run, and a file that is put right is picked up.

use crate::hostile_host::{assert_refused, neighbour};
use crate::paths::{data, guest, unique};
use crate::test_host::{TestHost, service, written};
use std::path::Path;

/// A host with a service of this file, and the neighbour.
async fn broken(wasm: &Path) -> TestHost {
    TestHost::start(&(service("broken", wasm, "") + &neighbour())).await
}

#[tokio::test]
async fn a_truncated_file_is_refused_and_loaded_once_it_is_whole() {
    let whole = std::fs::read(guest("fixture-hostile")).expect("the fixture can be read");
    let wasm = written("truncated.wasm", &whole[..whole.len() / 2]);
    let host = broken(&wasm).await;
    let file = wasm.display().to_string();
    assert_refused(
        &host,
        "broken",
        &["cannot compile", &file, "build it again"],
    )
    .await;
    std::fs::write(&wasm, whole).expect("the file can be written");
    host.until_state("broken", "running").await;
    assert_eq!(host.call("broken.count", &[]).await, Ok(vec!["0".into()]));
    host.stop().await;
}

#[tokio::test]
async fn a_core_module_is_told_from_a_component() {
    let wasm = written(
        "module.wasm",
        &wat::parse_str("(module)").expect("valid text"),
    );
    let host = broken(&wasm).await;
    let file = wasm.display().to_string();
    let parts = [
        &file,
        "is a core module",
        "wasm32-wasip2",
        "wasm-tools component new",
    ];
    assert_refused(&host, "broken", &parts).await;
    host.stop().await;
}

#[tokio::test]
async fn a_file_that_is_no_webassembly_is_refused() {
    for bytes in [&b"#!/bin/sh\necho hello\n"[..], b"", b"\0asm"] {
        let wasm = written("text.wasm", bytes);
        let host = broken(&wasm).await;
        let file = wasm.display().to_string();
        assert_refused(&host, "broken", &[&file, "is not a WebAssembly component"]).await;
        host.stop().await;
    }
}

#[tokio::test]
async fn a_missing_file_is_named_and_loaded_by_itself_when_it_appears() {
    let wasm = data().join("guests").join(unique("late") + ".wasm");
    let host = broken(&wasm).await;
    let file = wasm.display().to_string();
    assert_refused(
        &host,
        "broken",
        &[
            "cannot read component",
            &file,
            "`wasm`",
            "bookshop-host build",
        ],
    )
    .await;
    // Renamed into place, as a builder does: half a file would be another mistake.
    let made = written(
        "made.wasm",
        &std::fs::read(guest("fixture-hostile")).expect("the fixture can be read"),
    );
    std::fs::rename(made, &wasm).expect("the file can be moved");
    let status = host.until_state("broken", "running").await;
    assert!(status["reason"].is_null(), "{status}");
    assert_eq!(host.call("broken.count", &[]).await, Ok(vec!["0".into()]));
    host.stop().await;
}
