//! How the cost of a record grows with the work around it: records in a request, attributes of a record, stages of a
//! chain, pipelines of a receiver, shards. Writes one JSON object a line; `growth.py` draws them.
//!
//!     growth time         nanoseconds of CPU: the least of several rounds is what work takes when it is let alone
//!     growth laps         one lap of each point after the other, for callgrind to count instructions
//!     growth list         names of curves, of which one may be asked for
//!
//! Time has what instructions leave out: caches, above all. Instructions are the same on a machine that does other work.

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
use sluicebox::plugin::Engine;
use tokio::runtime::{Builder, Runtime};

use cases::{FILTER, Plug, REDACT, SAMPLER, TRANSFORM, chain_on, chains, engine, lap};

/// Rounds of each point, and how long each runs at least.
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(50);

/// Records that a lap has at least, so that one tick of a clock does not show.
const LAP_RECORDS: usize = 400;

/// What a record's cost is told in.
#[derive(Clone, Copy)]
enum Measure {
    /// Nanoseconds of CPU.
    Time,
    /// What callgrind counts from lap to lap.
    Laps,
}

/// What all points are measured with.
struct Bench {
    measure: Measure,
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

    /// What a record of `work` costs, which handles so many.
    fn measure(&self, Point { axis, curve, x }: Point<'_>, records: usize, mut work: impl FnMut(&Runtime)) {
        work(&self.runtime);
        let point = match self.measure {
            Measure::Time => {
                let least = (0..ROUNDS).map(|_| nanoseconds(records, || work(&self.runtime))).fold(f64::MAX, f64::min);
                serde_json::json!({ "axis": axis, "curve": curve, "x": x, "unit": "ns", "cost": least })
            }
            Measure::Laps => {
                let times = LAP_RECORDS.div_ceil(records);
                lap();
                (0..times).for_each(|_| work(&self.runtime));
                lap();
                serde_json::json!({ "axis": axis, "curve": curve, "x": x, "records": times * records })
            }
        };
        println!("{point}");
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

/// Nanoseconds of CPU a record of `work`, which handles so many.
fn nanoseconds(records: usize, mut work: impl FnMut()) -> f64 {
    let (start, mut times) = (on_cpu(), 0);
    loop {
        work();
        times += 1;
        let spent = on_cpu() - start;
        if spent >= ROUND {
            return spent.as_nanos() as f64 / (times * records) as f64;
        }
    }
}

/// What this thread has had of the CPU. The kernel brings it up to date every few milliseconds.
fn on_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells it");
    Duration::from_nanos(stat.split(' ').next().and_then(|spent| spent.parse().ok()).expect("a number comes first"))
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

/// A curve, and what draws it.
type Curve = (&'static str, fn(&Bench));

/// The curves; each is drawn by itself, so that several can be counted at once.
const CURVES: [Curve; 10] = [
    ("requests", |bench| bench.sizes("no stage", &[])),
    ("requests-filter", |bench| bench.sizes("filter", &[FILTER])),
    ("requests-transform", |bench| bench.sizes("transform", &[TRANSFORM])),
    ("requests-three", |bench| bench.sizes("filter, sampler, transform", &[FILTER, SAMPLER, TRANSFORM])),
    ("requests-redact", |bench| bench.sizes("redact", &[REDACT])),
    ("filters", |bench| bench.stages("filters", FILTER)),
    ("samplers", |bench| bench.stages("samplers", SAMPLER)),
    ("transforms", |bench| bench.stages("transforms", TRANSFORM)),
    ("pipelines", Bench::pipelines),
    ("shards", Bench::shards),
];

impl Bench {
    /// Records of a request, and attributes of a record.
    fn sizes(&self, curve: &str, plugs: &[Plug]) {
        let chains = [self.chain(plugs, 1)];
        for x in [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000] {
            let bytes = Recipe::traces(x).encode(0);
            self.run(Point { axis: "records", curve, x }, &chains, 0, &bytes, x);
        }
        for x in [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] {
            let bytes = with_attributes(100, x);
            self.run(Point { axis: "attributes", curve, x }, &chains, 0, &bytes, 100);
        }
    }

    /// Plugins of a chain.
    fn stages(&self, curve: &str, plug: Plug) {
        let bytes = Recipe::traces(1000).encode(0);
        for x in [0, 1, 2, 3, 5, 7, 10, 15, 20] {
            let chains = [self.chain(&vec![plug; x], 1)];
            self.run(Point { axis: "stages", curve, x }, &chains, 0, &bytes, 1000);
        }
    }

    /// Pipelines of a receiver. A record goes through every one: what is told is its cost in one.
    fn pipelines(&self) {
        let bytes = Recipe::traces(1000).encode(0);
        for (curve, plugs, most) in [("no stage", &[][..], 100), ("filter", &[FILTER][..], self.instances())] {
            for x in [1, 2, 5, 10, 20, 50, 100].into_iter().filter(|&x| x <= most) {
                let chains = chains(&self.runtime, &self.engine, plugs, x);
                self.run(Point { axis: "pipelines", curve, x }, &chains, 0, &bytes, 1000 * x);
            }
        }
    }

    /// How many instances there may be: valgrind has no room for the address spaces of more, of some GiB each.
    fn instances(&self) -> usize {
        if matches!(self.measure, Measure::Laps) { 20 } else { 100 }
    }

    /// Shards, of which one works.
    fn shards(&self) {
        let bytes = Recipe::traces(1000).encode(0);
        for x in [1, 2, 4, 8, 16, 32, 64].into_iter().filter(|&x| x <= self.instances()) {
            let chains = [self.chain(&[FILTER], x)];
            self.run(Point { axis: "shards", curve: "filter", x }, &chains, x - 1, &bytes, 1000);
        }
    }
}

fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let measure = match arguments.next().as_deref() {
        Some("time") => Measure::Time,
        Some("laps") => Measure::Laps,
        Some("list") => {
            CURVES.iter().for_each(|(name, _)| println!("{name}"));
            return Ok(());
        }
        _ => return Err("usage: growth list, growth time [CURVE], or growth laps [CURVE]".to_owned()),
    };
    let wanted = arguments.next();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let bench = Bench { measure, runtime, engine: engine() };
    for (name, draw) in CURVES {
        if wanted.as_deref().is_none_or(|wanted| wanted == name) {
            draw(&bench);
        }
    }
    Ok(())
}
