//! What peers answer with, in every form that is read: a byte that picks the form, then the answer.

use sluicebox::data::Signal;
use sluicebox::exporter::{answer, grpc_status::GrpcStatus, retry_after};

use crate::input::Input;

/// Nothing panics, and words of a peer come out fit to be logged.
pub fn check(data: &[u8]) {
    let mut input = Input(data);
    let form = input.u8();
    let bytes = input.rest();
    match form % 5 {
        0 => printable(&answer::from_protobuf(bytes).message),
        1 => Signal::ALL.into_iter().for_each(|signal| printable(&answer::from_json(signal, bytes).message)),
        2 => {
            printable(&answer::status_message(true, bytes));
            printable(&answer::status_message(false, bytes));
        }
        3 => status(bytes),
        _ => {
            if let Ok(text) = str::from_utf8(bytes) {
                let now = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_763_712_000);
                let _ = retry_after::read(text, now);
            }
        }
    }
}

/// Three headers of a gRPC status, separated by newlines.
fn status(bytes: &[u8]) {
    let mut headers = http::HeaderMap::new();
    let names = ["grpc-status", "grpc-message", "grpc-status-details-bin"];
    for (name, value) in names.into_iter().zip(bytes.split(|&byte| byte == b'\n')) {
        if let Ok(value) = http::HeaderValue::from_bytes(value) {
            headers.insert(name, value);
        }
    }
    if let Some(status) = GrpcStatus::read(&headers) {
        printable(&status.message);
        if let Err(failure) = status.verdict() {
            printable(&failure.to_string());
        }
    }
}

fn printable(words: &str) {
    assert!(!words.contains(|c: char| c.is_control()), "{words:?} is not fit to be logged");
    assert!(words.len() <= 64 << 10, "{} bytes of words", words.len());
}
