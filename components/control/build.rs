//! Gives the component a small stack: its memory starts smaller, so a fresh instance is ready sooner.

#[allow(
    clippy::disallowed_methods,
    reason = "cargo names the target in a variable; a build script runs on no host"
)]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|architecture| architecture == "wasm32") {
        println!("cargo:rustc-link-arg-cdylib=-zstack-size=131072");
    }
}
