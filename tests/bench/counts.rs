//! The hot stages, one at a time and as often as asked, for a count of their instructions. `counts.py` runs it under
//! valgrind twice, with different numbers of iterations; the difference is what the iterations cost.
//!
//!     counts list             counts STAGE ITERATIONS

mod cases;

use std::hint::black_box;

use bytes::Bytes;
use sluicebox::bench::requests::Recipe;
use sluicebox::data::Signal;
use sluicebox::data::column::Value;
use sluicebox::data::json::{self, JsonLimits};
use sluicebox::data::splice::splice;
use sluicebox::data::walk::{Limits, walk};
use sluicebox::plugin::{CodeCache, Compiler, Engine};
use tokio::runtime::Builder;

use cases::{FILTER, FIVE_FIELDS, Plug, REDACT, SAMPLER, TRANSFORM, chain, edit, projection};

/// Records of the request that most stages are given.
const RECORDS: usize = 1000;
/// Records of a small request: what is paid once a request shows.
const FEW: usize = 10;

/// Something that is counted.
type Stage = (&'static str, fn(&Bytes, usize));

const STAGES: [Stage; 18] = [
    ("walk/no-field", |bytes, times| walked(bytes, times, &[])),
    ("walk/one-attribute", |bytes, times| walked(bytes, times, &FIVE_FIELDS[..1])),
    ("walk/five-fields", |bytes, times| walked(bytes, times, &FIVE_FIELDS)),
    ("walk/all-attributes", |bytes, times| walked(bytes, times, &["attributes[*]"])),
    ("splice/drop", dropped),
    ("splice/set-and-delete", edited),
    ("json/encode", encoded),
    ("json/decode", decoded),
    ("chain/filter", |bytes, times| chained(bytes, times, &[FILTER])),
    ("chain/10-filters", |bytes, times| chained(bytes, times, &[FILTER; 10])),
    ("chain/sampler", |bytes, times| chained(bytes, times, &[SAMPLER])),
    ("chain/transform", |bytes, times| chained(bytes, times, &[TRANSFORM])),
    ("chain/redact", |bytes, times| chained(bytes, times, &[REDACT])),
    ("chain/0-few", |bytes, times| chained(bytes, times, &[])),
    ("chain/filter-few", |bytes, times| chained(bytes, times, &[FILTER])),
    ("chain/sampler-few", |bytes, times| chained(bytes, times, &[SAMPLER])),
    ("chain/transform-few", |bytes, times| chained(bytes, times, &[TRANSFORM])),
    ("chain/redact-few", |bytes, times| chained(bytes, times, &[REDACT])),
];

/// Records of the request that a stage is given.
fn records(stage: &str) -> usize {
    if stage.ends_with("-few") { FEW } else { RECORDS }
}

fn walked(bytes: &Bytes, times: usize, paths: &[&str]) {
    let projection = projection(paths);
    (0..times).for_each(|_| drop(black_box(walk(black_box(bytes), &projection, Limits::default()))));
}

fn dropped(bytes: &Bytes, times: usize) {
    let mut batch = walk(bytes, &projection(&[]), Limits::default()).expect("a request");
    (0..batch.rows()).filter(|row| row % 10 < 3).for_each(|row| batch.drop_row(row));
    (0..times).for_each(|_| drop(black_box(splice(black_box(&batch)))));
}

fn edited(bytes: &Bytes, times: usize) {
    let projection = projection(&[r#"span.attributes["user.id"]"#, r#"span.attributes["deployment"]"#]);
    let edits = [edit(0, RECORDS as u32, Value::Absent), edit(1, RECORDS as u32, Value::Text(b"production"))];
    for _ in 0..times {
        let mut batch = walk(bytes, &projection, Limits::default()).expect("a request");
        batch.apply(&[0, 1], &edits).expect("edits that fit");
        drop(black_box(splice(&batch)));
    }
}

fn encoded(bytes: &Bytes, times: usize) {
    for _ in 0..times {
        let mut text = Vec::new();
        json::encode(Signal::Traces, black_box(bytes), &mut text).expect("a request");
        drop(black_box(text));
    }
}

fn decoded(bytes: &Bytes, times: usize) {
    let mut text = Vec::new();
    json::encode(Signal::Traces, bytes, &mut text).expect("a request");
    for _ in 0..times {
        let request = json::decode(Signal::Traces, black_box(&text), &JsonLimits::default());
        drop(black_box(request.expect("what was encoded")));
    }
}

fn chained(bytes: &Bytes, times: usize, plugs: &[Plug]) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    // Code that was compiled before: valgrind would count the compiler for minutes.
    let engine =
        Engine::with(CodeCache::of_environment(|name| std::env::var(name).ok()), Compiler::Here).expect("an engine");
    let chain = chain(&runtime, &engine, plugs);
    for _ in 0..times {
        drop(black_box(runtime.block_on(chain.run(0, black_box(bytes), Limits::default()))));
    }
}

fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("usage: counts list, or counts STAGE ITERATIONS")?;
    if name == "list" {
        STAGES.iter().for_each(|(name, _)| println!("{name} {}", records(name)));
        return Ok(());
    }
    let (_, stage) = STAGES.iter().find(|(stage, _)| *stage == name).ok_or(format!("there is no stage {name}"))?;
    let times = arguments.next().and_then(|times| times.parse().ok()).ok_or("how many iterations?")?;
    stage(&Recipe::traces(records(&name)).encode(0), times);
    Ok(())
}
