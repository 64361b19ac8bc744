//! Constant load from real clients: numbered spans over gRPC from the OpenTelemetry SDK's exporter, and over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use prost::Message;
use tokio::time::sleep;

use crate::harness::{PATIENCE, Sluicebox};

/// Spans of one request.
const SPANS: u64 = 3;
/// Between an answer and the next request.
const PAUSE: Duration = Duration::from_millis(8);

/// Clients that send until they are told to stop. None of them ever tries again.
pub struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Result<Vec<u64>, String>>>,
}

impl Load {
    /// Two clients of gRPC and one of HTTP, for receiver `otlp`.
    pub fn on(sluicebox: &Sluicebox) -> Load {
        let (grpc, http) = (sluicebox.address("otlp", "grpc"), sluicebox.address("otlp", "http"));
        let load = Load::of(&[&grpc, &grpc], Some(&http));
        load.wait_for_more();
        load
    }

    /// Clients of these addresses.
    pub fn of(grpc: &[&str], http: Option<&str>) -> Load {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let mut load = Load { stop, sent, clients: Vec::new() };
        for address in grpc {
            let url = format!("http://{address}");
            load.spawn(move |numbers| send_grpc(url, numbers));
        }
        if let Some(address) = http {
            let url = format!("http://{address}/v1/traces");
            load.spawn(move |numbers| send_http(url, numbers));
        }
        load
    }

    fn spawn<F: Future<Output = Result<Vec<u64>, String>>>(
        &mut self,
        client: impl FnOnce(Numbers) -> F + Send + 'static,
    ) {
        let numbers = Numbers { stop: Arc::clone(&self.stop), sent: Arc::clone(&self.sent) };
        self.clients.push(std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(client(numbers))
        }));
    }

    /// Returns when some more requests of each client are through.
    pub fn wait_for_more(&self) {
        let goal = self.sent.load(Ordering::Relaxed) + 10 * self.clients.len() as u64;
        let sent = || {
            (self.sent.load(Ordering::Relaxed) >= goal || self.clients.iter().any(JoinHandle::is_finished))
                .then_some(())
        };
        crate::harness::wait_for("more requests", sent, String::new);
    }

    /// Ends the load; the answer is the numbers of all spans, as each was acknowledged.
    pub fn stop(self) -> Vec<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let numbers = self
            .clients
            .into_iter()
            .map(|client| client.join().unwrap().unwrap_or_else(|error| panic!("refused: {error}")));
        numbers.flatten().collect()
    }
}

/// Numbers for spans, until the load ends.
struct Numbers {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
}

impl Numbers {
    fn take(&self) -> Option<Vec<u64>> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let first = NEXT.fetch_add(SPANS, Ordering::Relaxed);
        self.sent.fetch_add(1, Ordering::Relaxed);
        (!self.stop.load(Ordering::Relaxed)).then(|| (first..first + SPANS).collect())
    }
}

async fn send_grpc(url: String, numbers: Numbers) -> Result<Vec<u64>, String> {
    let once = RetryPolicy::disabled();
    let exporter =
        SpanExporter::builder().with_tonic().with_endpoint(url).with_timeout(PATIENCE).with_retry_policy(once);
    let exporter = exporter.build().unwrap();
    let mut acknowledged = Vec::new();
    while let Some(batch) = numbers.take() {
        let spans = batch.iter().map(|number| span_data(*number)).collect();
        exporter.export(spans).await.map_err(|error| error.to_string())?;
        acknowledged.extend(batch);
        sleep(PAUSE).await;
    }
    Ok(acknowledged)
}

async fn send_http(url: String, numbers: Numbers) -> Result<Vec<u64>, String> {
    let client = reqwest::Client::new();
    let mut acknowledged = Vec::new();
    while let Some(batch) = numbers.take() {
        let spans = batch.iter().map(|number| span(*number)).collect();
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let request = client.post(&url).header("content-type", "application/x-protobuf").body(body);
        let answer = request.send().await.and_then(reqwest::Response::error_for_status);
        let answer = answer.map_err(|error| format!("{error:?}"))?;
        let answer = answer.bytes().await.map_err(|error| error.to_string())?;
        assert_eq!(ExportTraceServiceResponse::decode(answer).unwrap().partial_success, None);
        acknowledged.extend(batch);
        sleep(PAUSE).await;
    }
    Ok(acknowledged)
}

fn span_data(number: u64) -> SpanData {
    let trace_id = TraceId::from_bytes((u128::from(number) << 64 | 1).to_be_bytes());
    let id = SpanId::from_bytes(number.to_be_bytes());
    SpanData {
        span_context: SpanContext::new(trace_id, id, TraceFlags::SAMPLED, false, TraceState::default()),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Server,
        name: "sent".into(),
        start_time: SystemTime::now(),
        end_time: SystemTime::now(),
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::default(),
    }
}

fn span(number: u64) -> Span {
    let trace_id = (u128::from(number) << 64 | 1).to_be_bytes().to_vec();
    Span { trace_id, span_id: number.to_be_bytes().to_vec(), name: "sent".to_owned(), ..Span::default() }
}
