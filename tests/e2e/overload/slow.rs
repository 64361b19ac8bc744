//! F12: clients that are slow on purpose.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{assert_serves, to_file, wait_for_empty_account, wait_for_limit};
use crate::harness::{PATIENCE, Sluicebox};

/// Sends a beginning, then a byte from time to time, until the connection is closed; the answer is what came.
async fn trickle(address: String, beginning: &'static str) -> String {
    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    let mut answer = Vec::new();
    let writing = async {
        if write.write_all(beginning.as_bytes()).await.is_ok() {
            while write.write_all(b"x").await.is_ok() {
                sleep(Duration::from_millis(50)).await;
            }
        }
        std::future::pending::<()>().await;
    };
    let closed = timeout(PATIENCE, async {
        tokio::select! {
            // Being reset is being closed.
            _ = read.read_to_end(&mut answer) => {}
            () = writing => {}
        }
    });
    closed.await.expect("the connection stays open");
    String::from_utf8_lossy(&answer).into_owned()
}

const HEAD: &str = "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n";
const BODY: &str = "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n\
                    content-length: 100000\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn f12_slow_heads_and_bodies_are_closed_and_others_are_served() {
    let timeouts = ", timeouts: { head: 3s, body: 3s, rest: 100ms }";
    let sluicebox = Sluicebox::run(&to_file(timeouts, timeouts, ""));
    let (grpc, http) = (sluicebox.address("otlp", "grpc"), sluicebox.address("otlp", "http"));
    let mut slow = tokio::task::JoinSet::new();
    for _ in 0..50 {
        slow.spawn(trickle(http.clone(), ""));
        slow.spawn(trickle(http.clone(), HEAD));
        slow.spawn(trickle(http.clone(), BODY));
        slow.spawn(trickle(grpc.clone(), "PRI * HTTP/2.0\r\n"));
    }
    assert_serves(&sluicebox).await;
    let answers = slow.join_all().await;
    let timed_out = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 408")).count();
    assert!(timed_out >= 50, "{timed_out}");
    assert!(answers.iter().all(|answer| !answer.starts_with("HTTP/1.1 2")));
    wait_for_limit(&sluicebox, "timeouts.head", 50.0).await;
    wait_for_limit(&sluicebox, "timeouts.body", 50.0).await;
    assert_serves(&sluicebox).await;
    wait_for_empty_account(&sluicebox).await;
    sluicebox.stop();
}
