//! What each compression costs and leaves, on telemetry, and what it costs to make a compressor for each body.
//!
//!     cargo run --release --example compression
//!
//! Each cell is the least of many turns, and the sides of a line take turns with each other, so that a busy machine
//! shows little. `made` is a compressor made for the body, `kept` one that is kept from body to body.

use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use sluicebox::bench::requests::Recipe;
use sluicebox::config::spec::{Codec, Compression};
use sluicebox::exporter::compress::chooser::CANDIDATES;
use sluicebox::exporter::compress::contexts::Contexts;
use sluicebox::exporter::compress::meter::name;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

/// Spans of a body.
const SPANS: [usize; 3] = [10, 100, 1000];
/// Bytes that each side compresses in all turns together.
const BYTES: usize = 64 << 20;
const TURNS_MAX: usize = 500;

/// One body, compressed by a compressor of its own.
fn made(codec: Codec, body: &[u8]) -> Vec<u8> {
    match codec.compression {
        Compression::None => body.to_vec(),
        Compression::Gzip => {
            let level = flate2::Compression::new(codec.level.into());
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(body).expect("memory");
            encoder.finish().expect("memory")
        }
        Compression::Zstd => {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), codec.level.into()).expect("memory");
            encoder.write_all(body).expect("memory");
            encoder.finish().expect("memory")
        }
    }
}

fn kept(runtime: &Runtime, contexts: &mut Contexts, codec: Codec, body: &Bytes) -> Vec<u8> {
    runtime.block_on(contexts.compress(codec, 0, std::slice::from_ref(body))).expect("memory").bytes
}

fn timed(work: impl FnOnce() -> Vec<u8>, least: &mut Duration) -> usize {
    let begun = Instant::now();
    let len = black_box(work()).len();
    *least = (*least).min(begun.elapsed());
    len
}

fn main() {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    println!(
        "| compression | spans | bytes left | made, ms/MiB | kept, ms/MiB | kept ÷ made |\n|---|---|---|---|---|---|"
    );
    for codec in CANDIDATES.into_iter().filter(|codec| *codec != Codec::NONE) {
        for spans in SPANS {
            let body = Recipe::traces(spans).encode(0);
            let mut contexts = Contexts::default();
            let (mut of_made, mut of_kept, mut len) = (Duration::MAX, Duration::MAX, 0);
            for _ in 0..(BYTES / body.len()).clamp(5, TURNS_MAX) {
                timed(|| made(codec, &body), &mut of_made);
                len = timed(|| kept(&runtime, &mut contexts, codec, &body), &mut of_kept);
            }
            let mib = body.len() as f64 / f64::from(1 << 20);
            let ms = |time: Duration| time.as_secs_f64() * 1e3 / mib;
            println!(
                "| {} | {spans} | {:.1} % | {:.2} | {:.2} | {:.2} |",
                name(codec),
                100.0 * len as f64 / body.len() as f64,
                ms(of_made),
                ms(of_kept),
                ms(of_kept) / ms(of_made)
            );
        }
    }
}
