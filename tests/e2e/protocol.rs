//! Rows of the protocol and of bad input, through the whole binary: what the client hears, and what comes out behind.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{Histogram, HistogramDataPoint, Sum, metric};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use serde_json::{Value as Json, json};
use sluicebox::data::Signal;
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic_types::StatusExt;

use crate::client::{GrpcClient, JSON, PROTOBUF, post, post_json, post_protobuf};
use crate::harness::{Sluicebox, log_records, spans};
use crate::peer::{Mood, Peer};
use crate::requests::{NOW, encoded_spans, gauge, log, logs, metric, metrics, numbered, point, span, text, traces};
use crate::topology::{EXAMPLES, assert_same_request};

/// Every signal to a file of its own; `{limits}` for both protocols.
fn to_files(limits: &str) -> String {
    let side = format!("{{ endpoint: '127.0.0.1:0', limits: {{ {limits} }} }}");
    format!(
        "
receivers:
  otlp: {{ protocols: {{ grpc: {side}, http: {side} }} }}
exporters: {{ file/t: {{ path: traces }}, file/m: {{ path: metrics }}, file/l: {{ path: logs }} }}
service:
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  pipelines:
    traces: {{ receivers: [otlp], exporters: [file/t] }}
    metrics: {{ receivers: [otlp], exporters: [file/m] }}
    logs: {{ receivers: [otlp], exporters: [file/l] }}
"
    )
}

/// What is in the file of a signal after a clean end.
fn written(sluicebox: Sluicebox, signal: Signal) -> Vec<Json> {
    let (_, folder) = sluicebox.stop();
    let text = std::fs::read_to_string(folder.path().join(signal.name())).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn names(lines: &[Json]) -> Vec<&str> {
    let mut names: Vec<&str> = spans(lines).into_iter().map(|span| span["name"].as_str().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn r07_r08_an_empty_request_and_a_full_success_are_answered_with_nothing() {
    let sluicebox = Sluicebox::run(&to_files(""));
    let client = GrpcClient::connect(&sluicebox).await;
    for signal in Signal::ALL {
        assert!(client.export(signal, vec![]).await.unwrap().is_empty());
        let answer = post_protobuf(&sluicebox, signal, vec![]).await;
        assert_eq!((answer.status, answer.header("content-type"), answer.body.len()), (200, PROTOBUF, 0));
        let answer = post_json(&sluicebox, signal, "{}").await;
        assert_eq!((answer.status, answer.header("content-type"), answer.json()), (200, JSON, json!({})));
    }
    assert!(client.export(Signal::Traces, encoded_spans("a", 3)).await.unwrap().is_empty());
    assert_eq!(names(&written(sluicebox, Signal::Traces)), ["a-0", "a-1", "a-2"]);
}

fn broken_spans() -> Vec<Span> {
    let mut broken = numbered("broken", 4);
    broken[0].trace_id = vec![0; 16];
    broken[1].trace_id = vec![1; 8];
    broken[2].span_id = vec![];
    broken[3].parent_span_id = vec![1; 3];
    broken
}

#[tokio::test(flavor = "multi_thread")]
async fn r09_r10_r38_broken_spans_are_rejected_alone_and_counted_exactly() {
    let sluicebox = Sluicebox::run(&to_files(""));
    let client = GrpcClient::connect(&sluicebox).await;
    let request = traces([numbered("grpc", 2), broken_spans()].concat());
    let answer = client.export(Signal::Traces, request.encode_to_vec()).await.unwrap();
    let partial = ExportTraceServiceResponse::decode(answer).unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 4);
    assert!(!partial.error_message.is_empty());

    let ids = |trace: &str, span: &str| json!({ "traceId": trace, "spanId": span, "name": "json" });
    let good = ids("5B8EFFF798038103D269B633813FC60C", "eee19b7ec3c1b174");
    let zero = ids("00000000000000000000000000000000", "eee19b7ec3c1b174");
    let short = ids("5b8efff7", "eee19b7ec3c1b174");
    let body = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [zero, good, short] }] }] });
    let answer = post_json(&sluicebox, Signal::Traces, body.to_string()).await;
    assert_eq!(answer.status, 200);
    let partial = &answer.json()["partialSuccess"];
    assert_eq!(partial["rejectedSpans"], "2", "{answer:?}");
    assert!(partial["errorMessage"].as_str().is_some_and(|message| !message.is_empty()));
    assert_eq!(names(&written(sluicebox, Signal::Traces)), ["grpc-0", "grpc-1", "json"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn r39_log_records_with_broken_ids_are_kept_without_them() {
    let sluicebox = Sluicebox::run(&to_files(""));
    let client = GrpcClient::connect(&sluicebox).await;
    let mut records = vec![log("good"), log("short"), log("zero")];
    records[1].trace_id = vec![1; 4];
    records[2].span_id = vec![0; 8];
    let answer = client.export(Signal::Logs, logs(records).encode_to_vec()).await.unwrap();
    assert!(ExportLogsServiceResponse::decode(answer).unwrap().partial_success.is_none());
    let record = json!({ "body": { "stringValue": "json" }, "traceId": "abcd", "spanId": "eee19b7ec3c1b174" });
    let body = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [record] }] }] });
    let answer = post_json(&sluicebox, Signal::Logs, body.to_string()).await;
    assert_eq!((answer.status, answer.json()), (200, json!({})));
    let lines = written(sluicebox, Signal::Logs);
    let associated: Vec<_> = log_records(&lines)
        .into_iter()
        .map(|record| {
            let has = |id: &str| record[id].as_str().is_some_and(|id| !id.is_empty());
            (record["body"]["stringValue"].as_str().unwrap(), has("traceId"), has("spanId"))
        })
        .collect();
    assert_eq!(
        associated,
        [("good", true, true), ("short", false, false), ("zero", false, false), ("json", false, false)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn r40_broken_points_are_rejected_alone_and_counted_exactly() {
    let sluicebox = Sluicebox::run(&to_files(""));
    let client = GrpcClient::connect(&sluicebox).await;
    let mut points = vec![point(1), point(2)];
    points[1].time_unix_nano = 0;
    let sum = Sum { data_points: vec![point(3), point(4)], aggregation_temporality: 0, is_monotonic: true };
    let buckets = |counts: Vec<u64>| HistogramDataPoint {
        time_unix_nano: NOW,
        count: 3,
        bucket_counts: counts,
        explicit_bounds: vec![1.0],
        ..HistogramDataPoint::default()
    };
    let data_points = vec![buckets(vec![1, 2]), buckets(vec![3]), buckets(vec![1, 1])];
    let histogram = Histogram { data_points, aggregation_temporality: 2 };
    let request = metrics(vec![
        gauge("load", points),
        metric("no temporality", metric::Data::Sum(sum)),
        metric("took", metric::Data::Histogram(histogram)),
    ]);
    let answer = client.export(Signal::Metrics, request.encode_to_vec()).await.unwrap();
    let partial = ExportMetricsServiceResponse::decode(answer).unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_data_points, 5);
    let points =
        json!([{ "asInt": "9", "timeUnixNano": "0" }, { "asInt": "9", "timeUnixNano": "1750000000000000000" }]);
    let body = json!({ "name": "json", "gauge": { "dataPoints": points } });
    let body = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [body] }] }] });
    let answer = post_json(&sluicebox, Signal::Metrics, body.to_string()).await;
    assert_eq!(answer.json()["partialSuccess"]["rejectedDataPoints"], "1");

    let lines = written(sluicebox, Signal::Metrics);
    let of = |line: &Json| line["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap().clone();
    let all: Vec<Json> = lines.iter().flat_map(of).collect();
    let kept: Vec<_> = all.iter().map(|metric| metric["name"].as_str().unwrap()).collect();
    assert_eq!(kept, ["load", "took", "json"], "a metric without points is left");
    assert_eq!(all[0]["gauge"]["dataPoints"].as_array().unwrap().len(), 1);
    assert_eq!(all[1]["histogram"]["dataPoints"][0]["bucketCounts"], json!(["1", "2"]));
    assert_eq!(all[1]["histogram"]["dataPoints"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn r13_r19_r25_r26_malformed_requests_are_refused_for_good() {
    let sluicebox = Sluicebox::run(&to_files(""));
    let client = GrpcClient::connect(&sluicebox).await;
    let whole = encoded_spans("a", 2);
    let cut = &whole[..whole.len() - 3];
    for malformed in [cut, &[0xff; 40], &[0x0a, 0x7f, 1], &[0x08, 1]] {
        let status = client.export(Signal::Traces, malformed.to_vec()).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{malformed:?}: {status:?}");
        assert!(status.get_details_retry_info().is_none());
        let answer = post_protobuf(&sluicebox, Signal::Traces, malformed.to_vec()).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, PROTOBUF));
        let status = tonic_types::pb::Status::decode(answer.body).unwrap();
        assert_eq!(status.code, Code::InvalidArgument as i32);
        assert!(!status.message.is_empty());
    }
    let bad_json = [
        "",
        "[]",
        "{",
        r#"{"resourceSpans": 1}"#,
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":"SERVER"}]}]}]}"#,
    ];
    for malformed in bad_json {
        let answer = post_json(&sluicebox, Signal::Traces, malformed).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, JSON), "{malformed}");
        assert_eq!(answer.json()["code"], 3);
        assert!(answer.json()["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
    assert_eq!(sluicebox.metric("sluicebox_receiver_requests_total", &["outcome=\"malformed\""]).await, 13.0);
    assert_eq!(written(sluicebox, Signal::Traces), Vec::<Json>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn r37_the_examples_come_out_as_they_went_in() {
    let sluicebox = Sluicebox::run(&to_files(""));
    for (signal, example) in EXAMPLES {
        let answer = post_json(&sluicebox, signal, example).await;
        assert_eq!((answer.status, answer.json()), (200, json!({})), "{signal}");
        let lines = sluicebox.wait_for_lines(signal.name(), |lines| !lines.is_empty());
        assert_eq!(lines.len(), 1);
        assert_same_request(signal, &lines[0].to_string(), example);
    }
    sluicebox.stop();
}

/// A field that no OTLP version has.
const UNKNOWN: u32 = 1000;

fn put(out: &mut Vec<u8>, number: u32, content: &[u8]) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(content.len() as u64, out);
    out.extend_from_slice(content);
}

/// A message with an unknown field before and one behind the known ones.
fn marked(known: &[u8], name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, UNKNOWN, format!("before {name}").as_bytes());
    out.extend_from_slice(known);
    put(&mut out, UNKNOWN, format!("behind {name}").as_bytes());
    out
}

/// The contents of a message's length-delimited fields of one number.
fn fields(mut message: &[u8], number: u32) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let (tag, wire_type) = decode_key(&mut message).unwrap();
        let length = match wire_type {
            WireType::LengthDelimited => decode_varint(&mut message).unwrap() as usize,
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            _ => decode_varint(&mut message).map(|_| 0).unwrap(),
        };
        let (content, rest) = message.split_at(length);
        if tag == number && wire_type == WireType::LengthDelimited {
            found.push(content.to_vec());
        }
        message = rest;
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn r43_r45_unknown_fields_survive_a_chain_that_edits() {
    let peer = Peer::start(Mood::content()).await;
    let sluicebox = Sluicebox::run(&format!(
        "
receivers:
  otlp: {{ protocols: {{ grpc: {{ endpoint: '127.0.0.1:0' }} }} }}
processors:
  drop-probes: {{ plugin: drop, limits: {{ deadline: 5s }}, config: {{ span.name: probe }} }}
  tidy:
    plugin: attributes
    limits: {{ deadline: 5s }}
    config:
      actions:
        - {{ set: 'span.attributes[\"team\"]', value: gold }}
        - {{ delete: 'span.attributes[\"http.route\"]' }}
        - {{ set: 'resource.attributes[\"region\"]', value: north }}
exporters:
  otlp: {{ endpoint: '{}', batch: {{ timeout: 10ms }} }}
service:
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  pipelines:
    traces: {{ receivers: [otlp], processors: [drop-probes, tidy], exporters: [otlp] }}
",
        peer.url()
    ));
    let resource = text("service.name", "shop");
    let mut resource_bytes = Vec::new();
    put(&mut resource_bytes, 1, &marked(&resource.encode_to_vec(), "attribute"));
    let mut scope = Vec::new();
    put(&mut scope, 1, b"library");
    let kept = Span { flags: 0xdead_b300, ..span("work") };
    let mut scope_spans = Vec::new();
    put(&mut scope_spans, 1, &marked(&scope, "scope"));
    put(&mut scope_spans, 2, &marked(&span("probe").encode_to_vec(), "probe"));
    put(&mut scope_spans, 2, &marked(&kept.encode_to_vec(), "span"));
    let mut resource_spans = Vec::new();
    put(&mut resource_spans, 1, &marked(&resource_bytes, "resource"));
    put(&mut resource_spans, 2, &marked(&scope_spans, "scope spans"));
    let mut request = Vec::new();
    put(&mut request, 1, &marked(&resource_spans, "resource spans"));
    let client = GrpcClient::connect(&sluicebox).await;
    client.export(Signal::Traces, marked(&request, "request")).await.unwrap();
    peer.wait_for_spans(1);

    let request = peer.taken().remove(0);
    let one = |message: &[u8], number| {
        let mut found = fields(message, number);
        assert_eq!(found.len(), 1, "field {number}");
        found.remove(0)
    };
    let resource_spans = one(&request, 1);
    let scope_spans = one(&resource_spans, 2);
    let resource = one(&resource_spans, 1);
    let places = [
        (request.to_vec(), "request"),
        (resource_spans.clone(), "resource spans"),
        (fields(&resource, 1).remove(0), "attribute"),
        (resource, "resource"),
        (scope_spans.clone(), "scope spans"),
        (one(&scope_spans, 1), "scope"),
        (one(&scope_spans, 2), "span"),
    ];
    for (message, name) in places {
        let expected = [format!("before {name}").into_bytes(), format!("behind {name}").into_bytes()];
        assert_eq!(fields(&message, UNKNOWN), expected, "{name}");
    }
    // What is known is as it was, and as it was edited.
    let known = ExportTraceServiceRequest::decode(&request[..]).unwrap();
    let expected = Span { attributes: vec![text("team", "gold")], ..kept };
    assert_eq!(known.resource_spans[0].scope_spans[0].spans, [expected]);
    let resource = known.resource_spans[0].resource.as_ref().unwrap();
    assert_eq!(resource.attributes, [text("service.name", "shop"), text("region", "north")]);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f22_spans_that_are_posted_to_the_path_of_metrics_are_refused() {
    let sluicebox = Sluicebox::run(&to_files(""));
    let client = GrpcClient::connect(&sluicebox).await;
    let bytes = encoded_spans("a", 3);
    let answer = post_protobuf(&sluicebox, Signal::Metrics, bytes.clone()).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let status = client.export(Signal::Metrics, bytes).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(written(sluicebox, Signal::Metrics), Vec::<Json>::new());
}

fn nested(depth: usize) -> AnyValue {
    let innermost = AnyValue { value: Some(Value::IntValue(1)) };
    (0..depth)
        .fold(innermost, |inner, _| AnyValue { value: Some(Value::ArrayValue(ArrayValue { values: vec![inner] })) })
}

fn with_value(name: &str, value: AnyValue) -> Vec<u8> {
    let attribute = KeyValue { key: "deep".to_owned(), value: Some(value), key_strindex: 0 };
    traces(vec![Span { attributes: vec![attribute], ..span(name) }]).encode_to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn f06_values_may_be_as_deep_as_the_pipeline_file_says() {
    let sluicebox = Sluicebox::run(&to_files("max_value_depth: 4"));
    let client = GrpcClient::connect(&sluicebox).await;
    client.export(Signal::Traces, with_value("deep enough", nested(4))).await.unwrap();
    let status = client.export(Signal::Traces, with_value("too deep", nested(5))).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let json = |depth: usize| {
        let value =
            (0..depth).fold(json!({ "intValue": "1" }), |inner, _| json!({ "arrayValue": { "values": [inner] } }));
        let attribute = json!({ "key": "deep", "value": value });
        let ids = ("5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174");
        let span = json!({ "traceId": ids.0, "spanId": ids.1, "name": "json", "attributes": [attribute] });
        json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span] }] }] }).to_string()
    };
    let answer = post_json(&sluicebox, Signal::Traces, json(4)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(post_json(&sluicebox, Signal::Traces, json(5)).await.status, 400);
    // Far beyond any stack.
    let bomb = "{\"arrayValue\":{\"values\":[".repeat(200_000);
    let bomb = format!("{{\"resourceSpans\":[{{\"resource\":{{\"attributes\":[{{\"key\":\"k\",\"value\":{bomb}");
    assert_eq!(post_json(&sluicebox, Signal::Traces, bomb).await.status, 400);
    assert_eq!(names(&written(sluicebox, Signal::Traces)), ["deep enough", "json"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn f10_attributes_may_be_as_many_and_as_large_as_the_pipeline_file_says() {
    let sluicebox = Sluicebox::run(&to_files("max_attributes: 8, max_attribute_bytes: 1KiB"));
    let client = GrpcClient::connect(&sluicebox).await;
    let many = |count: usize| (0..count).map(|number| text(&number.to_string(), "x")).collect();
    let spans = vec![
        Span { attributes: many(8), ..span("enough") },
        Span { attributes: many(100_000), ..span("too many") },
        Span { attributes: vec![text("large", &"x".repeat(10 << 20))], ..span("too large") },
    ];
    let answer = client.export(Signal::Traces, traces(spans).encode_to_vec()).await.unwrap();
    let partial = ExportTraceServiceResponse::decode(answer).unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 2);
    assert!(partial.error_message.contains("attribute"), "{}", partial.error_message);
    assert_eq!(names(&written(sluicebox, Signal::Traces)), ["enough"]);
}

/// Peak of the memory of a process, in KiB.
fn peak_kib(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// So much of nothing, as gzip.
fn bomb(bytes: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let block = vec![0; 1 << 20];
    (0..bytes / block.len()).for_each(|_| encoder.write_all(&block).unwrap());
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn r03_r04_f01_a_gzip_bomb_is_refused_within_the_limit_of_memory() {
    let sluicebox = Sluicebox::run(&to_files("max_request_bytes: 4MiB"));
    let client = GrpcClient::connect(&sluicebox).await;
    let zipped: Bytes = bomb(512 << 20).into();
    let headers = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    // Everything that a request needs once is there.
    client.export_compressed(Signal::Traces, encoded_spans("a", 1), CompressionEncoding::Gzip).await.unwrap();
    assert_eq!(post(&sluicebox, "/v1/traces", &headers, bomb(8 << 20)).await.status, 413);
    let before = peak_kib(sluicebox.id());
    for _ in 0..4 {
        let answer = post(&sluicebox, "/v1/traces", &headers, zipped.clone()).await;
        assert_eq!(answer.status, 413, "{answer:?}");
        let message: Bytes = vec![0; 64 << 20].into();
        let status = client.export_compressed(Signal::Traces, message, CompressionEncoding::Gzip).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.get_details_retry_info().is_none());
    }
    let grown = peak_kib(sluicebox.id()).saturating_sub(before);
    assert!(grown <= (4 + 8) << 10, "grew by {grown} KiB");
    assert_eq!(names(&written(sluicebox, Signal::Traces)), ["a-0"]);
}
