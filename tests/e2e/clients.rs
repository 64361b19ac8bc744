//! What exporters show and demand: TLS with rotating certificates, credentials, and that no secret is ever shown.

mod authentication;
mod environment;
mod papers;
mod rotation;
mod secrets;
mod server;
mod tls;

use std::fs;

use sluicebox::data::Signal;
use tempfile::TempDir;

use crate::client::GrpcClient;
use crate::harness::{PATIENCE, Sluicebox};
use crate::requests::encoded_spans;

/// A pipeline for traces into exporters, each with settings of its own beside those that make tests quick.
fn pipeline(exporters: &[(&str, &str)]) -> String {
    let quick = "batch: { timeout: 10ms }, retry_on_failure: { initial_interval: 50ms, max_interval: 100ms }";
    let each: String = exporters.iter().map(|(id, own)| format!("  {id}: {{ {quick}, {own} }}\n")).collect();
    let ids: Vec<&str> = exporters.iter().map(|(id, _)| *id).collect();
    format!(
        "receivers:\n  otlp: {{ protocols: {{ grpc: {{ endpoint: '127.0.0.1:0' }} }} }}\nexporters:\n{each}service:\n  \
         telemetry: {{ endpoint: '127.0.0.1:0' }}\n  pipelines:\n    \
         traces: {{ receivers: [otlp], exporters: [{}] }}\n",
        ids.join(", ")
    )
}

/// A folder with these files, the pipeline among them.
fn folder(pipeline: &str, files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files.iter().chain(&[("pipeline.yaml", pipeline)]) {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

/// Runs a pipeline beside some files.
fn run(pipeline: &str, files: &[(&str, &str)]) -> Sluicebox {
    Sluicebox::run_in(folder(pipeline, files), &["pipeline.yaml"])
}

/// Sends one span of this name, which must be taken.
async fn send(sluicebox: &Sluicebox, name: &str) {
    let client = GrpcClient::connect(sluicebox).await;
    client.export(Signal::Traces, encoded_spans(name, 1)).await.unwrap();
}

/// Waits until a metric is at least so much.
async fn wait_for_metric(sluicebox: &Sluicebox, name: &str, labels: &[&str], least: f64) {
    let waiting = async {
        while sluicebox.metric(name, labels).await < least {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "{name} {labels:?} did not come to {least}: {}", sluicebox.log().join("\n"));
}

/// Waits until so many spans are delivered, as the exporters see it.
async fn wait_for_delivery(sluicebox: &Sluicebox, spans: u32) {
    wait_for_metric(sluicebox, "otelcol_exporter_sent_spans_total", &[], spans.into()).await;
}

/// What is queued, delivered and dropped.
async fn account(sluicebox: &Sluicebox) -> [f64; 3] {
    let queued = sluicebox.metric("sluicebox_exporter_queue_records", &[]).await;
    let sent = sluicebox.metric("otelcol_exporter_sent_spans_total", &[]).await;
    [queued, sent, sluicebox.metric("sluicebox_dropped_records_total", &[]).await]
}
