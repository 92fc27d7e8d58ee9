#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ninestep_fuzz::grpc(data));
