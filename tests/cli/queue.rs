//! `queue inspect`, `export` and `drain`, on queues that the library has filled.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;
use sluicebox::data::{Payload, Signal};
use sluicebox::queue::{Meter, Options, Queue};
use sluicebox::telemetry::metrics::Metrics;
use tempfile::TempDir;

use crate::sluicebox::{Ran, sluicebox};

/// A request with one log record.
fn log(body: &str) -> Payload {
    let body = Some(AnyValue { value: Some(Value::StringValue(body.to_owned())) });
    let scope = ScopeLogs { log_records: vec![LogRecord { body, ..Default::default() }], ..Default::default() };
    let request = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { scope_logs: vec![scope], ..Default::default() }],
    };
    Payload { signal: Signal::Logs, bytes: request.encode_to_vec().into(), records: 1 }
}

fn open(dir: &Path) -> Queue {
    Queue::open(dir, &Options::default(), Meter::new("test", 0, &Metrics::default())).unwrap()
}

async fn append(queue: &Queue, payload: Payload) {
    queue.reserve(payload.bytes.len()).unwrap().append(payload).await.unwrap();
}

/// A folder with a queue `q` of five entries, two of which are delivered.
async fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let queue = open(&folder.path().join("q"));
    for n in 0..5 {
        append(&queue, log(&format!("entry {n}"))).await;
    }
    for _ in 0..2 {
        queue.next().await.unwrap().delivered();
    }
    queue.finish().await;
    folder
}

fn segment(folder: &TempDir) -> PathBuf {
    folder.path().join("q/0000000000000001.segment")
}

fn inspect(folder: &TempDir) -> (Ran, serde_json::Value) {
    let ran = sluicebox(folder.path(), &["queue", "inspect", "q", "--format", "json"]);
    let json = serde_json::from_str(&ran.out).unwrap_or_default();
    (ran, json)
}

/// The `entry n` of every line.
fn exported(text: &str) -> Vec<String> {
    let body = "/resourceLogs/0/scopeLogs/0/logRecords/0/body/stringValue";
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.map(|line| line.pointer(body).unwrap().as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn inspect_tells_what_waits_and_whether_it_is_sound() {
    let folder = folder().await;
    let text = sluicebox(folder.path(), &["queue", "inspect", "q"]);
    assert_eq!((text.code, text.err.as_str()), (0, ""));
    assert!(text.out.contains("undelivered   3 entries, 3 records"), "{}", text.out);
    let (ran, json) = inspect(&folder);
    assert_eq!(ran.code, 0);
    assert_eq!(json["undelivered"]["entries"], 3);
    assert_eq!(json["undelivered_by_signal"]["logs"]["records"], 3);
    assert_eq!((&json["delivered"]["entries"], &json["in_use"]), (&2.into(), &false.into()));
    assert_eq!((&json["cursor"]["state"], &json["cursor"]["low"]), (&"sound".into(), &2.into()));
    assert_eq!((&json["format"], &json["segments"], &json["unreadable_places"]), (&1.into(), &1.into(), &0.into()));
    assert!(json["oldest"].as_str() <= json["newest"].as_str() && json["oldest"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn f44_inspect_and_export_go_past_damage_and_say_so() {
    let folder = folder().await;
    let mut bytes = std::fs::read(segment(&folder)).unwrap();
    let at = bytes.windows(7).position(|window| window == b"entry 3").unwrap();
    bytes[at] ^= 1;
    std::fs::write(segment(&folder), &bytes).unwrap();
    let (ran, json) = inspect(&folder);
    assert_eq!((ran.code, &json["unreadable_places"]), (1, &1.into()));
    assert_eq!(json["undelivered"]["entries"], 2);
    let ran = sluicebox(folder.path(), &["queue", "export", "q", "--to", "-"]);
    assert_eq!((ran.code, exported(&ran.out)), (1, vec!["entry 2".to_owned(), "entry 4".to_owned()]));
    assert!(ran.err.contains("bytes of the queue cannot be read"), "{}", ran.err);
    assert_eq!(std::fs::read(segment(&folder)).unwrap(), bytes, "nothing is repaired");
}

#[tokio::test]
async fn export_writes_what_is_undelivered_and_leaves_the_queue_as_it_is() {
    let folder = folder().await;
    let before = std::fs::read(segment(&folder)).unwrap();
    let ran = sluicebox(folder.path(), &["queue", "export", "q", "--to", "left.jsonl"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", "exported 3 entries with 3 records\n"));
    let left = std::fs::read_to_string(folder.path().join("left.jsonl")).unwrap();
    assert_eq!(exported(&left), ["entry 2", "entry 3", "entry 4"]);
    let all = sluicebox(folder.path(), &["queue", "export", "q", "--to", "-", "--all"]);
    assert_eq!(exported(&all.out).len(), 5);
    assert_eq!(std::fs::read(segment(&folder)).unwrap(), before);
    let again = sluicebox(folder.path(), &["queue", "export", "q", "--to", "left.jsonl"]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("cannot make the file `left.jsonl`; name one that is not there"), "{}", again.err);
}

#[tokio::test]
async fn a_queue_in_use_can_be_looked_at_but_not_drained() {
    let folder = TempDir::new().unwrap();
    let queue = open(&folder.path().join("q"));
    append(&queue, log("entry 0")).await;
    let (ran, json) = inspect(&folder);
    assert_eq!((ran.code, &json["in_use"], &json["undelivered"]["entries"]), (0, &true.into(), &1.into()));
    let ran = sluicebox(folder.path(), &["queue", "drain", "q", "--endpoint", "http://127.0.0.1:1"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("is in use by another process; end that one"), "{}", ran.err);
    drop(queue);
}

#[tokio::test]
async fn drain_through_the_exporter_of_a_pipeline_file_empties_the_queue() {
    let folder = folder().await;
    let pipeline = "receivers: { otlp: }\nexporters: { file/out: { path: out.jsonl } }\n\
                    service: { pipelines: { logs: { receivers: [otlp], exporters: [file/out] } } }\n";
    std::fs::write(folder.path().join("p.yaml"), pipeline).unwrap();
    let wrong = sluicebox(folder.path(), &["queue", "drain", "q", "--config", "p.yaml", "--exporter", "otlp"]);
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.contains("no pipeline uses an exporter `otlp`; there is `file/out`"), "{}", wrong.err);
    let ran = sluicebox(folder.path(), &["queue", "drain", "q", "--config", "p.yaml", "--exporter", "file/out"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, "delivered 3 entries with 3 records\n"));
    let out = std::fs::read_to_string(folder.path().join("out.jsonl")).unwrap();
    assert_eq!(exported(&out), ["entry 2", "entry 3", "entry 4"]);
    let (_, json) = inspect(&folder);
    assert_eq!((&json["undelivered"]["entries"], &json["segments"]), (&0.into(), &0.into()));
}

/// Answers each OTLP/HTTP request with the next status; how many bytes each had.
fn backend(statuses: Vec<u16>) -> (String, std::thread::JoinHandle<Vec<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serve = move || {
        let mut sizes = Vec::new();
        let mut statuses = statuses.into_iter().peekable();
        while statuses.peek().is_some() {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            while let Some(size) = read_request(&mut reader) {
                sizes.push(size);
                let status = statuses.next().unwrap();
                let head = format!("HTTP/1.1 {status} x\r\ncontent-type: application/x-protobuf\r\n");
                let answer = format!("{head}content-length: 0\r\n\r\n");
                reader.get_mut().write_all(answer.as_bytes()).unwrap();
                if statuses.peek().is_none() {
                    break;
                }
            }
        }
        sizes
    };
    (url, std::thread::spawn(serve))
}

/// Reads one request; the size of its body, or none at the end of the connection.
fn read_request(reader: &mut impl BufRead) -> Option<usize> {
    let (mut size, mut line) = (0, String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(length) = line.strip_prefix("content-length:") {
            size = length.trim().parse().unwrap();
        }
        if line.is_empty() {
            reader.take(size as u64).read_to_end(&mut Vec::new()).unwrap();
            return Some(size);
        }
    }
}

#[tokio::test]
async fn drain_to_an_endpoint_tries_again_and_keeps_what_is_refused() {
    let folder = folder().await;
    let (url, served) = backend(vec![200, 503, 200, 400]);
    let arguments = ["queue", "drain", "q", "--endpoint", &url, "--protocol", "http"];
    let ran = sluicebox(folder.path(), &arguments);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("delivered 2 entries with 2 records"), "{}", ran.err);
    assert!(ran.err.contains("1 entry with 1 record are left: the peer refuses them"), "{}", ran.err);
    assert_eq!(served.join().unwrap().len(), 4);
    assert_eq!(inspect(&folder).1["undelivered"]["entries"], 1);
}

#[tokio::test]
async fn drain_that_gets_nowhere_says_so_and_loses_nothing() {
    let folder = folder().await;
    let arguments = ["queue", "drain", "q", "--endpoint", "http://127.0.0.1:1", "--give-up-after", "0"];
    let ran = sluicebox(folder.path(), &arguments);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("nothing gets through; what is left stays in the queue"), "{}", ran.err);
    assert_eq!(inspect(&folder).1["undelivered"]["entries"], 3);
}

#[test]
fn f50_f51_what_is_no_queue_of_this_version_is_told() {
    let folder = TempDir::new().unwrap();
    for verb in [&["inspect", "q"][..], &["export", "q", "--to", "-"], &["drain", "q", "--endpoint", "http://a:1"]] {
        let ran = sluicebox(folder.path(), &[&["queue"], verb].concat());
        assert_eq!(ran.code, 1, "{verb:?}");
        assert!(ran.err.contains("there is no queue in `q`"), "{verb:?}: {}", ran.err);
    }
    std::fs::create_dir(folder.path().join("q")).unwrap();
    let ran = sluicebox(folder.path(), &["queue", "inspect", "q"]);
    assert!(ran.err.contains("there is no queue in `q`"), "{}", ran.err);
    let mut newer = b"SLUICEsg".to_vec();
    newer.extend([2, 0, 0, 0]);
    newer.resize(100, 0);
    std::fs::write(segment(&folder), newer).unwrap();
    let ran = sluicebox(folder.path(), &["queue", "inspect", "q"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("was written by a later version of Sluicebox (format 2 in"), "{}", ran.err);
}
