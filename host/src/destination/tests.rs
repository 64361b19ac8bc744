//! Destinations with real exporters, before real servers.

mod charging;
mod durable;
mod ending;
mod merging;
mod retrying;
mod sizing;

use std::path::Path;
use std::time::Duration;

use super::room::ENTRY_BYTES;
use super::stop::Manner;
use crate::config::spec::{Encoding, ExporterSpec, OnExhausted, QueueSpec, TargetSpec};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::*;
use crate::config::spec::{BatchSpec, Compression, FileSpec, OtlpClientSpec, OtlpHttpClientSpec, RetrySpec};
use crate::data::Signal;
use crate::exporter::testing::{Peer, Reply, client, eventually, names, spans};
use crate::exporter::{Access, Exporter};
use crate::telemetry::metrics::{AttemptLabels, ExporterLabels, LossLabels};

const ID: &str = "otlp/test";

fn spec(client: OtlpClientSpec) -> ExporterSpec {
    ExporterSpec {
        target: TargetSpec::OtlpGrpc(client),
        queue: QueueSpec::Memory { max_bytes: 1 << 20 },
        batch: BatchSpec {
            min_records: 0,
            max_records: 0,
            max_bytes: 64 << 20,
            timeout: Duration::from_millis(50),
            adaptive: None,
        },
        retry: RetrySpec {
            enabled: true,
            initial_interval: Duration::from_millis(20),
            max_interval: Duration::from_millis(40),
            max_elapsed_time: Duration::ZERO,
            on_exhausted: OnExhausted::Drop,
        },
        dead_letter: None,
    }
}

fn start(spec: &ExporterSpec, metrics: &Metrics) -> Arc<Destination> {
    start_on(spec, &[Handle::current()], metrics, &Arc::default())
}

fn start_on(spec: &ExporterSpec, shards: &[Handle], metrics: &Metrics, queues: &Arc<Queues>) -> Arc<Destination> {
    let site = Site { shards, metrics, queues, dead_letters: &DeadLetters::default() };
    let destination = Destination::build(ID, spec, site).unwrap();
    destination.serve();
    destination
}

/// The account of the test's exporter for spans.
#[derive(Debug, Default, PartialEq, Eq)]
struct Account {
    sent: u64,
    rejected: u64,
    send_failed: u64,
    turned_away: u64,
}

fn account(metrics: &Metrics) -> Account {
    let labels = ExporterLabels { exporter: ID.to_owned() };
    let count = |family: &crate::telemetry::metrics::PerSignal<_>| family.counter(Signal::Traces, &labels).get();
    Account {
        sent: count(&metrics.exporter_sent),
        rejected: count(&metrics.exporter_rejected),
        send_failed: count(&metrics.exporter_send_failed),
        turned_away: count(&metrics.exporter_enqueue_failed),
    }
}

fn dropped(metrics: &Metrics, reason: &'static str) -> u64 {
    let labels = LossLabels { signal: Signal::Traces, component: ID.to_owned(), reason };
    metrics.dropped.get_or_create_owned(&labels).get()
}

fn queued(metrics: &Metrics) -> (i64, i64) {
    let labels = ExporterLabels { exporter: ID.to_owned() };
    let bytes = metrics.exporter_queue_size.get_or_create_owned(&labels).get();
    (bytes, metrics.exporter_queue_records.get_or_create_owned(&labels).get())
}

fn attempts(metrics: &Metrics, outcome: &'static str) -> u64 {
    let labels = AttemptLabels { exporter: ID.to_owned(), outcome };
    metrics.exporter_attempts.get_or_create_owned(&labels).get()
}

async fn drain(destination: &Destination, time: Duration) {
    destination.drain(End { deadline: Instant::now() + time, manner: Manner::Deliver }).await;
}

const LONG: Duration = Duration::from_secs(60);

fn retry_info(code: Code, delay: Duration) -> Reply {
    use tonic_types::{ErrorDetails, StatusExt};
    Reply::Status(Status::with_error_details(code, "later", ErrorDetails::with_retry_info(Some(delay))))
}

fn partial(rejected_spans: i64, message: &str) -> Reply {
    let partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message: message.to_owned() });
    Reply::Taken(ExportTraceServiceResponse { partial_success }.encode_to_vec())
}

fn unavailable(times: usize) -> Vec<Reply> {
    (0..times).map(|_| Reply::Status(Status::unavailable("not now"))).collect()
}
