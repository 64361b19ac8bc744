//! From the acknowledgement to the backend: queues, outages, restarts, reloads, and what is given up.

mod ending;
mod exhausted;
mod handover;
mod outage;
mod restart;
mod several;

use std::time::Duration;

use crate::harness::{PATIENCE, Sluicebox};
use crate::peer::Peer;

/// A pipeline file from one receiver to `otlp` at `peer`; `keys` are more keys of that exporter, in lines of their own.
fn pipeline(peer: &Peer, keys: &str) -> String {
    format!(
        "
receivers:
  otlp: {{ protocols: {{ grpc: {{ endpoint: '127.0.0.1:0' }} }} }}
exporters:
{}
service:
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  pipelines: {{ traces: {{ receivers: [otlp], exporters: [otlp] }} }}
",
        exporter("otlp", peer, keys)
    )
}

/// An exporter that merges little and tries again soon.
fn exporter(id: &str, peer: &Peer, keys: &str) -> String {
    let indented: String = keys.lines().map(|line| format!("\n    {line}")).collect();
    format!(
        "  {id}:
    endpoint: '{}'
    batch: {{ timeout: 10ms }}{indented}",
        peer.url()
    )
}

/// Retries that a test can wait for.
const SOON: &str = "retry_on_failure: { initial_interval: 20ms, max_interval: 50ms }";

/// A durable queue in the folder of the pipeline file.
const DURABLE: &str = "queue: { durable: ./queue }";

/// Waits until a metric has a value.
async fn wait_for_metric(sluicebox: &Sluicebox, name: &str, value: f64) {
    wait_for_series(sluicebox, name, &[], value).await;
}

/// Waits until the series with these labels have a value.
async fn wait_for_series(sluicebox: &Sluicebox, name: &str, labels: &[&str], value: f64) {
    let reached = async {
        while sluicebox.metric(name, labels).await != value {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, reached).await.is_err() {
        panic!("{name} is {}, not {value}", sluicebox.metric(name, labels).await);
    }
}

/// Records in the queue.
const QUEUED: &str = "sluicebox_exporter_queue_records";

/// Spans that were delivered.
const SENT: &str = "otelcol_exporter_sent_spans_total";

/// The law for spans, across restarts: what came in or was found is somewhere.
async fn assert_law(sluicebox: &Sluicebox) {
    let sum = async |name: &str| sluicebox.metric(name, &[]).await;
    let had =
        sum("otelcol_receiver_accepted_spans_total").await + sum("sluicebox_exporter_recovered_spans_total").await;
    let ended = sum(SENT).await
        + sum(QUEUED).await
        + sum("sluicebox_exporter_kept_spans_total").await
        + sum("sluicebox_exporter_rejected_spans_total").await
        + sluicebox.metric("sluicebox_dropped_records_total", &["signal=\"traces\""]).await;
    assert_eq!(had, ended, "{}", sluicebox.admin_get("/metrics").await);
}
