//! From the acknowledgement to the backend: queues, outages, restarts, reloads, and what is given up.

mod ending;
mod exhausted;
mod handover;
mod outage;
mod restart;
mod several;

use std::time::Duration;

use sluicebox::data::Signal;
use tonic::Code;

use crate::client::GrpcClient;
use crate::harness::{PATIENCE, Sluicebox, eventually, sum};
use crate::peer::Peer;
use crate::requests::encoded_spans;

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

/// The law for spans, across restarts: what came in or was found is somewhere. For a moment it may be seen twice: what
/// was delivered is counted before its place in the queue is given back.
async fn assert_law(sluicebox: &Sluicebox) {
    eventually("the law", async || {
        let page = sluicebox.admin_get("/metrics").await;
        let all = |name: &str| sum(&page, name, &[]);
        let had = all("otelcol_receiver_accepted_spans_total") + all("sluicebox_exporter_recovered_spans_total");
        let ended = all(SENT)
            + all(QUEUED)
            + all("sluicebox_exporter_kept_spans_total")
            + all("sluicebox_exporter_rejected_spans_total")
            + sum(&page, "sluicebox_dropped_records_total", &["signal=\"traces\""]);
        if had == ended { Ok(()) } else { Err(format!("{had} is not {ended}: {page}")) }
    })
    .await;
}

/// Exports as soon as there is room: a backend has what it took a moment before the queue hears of it.
async fn export_when_there_is_room(client: &GrpcClient, name: &str, spans: usize) {
    eventually("room in the queue", async || match client.export(Signal::Traces, encoded_spans(name, spans)).await {
        Ok(_) => Ok(()),
        Err(status) if status.code() == Code::Unavailable => Err(status.to_string()),
        Err(status) => panic!("{status}"),
    })
    .await;
}
