//! Writes the seeds of the corpora, where fuzzing begins: `cargo test -p sluicebox-fuzz --test seeds -- --ignored`.
//!
//! Inputs that fuzzing found are kept beside them, under other names.

use std::io::Write;
use std::path::Path;

use sluicebox::bench::requests::Recipe;
use sluicebox::data::Signal;
use sluicebox::data::json::{self, JsonLimits};

const LETTERS: [(Signal, u8); 3] = [(Signal::Traces, b't'), (Signal::Metrics, b'm'), (Signal::Logs, b'l')];

#[test]
#[ignore = "writes files"]
fn seeds_are_written() {
    for (signal, letter) in LETTERS {
        let requests = [generated(signal), example(signal)];
        for (number, request) in requests.iter().enumerate() {
            let name = format!("seed-{signal}-{number}");
            keep("walk", &name, &[&[letter, 0xff, 0b1010_0101], &request[..]]);
            let length = (request.len() as u16).to_le_bytes();
            // One answer of one edit of field 1: entry 0 becomes the text `new`.
            let edits = [1, 1, 1, 0, 1, 0, 2, 3, b'n', b'e', b'w', 0xff];
            keep("edits", &name, &[&[letter, 0x2a], &length[..], &request[..], &edits[..]]);
            keep("json", &format!("{name}-protobuf"), &[&[letter], &request[..]]);
            let mut text = Vec::new();
            json::encode(signal, request, &mut text).unwrap();
            keep("json", &format!("{name}-text"), &[&[letter], &text[..]]);
        }
    }
    json_corners();
    bodies();
    frames();
    answers();
    configs();
}

fn generated(signal: Signal) -> Vec<u8> {
    Recipe { signal, records: 5, record_bytes: None, probes: 0.3 }.encode(0).to_vec()
}

/// The examples of opentelemetry-proto.
fn example(signal: Signal) -> Vec<u8> {
    let name = if signal == Signal::Traces { "trace" } else { signal.name() };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../data/{name}.json"));
    json::decode(signal, &std::fs::read(file).unwrap(), &JsonLimits::default()).unwrap()
}

fn json_corners() {
    let corners = [
        r#"m{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"asDouble":"NaN"},{"asInt":"-1"},{"asInt":1e3}]}}]}]}]}"#,
        r#"t{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174","kind":2,"links":null,"attributes":[{"key":"a","value":{"arrayValue":{}}},{"key":"b","value":{"bytesValue":"AAEC"}},{"key":"c","value":{"doubleValue":"-Infinity"}}]}]}]}]}"#,
        r#"l{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"kvlistValue":{"values":[{"key":"\ud83d\ude00\u0000","value":{"boolValue":true}}]}},"unknown":[{"a":[1,2.5e-7]}]}]}]}]}"#,
        r#"t{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no"},"code":3,"message":"m","details":[]}"#,
    ];
    for (number, corner) in corners.into_iter().enumerate() {
        keep("json", &format!("seed-corner-{number}"), &[corner.as_bytes()]);
    }
}

fn bodies() {
    let plain = b"a body, a body, a body that repeats itself";
    let gzip = || {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    };
    keep("inflate", "seed-gzip", &[&[b'g', 0xff, 0xff, 9], &gzip()[..]]);
    keep("inflate", "seed-gzip-members", &[&[b'g', 0xff, 0xff, 9], &gzip()[..], &gzip()[..]]);
    let zstd = zstd::bulk::compress(plain, 3).unwrap();
    keep("inflate", "seed-zstd", &[&[b'z', 0xff, 0xff, 9], &zstd[..]]);
    keep("inflate", "seed-plain", &[&[0, 40, 0, 9], plain]);
}

/// Frames, then damage: so many places, each with the bits to flip, then where the file is cut.
fn frames() {
    let three = b"\x03\x05first\x06second\x05third";
    keep("frames", "seed-whole", &[three]);
    keep("frames", "seed-head-damaged", &[three, &[1, 10, 0, 0xff]]);
    keep("frames", "seed-payload-damaged", &[three, &[1, 46, 0, 1]]);
    keep("frames", "seed-cut", &[three, &[0, 120, 0, b'c']]);
    keep("frames", "seed-mark-in-payload", &[&[2, 4], b"\xf1SqF", &[4], b"\xf1SqF", &[1, 0, 0, 1]]);
}

fn answers() {
    keep("answers", "seed-protobuf", &[&[0, 0x0a, 6, 0x08, 3, 0x12, 2, b'n', b'o']]);
    keep("answers", "seed-json", &[b"\x01{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"no\"}}"]);
    keep("answers", "seed-status", &[&[2, 0x08, 3, 0x12, 2, b'n', b'o']]);
    keep("answers", "seed-status-json", &[b"\x02{\"code\":3,\"message\":\"no\\u001b\"}"]);
    keep(
        "answers",
        "seed-grpc",
        &[b"\x0314\nl%C3%A4ter%1B\nCA4SB2xhdGVyLi4aLAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIA"],
    );
    keep("answers", "seed-retry-after", &[b"\x0490"]);
    keep("answers", "seed-retry-after-date", &[b"\x04Fri, 31 Dec 1999 23:59:59 GMT"]);
}

/// Every pipeline file of the repository: those that run, and those with a mistake.
fn configs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for folder in ["pipelines/first", "pipelines/fan-out", "pipelines/logs-redact", "pipelines/metrics-rename"] {
        let name = folder.rsplit('/').next().unwrap();
        let text = std::fs::read(root.join(folder).join("pipeline.yaml")).unwrap();
        keep("config", &format!("seed-{name}"), &[&text]);
    }
    for mistake in
        ["alias_bomb", "many_mistakes", "not_utf8", "syntax_error_hides_headers", "tab_indentation", "too_deep"]
    {
        let text = std::fs::read(root.join(format!("tests/config/{mistake}.yaml"))).unwrap();
        keep("config", &format!("seed-{mistake}"), &[&text]);
    }
}

fn keep(target: &str, name: &str, parts: &[&[u8]]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), parts.concat()).unwrap();
}
