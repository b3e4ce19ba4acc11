//! The component's imports and exports, generated from its world.
//!
//! They come from the view without `async`: an export of `wasi:http@0.2` may not wait for an `async` import.

wit_bindgen::generate!({
    path: [
        "../../wit/deps/io.wit",
        "../../wit/deps/clocks.wit",
        "../../wit/deps/random.wit",
        "../../wit/deps/filesystem.wit",
        "../../wit/deps/sockets.wit",
        "../../wit/deps/cli.wit",
        "../../wit/deps/http.wit",
        "../../wit/deps/logging.wit",
        "../../wit/deps/config.wit",
        "../../wit/sync/platform",
        "../../wit/sync/shop",
    ],
    world: "bookshop:shop/frontend",
    generate_all,
});

// Natively, where only tests run, the names of the exports are more than a linker can read.
#[cfg(target_arch = "wasm32")]
export!(Frontend);
#[cfg(target_arch = "wasm32")]
use crate::Frontend;
