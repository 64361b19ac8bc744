//! Decompression of bodies: a coding, a limit, then the body.

use std::io::Write;

use bytes::Bytes;
use sluicebox::receiver::inflate::{Coding, InflateError};

use crate::input::Input;

/// No output is over the limit; what was compressed comes out again, all of it, or not at all if some is missing.
pub fn check(data: &[u8]) {
    let mut input = Input(data);
    let coding = match input.u8() {
        b'g' => Coding::Gzip,
        b'z' => Coding::Zstd,
        other => [Coding::Identity, Coding::Gzip, Coding::Zstd][usize::from(other) % 3],
    };
    let limit = usize::from(input.u16());
    let cut = usize::from(input.u8());
    let body = input.rest();
    if let Ok(plain) = coding.inflate(Bytes::copy_from_slice(body), limit) {
        assert!(plain.len() <= limit);
    }
    let packed = match coding {
        Coding::Identity => body.to_vec(),
        Coding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(body).expect("memory takes it");
            encoder.finish().expect("memory takes it")
        }
        Coding::Zstd => zstd::bulk::compress(body, 1).expect("memory takes it"),
    };
    let there = coding.inflate(Bytes::from(packed.clone()), body.len()).expect("it fits exactly");
    assert_eq!(there, body);
    if coding == Coding::Identity || packed.is_empty() {
        return;
    }
    // Cut somewhere, but not to nothing: no bytes are no members, which gzip allows.
    let cut = 1 + cut % (packed.len() - 1).max(1);
    if cut < packed.len() {
        let cut = coding.inflate(Bytes::copy_from_slice(&packed[..cut]), body.len());
        assert!(matches!(cut, Err(InflateError::Corrupt(_))), "a body that was cut short was taken");
    }
}
