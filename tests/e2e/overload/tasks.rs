//! F27: parts of the process that panic. Files in the folder `faults` ask for it; only debug builds look there.

use std::fs;

use sluicebox::data::Signal;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tonic::Code;

use super::{assert_serves, to_file, wait_for_empty_account, wait_for_metric};
use crate::client::GrpcClient;
use crate::harness::{PATIENCE, Sluicebox};
use crate::requests::encoded_spans;

fn run() -> Sluicebox {
    Sluicebox::run_after("true", &to_file("", "", ""))
}

/// Asks for a panic.
fn ask(sluicebox: &Sluicebox, fault: &str) {
    fs::write(sluicebox.path("faults").join(fault), "").unwrap();
}

async fn health(sluicebox: &Sluicebox) -> (u16, String) {
    let answer = reqwest::get(format!("{}/healthz", sluicebox.admin())).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Waits until the process says that something of it is dead.
async fn wait_for_unhealthy(sluicebox: &Sluicebox, names: &str) {
    let unhealthy = tokio::time::timeout(PATIENCE, async {
        loop {
            let (status, body) = health(sluicebox).await;
            if status == 503 {
                return body;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    let body = unhealthy.await.unwrap_or_else(|_| panic!("it says that it is healthy: {:?}", sluicebox.log()));
    assert!(body.contains(names), "{body}");
}

async fn wait_for_panic(sluicebox: &Sluicebox, task: &str) {
    wait_for_metric(sluicebox, "sluicebox_task_panics_total", &[&format!("task=\"{task}\"")], 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f27_an_accept_loop_that_panics_accepts_again() {
    let sluicebox = run();
    assert_serves(&sluicebox).await;
    ask(&sluicebox, "accept");
    let mut lost = TcpStream::connect(sluicebox.address("otlp", "grpc")).await.unwrap();
    // The connection that it panicked over is closed.
    let _ = tokio::time::timeout(PATIENCE, lost.read_to_end(&mut Vec::new())).await.unwrap();
    assert_serves(&sluicebox).await;
    wait_for_panic(&sluicebox, "accept connections").await;
    assert_eq!(health(&sluicebox).await.0, 200);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f27_a_connection_that_panics_is_closed_alone() {
    let sluicebox = run();
    let other = GrpcClient::connect(&sluicebox).await;
    other.export(Signal::Traces, encoded_spans("before", 1)).await.unwrap();
    ask(&sluicebox, "connection");
    let mut lost = TcpStream::connect(sluicebox.address("otlp", "grpc")).await.unwrap();
    let _ = tokio::time::timeout(PATIENCE, lost.read_to_end(&mut Vec::new())).await.unwrap();
    wait_for_panic(&sluicebox, "serve a connection").await;
    other.export(Signal::Traces, encoded_spans("after", 1)).await.unwrap();
    assert_eq!(health(&sluicebox).await.0, 200);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f21_f27_a_request_that_panics_is_reset_alone_and_gives_back_what_it_held() {
    let sluicebox = run();
    let client = GrpcClient::connect(&sluicebox).await;
    client.export(Signal::Traces, encoded_spans("before", 1)).await.unwrap();
    ask(&sluicebox, "request");
    client.export(Signal::Traces, encoded_spans("lost", 1)).await.unwrap_err();
    client.export(Signal::Traces, encoded_spans("after", 1)).await.unwrap();
    wait_for_panic(&sluicebox, "answer a request").await;
    wait_for_empty_account(&sluicebox).await;
    assert_eq!(health(&sluicebox).await.0, 200);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f27_an_admin_endpoint_that_panics_answers_again() {
    let sluicebox = run();
    ask(&sluicebox, "admin");
    let url = format!("{}/healthz", sluicebox.admin());
    assert!(reqwest::get(&url).await.is_err());
    wait_for_panic(&sluicebox, "admin endpoint").await;
    assert_eq!(health(&sluicebox).await.0, 200);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f27_a_watch_that_panics_watches_again() {
    let sluicebox = run();
    ask(&sluicebox, "watch");
    sluicebox.wait_for_log("a thread panicked: as the test asks");
    let changed = to_file("", ", max_concurrent_streams: 5", "");
    let port = |transport| sluicebox.address("otlp", transport);
    let (grpc, http) = (port("grpc"), port("http"));
    assert!(grpc != http);
    sluicebox.write("pipeline.yaml", changed);
    sluicebox.wait_for_log("generation 2 serves");
    assert_serves(&sluicebox).await;
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f27_a_lane_that_panics_makes_the_process_unhealthy_and_clients_come_again() {
    let sluicebox = run();
    assert_serves(&sluicebox).await;
    // A span that is still on its way into the lane would be what it panics over.
    sluicebox.wait_for_lines("out.jsonl", |lines| !lines.is_empty());
    ask(&sluicebox, "lane");
    assert_serves(&sluicebox).await;
    wait_for_unhealthy(&sluicebox, "exporter file").await;
    let client = GrpcClient::connect(&sluicebox).await;
    let refused = client.export(Signal::Traces, encoded_spans("refused", 1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    sluicebox.signal("TERM");
    let (status, log, _) = sluicebox.wait();
    assert_eq!(status.code(), Some(1), "{log:?}");
    assert!(log.iter().any(|line| line.contains("it was not healthy at its end: exporter file")), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f27_a_data_thread_that_panics_ends_the_process_with_a_failure() {
    let sluicebox = run();
    assert_serves(&sluicebox).await;
    ask(&sluicebox, "shard");
    let (status, log, _) = sluicebox.wait();
    assert_eq!(status.code(), Some(1), "{log:?}");
    assert!(log.iter().any(|line| line.contains("a data thread is gone")), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f27_a_replay_that_panics_ends_the_run_with_a_failure() {
    let input = tempfile::NamedTempFile::with_suffix(".jsonl").unwrap();
    fs::write(input.path(), "{\"resourceSpans\":[]}\n".repeat(500)).unwrap();
    let all = to_file("", "", "");
    let (_, rest) = all.split_once("exporters:").unwrap();
    let pipeline = format!(
        "receivers:\n  replay: {{ paths: [\"{}\"], rate: 1 }}\nexporters:{}",
        input.path().display(),
        rest.replace("[otlp]", "[replay]")
    );
    let sluicebox = Sluicebox::run_after("true", &pipeline);
    ask(&sluicebox, "replay");
    let (status, log, _) = sluicebox.wait();
    assert_eq!(status.code(), Some(1), "{log:?}");
    let told = |line: &String| line.contains("it was not healthy at its end: receiver replay");
    assert!(log.iter().any(told), "{log:?}");
}
