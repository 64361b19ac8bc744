//! Several endpoints: spread, and gone around where one fails.

use std::collections::BTreeSet;
use std::time::Duration;

use sluicebox::data::Signal;
use tokio::net::TcpStream;

use super::{QUICK, SENT, circuits, delivered, pipeline, until};
use crate::client::post_protobuf;
use crate::harness::{Sluicebox, free_address, spans};
use crate::peer::{Mood, Peer};
use crate::requests::encoded_spans;

async fn send(to: &Sluicebox, prefix: &str, requests: usize) {
    for number in 0..requests {
        let request = encoded_spans(&format!("{prefix}-{number}"), 1);
        assert_eq!(post_protobuf(to, Signal::Traces, request).await.status, 200);
    }
}

/// One shard, so that the turns are those of one lane.
fn one_shard(settings: &str) -> Sluicebox {
    Sluicebox::run(&pipeline("otlp", settings).replace("shards: 2", "shards: 1"))
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_spread_over_the_endpoints_as_the_file_says() {
    let (a, b) = (Peer::start(Mood::content()).await, Peer::start(Mood::content()).await);
    for (balance, shares) in [("round_robin", (12, 12)), ("weighted", (6, 18)), ("failover", (24, 0))] {
        let before = (a.taken().len(), b.taken().len());
        let endpoints = format!("['{}', {{ endpoint: '{}', weight: 3 }}]", a.url(), b.url());
        let sluicebox = one_shard(&format!("endpoints: {endpoints}, balance: {balance}"));
        send(&sluicebox, balance, 24).await;
        delivered(&sluicebox, 24.0).await;
        assert_eq!((a.taken().len() - before.0, b.taken().len() - before.1), shares, "{balance}");
        sluicebox.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn least_loaded_goes_around_an_endpoint_that_is_slow() {
    let (slow, quick) = (Peer::start(Mood::Hesitates).await, Peer::start(Mood::content()).await);
    let settings = format!("endpoints: ['{}', '{}'], balance: least_loaded, timeout: 5m", slow.url(), quick.url());
    let sluicebox = one_shard(&settings);
    // The first request hangs at the slow one; each that comes after it finds that endpoint busy.
    for number in 0..21 {
        send(&sluicebox, &format!("{number}"), 1).await;
        until(&sluicebox, SENT, "", f64::from(number)).await;
    }
    assert_eq!((slow.taken().len(), quick.taken().len()), (1, 20));
    slow.becomes(Mood::content());
    delivered(&sluicebox, 21.0).await;
    sluicebox.stop();
}

/// A real backend, which answers when a request is in its file.
fn backend(address: &str) -> Sluicebox {
    Sluicebox::run(&format!(
        "receivers:\n  otlp: {{ protocols: {{ grpc: {{ endpoint: '{address}' }} }} }}\n\
         exporters:\n  file: {{ path: ./out.jsonl, queue: none, batch: {{ min_records: 1 }} }}\n\
         service:\n  telemetry: {{ endpoint: 127.0.0.1:0 }}\n  pipelines:\n    \
         traces: {{ receivers: [otlp], exporters: [file] }}\n"
    ))
}

fn names(backend: &Sluicebox) -> Vec<String> {
    let lines = backend.wait_for_lines("out.jsonl", |_| true);
    spans(&lines).into_iter().map(|span| span["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn e14_f35_a_backend_that_is_killed_is_gone_around_and_taken_back_with_nothing_lost() {
    // The first one's address must be its own while it is dead.
    let address = free_address();
    let (first, second) = (backend(&address), backend("127.0.0.1:0"));
    let endpoints = format!("['http://{address}', 'http://{}']", second.address("otlp", "grpc"));
    let circuit = "circuit_breaker: { failures: 2, open_for: 300ms, open_max: 300ms }";
    let settings = format!("endpoints: {endpoints}, balance: failover, {QUICK}, {circuit}");
    let sluicebox = Sluicebox::run(&pipeline("otlp", &settings));
    send(&sluicebox, "before", 5).await;
    delivered(&sluicebox, 5.0).await;
    assert_eq!((names(&first).len(), names(&second).len()), (5, 0));
    first.signal("KILL");
    while TcpStream::connect(&address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    send(&sluicebox, "during", 20).await;
    delivered(&sluicebox, 25.0).await;
    sluicebox.wait_for_log("the circuit is open: ");
    let words: Vec<String> = circuits(&sluicebox).await.into_iter().map(|(_, word)| word).collect();
    assert_eq!((words[0] == "closed", words[1].as_str()), (false, "closed"));
    assert_eq!(names(&second).len(), 20);
    // Each probe that fails goes on to the second one: no batch waits for the first.
    let again = backend(&address);
    let mut number = 0;
    while names(&again).is_empty() {
        send(&sluicebox, &format!("after-{number}"), 1).await;
        number += 1;
        delivered(&sluicebox, 25.0 + f64::from(number)).await;
    }
    let all: Vec<String> = [&first, &second, &again].into_iter().flat_map(names).collect();
    let distinct: BTreeSet<&String> = all.iter().collect();
    assert_eq!((all.len(), distinct.len()), (25 + number as usize, 25 + number as usize));
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f36_what_one_endpoint_did_not_answer_goes_to_the_other_bit_for_bit() {
    let refuses = Mood::Refuses(tonic::Status::unavailable("not me"));
    let (shut, open) = (Peer::start(refuses).await, Peer::start(Mood::content()).await);
    let settings = format!("endpoints: ['{}', '{}'], balance: failover, compression: zstd", shut.url(), open.url());
    let sluicebox = one_shard(&settings);
    let request = encoded_spans("a", 50);
    assert_eq!(post_protobuf(&sluicebox, Signal::Traces, request.clone()).await.status, 200);
    delivered(&sluicebox, 50.0).await;
    // At once, although a retry would wait five seconds.
    sluicebox.wait_for_log("delivery failed and goes to another endpoint");
    assert_eq!(open.taken(), [request]);
    sluicebox.stop();
}
