//! The host's storage and timers, generated from a world of their own.

wit_bindgen::generate!({
    path: ["../../wit/platform"],
    inline: "
        package bookshop:keys;
        world library {
            import bookshop:platform/storage@0.1.0;
            import bookshop:platform/timers@0.1.0;
        }
    ",
    world: "bookshop:keys/library",
    generate_all,
});
