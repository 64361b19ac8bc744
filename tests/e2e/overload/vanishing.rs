//! F21: clients that vanish in the middle of a request.

use sluicebox::data::Signal;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::frames::{DATA, END_HEADERS, HEADERS, call_headers, connected, frame};
use super::{assert_serves, to_file, wait_for_empty_account, wait_for_metric};
use crate::client::GrpcClient;
use crate::harness::Sluicebox;
use crate::peer::{Mood, Peer};
use crate::requests::encoded_spans;

#[tokio::test(flavor = "multi_thread")]
async fn f21_what_a_client_held_in_the_middle_of_its_body_is_given_back() {
    let sluicebox = Sluicebox::run(&to_file("", "", ""));
    let mut http = TcpStream::connect(sluicebox.address("otlp", "http")).await.unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n\
                content-length: 5000000\r\n\r\n";
    http.write_all(head.as_bytes()).await.unwrap();
    http.write_all(&vec![0; 300_000]).await.unwrap();
    let (_reader, mut grpc) = connected(&sluicebox).await;
    grpc.write_all(&frame(HEADERS, END_HEADERS, 1, &call_headers())).await.unwrap();
    let beginning = [&[0, 0, 0x30, 0, 0][..], &[0; 10_000]].concat();
    grpc.write_all(&frame(DATA, 0, 1, &beginning)).await.unwrap();
    // Both are being read: a mebibyte each is reserved on their word.
    wait_for_metric(&sluicebox, "sluicebox_memory_held_bytes", &["kind=\"reading\""], 2e6).await;
    drop((http, grpc, _reader));
    wait_for_empty_account(&sluicebox).await;
    assert_serves(&sluicebox).await;
    wait_for_empty_account(&sluicebox).await;
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f21_what_a_client_held_while_it_waited_for_a_delivery_is_given_back() {
    let peer = Peer::start(Mood::Hesitates).await;
    let pipeline = to_file("", "", "").replace(
        "file: { path: out.jsonl }",
        &format!("otlp/backend: {{ endpoint: \"{}\", queue: none }}", peer.url()),
    );
    let sluicebox = Sluicebox::run(&pipeline.replace("[file]", "[otlp/backend]"));
    let client = GrpcClient::connect(&sluicebox).await;
    let call = tokio::spawn(async move { client.export(Signal::Traces, encoded_spans("lost", 1000)).await });
    wait_for_metric(&sluicebox, "sluicebox_memory_held_bytes", &["kind=\"requests\""], 1000.0).await;
    call.abort();
    peer.becomes(Mood::content());
    wait_for_empty_account(&sluicebox).await;
    assert_serves(&sluicebox).await;
    wait_for_empty_account(&sluicebox).await;
}
