#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ninestep_fuzz::http2(data));
