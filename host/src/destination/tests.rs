//! Destinations with real exporters, before real servers.

use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::*;
use crate::config::spec::{BatchSpec, Compression, OtlpClientSpec, RetrySpec};
use crate::data::Signal;
use crate::exporter::testing::{Peer, Reply, client, eventually, names, spans};
use crate::telemetry::metrics::{ExporterLabels, LossLabels};

const ID: &str = "otlp/test";

fn spec(client: OtlpClientSpec) -> ExporterSpec {
    ExporterSpec {
        target: TargetSpec::OtlpGrpc(client),
        queue: QueueSpec::Memory { max_bytes: 1 << 20 },
        batch: BatchSpec { min_records: 0, max_records: 0, max_bytes: 64 << 20, timeout: Duration::from_millis(50) },
        retry: RetrySpec {
            enabled: true,
            initial_interval: Duration::from_millis(20),
            max_interval: Duration::from_millis(40),
            max_elapsed_time: Duration::ZERO,
        },
    }
}

fn start(spec: &ExporterSpec, metrics: &Metrics) -> Arc<Destination> {
    Destination::start(ID, spec, &[Handle::current()], metrics).unwrap()
}

/// The account of the test's exporter for spans.
#[derive(Debug, Default, PartialEq, Eq)]
struct Account {
    sent: u64,
    rejected: u64,
    send_failed: u64,
    turned_away: u64,
}

fn account(metrics: &Metrics) -> Account {
    let labels = ExporterLabels { exporter: ID.to_owned() };
    let count = |family: &crate::telemetry::metrics::PerSignal<_>| family.counter(Signal::Traces, &labels).get();
    Account {
        sent: count(&metrics.exporter_sent),
        rejected: count(&metrics.exporter_rejected),
        send_failed: count(&metrics.exporter_send_failed),
        turned_away: count(&metrics.exporter_enqueue_failed),
    }
}

fn dropped(metrics: &Metrics, reason: &'static str) -> u64 {
    let labels = LossLabels { signal: Signal::Traces, component: ID.to_owned(), reason };
    metrics.dropped.get_or_create_owned(&labels).get()
}

fn queued(metrics: &Metrics) -> (i64, i64) {
    let labels = ExporterLabels { exporter: ID.to_owned() };
    let bytes = metrics.exporter_queue_size.get_or_create_owned(&labels).get();
    (bytes, metrics.exporter_queue_records.get_or_create_owned(&labels).get())
}

async fn drain(destination: &Destination, time: Duration) {
    destination.drain(Instant::now() + time).await;
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn payloads_are_merged_and_delivered() {
    let peer = Peer::grpc([]).await;
    let metrics = Metrics::default();
    let mut spec = spec(client(&peer.url));
    spec.batch.min_records = 3;
    let destination = start(&spec, &metrics);
    for payload in [spans(&["a"]), spans(&["b", "c"]), spans(&["d"])] {
        assert!(destination.offer(0, payload).unwrap().is_taken());
    }
    let seen = peer.await_seen(2).await;
    assert_eq!(names(&seen[0].body), ["a", "b", "c"]);
    assert_eq!(names(&seen[1].body), ["d"]);
    assert_eq!(seen[0].path, Signal::Traces.grpc_path());
    drain(&destination, LONG).await;
    assert_eq!(account(&metrics), Account { sent: 4, ..Account::default() });
    assert_eq!((queued(&metrics), destination.held_bytes()), ((0, 0), 0));
}

#[tokio::test]
async fn what_is_small_waits_for_its_timeout() {
    let peer = Peer::grpc([]).await;
    let mut spec = spec(client(&peer.url));
    spec.batch.min_records = 100;
    let destination = start(&spec, &Metrics::default());
    let begun = Instant::now();
    let _ = destination.offer(0, spans(&["a"])).unwrap();
    let _ = destination.offer(0, spans(&["b"])).unwrap();
    let seen = peer.await_seen(1).await;
    assert_eq!(names(&seen[0].body), ["a", "b"]);
    assert!(seen[0].at - begun >= spec.batch.timeout);
}

#[tokio::test]
async fn signals_never_mix() {
    let peer = Peer::grpc([]).await;
    let mut spec = spec(client(&peer.url));
    spec.batch.min_records = 2;
    let destination = start(&spec, &Metrics::default());
    let logs = Payload { signal: Signal::Logs, bytes: Bytes::from_static(&[0x0a, 4, 0x12, 2, 0x12, 0]), records: 1 };
    for payload in [spans(&["a"]), logs.clone(), spans(&["b"]), logs.clone()] {
        let _ = destination.offer(0, payload).unwrap();
    }
    let mut seen = peer.await_seen(2).await;
    seen.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(seen[0].path, Signal::Logs.grpc_path());
    assert_eq!(seen[0].body, [&logs.bytes[..], &logs.bytes[..]].concat());
    assert_eq!(names(&seen[1].body), ["a", "b"]);
}

#[tokio::test]
async fn a_batch_never_crosses_its_limit_of_records() {
    let peer = Peer::grpc([]).await;
    let metrics = Metrics::default();
    let mut spec = spec(client(&peer.url));
    spec.batch.max_records = 2;
    spec.batch.min_records = 2;
    let destination = start(&spec, &metrics);
    for payload in [spans(&["a"]), spans(&["b", "c"]), spans(&["d", "e", "f", "g", "h"])] {
        let _ = destination.offer(0, payload).unwrap();
    }
    drain(&destination, LONG).await;
    let mut all = Vec::new();
    for seen in peer.seen() {
        let names = names(&seen.body);
        assert!(names.len() <= 2);
        all.extend(names);
    }
    all.sort_unstable();
    assert_eq!(all, ["a", "b", "c", "d", "e", "f", "g", "h"]);
    assert_eq!(account(&metrics), Account { sent: 8, ..Account::default() });
}

#[tokio::test]
async fn f38_a_record_over_the_request_limit_is_dropped_alone() {
    let peer = Peer::grpc([]).await;
    let metrics = Metrics::default();
    let mut spec = spec(client(&peer.url));
    spec.batch.max_bytes = 300;
    let destination = start(&spec, &metrics);
    let large = "x".repeat(1000);
    let _ = destination.offer(0, spans(&["a", &large, "b", "c", "d", "e", "f"])).unwrap();
    drain(&destination, LONG).await;
    let seen = peer.seen();
    assert!(seen.len() > 1 && seen.iter().all(|seen| seen.body.len() <= 300));
    let mut all: Vec<_> = seen.iter().flat_map(|seen| names(&seen.body)).collect();
    all.sort_unstable();
    assert_eq!(all, ["a", "b", "c", "d", "e", "f"]);
    assert_eq!((account(&metrics).sent, dropped(&metrics, "too_large")), (6, 1));
    assert_eq!((queued(&metrics), destination.held_bytes()), ((0, 0), 0));
}

#[tokio::test]
async fn f28_each_status_code_is_retried_or_not() {
    for number in 1..=16 {
        let peer = Peer::grpc([Reply::Status(Status::new(Code::from(number), "scripted"))]).await;
        let metrics = Metrics::default();
        let destination = start(&spec(client(&peer.url)), &metrics);
        let _ = destination.offer(0, spans(&["a"])).unwrap();
        drain(&destination, LONG).await;
        // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS (E5).
        let retried = [1, 4, 10, 11, 14, 15].contains(&number);
        let ends = (peer.seen().len(), account(&metrics).sent, dropped(&metrics, "refused_by_peer"));
        assert_eq!(ends, if retried { (2, 1, 0) } else { (1, 0, 1) }, "{:?}", Code::from(number));
        assert_eq!(account(&metrics).send_failed, u64::from(!retried));
    }
}

fn retry_info(code: Code, delay: Duration) -> Reply {
    use tonic_types::{ErrorDetails, StatusExt};
    Reply::Status(Status::with_error_details(code, "later", ErrorDetails::with_retry_info(Some(delay))))
}

#[tokio::test]
async fn f29_resource_exhausted_is_retried_only_with_retry_info() {
    let delay = Duration::from_millis(300);
    let peer = Peer::grpc([retry_info(Code::ResourceExhausted, delay)]).await;
    let destination = start(&spec(client(&peer.url)), &Metrics::default());
    let _ = destination.offer(0, spans(&["a"])).unwrap();
    let seen = peer.await_seen(2).await;
    assert!(seen[1].at - seen[0].at >= delay, "E7: it waits at least as long as it was told");
    let peer = Peer::grpc([Reply::Status(Status::resource_exhausted("too much"))]).await;
    let metrics = Metrics::default();
    let destination = start(&spec(client(&peer.url)), &metrics);
    let _ = destination.offer(0, spans(&["a"])).unwrap();
    drain(&destination, LONG).await;
    assert_eq!((peer.seen().len(), dropped(&metrics, "refused_by_peer")), (1, 1));
}

#[tokio::test]
async fn f36_after_a_reset_the_same_bytes_go_again() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let peer = Peer::grpc([Reply::Reset, Reply::Reset]).await;
        let metrics = Metrics::default();
        let destination = start(&spec(OtlpClientSpec { compression, ..client(&peer.url) }), &metrics);
        let payload = spans(&["a", "b"]);
        let _ = destination.offer(0, payload.clone()).unwrap();
        let seen = peer.await_seen(3).await;
        assert!(seen.iter().all(|seen| seen.body == payload.bytes), "E14");
        drain(&destination, LONG).await;
        assert_eq!(account(&metrics), Account { sent: 2, ..Account::default() });
    }
}

fn partial(rejected_spans: i64, message: &str) -> Reply {
    let partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message: message.to_owned() });
    Reply::Taken(ExportTraceServiceResponse { partial_success }.encode_to_vec())
}

#[tokio::test]
async fn f32_partial_success_is_counted_and_not_retried() {
    // E9, a warning, E10, and a peer that cannot count.
    for (reply, rejected) in
        [(partial(2, "why"), 2), (partial(0, "careful"), 0), (partial(0, ""), 0), (partial(99, "?"), 3)]
    {
        let peer = Peer::grpc([reply]).await;
        let metrics = Metrics::default();
        let destination = start(&spec(client(&peer.url)), &metrics);
        let _ = destination.offer(0, spans(&["a", "b", "c"])).unwrap();
        drain(&destination, LONG).await;
        assert_eq!(peer.seen().len(), 1);
        assert_eq!(account(&metrics), Account { sent: 3 - rejected, rejected, ..Account::default() });
    }
}

#[tokio::test]
async fn f34_a_peer_that_hangs_is_given_up_after_the_timeout() {
    let peer = Peer::grpc([Reply::Hang]).await;
    let metrics = Metrics::default();
    let timeout = Duration::from_millis(200);
    let destination = start(&spec(OtlpClientSpec { timeout, ..client(&peer.url) }), &metrics);
    let begun = Instant::now();
    let _ = destination.offer(0, spans(&["a"])).unwrap();
    let seen = peer.await_seen(2).await;
    assert!(seen[1].at - begun >= timeout);
    assert_eq!(seen[0].headers["grpc-timeout"], "200m");
}

#[tokio::test]
async fn e13_connecting_is_retried_until_the_peer_is_there() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let metrics = Metrics::default();
    let destination = start(&spec(client(&format!("http://{address}"))), &metrics);
    let _ = destination.offer(0, spans(&["a"])).unwrap();
    let attempts = crate::telemetry::metrics::AttemptLabels { exporter: ID.to_owned(), outcome: "retryable" };
    let attempts = metrics.exporter_attempts.get_or_create_owned(&attempts);
    eventually(|| attempts.get() >= 2).await;
    let peer = Peer::grpc_on(tokio::net::TcpListener::bind(address).await.unwrap(), []);
    assert_eq!(names(&peer.await_seen(1).await[0].body), ["a"]);
}

fn unavailable(times: usize) -> Vec<Reply> {
    (0..times).map(|_| Reply::Status(Status::unavailable("not now"))).collect()
}

#[tokio::test]
async fn e08_what_is_given_up_is_counted() {
    for (enabled, max_elapsed_time) in [(true, Duration::from_millis(100)), (false, Duration::ZERO)] {
        let peer = Peer::grpc(unavailable(1000)).await;
        let metrics = Metrics::default();
        let mut spec = spec(client(&peer.url));
        (spec.retry.enabled, spec.retry.max_elapsed_time) = (enabled, max_elapsed_time);
        let destination = start(&spec, &metrics);
        let _ = destination.offer(0, spans(&["a", "b"])).unwrap();
        eventually(|| dropped(&metrics, "retries_exhausted") == 2).await;
        assert_eq!(peer.seen().len() > 1, enabled);
        assert_eq!(account(&metrics), Account { send_failed: 2, ..Account::default() });
        assert_eq!((queued(&metrics), destination.held_bytes()), ((0, 0), 0));
    }
}

#[tokio::test]
async fn e04_what_a_shutdown_could_not_deliver_is_counted() {
    let peer = Peer::grpc([Reply::Hang, Reply::Hang, Reply::Hang, Reply::Hang]).await;
    let metrics = Metrics::default();
    let destination = start(&spec(client(&peer.url)), &metrics);
    for _ in 0..10 {
        let _ = destination.offer(0, spans(&["a", "b"])).unwrap();
    }
    peer.await_seen(4).await;
    drain(&destination, Duration::from_millis(100)).await;
    assert_eq!(dropped(&metrics, "shutdown"), 20);
    assert_eq!((queued(&metrics), destination.held_bytes()), ((0, 0), 0));
    assert!(matches!(destination.offer(0, spans(&["c"])), Err(Busy::Stopping { .. })));
}

#[tokio::test]
async fn a_drain_delivers_what_is_queued_and_what_was_promised_a_place() {
    let peer = Peer::grpc(unavailable(2)).await;
    let metrics = Metrics::default();
    let mut spec = spec(client(&peer.url));
    spec.batch.min_records = 100;
    spec.batch.timeout = Duration::from_secs(3600);
    let destination = start(&spec, &metrics);
    let _ = destination.offer(0, spans(&["a"])).unwrap();
    let permit = destination.reserve(0, spans(&["b"])).unwrap();
    let draining = tokio::spawn({
        let destination = destination.clone();
        async move { drain(&destination, LONG).await }
    });
    eventually(|| destination.offer(0, spans(&["c"])).is_err()).await;
    let _ = permit.send();
    draining.await.unwrap();
    let mut delivered: Vec<_> = peer.seen()[2..].iter().flat_map(|seen| names(&seen.body)).collect();
    delivered.retain(|name| name != "c");
    delivered.sort_unstable();
    assert_eq!(delivered, ["a", "b"]);
}

#[tokio::test]
async fn f24_a_full_queue_turns_away_and_takes_again() {
    let peer = Peer::grpc([Reply::Hang]).await;
    let metrics = Metrics::default();
    let mut spec = spec(OtlpClientSpec { timeout: Duration::from_millis(300), ..client(&peer.url) });
    let payload = spans(&["a"]);
    let cost = payload.bytes.len() + ENTRY_BYTES;
    spec.queue = QueueSpec::Memory { max_bytes: 2 * cost };
    if let TargetSpec::OtlpGrpc(client) = &mut spec.target {
        client.max_in_flight = std::num::NonZeroUsize::MIN;
    }
    let destination = start(&spec, &metrics);
    let _ = destination.offer(0, payload.clone()).unwrap();
    let promised = destination.reserve(0, payload.clone()).unwrap();
    let full = destination.offer(0, payload.clone()).unwrap_err();
    assert_eq!(full.to_string(), "the queue of exporter `otlp/test` is full");
    assert!(full.retry_after() >= Duration::from_secs(1));
    assert_eq!(account(&metrics).turned_away, 1);
    drop(promised);
    let _ = destination.offer(0, payload.clone()).unwrap();
    // The first attempt times out; both are delivered, and there is room again.
    peer.await_seen(3).await;
    eventually(|| destination.held_bytes() == 0).await;
    assert!(destination.offer(0, payload).is_ok());
}

#[tokio::test]
async fn without_a_queue_the_charge_comes_with_the_delivery() {
    let refusal = || Reply::Status(Status::invalid_argument("never"));
    for (script, verdict, counted) in [
        (unavailable(2), Verdict::Taken, 0),
        (vec![refusal()], Verdict::Refused, 1),
        (unavailable(1000), Verdict::Undelivered, 0),
    ] {
        let peer = Peer::grpc(script).await;
        let metrics = Metrics::default();
        let mut spec = spec(client(&peer.url));
        spec.queue = QueueSpec::None;
        spec.retry.max_elapsed_time = Duration::from_millis(200);
        let destination = start(&spec, &metrics);
        let charge = destination.offer(0, spans(&["a"])).unwrap();
        assert!(!charge.is_taken());
        assert_eq!(charge.wait().await, verdict);
        let lost = ["refused_by_peer", "retries_exhausted", "shutdown"].map(|reason| dropped(&metrics, reason));
        assert_eq!(lost.iter().sum::<u64>(), counted, "what its sender still has is not lost");
    }
}

#[tokio::test]
async fn e33_destinations_share_the_bytes_and_nothing_else() {
    let dead = Peer::grpc(unavailable(100_000)).await;
    let alive = Peer::grpc([]).await;
    let both =
        [start(&spec(client(&dead.url)), &Metrics::default()), start(&spec(client(&alive.url)), &Metrics::default())];
    let payload = spans(&["a"]);
    for _ in 0..10 {
        let permits: Vec<_> = both.iter().map(|one| one.reserve(0, payload.clone()).unwrap()).collect();
        for permit in permits {
            let _ = permit.send();
        }
    }
    assert_eq!(alive.await_seen(10).await.len(), 10);
    eventually(|| both[1].held_bytes() == 0).await;
    assert!(both[0].held_bytes() > 0);
}

#[tokio::test]
async fn e29_the_user_agent_names_program_and_version_and_e16_the_type() {
    let peer = Peer::grpc([]).await;
    let mut settings = OtlpClientSpec { compression: Compression::Gzip, ..client(&peer.url) };
    settings.headers.insert("x-token".to_owned(), crate::config::spec::Secret::new("s3cret".to_owned()));
    let destination = start(&spec(settings), &Metrics::default());
    let _ = destination.offer(0, spans(&["a"])).unwrap();
    let headers = peer.await_seen(1).await.remove(0).headers;
    let agent = headers["user-agent"].to_str().unwrap();
    assert!(agent.starts_with(&format!("sluicebox/{} ", env!("CARGO_PKG_VERSION"))), "{agent}");
    assert_eq!(
        (&headers["content-type"], &headers["grpc-encoding"]),
        (&"application/grpc".parse().unwrap(), &"gzip".parse().unwrap())
    );
    assert_eq!(headers["x-token"], "s3cret");
    assert!(!format!("{destination:?}").contains("s3cret"), "E36");
}

#[tokio::test]
async fn e03_as_many_requests_are_under_way_as_configured() {
    let hang = || Reply::Hang;
    let peer = Peer::grpc([hang(), hang(), hang(), hang(), hang(), hang()]).await;
    let destination = start(&spec(client(&peer.url)), &Metrics::default());
    for _ in 0..10 {
        let _ = destination.offer(0, spans(&["a"])).unwrap();
    }
    peer.await_seen(4).await;
    tokio::time::timeout(Duration::from_millis(100), peer.await_seen(5)).await.expect_err("no more than four");
}

#[tokio::test]
async fn f33_a_huge_answer_is_not_read_and_not_retried() {
    let peer = Peer::grpc([Reply::Taken(vec![0; 5 << 20])]).await;
    let metrics = Metrics::default();
    let destination = start(&spec(client(&peer.url)), &metrics);
    let _ = destination.offer(0, spans(&["a"])).unwrap();
    drain(&destination, LONG).await;
    assert_eq!((peer.seen().len(), dropped(&metrics, "refused_by_peer")), (1, 1));
}

#[tokio::test]
async fn each_shard_has_a_lane_of_its_own() {
    let peer = Peer::grpc([]).await;
    let shards = [Handle::current(), Handle::current()];
    let metrics = Metrics::default();
    let mut spec = spec(client(&peer.url));
    spec.batch.min_records = 2;
    let destination = Destination::start(ID, &spec, &shards, &metrics).unwrap();
    for shard in [0, 1, 0, 1] {
        let _ = destination.offer(shard, spans(&[if shard == 0 { "even" } else { "odd" }])).unwrap();
    }
    let mut all: Vec<_> = peer.await_seen(2).await.iter().map(|seen| names(&seen.body)).collect();
    all.sort();
    assert_eq!(all, [["even", "even"], ["odd", "odd"]]);
    assert!(destination.is_running());
    drain(&destination, LONG).await;
    assert_eq!(account(&metrics).sent, 4);
}
