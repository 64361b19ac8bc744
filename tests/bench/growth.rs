//! How the cost of a record grows with the work around it: records in a request, attributes of a record, stages of a
//! chain, pipelines of a receiver, shards. Writes one JSON object a line; `growth.py` draws them.
//!
//! Each point is the least of several rounds: on a shared machine that is what the work takes when it is let alone.

mod cases;

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use prost::Message;
use sluicebox::bench::requests::Recipe;
use sluicebox::chain::Chain;
use sluicebox::data::walk::Limits;
use sluicebox::plugin::{CodeCache, Compiler, Engine};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use cases::{FILTER, Plug, REDACT, SAMPLER, TRANSFORM, chain_on};

/// Rounds of each point, and how long each runs at least.
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(40);

/// What all points are measured with.
struct Bench {
    runtime: Runtime,
    engine: Engine,
}

/// One point of a curve.
struct Point<'a> {
    axis: &'a str,
    curve: &'a str,
    x: usize,
}

impl Bench {
    fn chain(&self, plugs: &[Plug], shards: usize) -> Chain {
        chain_on(&self.runtime, &self.engine, plugs, shards)
    }

    /// Nanoseconds a record of `work`, which handles so many.
    fn measure(&self, point: Point<'_>, records: usize, mut work: impl FnMut(&Runtime)) {
        let mut least = f64::MAX;
        work(&self.runtime);
        for _ in 0..ROUNDS {
            let (start, mut times) = (Instant::now(), 0);
            while start.elapsed() < ROUND || times == 0 {
                work(&self.runtime);
                times += 1;
            }
            least = least.min(start.elapsed().as_nanos() as f64 / (times * records) as f64);
        }
        let Point { axis, curve, x } = point;
        println!("{}", serde_json::json!({ "axis": axis, "curve": curve, "x": x, "ns": least }));
    }

    /// A request through some chains, one after the other, as a receiver that feeds them all does it.
    fn run(&self, point: Point<'_>, chains: &[Chain], shard: usize, bytes: &Bytes, records: usize) {
        self.measure(point, records, |runtime| {
            for chain in chains {
                drop(black_box(runtime.block_on(chain.run(shard, black_box(bytes), Limits::default()))));
            }
        });
    }
}

/// A request whose spans have so many attributes.
fn with_attributes(records: usize, attributes: usize) -> Bytes {
    let plain = Recipe::traces(records).encode(0);
    let mut request = ExportTraceServiceRequest::decode(plain).expect("a request");
    let spans = request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
    for span in spans.flat_map(|scope| &mut scope.spans) {
        span.attributes.truncate(attributes);
        for number in span.attributes.len()..attributes {
            let value = Some(AnyValue { value: Some(Value::StringValue(format!("value {number} of some length"))) });
            span.attributes.push(KeyValue { key: format!("attribute.{number}"), value, ..KeyValue::default() });
        }
    }
    request.encode_to_vec().into()
}

fn main() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let cache = CodeCache::of_environment(|name| std::env::var(name).ok());
    let bench = Bench { runtime, engine: Engine::with(cache, Compiler::Here).expect("an engine") };
    let curves: [(&str, &[Plug]); 5] = [
        ("no stage", &[]),
        ("filter", &[FILTER]),
        ("transform", &[TRANSFORM]),
        ("filter, sampler, transform", &[FILTER, SAMPLER, TRANSFORM]),
        ("redact", &[REDACT]),
    ];
    for (curve, plugs) in curves {
        let chains = [bench.chain(plugs, 1)];
        for x in [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000] {
            let bytes = Recipe::traces(x).encode(0);
            bench.run(Point { axis: "records", curve, x }, &chains, 0, &bytes, x);
        }
        for x in [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] {
            let bytes = with_attributes(100, x);
            bench.run(Point { axis: "attributes", curve, x }, &chains, 0, &bytes, 100);
        }
    }
    let bytes = Recipe::traces(1000).encode(0);
    for (curve, plug) in [("filters", FILTER), ("samplers", SAMPLER), ("transforms", TRANSFORM)] {
        for x in [0, 1, 2, 3, 5, 7, 10, 15, 20] {
            let chains = [bench.chain(&vec![plug; x], 1)];
            bench.run(Point { axis: "stages", curve, x }, &chains, 0, &bytes, 1000);
        }
    }
    for x in [1, 2, 5, 10, 20, 50, 100] {
        let chains: Vec<Chain> = (0..x).map(|_| bench.chain(&[FILTER], 1)).collect();
        // A record goes through every pipeline: what is drawn is its cost in one.
        bench.run(Point { axis: "pipelines", curve: "filter", x }, &chains, 0, &bytes, 1000 * x);
    }
    for x in [1, 2, 4, 8, 16, 32, 64] {
        let chains = [bench.chain(&[FILTER], x)];
        bench.run(Point { axis: "shards", curve: "filter", x }, &chains, x - 1, &bytes, 1000);
    }
}
