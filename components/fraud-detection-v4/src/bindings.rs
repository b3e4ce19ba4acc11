//! The component's imports and exports, generated from its world, with the interface of version 4.

wit_bindgen::generate!({
    path: [
        "../../wit/deps/io.wit",
        "../../wit/deps/clocks.wit",
        "../../wit/deps/random.wit",
        "../../wit/deps/filesystem.wit",
        "../../wit/deps/sockets.wit",
        "../../wit/deps/cli.wit",
        "../../wit/deps/http.wit",
        "../../wit/deps/config.wit",
        "../../wit/deps/logging.wit",
        "../../wit/platform",
        "wit",
    ],
    world: "bookshop:shop/fraud-detection-service",
    with: {
        "bookshop:platform/call-error@0.1.0": checkout::bindings::bookshop::platform::call_error,
        "bookshop:platform/scratch@0.1.0": checkout::bindings::bookshop::platform::scratch,
        "bookshop:shop/types@0.1.0": checkout::bindings::bookshop::shop::types,
    },
    generate_all,
});

// Natively, where only tests run, the names of the exports are more than a linker can read.
#[cfg(target_arch = "wasm32")]
export!(FraudDetection);
#[cfg(target_arch = "wasm32")]
use crate::FraudDetection;
