//! What is measured: projections, edits and chains, for the timed benches and the counted ones.

#![allow(dead_code, reason = "each program uses what it measures")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sluicebox::chain::{Chain, StepSpec, build};
use sluicebox::config::spec::{Grant, OnError, StageLimits};
use sluicebox::data::Signal;
use sluicebox::data::column::{Edit, Value};
use sluicebox::data::field::Field;
use sluicebox::data::projection::Projection;
use sluicebox::plugin::{
    CodeCache, Compiler, Engine, Plugin, PluginMetrics, SharedState, Stage, StageContext, standard,
};
use sluicebox::telemetry::metrics::Metrics;
use tokio::runtime::Runtime;

/// Callgrind is told to write down what it has counted, and to begin anew, whenever this is called.
#[inline(never)]
pub fn lap() {
    black_box(());
}

/// As a client sends it with `Content-Encoding: gzip`.
pub fn gzipped(bytes: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it").into()
}

/// As a client sends it with `Content-Encoding: zstd`.
pub fn zstd_of(bytes: &[u8]) -> Bytes {
    zstd::encode_all(bytes, 0).expect("memory takes it").into()
}

/// How long a call may take. Under valgrind all take long, and one that is cut off would be counted as if it were cheap.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What a chain of several plugins may ask for.
pub const FIVE_FIELDS: [&str; 5] = [
    r#"span.attributes["http.route"]"#,
    "span.name",
    "span.duration",
    "span.status.code",
    r#"resource.attributes["service.name"]"#,
];

/// The projection of these paths.
pub fn projection(paths: &[&str]) -> Arc<Projection> {
    let mut projection = Projection::empty(Signal::Traces);
    for path in paths {
        let field = Field::resolve(path, Signal::Traces).expect("a path of traces");
        projection.add(&field, field.writable).expect("few fields");
    }
    Arc::new(projection)
}

/// The same value for a field of every row.
pub fn edit(field: u32, rows: u32, value: Value<'_>) -> Edit {
    let mut edit = Edit { field, entries: (0..rows).collect(), ..Edit::default() };
    (0..rows).for_each(|_| edit.values.push(value));
    edit
}

/// A standard plugin with its config.
pub type Plug = (&'static str, &'static str);

/// Drops 30 % by an attribute.
pub const FILTER: Plug = ("drop", r#"{"span.attributes[\"http.route\"]": ["/healthz"]}"#);
/// Keeps 70 %.
pub const SAMPLER: Plug = ("sample", r#"{"rate": 0.7}"#);
/// Sets an attribute and deletes one.
pub const TRANSFORM: Plug = (
    "attributes",
    r#"{"actions": [{"set": "span.attributes[\"deployment\"]", "value": "production"}, {"delete": "span.attributes[\"user.id\"]"}]}"#,
);

/// Masks what it finds in all attributes.
pub const REDACT: Plug = ("redact", "{}");

/// Takes code that was compiled before: to count the compiler would take minutes.
pub fn engine() -> Engine {
    let cache = CodeCache::of_environment(|name| std::env::var(name).ok());
    Engine::with(cache, Compiler::Here).expect("an engine")
}

/// A chain of standard plugins, for one shard.
pub fn chain(runtime: &Runtime, engine: &Engine, plugs: &[Plug]) -> Chain {
    chain_on(runtime, engine, plugs, 1)
}

/// A chain of standard plugins, for so many shards.
pub fn chain_on(runtime: &Runtime, engine: &Engine, plugs: &[Plug], shards: usize) -> Chain {
    runtime.block_on(chain_of(&load(engine, plugs), plugs, shards))
}

/// So many chains of the same plugins, for one shard.
pub fn chains(runtime: &Runtime, engine: &Engine, plugs: &[Plug], count: usize) -> Vec<Chain> {
    let plugins = load(engine, plugs);
    (0..count).map(|_| runtime.block_on(chain_of(&plugins, plugs, 1))).collect()
}

/// Each plugin once, as a generation does it.
fn load(engine: &Engine, plugs: &[Plug]) -> BTreeMap<&'static str, Plugin> {
    let mut plugins = BTreeMap::new();
    for (name, _) in plugs {
        let bytes = standard::bytes(name).expect("a standard plugin");
        plugins.entry(*name).or_insert_with(|| Plugin::load(engine, bytes).expect("it loads"));
    }
    plugins
}

async fn chain_of(plugins: &BTreeMap<&'static str, Plugin>, plugs: &[Plug], shards: usize) -> Chain {
    let metrics = Metrics::default();
    let stages = plugs.iter().enumerate().map(|(index, (name, config))| {
        let id = format!("{name}-{index}");
        let context = StageContext {
            pipeline: "bench".to_owned(),
            processor: id.clone(),
            signal: Signal::Traces,
            config: serde_json::from_str(config).expect("JSON"),
            limits: StageLimits { deadline: PATIENCE, ..StageLimits::default() },
            grants: Grant::ALL.to_vec(),
            empty_wasi: false,
            state: Arc::new(SharedState::new(1 << 20)),
            own_metrics: PluginMetrics::default(),
            metrics: metrics.clone(),
        };
        let stage = Stage::new(&plugins[name], context).expect("it fits");
        // The audit takes examples by the time, which is long under valgrind.
        StepSpec { id, stage, on_error: OnError::Pass, quarantine: None, audit: None }
    });
    let chain = build("bench", Signal::Traces, stages.collect(), shards, &metrics).await;
    chain.map_err(|(_, fault)| fault).expect("it builds")
}
