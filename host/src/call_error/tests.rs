//! The cases here and those of `wit/platform/call-error.wit` are the same.

use std::path::Path;

use wit_parser::{Resolve, Type, TypeDefKind};

use super::CASES;

#[test]
fn the_cases_are_those_of_the_interface_in_its_order() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/platform");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(&folder).expect("the interfaces are right");
    let interface = resolve.packages[package].interfaces["call-error"];
    let variant = resolve.interfaces[interface].types["call-error"];
    let TypeDefKind::Variant(variant) = &resolve.types[variant].kind else {
        panic!("call-error is a variant");
    };
    let fields = |ty: Option<Type>| match ty {
        Some(Type::Id(record)) => match &resolve.types[record].kind {
            TypeDefKind::Record(record) => record
                .fields
                .iter()
                .map(|field| field.name.as_str())
                .collect(),
            other => panic!("{other:?}"),
        },
        Some(Type::String) | None => Vec::new(),
        Some(other) => panic!("{other:?}"),
    };
    let written: Vec<_> = variant
        .cases
        .iter()
        .map(|case| (case.name.as_str(), fields(case.ty)))
        .collect();
    let known: Vec<_> = CASES
        .iter()
        .map(|(name, fields)| (*name, fields.to_vec()))
        .collect();
    assert_eq!(written, known);
}
