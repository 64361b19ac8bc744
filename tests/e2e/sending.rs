//! Sending: what the exporters do when backends and the network between fail.

mod compression;
mod endpoints;
mod form;
mod http_backend;
mod network;
mod verdicts;

use std::time::Duration;

use crate::harness::{PATIENCE, Sluicebox, eventually};

const ATTEMPTS: &str = "sluicebox_exporter_attempts_total";
const DROPPED: &str = "sluicebox_dropped_records_total";
const SENT: &str = "otelcol_exporter_sent_spans_total";

/// Retries and circuits that are quick enough for a test.
const QUICK: &str = "retry_on_failure: { initial_interval: 50ms, max_interval: 200ms }";

/// A pipeline from OTLP/HTTP to one exporter of a type, with these settings, that does not merge requests unless they
/// say so.
fn pipeline(exporter_type: &str, settings: &str) -> String {
    let batch = if settings.contains("batch:") { "" } else { ", batch: { min_records: 1 }" };
    format!(
        "receivers:\n  otlp: {{ protocols: {{ http: {{ endpoint: 127.0.0.1:0 }} }} }}\n\
         exporters:\n  {exporter_type}/out: {{ {settings}{batch} }}\n\
         service:\n  shards: 2\n  telemetry: {{ endpoint: 127.0.0.1:0 }}\n  pipelines:\n    \
         traces: {{ receivers: [otlp], exporters: [{exporter_type}/out] }}\n"
    )
}

/// What `/status` says of the circuits of the one exporter, by endpoint.
async fn circuits(sluicebox: &Sluicebox) -> Vec<(String, String)> {
    let status = sluicebox.status().await;
    let endpoints = status["exporters"][0]["endpoints"].as_array().unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    endpoints.iter().map(|end| (text(&end["endpoint"]), text(&end["circuit"]))).collect()
}

/// Waits until a metric with a label reaches a number.
async fn until(sluicebox: &Sluicebox, name: &str, label: &str, least: f64) -> f64 {
    let started = std::time::SystemTime::now();
    loop {
        let found = sluicebox.metric(name, &[label]).await;
        if found >= least {
            return found;
        }
        let waited = started.elapsed().unwrap_or_default();
        assert!(waited < PATIENCE, "{name}{{{label}}} is {found}, not {least}: {}", sluicebox.log().join("\n"));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until all spans that were sent are delivered, by the exporter's own account.
async fn delivered(sluicebox: &Sluicebox, spans: f64) {
    assert_eq!(until(sluicebox, SENT, "", spans).await, spans);
    // What is delivered is counted a moment before its place in the queue is given back.
    eventually("an empty queue", async || match sluicebox.metric("sluicebox_exporter_queue_records", &[]).await {
        0.0 => Ok(()),
        waiting => Err(format!("{waiting} records wait")),
    })
    .await;
    assert_eq!(sluicebox.metric(DROPPED, &[]).await, 0.0, "received = delivered");
}
