//! Who may speak with a listener: TLS, certificates of clients, rotation, credentials, origins of browsers.

mod admin;
mod auth;
mod caller;
mod cors;
mod papers;
mod passwords;
mod rotation;
mod sdk;
mod tls;

use crate::harness::Sluicebox;

use self::papers::Papers;

/// A pipeline into a file, behind what is added to both protocols of the receiver, and to the admin endpoint.
fn pipeline(both: &str, http: &str, telemetry: &str) -> String {
    format!(
        "
receivers:
  otlp:
    protocols:
      grpc: {{ endpoint: '127.0.0.1:0', {both} }}
      http: {{ endpoint: '127.0.0.1:0', {both} {http} }}
exporters:
  file: {{ path: taken.jsonl }}
service:
  telemetry: {{ endpoint: '127.0.0.1:0', {telemetry} }}
  pipelines:
    traces: {{ receivers: [otlp], exporters: [file] }}
"
    )
}

/// Runs a pipeline beside files of certificates.
fn run_with(papers: Papers, pipeline: &str) -> Sluicebox {
    std::fs::write(papers.folder.path().join("pipeline.yaml"), pipeline).unwrap();
    Sluicebox::run_in(papers.folder, &["pipeline.yaml"])
}
