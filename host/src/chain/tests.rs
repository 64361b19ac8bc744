//! Chains of real guests: what a batch is after them, what the client hears, and what is counted.

mod answers;
mod building;
mod faults;
mod order;
mod poison;
mod sampling;

use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use prost::Message;
use serde_json::{Value, json};

use super::{BuildFault, Chain, DropReason, Outcome, StepSpec, build};
use crate::config::spec::OnError;
use crate::data::Signal;
use crate::data::intake::Refusal;
use crate::data::walk::Limits;
use crate::plugin::{Stage, StageContext, testing};
use crate::telemetry::metrics::Metrics;

/// A chain and what it counts.
struct Rig {
    chain: Chain,
    registry: Registry,
}

impl Rig {
    /// A chain of traces on one shard.
    async fn new(steps: Vec<StepSpec>) -> Rig {
        Rig::try_new(Signal::Traces, steps).await.unwrap_or_else(|(index, fault)| panic!("step {index}: {fault:?}"))
    }

    async fn try_new(signal: Signal, steps: Vec<StepSpec>) -> Result<Rig, (usize, BuildFault)> {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        Ok(Rig { chain: build("p", signal, steps, 1, &metrics).await?, registry })
    }

    async fn run(&self, bytes: &Bytes) -> Result<Outcome, Refusal> {
        self.chain.run(0, bytes, Limits::default()).await
    }

    /// The names that are left of a batch of spans.
    async fn names(&self, bytes: &Bytes) -> Vec<String> {
        spans_of(&self.run(bytes).await.unwrap()).into_iter().map(|span| span.name).collect()
    }

    /// What a client is told whose batch a step with `on_error: reject` faulted on.
    async fn refusal(&self, bytes: &Bytes) -> String {
        match self.run(bytes).await {
            Err(Refusal::Busy { reason, retry_after }) => {
                assert_eq!(retry_after, Duration::from_secs(1));
                reason
            }
            other => panic!("{other:?}"),
        }
    }

    /// The sum of the series of a metric whose labels contain all of `labels`.
    fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        let mut page = String::new();
        text::encode(&mut page, &self.registry).unwrap();
        let series = page.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{') && labels.iter().all(|l| rest.contains(l)))
        });
        series.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    fn faults(&self, kind: &str) -> u64 {
        self.metric("sluicebox_plugin_faults_total", &[&format!("fault=\"{kind}\"")])
    }

    fn dropped(&self, reason: &str) -> u64 {
        self.metric("sluicebox_dropped_records_total", &[&format!("reason=\"{reason}\"")])
    }
}

/// A guest as a step that lets batches pass when it faults.
fn step(guest: &'static str, config: Value) -> StepSpec {
    step_with(guest, OnError::Pass, config, |_| ())
}

fn step_with(
    guest: &'static str,
    on_error: OnError,
    config: Value,
    change: impl FnOnce(&mut StageContext),
) -> StepSpec {
    let mut context = testing::context("");
    context.config = config;
    change(&mut context);
    let stage: Stage = testing::stage(guest, context).unwrap();
    StepSpec { id: guest.to_owned(), stage, on_error, quarantine: None, audit: None }
}

/// A step that behaves so, but only on a batch with a span that is called `bad`.
fn bad(guest: &'static str, behaviour: &str, on_error: OnError) -> StepSpec {
    step_with(guest, on_error, json!({ "behaviour": behaviour, "when": "bad" }), |_| ())
}

/// A request of spans with these names, and trace ids of their own.
fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Bytes {
    let spans = names.into_iter().enumerate();
    request(spans.map(|(index, name)| span(index as u64 + 1, name)).collect())
}

fn span(trace: u64, name: &str) -> Span {
    let id = |salt: u64| trace.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23) ^ salt;
    let trace_id = [id(1).to_be_bytes(), id(2).to_be_bytes()].concat();
    Span { trace_id, span_id: id(3).to_be_bytes().to_vec(), name: name.to_owned(), ..Span::default() }
}

fn request(spans: Vec<Span>) -> Bytes {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

fn spans_of(outcome: &Outcome) -> Vec<Span> {
    let Some(payload) = &outcome.payload else { return Vec::new() };
    let request = ExportTraceServiceRequest::decode(payload.bytes.clone()).unwrap();
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

/// Whether a batch goes on as the very bytes that came.
fn is_untouched(outcome: &Outcome, bytes: &Bytes) -> bool {
    let payload = outcome.payload.as_ref();
    payload.is_some_and(|payload| payload.bytes.as_ptr() == bytes.as_ptr() && payload.bytes.len() == bytes.len())
}
