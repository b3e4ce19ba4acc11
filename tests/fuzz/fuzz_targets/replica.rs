//! See `fuzz::replica`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    fuzz::replica(input);
});
