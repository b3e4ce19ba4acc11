//! The component's imports and exports, generated from its world.

wit_bindgen::generate!({
    path: ["../../wit/platform", "../../wit/control"],
    world: "bookshop:control/control",
    additional_derives: [PartialEq, Clone],
    generate_all,
});

// Natively, where only tests run, the names of the exports are more than a linker can read.
#[cfg(target_arch = "wasm32")]
export!(Service);
#[cfg(target_arch = "wasm32")]
use crate::Service;
