//! Clients that are slow or hostile, and a process that has nothing left to give.

use std::io::Write;
use std::process::Command;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::otlp_grpc::{connected, export};
use super::raw::{Raw, framed};
use super::*;

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

/// Set where a test runs alone.
const ALONE: &str = "SLUICEBOX_TEST_ALONE";

/// Whether the test `name` runs alone in its process. If not, it is run so, after the shell command `before`.
fn runs_alone(name: &str, before: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{before}; exec \"$0\" --exact \"$1\" --nocapture --test-threads 1"));
    shell.arg(std::env::current_exe().unwrap()).arg(format!("receiver::tests::faults::{name}")).env(ALONE, "1");
    let output = shell.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}\n{stderr}");
    false
}

/// The most memory that the process ever held, in bytes, since the last call.
fn peak_rss() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    // "5" resets the mark (proc_pid_clear_refs(5)).
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    kib << 10
}

/// 256 MiB of nothing, written through `encoder`: small enough compressed that its transport does not count.
fn bomb<W: Write>(mut encoder: W) -> W {
    let zeros = vec![0; 1 << 20];
    for _ in 0..256 {
        encoder.write_all(&zeros).unwrap();
    }
    encoder
}

/// Throws the bomb at both protocols; memory grows by no more than the limit and a little.
async fn defused(name: &str, body: Vec<u8>) {
    let pipeline = Pipeline::taking_all();
    let (grpc, http) = (Setup::default().grpc(&pipeline), Setup::default().http(&pipeline));
    let (grpc_client, http_client) = (Raw::http2(&grpc), Raw::http1(&http));
    let headers = [PROTOBUF, ("content-encoding", name)];
    // What clients and connections need for bodies of that length, the test's own included, is not the bomb's.
    for _ in 0..3 {
        grpc_client.call(&[], framed(0, &body)).await;
        http_client.send("POST", "/v1/traces", &[PROTOBUF], body.clone()).await;
        pipeline.taken.lock().clear();
    }
    peak_rss();
    let before = peak_rss();
    for _ in 0..3 {
        let back = grpc_client.call(&[("grpc-encoding", name)], framed(1, &body)).await;
        assert_eq!(back.grpc_status(), "8");
        let back = http_client.send("POST", "/v1/traces", &headers, body.clone()).await;
        assert_eq!(back.status, 413);
    }
    let grown = peak_rss().saturating_sub(before);
    assert!(grown <= (64 << 20) + (8 << 20), "{name}: {} MiB", grown >> 20);
    assert!(pipeline.bytes().is_empty());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn f01_a_gzip_bomb_costs_no_more_than_the_limit() {
    if runs_alone("f01_a_gzip_bomb_costs_no_more_than_the_limit", "true") {
        let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        defused("gzip", bomb(encoder).finish().unwrap()).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn f02_a_zstd_bomb_costs_no_more_than_the_limit() {
    if runs_alone("f02_a_zstd_bomb_costs_no_more_than_the_limit", "true") {
        let encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        defused("zstd", bomb(encoder).finish().unwrap()).await;
    }
}

#[tokio::test]
async fn f02_a_huge_zstd_window_is_malformed() {
    let bench = Setup::default().http(&Pipeline::taking_all());
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(27).unwrap();
    encoder.include_contentsize(false).unwrap();
    encoder.write_all(&vec![0; 1 << 20]).unwrap();
    let headers = [PROTOBUF, ("content-encoding", "zstd")];
    let back = Raw::http1(&bench).send("POST", "/v1/traces", &headers, encoder.finish().unwrap()).await;
    assert_eq!(back.status, 400);
}

fn impatient() -> Setup {
    let ms = Duration::from_millis;
    let timeouts = TimeoutsSpec { head: ms(1000), body: ms(1000), rest: ms(100), ..TimeoutsSpec::default() };
    Setup { timeouts, ..Setup::default() }
}

/// Sends the beginning of something, and returns what comes back before the connection is closed.
async fn cut_short(bench: &Bench, beginning: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(bench.address()).await.unwrap();
    stream.write_all(beginning).await.unwrap();
    let mut answer = Vec::new();
    // Being reset is being closed.
    let _ = soon(stream.read_to_end(&mut answer)).await;
    answer
}

#[tokio::test]
async fn f12_slow_heads_are_closed_and_others_are_unaffected() {
    for bench in [impatient().http(&Pipeline::taking_all()), impatient().grpc(&Pipeline::taking_all())] {
        for beginning in ["", "P", "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-", "PRI * HTTP/2.0\r\n\r\n"] {
            let answer = cut_short(&bench, beginning.as_bytes()).await;
            assert!(!answer.starts_with(b"HTTP/1.1 2"), "{answer:?}");
        }
        until(|| bench.server.connections() == 0).await;
    }
}

#[tokio::test]
async fn f12_a_slow_body_is_408_and_closed_and_others_are_unaffected() {
    let pipeline = Pipeline::taking_all();
    let bench = impatient().http(&pipeline);
    let head =
        "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100\r\n\r\n";
    let slow = cut_short(&bench, head.as_bytes());
    let raw = Raw::http1(&bench);
    let quick = raw.send("POST", "/v1/traces", &[PROTOBUF], spans(1));
    let (slow, quick) = tokio::join!(slow, quick);
    assert_eq!(quick.status, 200);
    let slow = String::from_utf8_lossy(&slow);
    assert!(slow.starts_with("HTTP/1.1 408"), "{slow}");
    assert!(slow.contains("connection: close") && slow.contains("the request's body came too slowly"), "{slow}");
    assert_eq!(pipeline.bytes(), [spans(1)]);
}

#[tokio::test]
async fn f12_a_slow_grpc_body_is_deadline_exceeded_and_others_are_unaffected() {
    let bench = impatient().grpc(&Pipeline::taking_all());
    let channel = connected(&bench).await;
    let (trickle_tx, trickle) = tokio::sync::mpsc::channel::<Result<http_body::Frame<bytes::Bytes>, std::io::Error>>(1);
    let trickle = tokio_stream::wrappers::ReceiverStream::new(trickle);
    let mut client = tower::ServiceExt::ready_oneshot(channel.clone()).await.unwrap();
    let request = ::http::Request::post(crate::data::Signal::Traces.grpc_path())
        .header("content-type", "application/grpc")
        .body(tonic::body::Body::new(http_body_util::StreamBody::new(trickle)))
        .unwrap();
    let slow = tower::Service::call(&mut client, request);
    let first = http_body::Frame::data(bytes::Bytes::from_static(&[0, 0, 0, 1, 0]));
    trickle_tx.send(Ok(first)).await.unwrap();
    let (slow, quick) = tokio::join!(soon(slow), export(&channel, spans(1)));
    quick.unwrap();
    assert_eq!(slow.unwrap().headers().get("grpc-status").unwrap(), "4");
}

#[tokio::test]
async fn f12_a_client_that_waits_to_be_asked_is_not_asked_for_what_is_refused() {
    let bench = Setup::limited(1000).http(&Pipeline::taking_all());
    let head = "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n\
                content-length: 100000\r\nexpect: 100-continue\r\n\r\n";
    let answer = cut_short(&bench, head.as_bytes()).await;
    assert!(answer.starts_with(b"HTTP/1.1 413"), "{}", String::from_utf8_lossy(&answer));
}

/// The accept loop fails for want of a descriptor, and serves the waiting client as soon as there is one.
#[cfg(unix)]
#[tokio::test]
async fn f15_the_accept_loop_survives_a_lack_of_file_descriptors() {
    if !runs_alone("f15_the_accept_loop_survives_a_lack_of_file_descriptors", "ulimit -n 64") {
        return;
    }
    let pipeline = Pipeline::taking_all();
    let bench = Setup::default().grpc(&pipeline);
    let mut hoard = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        hoard.push(file);
    }
    // One descriptor for the client's side, none for the server's.
    hoard.pop();
    let client = tokio::net::TcpSocket::new_v4().unwrap();
    let stream = client.connect(bench.address()).await.unwrap();
    until(|| bench.server.accept_failures() > 1).await;
    assert_eq!(bench.server.connections(), 0);
    hoard.clear();
    until(|| bench.server.connections() == 1).await;
    export(&connected(&bench).await, spans(1)).await.unwrap();
    drop(stream);
}
