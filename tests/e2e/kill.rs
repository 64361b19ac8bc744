//! Kill loop (F41): clients with an outside ledger, a backend that fails and comes back, `kill -9` at random points,
//! and a restart on the same durable queue, again and again. Nothing that was acknowledged is lost.
//!
//! `KILL_ROUNDS` (default 200) and `KILL_SEED` choose another run; `tests/scripts/kill_loop.sh` runs 10,000 rounds.

mod backend;
mod chance;
mod clients;
mod ledger;

use std::net::SocketAddr;
use std::time::Duration;

use self::backend::Backend;
use self::chance::Chance;
use self::clients::Clients;
use self::ledger::{Ledger, Totals};
use crate::harness::{PATIENCE, Sluicebox};

/// Requests that a shard may have under way.
const IN_FLIGHT: u64 = 2;
/// Shards, at most.
const SHARDS_MAX: u64 = 2;
/// Records of one of them at most.
const BATCH_RECORDS: u64 = 100;
/// A round in so many has a plugin in its pipeline: compiling one takes longer than the round.
const ROUNDS_PER_PLUGIN: u64 = 40;
/// Longest time between the start and the kill.
const LIFE_MAX_MS: u64 = 150;

/// The pipeline of a round. Rounds differ, so that every one meets what another kind has left.
fn pipeline(backend: SocketAddr, round: u64) -> String {
    let (processors, stages) = match round % ROUNDS_PER_PLUGIN {
        0 => ("processors: { drop: { config: { span.name: nobody } } }", "[drop]"),
        _ => ("", "[]"),
    };
    let sync = if round.is_multiple_of(3) { "{ interval: 50ms }" } else { "always" };
    let shards = 1 + round % SHARDS_MAX;
    format!(
        "
receivers:
  otlp: {{ protocols: {{ grpc: {{ endpoint: '127.0.0.1:0' }} }} }}
{processors}
exporters:
  otlp:
    endpoint: 'http://{backend}'
    max_in_flight: {IN_FLIGHT}
    queue: {{ durable: ./queue, sync: {sync}, max_bytes: 1MiB }}
    batch: {{ min_records: 40, max_records: {BATCH_RECORDS}, timeout: 5ms }}
    retry_on_failure: {{ initial_interval: 5ms, max_interval: 20ms }}
service:
  shards: {shards}
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  pipelines: {{ traces: {{ receivers: [otlp], processors: {stages}, exporters: [otlp] }} }}
"
    )
}

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name}={value}: no number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f41_nothing_acknowledged_is_lost_however_often_it_is_killed() {
    let (rounds, seed) = (from_env("KILL_ROUNDS", 200), from_env("KILL_SEED", 0x51_1ce));
    let mut chance = Chance::new(seed);
    let ledger = Ledger::default();
    let mut backend = Backend::start(ledger.clone(), chance.branch()).await;
    let mut folder = tempfile::tempdir().unwrap();
    let started = tokio::time::Instant::now();
    for round in 1..=rounds {
        std::fs::write(folder.path().join("pipeline.yaml"), pipeline(backend.address, round)).unwrap();
        let sluicebox = Sluicebox::run_in(folder, &["pipeline.yaml"]);
        let clients = Clients::start(3, &sluicebox, &ledger, &mut chance).await;
        tokio::time::sleep(Duration::from_millis(chance.below(LIFE_MAX_MS))).await;
        folder = sluicebox.kill();
        clients.gone().await;
        if round % 100 == 0 {
            println!("round {round} of {rounds}, {} s: {}", started.elapsed().as_secs(), ledger.totals());
        }
    }
    let sluicebox = Sluicebox::run_in(folder, &["pipeline.yaml"]);
    backend.calm().await;
    drained(&sluicebox).await;
    sluicebox.stop();
    let totals = ledger.totals();
    println!("seed {seed}, {rounds} rounds, {} s: {totals}", started.elapsed().as_secs());
    judge(totals, rounds);
}

/// Waits until its queue is empty.
async fn drained(sluicebox: &Sluicebox) {
    let empty = async {
        while sluicebox.metric("sluicebox_exporter_queue_records", &[]).await > 0.0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, empty).await.unwrap();
}

fn judge(totals: Totals, rounds: u64) {
    assert_eq!(totals.missing, 0, "{totals}");
    assert!(totals.acknowledged > rounds, "hardly anything was sent: {totals}");
    // What is under way at a kill may come again, and what the backend took without saying so has to.
    let in_flight = rounds * SHARDS_MAX * IN_FLIGHT * BATCH_RECORDS;
    assert!(totals.duplicates <= totals.ambiguous + in_flight, "{totals}, {in_flight} in flight");
}
