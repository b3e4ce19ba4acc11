//! See `fuzz::component_header`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::component_header(input));
