//! JSON as a request and a request as JSON: signal, then either.

use std::sync::Arc;

use bytes::Bytes;
use sluicebox::data::json::{self, JsonLimits};
use sluicebox::data::projection::Projection;
use sluicebox::data::walk::{Limits, walk};

use crate::input::Input;
use crate::model::meaning;

const LIMITS: JsonLimits = JsonLimits { max_depth: 32, max_bytes: 1 << 20 };

/// Text that is taken is a request for prost and the walk, and comes back the same through the encoder. A request that
/// the walk takes can be written as JSON, and means the same when it is read again.
pub fn check(data: &[u8]) {
    let mut input = Input(data);
    let signal = input.signal();
    let bytes = input.rest();
    if let Ok(request) = json::decode(signal, bytes, &LIMITS) {
        assert!(request.len() <= LIMITS.max_bytes);
        there_and_back(signal, &request);
    }
    let request = Bytes::copy_from_slice(bytes);
    if walk(&request, &Arc::new(Projection::empty(signal)), Limits::default()).is_ok() {
        there_and_back(signal, &request);
    }
    // Answers of peers.
    drop((json::decode_response(signal, bytes), json::decode_status(bytes)));
}

fn there_and_back(signal: sluicebox::data::Signal, request: &[u8]) {
    let before = meaning(signal, request).expect("what is accepted is well-formed for prost");
    let mut text = b"before".to_vec();
    json::encode(signal, request, &mut text).expect("what is accepted can be written");
    let text = text.strip_prefix(b"before").expect("the encoder appends");
    assert!(!text.contains(&b'\n'), "one line");
    let again = json::decode(signal, text, &JsonLimits { max_bytes: usize::MAX, ..LIMITS });
    let again = again.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(text)));
    let after = meaning(signal, &again).expect("what is decoded is well-formed");
    assert_eq!(before, after, "{}", String::from_utf8_lossy(text));
}
