//! How the process begins and ends: what it says, what it refuses, and with which status.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use sluicebox::data::Signal;
use tonic::Status;

use crate::client::GrpcClient;
use crate::harness::{Sluicebox, eventually, free_address, spans};
use crate::overload::process_bytes;
use crate::peer::{Mood, Peer};
use crate::requests::encoded_spans;

const PIPELINE: &str = "
receivers:
  otlp: { protocols: { grpc: { endpoint: '127.0.0.1:0' }, http: { endpoint: '127.0.0.1:0' } } }
processors:
  drop-probes: { plugin: drop, limits: { deadline: 5s }, config: { span.name: probe } }
exporters:
  file: { path: kept.jsonl }
service:
  telemetry: { endpoint: '127.0.0.1:0' }
  pipelines:
    traces: { receivers: [otlp], processors: [drop-probes], exporters: [file] }
";

/// Runs a pipeline file that cannot run; the answer is its exit code and what it said.
fn refused(pipeline: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pipeline.yaml"), pipeline).unwrap();
    let (status, log, _) = Sluicebox::spawn_in(folder, &["pipeline.yaml"]).wait();
    (status.code(), log.join("\n"))
}

fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is missing in: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn compiling_plugins_leaves_nothing_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let stages = "{ drop-probes: { plugin: drop, config: { span.name: probe } }, redact: {}, sample: { config: { rate: 0.5 } } }";
    let text = PIPELINE
        .replace("[drop-probes]", "[drop-probes, redact, sample]")
        .replace("  drop-probes: { plugin: drop, limits: { deadline: 5s }, config: { span.name: probe } }\n", "")
        .replace("processors:\n", &format!("processors: {stages}\n"));
    fs::write(folder.path().join("pipeline.yaml"), text).unwrap();
    let sluicebox = Sluicebox::spawn_with(folder, &["pipeline.yaml"], &[("SLUICEBOX_CACHE_DIR", "none")]);
    sluicebox.wait_for_log("metrics and status on ");
    // Compiled here, the three would have taken it beyond that; its code and theirs are half of it.
    let peak = process_bytes(&sluicebox, "VmHWM:");
    assert!(peak < 64 << 20, "{} MiB", peak >> 20);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_at_start_what_it_built() {
    let sluicebox = Sluicebox::run(PIPELINE);
    let version = sluicebox.status().await["pipelines"][0]["stages"][0]["version"].as_str().unwrap().to_owned();
    let pipeline = sluicebox.wait_for_log("pipeline traces: ");
    assert!(pipeline.ends_with(&format!("pipeline traces: otlp → drop-probes (drop) {version} → file")), "{pipeline}");
    for transport in ["grpc", "http"] {
        let address: std::net::SocketAddr = sluicebox.address("otlp", transport).parse().unwrap();
        assert_ne!(address.port(), 0);
        assert!(std::net::TcpStream::connect(address).is_ok());
    }
    assert_eq!(sluicebox.log().len(), 4, "{:?}", sluicebox.log());
    let (log, _) = sluicebox.stop();
    assert!(log.iter().any(|line| line.contains("told to end")), "{log:?}");
    assert!(log.last().unwrap().contains("drained; bye"), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_its_health_readiness_and_status() {
    let sluicebox = Sluicebox::run(PIPELINE);
    for path in ["/healthz", "/readyz"] {
        let response = reqwest::get(format!("{}{path}", sluicebox.admin())).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
    }
    let status = sluicebox.status().await;
    assert_eq!((&status["ready"], &status["generation"]), (&true.into(), &1.into()));
    assert_eq!(status["last_reload"], serde_json::Value::Null);
    let pipeline = &status["pipelines"][0];
    assert_eq!((&pipeline["id"], &pipeline["signal"]), (&"traces".into(), &"traces".into()));
    let stage = &pipeline["stages"][0];
    assert_eq!(
        (&stage["id"], &stage["plugin"], &stage["kind"]),
        (&"drop-probes".into(), &"drop".into(), &"filter".into())
    );
    assert_eq!(stage["reads"], serde_json::json!(["span.name"]));
    assert_eq!(stage["source"], "standard plugin drop");
    assert_eq!(stage["digest"].as_str().unwrap().len(), 64, "{stage}");
    let receivers = status["receivers"].as_array().unwrap();
    let addresses: Vec<_> = receivers.iter().map(|receiver| receiver["address"].as_str().unwrap()).collect();
    assert_eq!(addresses, [sluicebox.address("otlp", "grpc"), sluicebox.address("otlp", "http")]);
    assert_eq!(status["exporters"][0]["id"], "file");
    assert_eq!(status["exporters"][0]["capacity"], 64 << 20);
    assert_eq!(status["accounting"]["traces"]["accepted"], 0);
    sluicebox.stop();
}

#[test]
fn a_mistake_in_the_file_ends_it_before_anything_listens() {
    let address = free_address();
    let pipeline = PIPELINE.replacen("127.0.0.1:0", &address, 1).replace("exporters: [file]", "exporters: [flie]");
    let (code, said) = refused(&pipeline);
    assert_eq!(code, Some(1));
    assert_says(&said, &["pipeline.yaml:", "flie", "did you mean `file`", "1 problem"]);
    assert!(!said.contains("listens"), "{said}");
    assert!(TcpListener::bind(address).is_ok());
}

#[test]
fn a_taken_port_is_named_with_the_mend() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, said) = refused(&PIPELINE.replacen("127.0.0.1:0", &address, 1));
    assert_eq!(code, Some(1));
    assert_says(&said, &["error:", "`otlp`", &address, "in use", "endpoint"]);
    // The same for the admin endpoint.
    let (code, said) = refused(
        &PIPELINE.replace("telemetry: { endpoint: '127.0.0.1:0' }", &format!("telemetry: {{ endpoint: '{address}' }}")),
    );
    assert_eq!(code, Some(1));
    assert_says(&said, &["error:", &address, "in use", "service.telemetry.endpoint"]);
    assert!(!said.contains("listens for"), "it took requests that it could only lose: {said}");
}

#[test]
fn a_missing_plugin_file_is_a_problem_with_its_place() {
    let (code, said) = refused(&PIPELINE.replace("plugin: drop,", "plugin: ./nowhere.wasm,"));
    assert_eq!(code, Some(1));
    assert_says(&said, &["nowhere.wasm", "--> pipeline.yaml:5:", "drop-probes:", "1 problem"]);
}

#[test]
fn f68_a_file_that_is_no_plugin_is_a_problem_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("junk.wasm"), "not wasm at all").unwrap();
    fs::write(folder.path().join("pipeline.yaml"), PIPELINE.replace("plugin: drop,", "plugin: ./junk.wasm,")).unwrap();
    let (status, log, _) = Sluicebox::spawn_in(folder, &["pipeline.yaml"]).wait();
    assert_eq!(status.code(), Some(1));
    assert_says(&log.join("\n"), &["cannot load the plugin", "--> pipeline.yaml:5:", "1 problem"]);
}

#[test]
fn a_config_that_the_plugin_refuses_is_a_problem_with_file_line_and_excerpt() {
    let mistakes = "
receivers: { otlp: }
processors:
  a: { plugin: drop, config: { span.nmae: x } }
  b: { plugin: drop, config: { span.name: { regex: '(' } } }
exporters: { debug: }
service:
  pipelines:
    traces: { receivers: [otlp], processors: [a], exporters: [debug] }
    traces/b: { receivers: [otlp], processors: [b], exporters: [debug] }
";
    let (code, said) = refused(mistakes);
    assert_eq!(code, Some(1));
    let excerpt = "4 |   a: { plugin: drop, config: { span.nmae: x } }";
    let parts = [
        "plugin `drop` refuses its config",
        "span.nmae",
        "--> pipeline.yaml:4:",
        excerpt,
        "--> pipeline.yaml:5:",
        "2 problems",
    ];
    assert_says(&said, &parts);
}

fn validate(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sluicebox")).arg("validate").args(arguments).current_dir(folder).output().unwrap()
}

#[test]
fn validate_exits_with_0_1_and_2() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("good.yaml"), PIPELINE).unwrap();
    fs::write(folder.path().join("bad.yaml"), PIPELINE.replace("span.name", "span.nmae")).unwrap();
    let good = validate(folder.path(), &["good.yaml"]);
    assert_eq!(good.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&good.stdout), "ok: 1 file, 1 pipeline\n");
    let bad = validate(folder.path(), &["bad.yaml"]);
    assert_eq!(bad.status.code(), Some(1));
    assert_says(&String::from_utf8_lossy(&bad.stderr), &["span.nmae", "bad.yaml:5:"]);
    assert_eq!(validate(folder.path(), &["absent.yaml"]).status.code(), Some(1));
    assert_eq!(validate(folder.path(), &[]).status.code(), Some(2));
    assert_eq!(validate(folder.path(), &["--loud", "good.yaml"]).status.code(), Some(2));
    assert!(!folder.path().join("kept.jsonl").exists(), "validate wrote a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_writes_what_is_queued_and_ends_well() {
    // Nothing would be written for an hour.
    let pipeline = PIPELINE.replace("path: kept.jsonl", "path: kept.jsonl, batch: { timeout: 1h }");
    let sluicebox = Sluicebox::run(&pipeline.replace("service:\n", "service:\n  shutdown_timeout: 90s\n"));
    let client = GrpcClient::connect(&sluicebox).await;
    for round in 0..20 {
        client.export(Signal::Traces, encoded_spans(&format!("r{round}"), 5)).await.unwrap();
    }
    assert_eq!(sluicebox.metric("sluicebox_exporter_queue_records", &[]).await, 100.0);
    // The client's connection is still open: an idle one must not hold up the end.
    let started = tokio::time::Instant::now();
    let (_, folder) = sluicebox.stop();
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    let kept = fs::read_to_string(folder.path().join("kept.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut names: Vec<&str> = spans(&lines).iter().map(|span| span["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 100);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 100);
    drop(client);
}

fn to_absent_backend(shutdown_timeout: &str, peer: &Peer) -> String {
    format!(
        "
receivers:
  otlp: {{ protocols: {{ grpc: {{ endpoint: '127.0.0.1:0' }} }} }}
exporters:
  otlp: {{ endpoint: '{}', batch: {{ timeout: 10ms }}, retry_on_failure: {{ initial_interval: 100ms }} }}
service:
  shutdown_timeout: {shutdown_timeout}
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  pipelines: {{ traces: {{ receivers: [otlp], exporters: [otlp] }} }}
",
        peer.url()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn f54_a_second_sigterm_ends_at_once_with_a_failure() {
    let peer = Peer::start(Mood::Refuses(Status::unavailable("down"))).await;
    let sluicebox = Sluicebox::run(&to_absent_backend("1h", &peer));
    let client = GrpcClient::connect(&sluicebox).await;
    client.export(Signal::Traces, encoded_spans("a", 5)).await.unwrap();
    sluicebox.signal("TERM");
    sluicebox.wait_for_log("told to end");
    // The log has it a moment before.
    let reasons = eventually("a process that is not ready", async || {
        let answer = reqwest::get(format!("{}/readyz", sluicebox.admin())).await.unwrap();
        if answer.status() == 503 { Ok(answer.text().await.unwrap()) } else { Err("ready while draining".to_owned()) }
    });
    assert!(reasons.await.contains("draining"));
    // Signals within a moment count as one.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    sluicebox.signal("TERM");
    // It would wait for an hour.
    let (status, log, _) = sluicebox.wait();
    assert_eq!(status.code(), Some(1), "{}", log.join("\n"));
    assert_says(log.last().unwrap(), &["error:", "second signal"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn e04_f54_what_the_drain_cannot_deliver_in_time_is_told() {
    let peer = Peer::start(Mood::Refuses(Status::unavailable("down"))).await;
    let sluicebox = Sluicebox::run(&to_absent_backend("2s", &peer));
    let client = GrpcClient::connect(&sluicebox).await;
    client.export(Signal::Traces, encoded_spans("a", 5)).await.unwrap();
    let started = tokio::time::Instant::now();
    sluicebox.signal("TERM");
    let (_, log, _) = sluicebox.wait();
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
    let told = log.iter().find(|line| line.contains("given up")).unwrap_or_else(|| panic!("{}", log.join("\n")));
    assert_says(told, &["records=5", "exporter=\"otlp\""]);
}
