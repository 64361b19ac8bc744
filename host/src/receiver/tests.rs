//! Real clients against real listeners; only the pipeline behind them is the test's own, since that is the seam.

mod compression;
mod faults;
mod memory;
mod otlp_grpc;
mod otlp_http;
mod raw;
mod replay;
mod security;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use prost::Message;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};

use super::{Drained, Listener, Server, Wiring};
use crate::config::spec::{AdmissionSpec, GrpcServerSpec, HttpServerSpec, RateLimitSpec, RequestLimits, TimeoutsSpec};
use crate::data::intake::{Intake, Receipt, Refusal, Request};
use crate::memory::Memory;
use crate::shard::Shards;
use crate::telemetry::metrics::Metrics;

/// How long a test waits for what has to come.
pub const SOON: Duration = Duration::from_secs(60);

/// Waits for what has to come.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.expect("it did not come")
}

/// Waits until something holds.
pub async fn until(mut holds: impl FnMut() -> bool) {
    soon(async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// An encoded request with so many spans, each of some 40 bytes.
pub fn spans(count: usize) -> Vec<u8> {
    let span = |index: usize| Span {
        trace_id: vec![1; 16],
        span_id: (index as u64 + 1).to_be_bytes().to_vec(),
        name: format!("span {index}"),
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: (0..count).map(span).collect(), ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// What a pipeline answers.
pub type Answer = Result<Receipt, Refusal>;

/// The pipeline behind a listener: remembers what it was given, and answers what the test wants.
pub struct Pipeline {
    pub taken: Mutex<Vec<Request>>,
    answer: Box<dyn Fn(&Request) -> Answer + Send + Sync>,
    /// Requests wait for a permit.
    pub gate: Semaphore,
    /// How many wait.
    pub waiting: watch::Sender<usize>,
}

impl Pipeline {
    pub fn that(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Arc<Pipeline> {
        let gate = Semaphore::new(Semaphore::MAX_PERMITS);
        Arc::new(Pipeline { taken: Mutex::default(), answer: Box::new(answer), gate, waiting: watch::Sender::new(0) })
    }

    pub fn taking_all() -> Arc<Pipeline> {
        Pipeline::that(|_| Ok(Receipt { accepted: 1, ..Receipt::default() }))
    }

    pub fn refusing(refusal: Refusal) -> Arc<Pipeline> {
        Pipeline::that(move |_| Err(refusal.clone()))
    }

    /// One whose requests wait until the gate gets permits.
    pub fn gated() -> Arc<Pipeline> {
        let pipeline = Pipeline::taking_all();
        pipeline.gate.forget_permits(Semaphore::MAX_PERMITS);
        pipeline
    }

    pub async fn wait_for_waiting(&self, count: usize) {
        soon(self.waiting.subscribe().wait_for(|waiting| *waiting == count)).await.unwrap();
    }

    /// The bytes that it was given.
    pub fn bytes(&self) -> Vec<Vec<u8>> {
        self.taken.lock().iter().map(|request| request.bytes.to_vec()).collect()
    }
}

struct Waiting<'a>(&'a watch::Sender<usize>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

impl Intake for Pipeline {
    fn take(&self, request: Request) -> BoxFuture<'_, Answer> {
        async move {
            self.waiting.send_modify(|waiting| *waiting += 1);
            let _waiting = Waiting(&self.waiting);
            let _permit = self.gate.acquire().await.unwrap();
            let answer = (self.answer)(&request);
            self.taken.lock().push(request);
            answer
        }
        .boxed()
    }
}

/// A listener on loopback with everything around it.
pub struct Bench {
    pub server: Server,
    pub shards: Shards,
    pub metrics: Metrics,
    registry: Registry,
}

/// What differs from the defaults.
#[derive(Clone, Default)]
pub struct Setup {
    pub limit: Option<usize>,
    pub timeouts: TimeoutsSpec,
    pub admission: AdmissionSpec,
    pub rate_limit: Option<RateLimitSpec>,
    pub max_connection_age: Option<Duration>,
    pub memory: Option<Memory>,
}

impl Setup {
    pub fn limited(limit: usize) -> Setup {
        Setup { limit: Some(limit), ..Setup::default() }
    }

    fn limits(&self) -> RequestLimits {
        let defaults = RequestLimits::default();
        RequestLimits { max_request_bytes: self.limit.unwrap_or(defaults.max_request_bytes), ..defaults }
    }

    fn memory(&self) -> Memory {
        self.memory.clone().unwrap_or_else(Memory::unlimited)
    }

    pub fn grpc_wiring(&self, pipeline: &Arc<Pipeline>, metrics: &Metrics) -> Wiring {
        let spec = GrpcServerSpec {
            endpoint: "127.0.0.1:0".to_owned(),
            limits: self.limits(),
            max_concurrent_streams: 128,
            max_connection_age: self.max_connection_age,
            admission: self.admission.clone(),
            timeouts: self.timeouts,
            rate_limit: self.rate_limit.clone(),
            security: Default::default(),
        };
        Wiring::grpc("otlp", &spec, pipeline.clone(), &self.memory(), metrics)
    }

    pub fn http_spec(&self) -> HttpServerSpec {
        HttpServerSpec {
            endpoint: "127.0.0.1:0".to_owned(),
            limits: self.limits(),
            paths: BTreeMap::default(),
            max_concurrent_streams: 128,
            admission: self.admission.clone(),
            timeouts: self.timeouts,
            rate_limit: self.rate_limit.clone(),
            security: Default::default(),
            cors: None,
        }
    }

    pub fn http_wiring(&self, pipeline: &Arc<Pipeline>, metrics: &Metrics) -> Wiring {
        Wiring::http("otlp", &self.http_spec(), pipeline.clone(), &self.memory(), metrics)
    }

    pub fn grpc(&self, pipeline: &Arc<Pipeline>) -> Bench {
        Bench::start(|metrics| self.grpc_wiring(pipeline, metrics))
    }

    pub fn http(&self, pipeline: &Arc<Pipeline>) -> Bench {
        Bench::start(|metrics| self.http_wiring(pipeline, metrics))
    }
}

impl Bench {
    fn start(wiring: impl FnOnce(&Metrics) -> Wiring) -> Bench {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let shards = Shards::start(NonZeroUsize::new(2).unwrap()).unwrap();
        let server = Server::start(Listener::bind("127.0.0.1:0").unwrap(), &shards, wiring(&metrics));
        Bench { server, shards, metrics, registry }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The lines of the metrics page whose value is not zero, of families whose name has `part`.
    pub fn counted(&self, part: &str) -> Vec<String> {
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &self.registry).unwrap();
        let lines = page.lines().filter(|line| !line.starts_with('#') && line.contains(part) && !line.ends_with(" 0"));
        let mut lines: Vec<_> = lines.map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    }

    /// Ends everything and proves that nothing is left over.
    pub async fn end(self) {
        let deadline = Instant::now() + SOON;
        let drained = self.server.drain(deadline).await;
        assert_eq!(drained.cut_off, 0);
        assert_eq!(self.shards.shutdown(deadline).await, []);
    }
}
