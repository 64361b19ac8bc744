//! Between Sluicebox and one backend: a network that fails.

use std::time::Duration;

use sluicebox::data::Signal;

use super::{QUICK, circuits, delivered, pipeline};
use crate::client::post_protobuf;
use crate::fault_proxy::{Fault, FaultProxy};
use crate::harness::{Sluicebox, eventually, wait_for};
use crate::peer::{Mood, Peer};
use crate::requests::encoded_spans;

async fn send(to: &Sluicebox, name: &str) {
    assert_eq!(post_protobuf(to, Signal::Traces, encoded_spans(name, 1)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn e14_f36_after_a_reset_that_hides_the_answer_the_same_bytes_go_again() {
    let backend = Peer::start(Mood::content()).await;
    let network = FaultProxy::before(backend.address).await;
    let settings = format!("endpoint: '{}', timeout: 5m, compression: gzip, {QUICK}", network.url());
    let sluicebox = Sluicebox::run(&pipeline("otlp", &settings));
    network.becomes(Fault::Mute);
    let request = encoded_spans("a", 20);
    assert_eq!(post_protobuf(&sluicebox, Signal::Traces, request.clone()).await.status, 200);
    let committed = || (backend.taken().len() == 1).then_some(());
    wait_for("the backend to take it", committed, || sluicebox.log().join("\n"));
    network.becomes(Fault::Reset);
    sluicebox.wait_for_log("delivery failed and will be tried again");
    network.becomes(Fault::Delay(Duration::from_millis(5)));
    let again = || (backend.taken().len() == 2).then_some(());
    wait_for("the same request once more", again, || sluicebox.log().join("\n"));
    assert!(backend.taken().iter().all(|taken| *taken == request));
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f34_f35_a_blackholed_backend_opens_the_circuit_and_its_return_closes_it_with_nothing_lost() {
    let backend = Peer::start(Mood::content()).await;
    let network = FaultProxy::before(backend.address).await;
    let circuit = "circuit_breaker: { failures: 3, open_for: 1s, open_max: 1s }";
    // So long that a slow machine answers in time where the network is whole.
    let settings = format!("endpoint: '{}', timeout: 2s, {QUICK}, {circuit}", network.url());
    let sluicebox = Sluicebox::run(&pipeline("otlp", &settings));
    send(&sluicebox, "before").await;
    backend.wait_for_spans(1);
    let closed = |word: &str| vec![(network.url(), word.to_owned())];
    assert_eq!(circuits(&sluicebox).await, closed("closed"));
    network.becomes(Fault::Blackhole);
    for number in 0..40 {
        send(&sluicebox, &format!("during-{number}")).await;
    }
    sluicebox.wait_for_log("the circuit is open: ");
    // Now and then a probe is under way instead.
    eventually("an open circuit", async || match circuits(&sluicebox).await {
        found if found == closed("open") => Ok(()),
        found => Err(format!("{found:?}")),
    })
    .await;
    eventually("an open circuit", async || {
        match sluicebox.metric("sluicebox_exporter_circuit_state", &[&network.url()]).await {
            2.0 => Ok(()),
            state => Err(format!("{state}")),
        }
    })
    .await;
    // Up to eight attempts were under way when it opened; then there is one probe at a time.
    sluicebox.wait_for_nth_log("the circuit is open again", 2);
    let attempts = sluicebox.metric("sluicebox_exporter_attempts_total", &["retryable"]).await;
    let probes = sluicebox.log().iter().filter(|line| line.contains("the circuit is open again")).count();
    assert!(attempts <= 3.0 + 8.0 + (probes + 1) as f64, "{attempts} attempts, {probes} probes");
    network.becomes(Fault::None);
    sluicebox.wait_for_log("the circuit is closed");
    delivered(&sluicebox, 41.0).await;
    assert_eq!(circuits(&sluicebox).await, closed("closed"));
    let opened = sluicebox.log().iter().filter(|line| line.contains("the circuit is open: ")).count();
    assert_eq!(opened, 1, "a change is told once: {}", sluicebox.log().join("\n"));
    // What the hole swallowed may arrive twice, since nobody knows whether it did; nothing is missing (E34).
    let names: std::collections::BTreeSet<_> = backend.span_names().into_iter().collect();
    assert_eq!(names.len(), 41);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f34_a_connection_that_the_network_forgot_is_given_up_with_the_circuit() {
    let backend = Peer::start(Mood::content()).await;
    let network = FaultProxy::before(backend.address).await;
    let circuit = "circuit_breaker: { failures: 2, open_for: 100ms, open_max: 100ms }";
    let settings = format!("endpoint: '{}', timeout: 2s, {QUICK}, {circuit}", network.url());
    let sluicebox = Sluicebox::run(&pipeline("otlp", &settings).replace("shards: 2", "shards: 1"));
    send(&sluicebox, "before").await;
    delivered(&sluicebox, 1.0).await;
    network.forget();
    send(&sluicebox, "after").await;
    // Whoever of the two keeps the time is first: the exporter, or its HTTP/2 library by `grpc-timeout`.
    let line = sluicebox.wait_for_log("delivery failed and will be tried again");
    assert!(line.contains("no answer within 2s") || line.contains("Timeout expired"), "{line}");
    // HTTP/2 itself would notice after fifteen seconds of silence, of which some two are over.
    let started = tokio::time::Instant::now();
    delivered(&sluicebox, 2.0).await;
    assert!(started.elapsed() < Duration::from_secs(12), "{:?}", started.elapsed());
    assert_eq!(network.connections(), 2);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f35_circuits_that_are_open_do_not_stop_a_shutdown_from_trying_once_more() {
    let backend = Peer::start(Mood::content()).await;
    let network = FaultProxy::before(backend.address).await;
    network.becomes(Fault::Reset);
    let circuit = "circuit_breaker: { failures: 1, open_for: 1h, open_max: 1h }";
    let settings = format!("endpoint: '{}', {QUICK}, {circuit}", network.url());
    let sluicebox = Sluicebox::run(&pipeline("otlp", &settings));
    send(&sluicebox, "a").await;
    sluicebox.wait_for_log("the circuit is open: ");
    network.becomes(Fault::None);
    sluicebox.stop();
    assert_eq!(backend.wait_for_spans(1).into_iter().collect::<Vec<_>>(), ["a-0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn e15_as_many_connections_as_configured_are_made_and_kept() {
    let backend = Peer::start(Mood::content()).await;
    let network = FaultProxy::before(backend.address).await;
    let settings = format!("endpoint: '{}', connections: 3", network.url());
    let sluicebox = Sluicebox::run(&pipeline("otlp", &settings).replace("shards: 2", "shards: 1"));
    for number in 0..30 {
        send(&sluicebox, &format!("{number}")).await;
        network.wait_for_connections((number + 1).min(3));
    }
    delivered(&sluicebox, 30.0).await;
    assert_eq!(network.connections(), 3);
    sluicebox.stop();
}
