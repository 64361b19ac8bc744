//! The hot stages, one at a time and as often as asked, for a count of their instructions. `counts.py` runs it under
//! valgrind, which counts between two laps: what is done once, before them, is left out.
//!
//!     counts list             counts STAGE ITERATIONS             counts plugins

mod cases;

use std::hint::black_box;

use bytes::Bytes;
use sluicebox::bench::requests::Recipe;
use sluicebox::config::spec::Compression;
use sluicebox::data::column::Value;
use sluicebox::data::json::{self, JsonLimits};
use sluicebox::data::splice::splice;
use sluicebox::data::walk::{Limits, walk};
use sluicebox::data::{Payload, Signal};
use sluicebox::exporter::compress::{Choice, Packer};
use sluicebox::queue::frame::Head;
use sluicebox::receiver::answer::export_response;
use sluicebox::receiver::inflate::Coding;
use tokio::runtime::{Builder, Runtime};

use cases::{
    FILTER, FIVE_FIELDS, Plug, REDACT, SAMPLER, TRANSFORM, chain, edit, engine, gzipped, lap, projection, zstd_of,
};

/// Records of the request that most stages are given.
const RECORDS: usize = 1000;
/// Records of a small request: what is paid once a request shows.
const FEW: usize = 10;

/// What is counted, made ready.
type Work = Box<dyn FnMut()>;

/// Makes a stage ready for a request.
type Prepare = fn(Bytes) -> Work;

const STAGES: [(&str, Prepare); 24] = [
    ("walk/no-field", |bytes| walked(bytes, &[])),
    ("walk/one-attribute", |bytes| walked(bytes, &FIVE_FIELDS[..1])),
    ("walk/five-fields", |bytes| walked(bytes, &FIVE_FIELDS)),
    ("walk/all-attributes", |bytes| walked(bytes, &["attributes[*]"])),
    ("splice/drop", dropped),
    ("splice/set-and-delete", edited),
    ("json/encode", encoded),
    ("json/decode", decoded),
    ("inflate/gzip", |bytes| inflated(Coding::Gzip, gzipped(&bytes))),
    ("inflate/zstd", |bytes| inflated(Coding::Zstd, zstd_of(&bytes))),
    ("compress/gzip", |bytes| compressed(bytes, Compression::Gzip)),
    ("compress/zstd", |bytes| compressed(bytes, Compression::Zstd)),
    ("queue/frame", framed),
    ("response/partial", |_| answered()),
    ("chain/none", |bytes| chained(bytes, &[])),
    ("chain/filter", |bytes| chained(bytes, &[FILTER])),
    ("chain/10-filters", |bytes| chained(bytes, &[FILTER; 10])),
    ("chain/sampler", |bytes| chained(bytes, &[SAMPLER])),
    ("chain/transform", |bytes| chained(bytes, &[TRANSFORM])),
    ("chain/three", |bytes| chained(bytes, &[FILTER, SAMPLER, TRANSFORM])),
    ("chain/redact", |bytes| chained(bytes, &[REDACT])),
    ("chain/none-few", |bytes| chained(bytes, &[])),
    ("chain/filter-few", |bytes| chained(bytes, &[FILTER])),
    ("chain/transform-few", |bytes| chained(bytes, &[TRANSFORM])),
];

/// Records of the request that a stage is given.
fn records(stage: &str) -> usize {
    if stage.ends_with("-few") { FEW } else { RECORDS }
}

/// What the count of a stage is divided by: the answer is one for all records.
fn units(stage: &str) -> usize {
    if stage.starts_with("response/") { 1 } else { records(stage) }
}

fn walked(bytes: Bytes, paths: &[&str]) -> Work {
    let projection = projection(paths);
    Box::new(move || drop(black_box(walk(black_box(&bytes), &projection, Limits::default()))))
}

fn dropped(bytes: Bytes) -> Work {
    let mut batch = walk(&bytes, &projection(&[]), Limits::default()).expect("a request");
    (0..batch.rows()).filter(|row| row % 10 < 3).for_each(|row| batch.drop_row(row));
    Box::new(move || drop(black_box(splice(black_box(&batch)))))
}

fn edited(bytes: Bytes) -> Work {
    let projection = projection(&[r#"span.attributes["user.id"]"#, r#"span.attributes["deployment"]"#]);
    let edits = [edit(0, RECORDS as u32, Value::Absent), edit(1, RECORDS as u32, Value::Text(b"production"))];
    Box::new(move || {
        let mut batch = walk(&bytes, &projection, Limits::default()).expect("a request");
        batch.apply(&[0, 1], &edits).expect("edits that fit");
        drop(black_box(splice(&batch)));
    })
}

fn encoded(bytes: Bytes) -> Work {
    Box::new(move || {
        let mut text = Vec::new();
        json::encode(Signal::Traces, black_box(&bytes), &mut text).expect("a request");
        drop(black_box(text));
    })
}

fn decoded(bytes: Bytes) -> Work {
    let mut text = Vec::new();
    json::encode(Signal::Traces, &bytes, &mut text).expect("a request");
    Box::new(move || {
        let request = json::decode(Signal::Traces, black_box(&text), &JsonLimits::default());
        drop(black_box(request.expect("what was encoded")));
    })
}

fn inflated(coding: Coding, body: Bytes) -> Work {
    Box::new(move || drop(black_box(coding.inflate(black_box(body.clone()), 64 << 20).expect("what was compressed"))))
}

fn compressed(bytes: Bytes, compression: Compression) -> Work {
    let (runtime, chunks) = (runtime(), [bytes]);
    let packer = Packer::new(Choice::Fixed(compression.into()));
    Box::new(move || drop(black_box(runtime.block_on(packer.pack(5, black_box(&chunks))))))
}

fn framed(bytes: Bytes) -> Work {
    let payload = Payload { signal: Signal::Traces, bytes, records: RECORDS as u64 };
    Box::new(move || {
        let head = Head::new(black_box(&payload), 1, 1_763_712_000_000, 7).expect("a payload that fits");
        black_box(head.encode(7));
    })
}

fn answered() -> Work {
    Box::new(|| drop(black_box(export_response(black_box(3), black_box("spans without a trace id (3)")))))
}

fn chained(bytes: Bytes, plugs: &[Plug]) -> Work {
    let (runtime, engine) = (runtime(), engine());
    let chain = chain(&runtime, &engine, plugs);
    Box::new(move || drop(black_box(runtime.block_on(chain.run(0, black_box(&bytes), Limits::default())))))
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("usage: counts list, counts plugins, or counts STAGE ITERATIONS")?;
    if name == "list" {
        STAGES.iter().for_each(|(name, _)| println!("{name} {}", units(name)));
        return Ok(());
    }
    if name == "plugins" {
        chain(&runtime(), &engine(), &[FILTER, SAMPLER, TRANSFORM, REDACT]);
        return Ok(());
    }
    let (_, prepare) = STAGES.iter().find(|(stage, _)| *stage == name).ok_or(format!("there is no stage {name}"))?;
    let times: usize = arguments.next().and_then(|times| times.parse().ok()).ok_or("how many iterations?")?;
    let mut work = prepare(Recipe::traces(records(&name)).encode(0));
    // Once for what the first time alone needs.
    work();
    lap();
    (0..times).for_each(|_| work());
    lap();
    Ok(())
}
