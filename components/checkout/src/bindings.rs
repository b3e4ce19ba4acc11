//! The types of the shop, and the host's scratch, generated from a world of its own.
//!
//! The services name these in the `with` of their own bindings, so a clock is the same type for all of them.

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
        "../../wit/shop",
    ],
    world: "bookshop:shop/checkout-library",
    additional_derives: [PartialEq],
    generate_all,
});
