//! F23, F25: more than can be held.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use prost::Message;
use sluicebox::data::Signal;
use tokio::time::{sleep, timeout};
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic_types::StatusExt;

use super::{assert_serves, process_bytes, to_file, wait_for_empty_account, wait_for_limit};
use crate::client::{GrpcClient, PROTOBUF, post};
use crate::harness::{PATIENCE, Sluicebox, wait_for};
use crate::peer::{Mood, Peer};
use crate::requests::{span, text, traces};

/// The hard limit, in MiB.
const HARD_MIB: usize = 256;
/// What may be held before requests are refused, in MiB.
const SOFT_MIB: usize = 64;

/// How long the load goes on while the backend takes what it can.
const LOAD: Duration = Duration::from_secs(8);

/// What the process has beside the account: itself, and buffers of connections.
const BASE_MIB: usize = 100;

fn to_backend(peer: &Peer) -> String {
    format!(
        "receivers:
  otlp: {{ protocols: {{ grpc: {{ endpoint: 127.0.0.1:0 }}, http: {{ endpoint: 127.0.0.1:0 }} }} }}
exporters:
  otlp/backend:
    endpoint: \"{}\"
    timeout: 5m
    queue: {{ memory: 1GiB }}
    batch: {{ min_records: 0, timeout: 10ms }}
service:
  telemetry: {{ endpoint: 127.0.0.1:0 }}
  shards: 2
  memory_limiter: {{ limit_mib: {HARD_MIB}, spike_limit_mib: {} }}
  pipelines:
    traces: {{ receivers: [otlp], exporters: [otlp/backend] }}
",
        peer.url(),
        HARD_MIB - SOFT_MIB
    )
}

/// So many bytes of nothing, compressed.
fn bomb(bytes: usize, gzip: bool) -> Vec<u8> {
    let zeros = vec![0; bytes];
    if !gzip {
        return zstd::encode_all(&zeros[..], 3).unwrap();
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&zeros).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f01_f02_f23_many_bombs_at_once_stay_within_the_limit_of_memory() {
    let limits = ", limits: { max_request_bytes: 256MiB }";
    let limiter = "\n  memory_limiter: { limit_mib: 160, spike_limit_mib: 32 }";
    let sluicebox = Arc::new(Sluicebox::run(&to_file(limits, limits, limiter)));
    assert_serves(&sluicebox).await;
    let bombs = [("gzip", Bytes::from(bomb(150 << 20, true))), ("zstd", Bytes::from(bomb(150 << 20, false)))];
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..12 {
        let ((coding, bomb), sluicebox) = (bombs[number % 2].clone(), Arc::clone(&sluicebox));
        clients.spawn(async move {
            let headers = [("content-type", PROTOBUF), ("content-encoding", coding)];
            post(&sluicebox, "/v1/traces", &headers, bomb).await.status
        });
    }
    let statuses = clients.join_all().await;
    // Either there was no room, or there was, and then it is no request.
    assert!(statuses.iter().all(|status| matches!(status, 400 | 503)), "{statuses:?}");
    let peak = process_bytes(&sluicebox, "VmHWM:");
    assert!(peak < (160 + BASE_MIB) << 20, "{} MiB", peak >> 20);
    wait_for_empty_account(&sluicebox).await;
    assert_serves(&sluicebox).await;
}

/// A request of some 512 KiB.
fn large() -> Bytes {
    let mut one = span("large");
    one.attributes.push(text("payload", &"0123456789abcdef".repeat(1024)));
    Bytes::from(traces(vec![one; 32]).encode_to_vec())
}

/// What clients were told.
#[derive(Default)]
struct Tally {
    taken: AtomicU64,
    refused: AtomicU64,
}

/// Sends and sends; whatever is not taken has to be refused as OTLP asks.
async fn press(sluicebox: Arc<Sluicebox>, number: usize, over: Arc<AtomicBool>, tally: Arc<Tally>) {
    let (client, request) = (GrpcClient::connect(&sluicebox).await, large());
    while !over.load(Ordering::Relaxed) {
        let was_taken = match number % 3 {
            0 => grpc_verdict(client.export(Signal::Traces, request.clone()).await),
            1 => {
                let gzip = CompressionEncoding::Gzip;
                grpc_verdict(client.export_compressed(Signal::Traces, request.clone(), gzip).await)
            }
            _ => {
                let answer = post(&sluicebox, "/v1/traces", &[("content-type", PROTOBUF)], request.clone()).await;
                let wait = answer.header("retry-after").parse::<u64>().unwrap_or(0);
                assert!(answer.status == 200 || (answer.status == 503 && wait >= 1), "{answer:?}");
                answer.status == 200
            }
        };
        let count = if was_taken { &tally.taken } else { &tally.refused };
        count.fetch_add(1, Ordering::Relaxed);
        if !was_taken {
            // Sooner than it was told to: that is the overload.
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Whether a call was taken; if not, it has to be for a while only.
fn grpc_verdict(answer: Result<Bytes, tonic::Status>) -> bool {
    let Err(status) = answer else { return true };
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.get_error_details().retry_info().is_some(), "{status}");
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f23_f25_overload_is_refused_within_the_limit_of_memory_and_passes_without_a_trace() {
    let peer = Peer::start(Mood::Hesitates).await;
    let sluicebox = Arc::new(Sluicebox::run(&to_backend(&peer)));
    let (over, tally) = (Arc::new(AtomicBool::new(false)), Arc::new(Tally::default()));
    let started = SystemTime::now();
    let clients: Vec<_> = (0..9)
        .map(|number| tokio::spawn(press(Arc::clone(&sluicebox), number, Arc::clone(&over), Arc::clone(&tally))))
        .collect();

    // The backend takes nothing: memory fills up to the soft limit, and there it stays.
    wait_for_limit(&sluicebox, "memory_soft", 100.0).await;
    let status = sluicebox.status().await;
    let held = status["memory"]["held_bytes"].as_u64().unwrap() as usize;
    assert!(held > 56 << 20 && held < HARD_MIB << 20, "{status}");
    assert_eq!(sluicebox.metric("sluicebox_memory_short_periods_total", &[]).await, 1.0, "it flaps");

    // It takes what it can, while clients press on.
    let taken_before = tally.taken.load(Ordering::Relaxed);
    peer.becomes(Mood::content());
    sleep(LOAD).await;
    let goes_on = || (tally.taken.load(Ordering::Relaxed) > taken_before + 100).then_some(());
    wait_for("more requests to be taken", goes_on, || sluicebox.log().join("\n"));
    let periods = sluicebox.metric("sluicebox_memory_short_periods_total", &[]).await;
    let taken = tally.taken.load(Ordering::Relaxed);
    // A period lasts for 200 ms, or until half of what may be held is gone: then that has to come again, as it is in
    // the account, where a request that is decompressed or spliced is held twice.
    let refills = (taken as usize * large().len() * 2) as f64 / (SOFT_MIB << 19) as f64;
    let most = started.elapsed().unwrap().as_secs_f64() / 0.2 + refills + 1.0;
    assert!(periods <= most, "{periods} periods, of at least 200 ms each or after one of {refills} refills");

    over.store(true, Ordering::Relaxed);
    for client in clients {
        timeout(PATIENCE, client).await.expect("a client hangs").unwrap();
    }
    let peak = process_bytes(&sluicebox, "VmHWM:");
    assert!(peak < HARD_MIB << 20, "{} MiB", peak >> 20);
    wait_for_empty_account(&sluicebox).await;
    assert_serves(&sluicebox).await;

    // Everything that was taken was delivered, and nothing else.
    let taken = tally.taken.load(Ordering::Relaxed);
    assert!(tally.refused.load(Ordering::Relaxed) >= 100);
    let accepted = sluicebox.metric("otelcol_receiver_accepted_spans_total", &[]).await;
    assert_eq!(accepted, (taken * 32 + 1) as f64);
    super::wait_for_metric(&sluicebox, "otelcol_exporter_sent_spans_total", &[], accepted).await;
    assert_eq!(sluicebox.metric("sluicebox_dropped_records_total", &[]).await, 0.0);
}
