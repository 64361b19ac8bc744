//! `replay` with real files.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::compression::{gzip, zstd};
use super::*;
use crate::config::spec::{ReplayMode, ReplaySpec};
use crate::data::Signal;
use crate::receiver::{Progress, Replay};

/// A request of one span, as the collector's file exporter writes it.
const LINE: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","name":"a"}]}]}]}"#;

struct Stage {
    folder: TempDir,
    shards: Shards,
    metrics: Metrics,
    limits: RequestLimits,
}

impl Stage {
    fn new() -> Stage {
        Stage {
            folder: tempfile::tempdir().unwrap(),
            shards: Shards::start(NonZeroUsize::MIN).unwrap(),
            metrics: Metrics::default(),
            limits: RequestLimits::default(),
        }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn start(&self, pipeline: &Arc<Pipeline>, path: &Path, rate: Option<f64>, mode: ReplayMode) -> Replay {
        let spec = ReplaySpec { paths: vec![path.to_owned()], rate, mode, limits: self.limits.clone() };
        Replay::start("replay", &spec, pipeline.clone(), &Memory::unlimited(), &self.metrics, &self.shards, 0).unwrap()
    }

    /// Replays a path once.
    async fn once(&self, pipeline: &Arc<Pipeline>, path: &Path) -> Progress {
        let replay = self.start(pipeline, path, None, ReplayMode::Once);
        let progress = soon(replay.finished()).await;
        assert_eq!(replay.drain(Instant::now() + SOON).await, progress);
        assert_eq!(self.shards.shutdown(Instant::now() + SOON).await, []);
        progress
    }
}

fn done(requests: u64, left_out: u64) -> Progress {
    Progress { requests, accepted: requests, rejected: 0, left_out, done: true }
}

fn names(pipeline: &Pipeline) -> Vec<String> {
    let request = |bytes: Vec<u8>| ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
    pipeline
        .bytes()
        .into_iter()
        .map(|bytes| request(bytes).resource_spans[0].scope_spans[0].spans[0].name.clone())
        .collect()
}

#[tokio::test]
async fn json_lines_of_every_signal_are_handed_over_in_order() {
    let stage = Stage::new();
    let metrics = r#"{"resourceMetrics":[]}"#;
    let logs = r#" { "unknown": {"resourceSpans": 1}, "resourceLogs" : [] } "#;
    let path = stage.file("all.jsonl", format!("{LINE}\n\n{metrics}\r\n{logs}"));
    let pipeline = Pipeline::taking_all();
    assert_eq!(stage.once(&pipeline, &path).await, done(3, 0));
    let signals: Vec<_> = pipeline.taken.lock().iter().map(|request| request.signal).collect();
    assert_eq!(signals, Signal::ALL);
}

#[tokio::test]
async fn compressed_files_are_read() {
    for (name, content) in [
        ("a.json.gz", gzip(format!("{LINE}\n{LINE}\n").as_bytes())),
        ("a.jsonl.zst", zstd(format!("{LINE}\n{LINE}").as_bytes())),
    ] {
        let (stage, pipeline) = (Stage::new(), Pipeline::taking_all());
        let path = stage.file(name, content);
        assert_eq!(stage.once(&pipeline, &path).await, done(2, 0));
        assert_eq!(names(&pipeline), ["a", "a"]);
    }
}

#[tokio::test]
async fn a_document_of_many_lines_is_one_request() {
    let value: serde_json::Value = serde_json::from_str(LINE).unwrap();
    let (stage, pipeline) = (Stage::new(), Pipeline::taking_all());
    let path = stage.file("pretty.json", serde_json::to_string_pretty(&value).unwrap());
    assert_eq!(stage.once(&pipeline, &path).await, done(1, 0));
    assert_eq!(names(&pipeline), ["a"]);
}

#[tokio::test]
async fn what_is_malformed_or_too_large_is_left_out_and_counted() {
    let stage = Stage { limits: RequestLimits { max_request_bytes: 200, ..RequestLimits::default() }, ..Stage::new() };
    let long = LINE.replace("\"a\"", &format!("\"{}\"", "x".repeat(200)));
    let path = stage.file("some.json", format!("{LINE}\n{{\"resourceSpans\":7}}\n{{}}\n{long}\nno\n{LINE}"));
    let pipeline = Pipeline::taking_all();
    assert_eq!(stage.once(&pipeline, &path).await, done(2, 4));
    assert_eq!(names(&pipeline), ["a", "a"]);
}

#[tokio::test]
async fn a_file_that_breaks_off_is_left_out_and_the_next_is_read() {
    let stage = Stage::new();
    let whole = gzip(format!("{LINE}\n").repeat(1000).as_bytes());
    stage.file("1.json.gz", &whole[..whole.len() - 10]);
    stage.file("2.json", LINE);
    let pipeline = Pipeline::taking_all();
    let progress = stage.once(&pipeline, stage.folder.path()).await;
    assert_eq!(progress.left_out, 1);
    assert!(progress.requests >= 1, "{progress:?}");
}

#[tokio::test]
async fn protobuf_files_are_one_request_or_many() {
    let requests = [spans(1), spans(200), Vec::new(), spans(2)];
    let varint = |request: &Vec<u8>| {
        let mut out = Vec::new();
        prost::encoding::encode_varint(request.len() as u64, &mut out);
        [out, request.clone()].concat()
    };
    let fixed = |request: &Vec<u8>| [&(request.len() as u32).to_be_bytes()[..], request].concat();
    for (name, content, expected) in [
        ("traces.pb", spans(3), vec![spans(3)]),
        ("traces-varint.binpb", requests.iter().map(varint).collect::<Vec<_>>().concat(), requests.to_vec()),
        ("traces-collector.pb.zst", zstd(&requests.iter().map(fixed).collect::<Vec<_>>().concat()), requests.to_vec()),
    ] {
        let (stage, pipeline) = (Stage::new(), Pipeline::taking_all());
        let path = stage.file(name, content);
        assert_eq!(stage.once(&pipeline, &path).await, done(expected.len() as u64, 0), "{name}");
        assert_eq!(pipeline.bytes(), expected);
    }
}

#[tokio::test]
async fn a_protobuf_message_that_is_too_large_is_left_out() {
    let stage = Stage { limits: RequestLimits { max_request_bytes: 500, ..RequestLimits::default() }, ..Stage::new() };
    let framed = |request: Vec<u8>| [(request.len() as u32).to_be_bytes().to_vec(), request].concat();
    let path = stage.file("traces.pb", [framed(spans(2)), framed(spans(100)), framed(spans(3))].concat());
    let pipeline = Pipeline::taking_all();
    assert_eq!(stage.once(&pipeline, &path).await, done(2, 1));
    assert_eq!(pipeline.bytes(), [spans(2), spans(3)]);
}

#[tokio::test]
async fn a_busy_pipeline_is_asked_again() {
    let (stage, asked) = (Stage::new(), Mutex::new(0));
    let path = stage.file("a.json", LINE);
    let pipeline = Pipeline::that(move |_| {
        *asked.lock() += 1;
        match *asked.lock() {
            1..3 => Err(Refusal::Busy { reason: "full".to_owned(), retry_after: Duration::from_millis(5) }),
            _ => Ok(Receipt { accepted: 1, ..Receipt::default() }),
        }
    });
    assert_eq!(stage.once(&pipeline, &path).await, done(1, 0));
    assert_eq!(names(&pipeline), ["a", "a", "a"]);
}

#[tokio::test]
async fn a_rate_is_kept() {
    let (stage, pipeline) = (Stage::new(), Pipeline::taking_all());
    let path = stage.file("a.json", format!("{LINE}\n").repeat(11));
    let start = Instant::now();
    let replay = stage.start(&pipeline, &path, Some(50.0), ReplayMode::Once);
    assert_eq!(soon(replay.finished()).await, done(11, 0));
    // The first at once, ten more 20 ms apart; how late it may be is the machine's affair.
    assert!(start.elapsed() >= Duration::from_millis(195), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_loop_goes_on_until_it_is_stopped_and_serves_a_new_intake() {
    let (stage, old, new) = (Stage::new(), Pipeline::taking_all(), Pipeline::taking_all());
    let path = stage.file("a.json", LINE);
    let replay = stage.start(&old, &path, Some(1000.0), ReplayMode::Loop);
    until(|| old.bytes().len() > 3).await;
    replay.rewire(new.clone());
    until(|| new.bytes().len() > 3).await;
    let progress = replay.drain(Instant::now() + SOON).await;
    assert_eq!(progress, done((old.bytes().len() + new.bytes().len()) as u64, 0));
    assert_eq!(stage.shards.shutdown(Instant::now() + SOON).await, []);
}

#[tokio::test]
async fn a_loop_without_a_single_request_ends() {
    let (stage, pipeline) = (Stage::new(), Pipeline::taking_all());
    let path = stage.file("a.json", "no\n");
    let replay = stage.start(&pipeline, &path, None, ReplayMode::Loop);
    assert_eq!(soon(replay.finished()).await, done(0, 1));
}
