//! JSON from people and scripts: `json`, for types of every kind.

use bookshop_host::json::{from_json, to_json};
use std::sync::OnceLock;
use wasmtime::component::Component;
use wasmtime::component::types::{ComponentItem, Type};
use wasmtime::{Config, Engine};

/// How many types there are for an input to choose from.
pub const TYPES: usize = 9;

/// A component without code whose import has a parameter of each type.
const COMPONENT: &str = r#"(component
    (type $item' (record (field "id" string) (field "count" u8) (field "note" (option string))))
    (import "item" (type $item (eq $item')))
    (type $form' (variant (case "dot") (case "circle" f32) (case "items" (list $item))))
    (import "form" (type $form (eq $form')))
    (type $colour' (enum "red" "green"))
    (import "colour" (type $colour (eq $colour')))
    (type $rights' (flags "read" "write" "run-it"))
    (import "rights" (type $rights (eq $rights')))
    (import "f" (func
        (param "a" $item) (param "b" $form) (param "c" (list $rights)) (param "d" (option (option $colour)))
        (param "e" (result u64 (error s8))) (param "f" (tuple bool char f64 s64 u16))
        (param "g" (list u8 3)) (param "h" (map string s32)) (param "i" (map u8 $item)))))"#;

fn types() -> &'static [Type] {
    static TYPES_READ: OnceLock<Vec<Type>> = OnceLock::new();
    TYPES_READ.get_or_init(|| {
        let mut config = Config::new();
        config
            .wasm_component_model_map(true)
            .wasm_component_model_fixed_length_lists(true);
        let engine = Engine::new(&config).expect("an engine");
        let bytes = wat::parse_str(COMPONENT).expect("a component's text");
        let component = Component::new(&engine, bytes).expect("a component");
        let ty = component.component_type();
        let function = ty.get_import(&engine, "f").expect("imported").ty;
        let ComponentItem::ComponentFunc(function) = function else {
            panic!("not a function")
        };
        function.params().map(|(_, ty)| ty).collect()
    })
}

/// Reads JSON as a value: the first byte of `input` chooses the type, the rest is the text.
///
/// # Panics
/// What was read cannot be written and read again.
pub fn json(input: &[u8]) {
    let Some((choice, text)) = input.split_first() else {
        return;
    };
    let ty = &types()[usize::from(*choice) % TYPES];
    let Ok(json) = serde_json::from_slice(text) else {
        return;
    };
    match from_json(&json, ty) {
        Ok(value) => {
            let again = from_json(&to_json(&value, ty), ty).expect("what was written is JSON");
            assert!(again == value, "{again:?} was {value:?}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
