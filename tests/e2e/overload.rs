//! Clients that are too many, too fast, too slow or hostile, and parts of the process that panic: the binary stays
//! alive, others are served, and what was refused may come again.

mod caps;
mod descriptors;
mod end;
mod floods;
mod frames;
mod memory;
mod rates;
mod slow;
mod tasks;
mod vanishing;

use std::time::Duration;

use sluicebox::data::Signal;

use crate::client::GrpcClient;
use crate::harness::{PATIENCE, Sluicebox};
use crate::requests::encoded_spans;

/// A pipeline from both protocols to a file, with settings of the receiver's protocols and of `service`.
fn to_file(grpc: &str, http: &str, service: &str) -> String {
    format!(
        "receivers:
  otlp:
    protocols:
      grpc: {{ endpoint: 127.0.0.1:0{grpc} }}
      http: {{ endpoint: 127.0.0.1:0{http} }}
exporters:
  file: {{ path: out.jsonl }}
service:
  telemetry: {{ endpoint: 127.0.0.1:0 }}
  shards: 2{service}
  pipelines:
    traces: {{ receivers: [otlp], exporters: [file] }}
"
    )
}

/// Exports a span through a connection of its own, which must work.
async fn assert_serves(sluicebox: &Sluicebox) {
    let served = tokio::time::timeout(PATIENCE, async {
        GrpcClient::connect(sluicebox).await.export(Signal::Traces, encoded_spans("other", 1)).await
    });
    served.await.expect("others are not served").unwrap();
}

/// Waits until a metric is at least so large; the answer is how large it is.
async fn wait_for_metric(sluicebox: &Sluicebox, name: &str, labels: &[&str], least: f64) -> f64 {
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            let value = sluicebox.metric(name, labels).await;
            if value >= least {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("{name} {labels:?} did not reach {least}: {}", sluicebox.log().join("\n")))
}

/// Waits until a limit was crossed so often.
async fn wait_for_limit(sluicebox: &Sluicebox, limit: &str, least: f64) -> f64 {
    wait_for_metric(sluicebox, "sluicebox_receiver_limits_total", &[&format!("limit=\"{limit}\"")], least).await
}

/// Waits until telemetry holds no memory any more.
async fn wait_for_empty_account(sluicebox: &Sluicebox) {
    let empty = tokio::time::timeout(PATIENCE, async {
        while sluicebox.status().await["memory"]["held_bytes"] != 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(empty.await.is_ok(), "memory is still held: {}", sluicebox.status().await["memory"]);
}

/// A line of `/proc/<id>/status`, in bytes: `VmRSS:`, `VmHWM:`.
pub fn process_bytes(sluicebox: &Sluicebox, line: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", sluicebox.id())).unwrap();
    let found = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    found.trim().strip_suffix("kB").unwrap().trim().parse::<usize>().unwrap() << 10
}
