#![no_main]

#[path = "../inputs.rs"]
#[allow(dead_code, reason = "the other targets' inputs")]
mod inputs;

libfuzzer_sys::fuzz_target!(|data: &[u8]| inputs::pod(data));
