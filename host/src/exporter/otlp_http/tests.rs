//! The HTTP exporter before a real HTTP server.

use std::collections::BTreeMap;
use std::io::Write;

use super::*;
use crate::config::spec::{Aim, Compression, CompressionSpec, TargetSpec};
use crate::exporter::testing::{HttpReply, Peer, answer, client, names, spans};
use crate::telemetry::metrics::Metrics;

fn spec(url: &str) -> OtlpHttpClientSpec {
    OtlpHttpClientSpec { client: client(url), encoding: Encoding::Protobuf, endpoints: BTreeMap::new() }
}

/// One attempt with one span.
async fn attempt(spec: &OtlpHttpClientSpec) -> Result<Outcome, Failure> {
    let exporter = OtlpHttp::build(spec, &Access::default()).unwrap();
    let frames = exporter.prepare(Signal::Traces, &[spans(&["a"]).bytes]).await.unwrap();
    exporter.attempt(Signal::Traces, &frames).await
}

async fn attempt_answered(reply: HttpReply) -> Result<Outcome, Failure> {
    let peer = Peer::http([reply]).await;
    attempt(&spec(&peer.url)).await
}

#[test]
fn e17_e18_e19_each_signal_has_its_url() {
    let mut spec = spec("http://host:4318");
    for base in ["http://host:4318", "http://host:4318/"] {
        spec.client.endpoint = base.to_owned();
        assert_eq!(url(&spec, Signal::Logs).unwrap(), "http://host:4318/v1/logs");
    }
    spec.client.endpoint = "https://host/otlp/".to_owned();
    spec.endpoints.insert(Signal::Metrics, "http://other/as/it/is/".to_owned());
    assert_eq!(url(&spec, Signal::Traces).unwrap(), "https://host/otlp/v1/traces");
    assert_eq!(url(&spec, Signal::Metrics).unwrap(), "http://other/as/it/is/");
}

#[tokio::test]
async fn e16_e29_the_headers_say_what_it_is() {
    let cases = [
        (Encoding::Protobuf, Compression::None, "application/x-protobuf", None),
        (Encoding::Protobuf, Compression::Gzip, "application/x-protobuf", Some("gzip")),
        (Encoding::Json, Compression::Zstd, "application/json", Some("zstd")),
    ];
    for (encoding, compression, content_type, content_encoding) in cases {
        let peer = Peer::http([]).await;
        let mut spec = spec(&peer.url);
        (spec.encoding, spec.client.compression) = (encoding, compression.into());
        assert_eq!(attempt(&spec).await, Ok(Outcome::default()));
        let seen = peer.seen().remove(0);
        assert_eq!(seen.path, "/v1/traces");
        assert_eq!(seen.headers[CONTENT_TYPE], content_type);
        assert_eq!(seen.headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap()), content_encoding);
        assert_eq!(seen.headers[AGENT], format!("sluicebox/{}", env!("CARGO_PKG_VERSION")));
        let mut body = Vec::new();
        match compression {
            Compression::None => body = seen.body.to_vec(),
            Compression::Gzip => drop(flate2::read::GzDecoder::new(&seen.body[..]).read_to_end(&mut body).unwrap()),
            Compression::Zstd => body = zstd::decode_all(&seen.body[..]).unwrap(),
        }
        match encoding {
            Encoding::Protobuf => assert_eq!(names(&body), ["a"]),
            Encoding::Json => assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap(), json_of_a()),
        }
    }
}

/// E30: ids are hex, names are lowerCamelCase, 64-bit numbers are text.
fn json_of_a() -> serde_json::Value {
    let span = serde_json::json!({
        "traceId": "01".repeat(16), "spanId": "02".repeat(8), "name": "a",
        "startTimeUnixNano": "1795253400000000000", "endTimeUnixNano": "1795253400003200000"
    });
    serde_json::json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span] }] }] })
}

#[tokio::test]
async fn e30_json_is_one_document_of_the_merged_request() {
    let peer = Peer::http([]).await;
    let spec = OtlpHttpClientSpec { encoding: Encoding::Json, ..spec(&peer.url) };
    let exporter = OtlpHttp::build(&spec, &Access::default()).unwrap();
    let requests = [spans(&["a"]).bytes, spans(&["b"]).bytes];
    let frames = exporter.prepare(Signal::Traces, &requests).await.unwrap();
    exporter.attempt(Signal::Traces, &frames).await.unwrap();
    let json: serde_json::Value = serde_json::from_slice(&peer.seen()[0].body).unwrap();
    assert_eq!(json["resourceSpans"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn e11_f30_of_all_statuses_four_are_retried() {
    let statuses = 200..=599u16;
    let peer = Peer::http(statuses.clone().map(|status| answer(status, &[], ""))).await;
    let exporter = OtlpHttp::build(&spec(&peer.url), &Access::default()).unwrap();
    let frames = exporter.prepare(Signal::Traces, &[spans(&["a"]).bytes]).await.unwrap();
    for status in statuses {
        let result = exporter.attempt(Signal::Traces, &frames).await;
        match status {
            200..=299 => assert_eq!(result, Ok(Outcome::default()), "{status}"),
            429 | 502 | 503 | 504 => assert!(result.unwrap_err().is_retryable(), "{status}"),
            _ => assert!(!result.unwrap_err().is_retryable(), "{status}"),
        }
    }
    assert_eq!(peer.seen().len(), 400);
}

#[tokio::test]
async fn e15_connections_are_kept() {
    let peer = Peer::http([answer(503, &[], ""), answer(400, &[], "no")]).await;
    let exporter = OtlpHttp::build(&spec(&peer.url), &Access::default()).unwrap();
    let frames = exporter.prepare(Signal::Traces, &[spans(&["a"]).bytes]).await.unwrap();
    for _ in 0..5 {
        let _ = exporter.attempt(Signal::Traces, &frames).await;
    }
    assert!(peer.seen().iter().all(|seen| seen.connection == 0));
}

#[tokio::test]
async fn e12_retry_after_is_read_where_a_retry_is_allowed() {
    let wait = |seconds| Some(Duration::from_secs(seconds));
    for (status, header, after) in [(503, "7", wait(7)), (429, "1", wait(1)), (503, "soon", None), (504, "-1", None)] {
        let failure = attempt_answered(answer(status, &[("retry-after", header)], "")).await.unwrap_err();
        assert_eq!((failure.is_retryable(), failure.after()), (true, after), "{header}");
    }
    let failure = attempt_answered(answer(500, &[("retry-after", "7")], "")).await.unwrap_err();
    assert!(!failure.is_retryable());
}

#[tokio::test]
async fn f31_a_date_to_come_is_a_wait_and_one_gone_by_is_none() {
    let past = attempt_answered(answer(503, &[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], "")).await;
    assert_eq!(past.unwrap_err().after(), Some(Duration::ZERO));
    let future = attempt_answered(answer(503, &[("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")], "")).await;
    assert!(future.unwrap_err().after().unwrap() > Duration::from_secs(86_400));
}

#[tokio::test]
async fn e09_e10_f32_partial_success_is_read_in_both_encodings() {
    let json = r#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"why"}}"#;
    let outcome = Outcome { rejected: 1, message: "why".to_owned() };
    let reply = answer(200, &[("content-type", "application/json")], json);
    assert_eq!(attempt_answered(reply).await, Ok(outcome.clone()));
    let reply = answer(200, &[("content-type", "application/x-protobuf")], &b"\x0a\x07\x08\x01\x12\x03why"[..]);
    assert_eq!(attempt_answered(reply).await, Ok(outcome));
}

#[tokio::test]
async fn the_peers_reason_is_told() {
    let reply = answer(400, &[("content-type", "application/x-protobuf")], &b"\x12\x07bad\nbad"[..]);
    let failure = attempt_answered(reply).await.unwrap_err();
    assert_eq!(failure.to_string(), "the peer answered HTTP 400: bad\\nbad");
    let reply = answer(503, &[("content-type", "application/json")], r#"{"message":"full"}"#);
    assert_eq!(attempt_answered(reply).await.unwrap_err().to_string(), "the peer answered HTTP 503: full");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let target = Peer::<HttpReply>::http([]).await;
    for status in [301, 302, 307, 308] {
        let failure = attempt_answered(answer(status, &[("location", &target.url)], "")).await.unwrap_err();
        assert!(!failure.is_retryable());
    }
    assert!(target.seen().is_empty());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn e02_f33_huge_answers_are_neither_kept_nor_retried() {
    let huge = vec![0u8; response::RESPONSE_BYTES_MAX + 1];
    let failure = attempt_answered(answer(200, &[], huge.clone())).await.unwrap_err();
    assert_eq!((failure.is_retryable(), failure.to_string()), (false, "the answer is over 4 MiB".to_owned()));
    let bomb = answer(200, &[("content-encoding", "gzip")], gzip(&huge));
    assert!(!attempt_answered(bomb).await.unwrap_err().is_retryable(), "E2, decompressed");
    let failure = attempt_answered(answer(503, &[], huge)).await.unwrap_err();
    assert!(failure.is_retryable(), "of a 503 the body does not matter");
}

#[tokio::test]
async fn an_unreadable_body_does_not_undo_a_success() {
    for (encoding, body) in [("gzip", &b"\x1f\x8bjunk"[..]), ("br", b"whatever"), ("identity", b"\xff\xff\xff")] {
        assert_eq!(
            attempt_answered(answer(200, &[("content-encoding", encoding)], body)).await,
            Ok(Outcome::default())
        );
    }
    let packed = answer(200, &[("content-encoding", "gzip")], gzip(b"\x0a\x02\x08\x02"));
    assert_eq!(attempt_answered(packed).await.map(|outcome| outcome.rejected), Ok(2));
}

#[tokio::test]
async fn e14_a_lost_connection_is_retryable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let hang_up = tokio::spawn(async move { drop(listener.accept().await.unwrap()) });
    assert!(attempt(&spec(&url)).await.unwrap_err().is_retryable());
    hang_up.await.unwrap();
    assert!(attempt(&spec(&url)).await.unwrap_err().is_retryable(), "nobody listens");
}

#[tokio::test]
async fn f34_a_peer_that_hangs_is_left_after_the_timeout() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut spec = spec(&format!("http://{}", listener.local_addr().unwrap()));
    spec.client.timeout = Duration::from_millis(100);
    let failure = attempt(&spec).await.unwrap_err();
    assert_eq!((failure.is_retryable(), failure.to_string()), (true, "no answer within 100ms".to_owned()));
}

/// One attempt after another with bodies whose compression is chosen; what their headers said, and how they ended.
async fn chosen(replies: Vec<HttpReply>, attempts: usize) -> (Vec<String>, Vec<Result<Outcome, Failure>>) {
    let peer = Peer::http(replies).await;
    let mut spec = spec(&peer.url);
    let aim = Aim::Network { max_cpu: Duration::from_secs(1) };
    spec.client.compression = CompressionSpec::Adaptive(aim);
    let target = TargetSpec::OtlpHttp(spec.clone());
    let access = Access::open("otlphttp", &target, &Metrics::default()).unwrap();
    let exporter = OtlpHttp::build(&spec, &access).unwrap();
    let mut ends = Vec::new();
    for _ in 0..attempts {
        let frames = exporter.prepare(Signal::Traces, &[spans(&["a"]).bytes]).await.unwrap();
        ends.push(exporter.attempt(Signal::Traces, &frames).await);
    }
    let said = |value: Option<&HeaderValue>| value.map_or("none", |value| value.to_str().unwrap()).to_owned();
    (peer.seen().iter().map(|seen| said(seen.headers.get(CONTENT_ENCODING))).collect(), ends)
}

#[tokio::test]
async fn an_encoding_that_the_peer_does_not_take_is_not_used_again_and_nothing_is_lost() {
    let refusal = |status| answer(status, &[], Bytes::new());
    let taken = || answer(200, &[], Bytes::new());
    for status in [415, 400] {
        let (seen, ends) = chosen(vec![refusal(status), taken(), refusal(status), taken()], 3).await;
        assert_eq!(seen, ["zstd", "none", "gzip", "none", "none"], "{status}");
        assert!(ends.iter().all(Result::is_ok), "{ends:?}");
    }
}

#[tokio::test]
async fn a_refusal_that_is_not_about_the_encoding_stays_one() {
    let refusals = || vec![answer(400, &[], Bytes::new()), answer(400, &[], Bytes::new())];
    let (seen, ends) = chosen(refusals(), 2).await;
    assert_eq!(seen, ["zstd", "none", "zstd"], "zstd was not the reason");
    assert!(matches!(ends.as_slice(), [Err(Failure::Permanent { .. }), Ok(_)]), "{ends:?}");
    let (seen, ends) = chosen(vec![answer(500, &[], Bytes::new())], 1).await;
    assert_eq!((seen, ends[0].is_err()), (vec!["zstd".to_owned()], true), "it is not tried otherwise");
}
