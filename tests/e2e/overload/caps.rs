//! F14: caps on connections, streams, headers and bytes in flight.

use std::time::Duration;

use sluicebox::data::Signal;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::frames::{END_HEADERS, HEADERS, REFUSED_STREAM, RST_STREAM, SETTINGS, call_headers, connected, frame};
use super::{assert_serves, to_file, wait_for_empty_account, wait_for_limit};
use crate::client::{PROTOBUF, post, post_protobuf};
use crate::harness::Sluicebox;
use crate::requests::encoded_spans;

#[tokio::test(flavor = "multi_thread")]
async fn f14_connections_beyond_the_cap_wait_until_one_ends() {
    let sluicebox = Sluicebox::run(&to_file("", ", admission: { max_connections: 3 }", ""));
    let address = sluicebox.address("otlp", "http");
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(TcpStream::connect(&address).await.unwrap());
    }
    let mut waiting = Box::pin(post_protobuf(&sluicebox, Signal::Traces, encoded_spans("waits", 1)));
    let early = timeout(Duration::from_millis(300), &mut waiting).await;
    assert!(early.is_err(), "{early:?}");
    wait_for_limit(&sluicebox, "max_connections", 1.0).await;
    // The other listener has places of its own.
    assert_serves(&sluicebox).await;
    held.pop();
    assert_eq!(waiting.await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn f14_streams_beyond_the_cap_are_refused_so_that_they_may_be_sent_again() {
    let sluicebox = Sluicebox::run(&to_file(", max_concurrent_streams: 2", "", ""));
    let (mut reader, mut write) = connected(&sluicebox).await;
    let settings = reader.next_of(SETTINGS).await.unwrap();
    assert_eq!(settings.setting(3), Some(2));
    // The cap holds from the acknowledgement on.
    write.write_all(&frame(SETTINGS, 1, 0, &[])).await.unwrap();
    for stream in [1, 3, 5] {
        write.write_all(&frame(HEADERS, END_HEADERS, stream, &call_headers())).await.unwrap();
    }
    let reset = reader.next_of(RST_STREAM).await.unwrap();
    assert_eq!((reset.stream, reset.code()), (5, REFUSED_STREAM));
    assert_serves(&sluicebox).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_beyond_the_cap_are_refused() {
    let cap = ", admission: { max_header_bytes: 1KiB }";
    let sluicebox = Sluicebox::run(&to_file(cap, cap, ""));
    let (mut reader, mut write) = connected(&sluicebox).await;
    let long = [&call_headers()[..], &[0, 1, b'x', 127, 0xd1, 0x0e], &[b'y'; 2000]].concat();
    write.write_all(&frame(HEADERS, END_HEADERS, 1, &long)).await.unwrap();
    let answer = reader.next_of(HEADERS).await.unwrap();
    // `:status: 431`: a literal with the name of the eighth entry of the static table, in Huffman code or not.
    let text = String::from_utf8_lossy(&answer.payload).into_owned();
    assert!(text.contains("431") || answer.payload.len() < 40, "{:?}", answer.payload);
    assert_serves(&sluicebox).await;
    let headers = [("content-type", PROTOBUF), ("x", &"y".repeat(2000))];
    let refused = post(&sluicebox, "/v1/traces", &headers, "").await;
    assert_eq!((refused.status, refused.header("content-type")), (431, PROTOBUF));
    wait_for_limit(&sluicebox, "max_header_bytes", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r27_bytes_in_flight_beyond_the_cap_are_refused_at_once() {
    let sluicebox = Sluicebox::run(&to_file("", ", admission: { max_in_flight_bytes: 100KiB }", ""));
    let address = sluicebox.address("otlp", "http");
    let mut stuck = TcpStream::connect(&address).await.unwrap();
    let head =
        "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\ncontent-length: 200000\r\n\r\n";
    stuck.write_all(head.as_bytes()).await.unwrap();
    stuck.write_all(&[0; 1000]).await.unwrap();
    let refused = loop {
        let answer = post(&sluicebox, "/v1/traces", &[("content-type", PROTOBUF)], encoded_spans("more", 1)).await;
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    wait_for_limit(&sluicebox, "max_in_flight_bytes", 1.0).await;
    drop(stuck);
    wait_for_empty_account(&sluicebox).await;
    assert_eq!(post_protobuf(&sluicebox, Signal::Traces, encoded_spans("again", 1)).await.status, 200);
}
