//! The accounting law, read from outside: received = delivered + queued + rejected + dropped{component, reason}.

use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use serde_json::{Value as Json, json};
use sluicebox::data::Signal;
use tonic::Status;

use crate::client::GrpcClient;
use crate::harness::{PATIENCE, Sluicebox, eventually, sum};
use crate::peer::{Mood, Peer};
use crate::requests::{encoded_spans, gauge, log, logs, metrics, numbered, point, span, traces};

const PIPELINE: &str = "
receivers:
  otlp: { protocols: { grpc: { endpoint: '127.0.0.1:0' } } }
processors:
  drop-probes: { plugin: drop, limits: { deadline: 5s }, config: { span.name: { prefix: probe } } }
  drop-debug: { plugin: drop, limits: { deadline: 5s }, config: { log.severity_number: { lt: 9 } } }
  drop-idle: { plugin: drop, limits: { deadline: 5s }, config: { datapoint.value: 0 } }
  count-again: { plugin: drop, limits: { deadline: 5s }, config: { span.name: nobody } }
exporters:
  file: { path: kept.jsonl }
service:
  telemetry: { endpoint: '127.0.0.1:0' }
  pipelines:
    traces: { receivers: [otlp], processors: [drop-probes, count-again], exporters: [file] }
    metrics: { receivers: [otlp], processors: [drop-idle], exporters: [file] }
    logs: { receivers: [otlp], processors: [drop-debug], exporters: [file] }
";

/// Waits until nothing is queued; the answer is the account of a signal on `/status`.
async fn settled(sluicebox: &Sluicebox, signal: Signal) -> Json {
    let waiting = async {
        while sluicebox.metric("sluicebox_exporter_queue_records", &[]).await > 0.0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    let mut account = sluicebox.status().await["accounting"][signal.name()].clone();
    // Reasons that never came up are there with 0, or not at all.
    account["dropped"].as_object_mut().unwrap().retain(|_, count| *count != 0);
    account
}

/// The law for one pipeline with one exporter, in the metrics. For a moment records may be seen on both sides of a step:
/// what was delivered is counted before its place in the queue is given back.
async fn assert_law(sluicebox: &Sluicebox, signal: Signal) {
    let records = signal.records();
    let signal_label = format!("signal=\"{}\"", signal.name());
    eventually("the law", async || {
        let page = sluicebox.admin_get("/metrics").await;
        let all = |name: &str| sum(&page, name, &[]);
        let accepted = all(&format!("otelcol_receiver_accepted_{records}_total"));
        let sent = all(&format!("otelcol_exporter_sent_{records}_total"));
        let rejected = all(&format!("sluicebox_exporter_rejected_{records}_total"));
        let dropped = sum(&page, "sluicebox_dropped_records_total", &[&signal_label]);
        let queued = all("sluicebox_exporter_queue_records");
        let holds = accepted == sent + queued + rejected + dropped;
        if holds { Ok(()) } else { Err(format!("{accepted} = {sent} + {queued} + {rejected} + {dropped}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_span_is_accounted_for() {
    let sluicebox = Sluicebox::run(PIPELINE);
    let client = GrpcClient::connect(&sluicebox).await;
    for round in 0..10 {
        let mut spans = numbered(&format!("work-{round}"), 6);
        spans.extend(numbered("probe", 3));
        spans.push(span("broken"));
        spans[9].span_id.clear();
        client.export(Signal::Traces, traces(spans).encode_to_vec()).await.unwrap();
    }
    let account = settled(&sluicebox, Signal::Traces).await;
    let expected = json!({
        "accepted": 90, "refused": 0, "rejected": 10, "recovered": 0, "kept": 0, "delivered": 60, "given_up": 0,
        "rejected_by_peers": 0, "dropped": { "filtered": 30 }, "dropped_by": { "drop-probes": { "filtered": 30 } },
    });
    assert_eq!(account, expected);
    assert_law(&sluicebox, Signal::Traces).await;
    let labels = ["signal=\"traces\"", "component=\"drop-probes\"", "reason=\"filtered\""];
    assert_eq!(sluicebox.metric("sluicebox_dropped_records_total", &labels).await, 30.0);
    let partial = ["receiver=\"otlp\"", "transport=\"grpc\"", "outcome=\"partial\""];
    assert_eq!(sluicebox.metric("sluicebox_receiver_requests_total", &partial).await, 10.0);
    let (_, folder) = sluicebox.stop();
    let kept = std::fs::read_to_string(folder.path().join("kept.jsonl")).unwrap();
    assert_eq!((kept.matches("\"work-").count(), kept.matches("\"name\":\"probe").count()), (60, 0));
    assert!(!kept.contains("broken"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_data_point_and_log_record_is_accounted_for() {
    let sluicebox = Sluicebox::run(PIPELINE);
    let client = GrpcClient::connect(&sluicebox).await;
    let mut points = vec![point(0), point(5), point(0), point(7)];
    points[3].time_unix_nano = 0;
    client.export(Signal::Metrics, metrics(vec![gauge("load", points)]).encode_to_vec()).await.unwrap();
    let mut records = vec![log("a"), log("b"), log("c")];
    records[1].severity_number = 5;
    client.export(Signal::Logs, logs(records).encode_to_vec()).await.unwrap();

    let points = settled(&sluicebox, Signal::Metrics).await;
    assert_eq!((&points["accepted"], &points["rejected"], &points["delivered"]), (&json!(3), &json!(1), &json!(1)));
    assert_eq!(points["dropped"], json!({ "filtered": 2 }));
    let records = settled(&sluicebox, Signal::Logs).await;
    assert_eq!((&records["accepted"], &records["rejected"], &records["delivered"]), (&json!(3), &json!(0), &json!(2)));
    assert_eq!(records["dropped"], json!({ "filtered": 1 }));
    assert_law(&sluicebox, Signal::Metrics).await;
    assert_law(&sluicebox, Signal::Logs).await;
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_stage_counts_in_and_out_under_its_plugins_version() {
    let sluicebox = Sluicebox::run(PIPELINE);
    let client = GrpcClient::connect(&sluicebox).await;
    for _ in 0..5 {
        let spans = [numbered("work", 2), numbered("probe", 1)].concat();
        client.export(Signal::Traces, traces(spans).encode_to_vec()).await.unwrap();
    }
    let status = sluicebox.status().await;
    let stages = status["pipelines"].as_array().unwrap().iter().find(|pipeline| pipeline["id"] == "traces").unwrap();
    let version = stages["stages"][0]["version"].as_str().unwrap();
    assert!(version.starts_with(char::is_numeric), "{version}");
    let version = format!("plugin_version=\"{version}\"");
    for (stage, incoming, outgoing) in [("drop-probes", 15.0, 10.0), ("count-again", 10.0, 10.0)] {
        let stage = format!("processor=\"{stage}\"");
        let labels = ["pipeline=\"traces\"", "plugin=\"drop\"", &stage, &version];
        assert_eq!(sluicebox.metric("otelcol_processor_incoming_items_total", &labels).await, incoming);
        assert_eq!(sluicebox.metric("otelcol_processor_outgoing_items_total", &labels).await, outgoing);
        assert_eq!(sluicebox.metric("sluicebox_plugin_calls_total", &labels).await, 5.0);
        assert_eq!(sluicebox.metric("sluicebox_plugin_call_duration_seconds_count", &labels).await, 5.0);
        let all = [&labels[..], &["le=\"+Inf\""]].concat();
        assert_eq!(sluicebox.metric("sluicebox_plugin_call_duration_seconds_bucket", &all).await, 5.0);
        assert!(sluicebox.metric("sluicebox_plugin_call_duration_seconds_sum", &labels).await > 0.0);
        assert_eq!(sluicebox.metric("sluicebox_plugin_faults_total", &labels).await, 0.0);
    }
    sluicebox.stop();
}

fn to_backend(peer: &Peer) -> String {
    format!(
        "
receivers:
  otlp: {{ protocols: {{ grpc: {{ endpoint: '127.0.0.1:0' }} }} }}
exporters:
  otlp/backend:
    endpoint: '{}'
    batch: {{ timeout: 10ms }}
    retry_on_failure: {{ initial_interval: 50ms, max_interval: 100ms }}
service:
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  pipelines:
    traces: {{ receivers: [otlp], exporters: [otlp/backend] }}
",
        peer.url()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_backend_is_queued_and_then_delivered() {
    let peer = Peer::start(Mood::Refuses(Status::unavailable("later"))).await;
    let sluicebox = Sluicebox::run(&to_backend(&peer));
    let client = GrpcClient::connect(&sluicebox).await;
    client.export(Signal::Traces, encoded_spans("a", 20)).await.unwrap();
    assert_eq!(sluicebox.metric("sluicebox_exporter_queue_records", &["exporter=\"otlp/backend\""]).await, 20.0);
    assert!(sluicebox.metric("otelcol_exporter_queue_size", &[]).await > 0.0);
    assert_law(&sluicebox, Signal::Traces).await;
    assert_eq!(sluicebox.status().await["exporters"][0]["queue_records"], 20);
    peer.becomes(Mood::content());
    peer.wait_for_spans(20);
    let account = settled(&sluicebox, Signal::Traces).await;
    assert_eq!((&account["accepted"], &account["delivered"]), (&json!(20), &json!(20)));
    assert_law(&sluicebox, Signal::Traces).await;
    assert_eq!(sluicebox.metric("otelcol_exporter_queue_size", &[]).await, 0.0);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn e08_e09_what_a_backend_rejects_or_refuses_is_counted_and_not_sent_again() {
    let partial = ExportTracePartialSuccess { rejected_spans: 4, error_message: "too old".to_owned() };
    let answer = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let peer = Peer::start(Mood::Takes(Bytes::from(answer))).await;
    let sluicebox = Sluicebox::run(&to_backend(&peer));
    let client = GrpcClient::connect(&sluicebox).await;
    client.export(Signal::Traces, encoded_spans("a", 10)).await.unwrap();
    peer.wait_for_spans(10);
    let account = settled(&sluicebox, Signal::Traces).await;
    assert_eq!((&account["delivered"], &account["rejected_by_peers"]), (&json!(6), &json!(4)));
    assert_law(&sluicebox, Signal::Traces).await;
    assert!(sluicebox.wait_for_log("too old").contains("rejected=4"));

    peer.becomes(Mood::Refuses(Status::invalid_argument("no such tenant")));
    client.export(Signal::Traces, encoded_spans("b", 5)).await.unwrap();
    sluicebox.wait_for_log("no such tenant");
    let account = settled(&sluicebox, Signal::Traces).await;
    assert_eq!((&account["given_up"], &account["dropped"]), (&json!(5), &json!({ "refused_by_peer": 5 })));
    assert_law(&sluicebox, Signal::Traces).await;
    let attempts = sluicebox.metric("sluicebox_exporter_attempts_total", &["exporter=\"otlp/backend\""]).await;
    assert_eq!(attempts, 2.0);
    assert_eq!(sluicebox.metric("sluicebox_exporter_attempt_duration_seconds_count", &[]).await, 2.0);
    assert_eq!(peer.taken().len(), 1);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sampler_drops_is_accounted_for_by_its_reason() {
    let sluicebox = Sluicebox::run(
        "
receivers:
  otlp: { protocols: { grpc: { endpoint: '127.0.0.1:0' } } }
processors:
  sample: { limits: { deadline: 5s }, config: { rate: 0.5, services: { noisy: 0 } } }
exporters:
  file: { path: kept.jsonl }
service:
  telemetry: { endpoint: '127.0.0.1:0' }
  pipelines:
    traces: { receivers: [otlp], processors: [sample], exporters: [file] }
",
    );
    let client = GrpcClient::connect(&sluicebox).await;
    // Each a trace of its own, with the random bits at the end; every tenth has failed.
    let mut spans = numbered("work", 1000);
    for (number, span) in spans.iter_mut().enumerate() {
        let random = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        span.trace_id[8..].copy_from_slice(&random.to_be_bytes());
        if number % 10 == 0 {
            span.status = Some(opentelemetry_proto::tonic::trace::v1::Status { code: 2, message: String::new() });
        }
    }
    client.export(Signal::Traces, traces(spans).encode_to_vec()).await.unwrap();
    let account = settled(&sluicebox, Signal::Traces).await;
    let (delivered, sampled) = (&account["delivered"], &account["dropped"]["sampled"]);
    let (delivered, sampled) = (delivered.as_u64().unwrap(), sampled.as_u64().unwrap());
    assert_eq!((&account["accepted"], delivered + sampled), (&json!(1000), 1000));
    assert_law(&sluicebox, Signal::Traces).await;
    let decisions = async |labels: &[&str]| sluicebox.metric("sluicebox_sampler_decisions_total", labels).await as u64;
    assert_eq!(decisions(&["reason=\"error\"", "decision=\"kept\""]).await, 100);
    assert_eq!(decisions(&["reason=\"error\"", "decision=\"dropped\""]).await, 0);
    let kept = decisions(&["reason=\"base\"", "decision=\"kept\""]).await;
    assert_eq!(decisions(&["reason=\"base\"", "decision=\"dropped\""]).await, sampled);
    assert_eq!((kept + 100, kept + sampled), (delivered, 900));
    assert!((400..500).contains(&kept), "{kept} of 900 at a rate of a half");
    let (_, folder) = sluicebox.stop();
    let written = std::fs::read_to_string(folder.path().join("kept.jsonl")).unwrap();
    assert_eq!(written.matches("\"traceState\":\"ot=th:8\"").count() as u64, kept, "spans with the sampling threshold");
}

#[tokio::test(flavor = "multi_thread")]
async fn f21_a_client_that_vanishes_leaves_the_account_in_order() {
    let peer = Peer::start(Mood::Hesitates).await;
    let sluicebox = Sluicebox::run(&to_backend(&peer).replace("batch: { timeout", "queue: none\n    batch: { timeout"));
    let client = GrpcClient::connect(&sluicebox).await;
    let call = tokio::spawn(async move { client.export(Signal::Traces, encoded_spans("a", 5)).await });
    peer.wait_for_spans(5);
    call.abort();
    let _ = call.await;
    peer.becomes(Mood::content());
    settled(&sluicebox, Signal::Traces).await;
    assert_law(&sluicebox, Signal::Traces).await;
    sluicebox.stop();
}
