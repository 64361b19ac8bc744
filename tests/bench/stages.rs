//! What each stage of a batch costs, on batches of 10, 100 and 1000 spans of about 500 bytes, against decoding and
//! encoding the same bytes with prost. Run with `cargo bench --bench stages`.
//!
//! All data is hot in the cache. Criterion prints time an iteration and records a second; a record's share is the
//! inverse of the latter.

mod cases;

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use sluicebox::bench::requests::Recipe;
use sluicebox::config::spec::Compression;
use sluicebox::data::column::Value;
use sluicebox::data::json::{self, JsonLimits};
use sluicebox::data::splice::splice;
use sluicebox::data::walk::{Limits, walk};
use sluicebox::data::{Payload, Signal};
use sluicebox::exporter::compress::{Choice, Packer};
use sluicebox::plugin::Engine;
use sluicebox::queue::frame::Head;
use sluicebox::receiver::answer::export_response;
use sluicebox::receiver::inflate::Coding;
use tokio::runtime::Builder;

use cases::{FILTER, FIVE_FIELDS, Plug, REDACT, SAMPLER, TRANSFORM, chain, edit, gzipped, projection, zstd_of};

const SIZES: [usize; 3] = [10, 100, 1000];

/// Runs `routine` on requests of each size.
fn on_each_size(criterion: &mut Criterion, name: &str, mut routine: impl FnMut(&mut criterion::Bencher<'_>, &Bytes)) {
    let mut group = criterion.benchmark_group(name);
    for size in SIZES {
        let bytes = Recipe::traces(size).encode(0);
        group.throughput(Throughput::Elements(size as u64));
        group.bench_with_input(BenchmarkId::from_parameter(size), &bytes, |bencher, bytes| routine(bencher, bytes));
    }
    group.finish();
}

fn prost(criterion: &mut Criterion) {
    on_each_size(criterion, "prost/decode", |bencher, bytes| {
        bencher.iter(|| ExportTraceServiceRequest::decode(black_box(bytes.clone())));
    });
    on_each_size(criterion, "prost/decode+encode", |bencher, bytes| {
        bencher.iter(|| ExportTraceServiceRequest::decode(black_box(bytes.clone())).map(|it| it.encode_to_vec()));
    });
    on_each_size(criterion, "copy", |bencher, bytes| bencher.iter(|| black_box(bytes).to_vec()));
}

fn walks(criterion: &mut Criterion) {
    let cases: [(&str, &[&str]); 4] = [
        ("walk/no field", &[]),
        ("walk/one attribute", &[r#"span.attributes["http.route"]"#]),
        ("walk/five fields", &FIVE_FIELDS),
        ("walk/all attributes", &["attributes[*]"]),
    ];
    for (name, paths) in cases {
        let projection = projection(paths);
        on_each_size(criterion, name, |bencher, bytes| {
            bencher.iter(|| walk(black_box(bytes), &projection, Limits::default()));
        });
    }
}

fn splices(criterion: &mut Criterion) {
    let dropping = projection(&[]);
    on_each_size(criterion, "splice/drop 30 %", |bencher, bytes| {
        let mut batch = walk(bytes, &dropping, Limits::default()).expect("a request");
        (0..batch.rows()).filter(|row| row % 10 < 3).for_each(|row| batch.drop_row(row));
        bencher.iter(|| splice(black_box(&batch)));
    });
    let editing = projection(&[r#"span.attributes["user.id"]"#, r#"span.attributes["deployment"]"#]);
    on_each_size(criterion, "splice/set and delete an attribute", |bencher, bytes| {
        let rows = walk(bytes, &editing, Limits::default()).expect("a request").rows() as u32;
        let edits = [edit(0, rows, Value::Absent), edit(1, rows, Value::Text(b"production"))];
        bencher.iter_batched_ref(
            || walk(bytes, &editing, Limits::default()).expect("a request"),
            |batch| {
                batch.apply(&[0, 1], &edits).expect("edits that fit");
                splice(batch)
            },
            BatchSize::LargeInput,
        );
    });
    on_each_size(criterion, "splice/unchanged", |bencher, bytes| {
        let batch = walk(bytes, &editing, Limits::default()).expect("a request");
        bencher.iter(|| splice(black_box(&batch)));
    });
}

fn chains(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let engine = Engine::new().expect("an engine");
    let cases: [(&str, Vec<Plug>); 8] = [
        ("chain/0", vec![]),
        ("chain/filter", vec![FILTER]),
        ("chain/3 filters", vec![FILTER; 3]),
        ("chain/10 filters", vec![FILTER; 10]),
        ("chain/sampler", vec![SAMPLER]),
        ("chain/transform", vec![TRANSFORM]),
        ("chain/filter+sampler+transform", vec![FILTER, SAMPLER, TRANSFORM]),
        ("chain/redact", vec![REDACT]),
    ];
    for (name, plugs) in cases {
        let chain = chain(&runtime, &engine, &plugs);
        on_each_size(criterion, name, |bencher, bytes| {
            bencher.iter(|| runtime.block_on(chain.run(0, black_box(bytes), Limits::default())));
        });
    }
}

fn json(criterion: &mut Criterion) {
    on_each_size(criterion, "json/encode", |bencher, bytes| {
        bencher.iter(|| {
            let mut text = Vec::new();
            json::encode(Signal::Traces, black_box(bytes), &mut text).map(|()| text)
        });
    });
    on_each_size(criterion, "json/decode", |bencher, bytes| {
        let mut text = Vec::new();
        json::encode(Signal::Traces, bytes, &mut text).expect("a request");
        bencher.iter(|| json::decode(Signal::Traces, black_box(&text), &JsonLimits::default()));
    });
}

fn compression(criterion: &mut Criterion) {
    type Compressed = fn(&[u8]) -> Bytes;
    for (name, coding, compressed) in
        [("inflate/gzip", Coding::Gzip, gzipped as Compressed), ("inflate/zstd", Coding::Zstd, zstd_of)]
    {
        on_each_size(criterion, name, |bencher, bytes| {
            let body = compressed(bytes);
            bencher.iter(|| coding.inflate(black_box(body.clone()), 64 << 20));
        });
    }
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    for (name, compression) in [("compress/gzip", Compression::Gzip), ("compress/zstd", Compression::Zstd)] {
        on_each_size(criterion, name, |bencher, bytes| {
            let (packer, chunks) = (Packer::new(Choice::Fixed(compression.into())), [bytes.clone()]);
            bencher.iter(|| runtime.block_on(packer.pack(5, black_box(&chunks))));
        });
    }
}

fn ends(criterion: &mut Criterion) {
    on_each_size(criterion, "queue/frame", |bencher, bytes| {
        let payload = Payload { signal: Signal::Traces, bytes: bytes.clone(), records: 1 };
        bencher.iter(|| Head::new(black_box(&payload), 1, 1_763_712_000_000, 7).map(|head| head.encode(7)));
    });
    criterion.bench_function("response/full success", |bencher| bencher.iter(|| export_response(black_box(0), "")));
    criterion.bench_function("response/partial success", |bencher| {
        bencher.iter(|| export_response(black_box(3), black_box("spans without a trace id (3)")));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().without_plots().measurement_time(std::time::Duration::from_secs(2))
        .warm_up_time(std::time::Duration::from_millis(500)).sample_size(20);
    targets = prost, walks, splices, chains, json, compression, ends
}
criterion_main!(benches);
