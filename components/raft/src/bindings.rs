//! The component's imports and exports, generated from its world. Its records are also the words of the engine's own code.

wit_bindgen::generate!({
    path: "../../wit/replica",
    world: "engine",
    additional_derives: [PartialEq, Eq],
});

// Natively, where only tests run, the names of the exports are more than a linker can read.
#[cfg(target_arch = "wasm32")]
export!(Component);
#[cfg(target_arch = "wasm32")]
use crate::component::Component;
