//! How pipelines are put together: several of them, several ends, chains of processes, and who acknowledges when.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use sluicebox::data::Signal;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::client::{GrpcClient, post_json, post_protobuf};
use crate::harness::{Sluicebox, eventually, free_address, log_records, spans};
use crate::peer::{Mood, Peer};
use crate::requests::{encoded_spans, log, logs, span, traces};

/// What every file of this module has.
const RECEIVER: &str = "
receivers:
  otlp: { protocols: { grpc: { endpoint: '127.0.0.1:0' }, http: { endpoint: '127.0.0.1:0' } } }
";

fn names(lines: &[Json]) -> Vec<&str> {
    spans(lines).into_iter().map(|span| span["name"].as_str().unwrap()).collect()
}

fn sorted(names: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn one_receiver_feeds_several_pipelines_each_with_its_own_chain() {
    let sluicebox = Sluicebox::run(&format!(
        "{RECEIVER}
processors:
  drop-probes: {{ plugin: drop, limits: {{ deadline: 5s }}, config: {{ span.name: probe }} }}
exporters:
  file/all: {{ path: all.jsonl }}
  file/real: {{ path: real.jsonl }}
service:
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  pipelines:
    traces/all: {{ receivers: [otlp], exporters: [file/all] }}
    traces/real: {{ receivers: [otlp], processors: [drop-probes], exporters: [file/real] }}
"
    ));
    let client = GrpcClient::connect(&sluicebox).await;
    let request = traces(vec![span("probe"), span("work"), span("probe")]).encode_to_vec();
    assert!(client.export(Signal::Traces, request).await.unwrap().is_empty());
    let all = sluicebox.wait_for_lines("all.jsonl", |lines| spans(lines).len() >= 3);
    assert_eq!(sorted(names(&all)), ["probe", "probe", "work"]);
    let real = sluicebox.wait_for_lines("real.jsonl", |lines| !lines.is_empty());
    assert_eq!(names(&real), ["work"]);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_files_runs_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("pipelines");
    fs::create_dir(&files).unwrap();
    let shared = format!("{RECEIVER}service: {{ telemetry: {{ endpoint: '127.0.0.1:0' }} }}\n");
    fs::write(files.join("00-shared.yaml"), shared).unwrap();
    let team = |signal: &str, path: &str| {
        format!(
            "exporters: {{ file/{signal}: {{ path: ../{path} }} }}
service: {{ pipelines: {{ {signal}: {{ receivers: [otlp], exporters: [file/{signal}] }} }} }}
"
        )
    };
    fs::write(files.join("traces.yaml"), team("traces", "traces.jsonl")).unwrap();
    fs::write(files.join("logs.yml"), team("logs", "logs.jsonl")).unwrap();
    fs::write(files.join("notes.txt"), "{{{ no pipeline").unwrap();
    let sluicebox = Sluicebox::run_in(folder, &["pipelines"]);
    let client = GrpcClient::connect(&sluicebox).await;
    client.export(Signal::Traces, encoded_spans("a", 1)).await.unwrap();
    client.export(Signal::Logs, logs(vec![log("hello")]).encode_to_vec()).await.unwrap();
    assert_eq!(names(&sluicebox.wait_for_lines("traces.jsonl", |lines| !lines.is_empty())), ["a-0"]);
    let lines = sluicebox.wait_for_lines("logs.jsonl", |lines| !lines.is_empty());
    assert_eq!(log_records(&lines)[0]["body"]["stringValue"], "hello");
    // No file has a pipeline for metrics.
    let status = client.export(Signal::Metrics, vec![]).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
    sluicebox.stop();
}

/// A pipeline to a file, behind a queue, and to a backend.
fn file_and_backend(backend: &str, settings: &str) -> String {
    format!(
        "{RECEIVER}
exporters:
  file: {{ path: kept.jsonl }}
  otlp/backend: {{ endpoint: '{backend}', batch: {{ timeout: 10ms }}, {settings} }}
service:
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  pipelines:
    traces: {{ receivers: [otlp], exporters: [file, otlp/backend] }}
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn r50_ok_comes_only_when_every_destination_has_taken_charge() {
    let peer = Peer::start(Mood::Hesitates).await;
    let sluicebox = Sluicebox::run(&file_and_backend(&peer.url(), "queue: none, timeout: 5m"));
    let client = GrpcClient::connect(&sluicebox).await;
    let mut call = tokio::spawn(async move { client.export(Signal::Traces, encoded_spans("a", 3)).await });
    // The file has the records, the backend has not answered.
    sluicebox.wait_for_lines("kept.jsonl", |lines| spans(lines).len() == 3);
    let early = tokio::time::timeout(Duration::from_millis(300), &mut call).await;
    assert!(early.is_err(), "an OK that came too early: {early:?}");
    peer.becomes(Mood::content());
    assert!(call.await.unwrap().unwrap().is_empty());
    assert_eq!(peer.wait_for_spans(3).len(), 3);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn r16_r27_r50_a_full_destination_refuses_and_leaves_no_duplicates_at_the_other() {
    // Nobody listens there, for now.
    let address = free_address();
    let settings = "queue: { memory: 2KiB }, retry_on_failure: { initial_interval: 100ms, max_interval: 200ms }";
    let sluicebox = Sluicebox::run(&file_and_backend(&format!("http://{address}"), settings));
    let client = GrpcClient::connect(&sluicebox).await;
    let mut taken = Vec::new();
    let status = loop {
        let prefix = format!("r{}", taken.len());
        match client.export(Signal::Traces, encoded_spans(&prefix, 1)).await {
            Ok(_) => taken.push(format!("{prefix}-0")),
            Err(status) => break status,
        }
        assert!(taken.len() < 100, "a queue of 2 KiB took a hundred requests");
    };
    assert!(!taken.is_empty());
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("otlp/backend"), "{status:?}");
    assert!(status.get_details_retry_info().unwrap().retry_delay.unwrap() >= Duration::from_millis(1));
    let answer = post_protobuf(&sluicebox, Signal::Traces, encoded_spans("refused", 1)).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1);
    assert!(
        sluicebox.metric("otelcol_exporter_enqueue_failed_spans_total", &["exporter=\"otlp/backend\""]).await >= 2.0
    );
    assert_eq!(sluicebox.metric("otelcol_receiver_refused_spans_total", &[]).await, 2.0);

    // The backend comes: everything acknowledged arrives, and what was refused can be sent again.
    let peer = Peer::start_on(&address, Mood::content()).await;
    peer.wait_for_spans(taken.len());
    // A moment may pass until the backend's answer has made room.
    while let Err(status) = client.export(Signal::Traces, encoded_spans("again", 1)).await {
        assert_eq!(status.code(), Code::Unavailable);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    taken.push("again-0".to_owned());
    let arrived = peer.wait_for_spans(taken.len());
    assert_eq!(arrived, taken.iter().cloned().collect::<BTreeSet<_>>());
    let (_, folder) = sluicebox.stop();
    let kept = fs::read_to_string(folder.path().join("kept.jsonl")).unwrap();
    let lines: Vec<Json> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(sorted(names(&lines)), sorted(taken));
    assert_eq!(peer.span_names().len(), arrived.len(), "the drain sent something twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_without_a_queue_acknowledges_on_delivery() {
    let peer = Peer::start(Mood::Refuses(Status::unavailable("not now"))).await;
    let pipeline = format!(
        "{RECEIVER}
exporters:
  otlp/backend: {{ endpoint: '{}', queue: none, batch: {{ timeout: 10ms }}, retry_on_failure: {{ enabled: false }} }}
service:
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  pipelines:
    traces: {{ receivers: [otlp], exporters: [otlp/backend] }}
",
        peer.url()
    );
    let sluicebox = Sluicebox::run(&pipeline);
    let client = GrpcClient::connect(&sluicebox).await;
    let status = client.export(Signal::Traces, encoded_spans("a", 2)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.get_details_retry_info().is_some());
    let answer = post_protobuf(&sluicebox, Signal::Traces, encoded_spans("a", 2)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    // Nothing was lost: the client has it still.
    assert_eq!(sluicebox.metric("sluicebox_dropped_records_total", &[]).await, 0.0);

    peer.becomes(Mood::content());
    client.export(Signal::Traces, encoded_spans("a", 2)).await.unwrap();
    assert_eq!(peer.span_names(), ["a-0", "a-1"], "not delivered when OK came");

    // Refused for good: to come again would not help, so the client hears OK, and the loss is counted.
    peer.becomes(Mood::Refuses(Status::invalid_argument("no")));
    client.export(Signal::Traces, encoded_spans("b", 2)).await.unwrap();
    let labels = ["component=\"otlp/backend\"", "reason=\"refused_by_peer\""];
    assert_eq!(sluicebox.metric("sluicebox_dropped_records_total", &labels).await, 2.0);
    sluicebox.stop();
}

#[test]
fn a_replay_ends_by_itself_when_everything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let line = |number| serde_json::to_string(&traces(vec![span(&format!("span-{number}"))])).unwrap();
    let input: Vec<String> = (0..500).map(line).collect();
    fs::write(folder.path().join("input.jsonl"), input.join("\n")).unwrap();
    fs::write(folder.path().join("traces.pb"), {
        let request = encoded_spans("binary", 2);
        let mut framed = Vec::new();
        prost::encoding::encode_varint(request.len() as u64, &mut framed);
        [framed, request].concat()
    })
    .unwrap();
    let pipeline = "
receivers: { replay: { paths: [input.jsonl, traces.pb] } }
exporters: { file: { path: output.jsonl, batch: { timeout: 1h, min_records: 1000000 } } }
service:
  telemetry: { endpoint: none }
  pipelines: { traces: { receivers: [replay], exporters: [file] } }
";
    fs::write(folder.path().join("pipeline.yaml"), pipeline).unwrap();
    let (status, log, folder) = Sluicebox::spawn_in(folder, &["pipeline.yaml"]).wait();
    assert!(status.success(), "{status}: {}", log.join("\n"));
    let output = fs::read_to_string(folder.path().join("output.jsonl")).unwrap();
    let lines: Vec<Json> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: BTreeSet<&str> = names(&lines).into_iter().collect();
    assert_eq!((spans(&lines).len(), names.len()), (502, 502));
}

/// Every example goes through two processes, and comes out as it was.
async fn chain_of_two(exporter: &str, transport: &str, settings: &str) {
    let last = Sluicebox::run(&format!(
        "{RECEIVER}
exporters: {{ file/t: {{ path: traces }}, file/m: {{ path: metrics }}, file/l: {{ path: logs }} }}
service:
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  pipelines:
    traces: {{ receivers: [otlp], exporters: [file/t] }}
    metrics: {{ receivers: [otlp], exporters: [file/m] }}
    logs: {{ receivers: [otlp], exporters: [file/l] }}
"
    ));
    let address = last.address("otlp", transport);
    let ends = "{ receivers: [otlp], exporters: [next] }".replace("next", exporter);
    let first = Sluicebox::run(&format!(
        "{RECEIVER}
exporters: {{ {exporter}: {{ endpoint: 'http://{address}', batch: {{ timeout: 10ms }}, {settings} }} }}
service:
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  pipelines: {{ traces: {ends}, metrics: {ends}, logs: {ends} }}
"
    ));
    for (signal, example) in EXAMPLES {
        let answer = post_json(&first, signal, example).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let lines = last.wait_for_lines(signal.name(), |lines| !lines.is_empty());
        assert_eq!(lines.len(), 1);
        assert_same_request(signal, &lines[0].to_string(), example);
    }
    let transport = format!("transport=\"{transport}\"");
    let labels = ["outcome=\"ok\"", &transport];
    // What is in the file may be there before its client is answered, and before that is counted.
    eventually("three requests", async || match last.metric("sluicebox_receiver_requests_total", &labels).await {
        3.0 => Ok(()),
        requests => Err(format!("{requests}")),
    })
    .await;
    first.stop();
    last.stop();
}

/// The examples of opentelemetry-proto.
pub const EXAMPLES: [(Signal, &str); 3] = [
    (Signal::Traces, include_str!("../data/trace.json")),
    (Signal::Metrics, include_str!("../data/metrics.json")),
    (Signal::Logs, include_str!("../data/logs.json")),
];

/// Holds two requests in OTLP/JSON against each other, read by opentelemetry-proto.
pub fn assert_same_request(signal: Signal, found: &str, expected: &str) {
    fn same<T: DeserializeOwned + PartialEq + std::fmt::Debug>(found: &str, expected: &str) {
        assert_eq!(serde_json::from_str::<T>(found).unwrap(), serde_json::from_str::<T>(expected).unwrap());
    }
    match signal {
        Signal::Traces => same::<ExportTraceServiceRequest>(found, expected),
        Signal::Metrics => same::<ExportMetricsServiceRequest>(found, expected),
        Signal::Logs => same::<ExportLogsServiceRequest>(found, expected),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r01_a_chain_over_grpc_with_zstd() {
    chain_of_two("otlp", "grpc", "compression: zstd").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r22_a_chain_over_http_with_gzip() {
    chain_of_two("otlphttp", "http", "compression: gzip").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r19_e30_a_chain_over_http_with_gzip_and_json() {
    chain_of_two("otlphttp", "http", "compression: gzip, encoding: json").await;
}
