//! Plugins that misbehave in a process that goes on.

mod apart;
mod grants;
pub mod guests;
mod words;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tempfile::TempDir;

use crate::harness::Sluicebox;
use guests::guest;

/// A folder with a pipeline file and the guests.
fn folder(pipeline: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pipeline.yaml"), pipeline).unwrap();
    std::fs::write(folder.path().join("misbehaves.wasm"), guest("misbehaves")).unwrap();
    folder
}

/// A pipeline with one stage, the guest `misbehaves`, that does so on batches with a span called `bad`.
fn misbehaving(behaviour: &str, on_error: &str) -> String {
    format!(
        "receivers:
  otlp: {{ protocols: {{ http: {{ endpoint: '127.0.0.1:0' }} }} }}
processors:
  guest:
    plugin: ./misbehaves.wasm
    config: {{ behaviour: {behaviour}, when: bad }}
    grants: [metrics, state, clock, random]
    on_error: {on_error}
    limits: {{ deadline: 10s, search_time: 60s }}
exporters:
  file: {{ path: out.jsonl, batch: {{ timeout: 20ms }} }}
service:
  pipelines:
    traces: {{ receivers: [otlp], processors: [guest], exporters: [file] }}
  telemetry: {{ endpoint: '127.0.0.1:0' }}
"
    )
}

/// A client over HTTP.
pub struct Client {
    http: reqwest::Client,
    url: String,
}

impl Client {
    /// A client of a receiver.
    pub fn of(sluicebox: &Sluicebox, receiver: &str) -> Client {
        Client {
            http: reqwest::Client::new(),
            url: format!("http://{}/v1/traces", sluicebox.address(receiver, "http")),
        }
    }

    /// Sends spans with these names; the answer is the status.
    pub async fn send(&self, names: &[&str]) -> u16 {
        let span = |(index, name): (usize, &&str)| Span {
            trace_id: vec![1; 16],
            span_id: (index as u64 + 1).to_be_bytes().to_vec(),
            name: (*name).to_owned(),
            ..Span::default()
        };
        let spans = names.iter().enumerate().map(span).collect();
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let request = self.http.post(&self.url).header("content-type", "application/x-protobuf").body(body);
        request.send().await.unwrap().status().as_u16()
    }
}
