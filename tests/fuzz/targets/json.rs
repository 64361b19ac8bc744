#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sluicebox_fuzz::json::check(data));
