//! The way of a batch from a shard to the queue of a destination, on as many shards as asked: what `shared_writes.py`
//! counts under valgrind.
//!
//!     shards CHAIN RECORDS SHARDS BATCHES         CHAIN is none, filter, transform or three
//!
//! Every shard is a thread with a runtime of its own and takes batches as fast as it can: room in the account of memory, the chain, room for what
//! was edited, a place in the queue, the counts. Lanes do not run: what is counted ends where a client is answered. The
//! first lap has the batches once, the second one three times; their difference is what batches cost.

mod cases;

use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use sluicebox::bench::requests::Recipe;
use sluicebox::chain::Chain;
use sluicebox::config;
use sluicebox::config::spec::Spec;
use sluicebox::data::walk::Limits;
use sluicebox::dead_letter::DeadLetters;
use sluicebox::destination::{Destination, Site};
use sluicebox::memory::{Kind, Memory};
use sluicebox::telemetry::metrics::Metrics;
use tokio::runtime::{Builder, Runtime};

use cases::{FILTER, Plug, SAMPLER, TRANSFORM, chain_on, engine, lap};

/// A queue that takes whatever is counted, and a memory that is limited, so that both are accounted for.
const PIPELINE: &str = "
receivers: { otlp: { protocols: { grpc: { endpoint: '127.0.0.1:0' } } } }
exporters: { otlp: { endpoint: 'http://127.0.0.1:1', queue: { memory: 2GiB } } }
service:
  memory_limiter: { limit_mib: 4096 }
  pipelines: { traces: { receivers: [otlp], exporters: [otlp] } }
";

/// Everything that shards share.
struct Shared {
    chain: Chain,
    memory: Memory,
    destination: Arc<Destination>,
}

impl Shared {
    /// One batch, from its bytes to the queue.
    async fn take(&self, shard: usize, bytes: &[u8]) {
        let lease = self.memory.lease_of(Kind::Requests, bytes.len()).expect("memory without end");
        let request = lease.keep(Bytes::copy_from_slice(bytes), Kind::Requests);
        let mut outcome = self.chain.run(shard, &request, Limits::default()).await.expect("a request");
        let Some(mut payload) = outcome.payload.take() else { return };
        if payload.bytes.as_ptr() != request.as_ptr() {
            let lease = self.memory.lease_of(Kind::Edited, payload.bytes.len()).expect("memory without end");
            payload.bytes = lease.keep(payload.bytes, Kind::Edited);
        }
        let charge = self.destination.reserve(shard, payload).expect("a queue without end").send();
        assert!(charge.is_taken(), "a queue in memory answers at once");
        self.chain.settle(&outcome);
    }
}

fn spec() -> Result<Spec, String> {
    let file = std::env::temp_dir().join(format!("sluicebox-shards-{}.yaml", std::process::id()));
    std::fs::write(&file, PIPELINE).map_err(|error| error.to_string())?;
    let loaded = config::load(std::slice::from_ref(&file), &|_| None);
    let _ = std::fs::remove_file(&file);
    Ok(loaded.map_err(|problems| problems.to_string())?.spec)
}

/// What shards share, and the runtime of lanes, which nobody drives.
fn shared(plugs: &[Plug], shards: usize) -> Result<(Shared, Runtime), String> {
    let spec = spec()?;
    let (metrics, lanes) = (Metrics::default(), runtime());
    let handles = vec![lanes.handle().clone(); shards];
    let site =
        Site { shards: &handles, metrics: &metrics, queues: &Arc::default(), dead_letters: &DeadLetters::default() };
    let destination = Destination::build("otlp", &spec.exporters["otlp"], site).map_err(|error| error.to_string())?;
    let memory = Memory::new(&spec.service.memory_limiter, &metrics);
    Ok((Shared { chain: chain_on(&runtime(), &engine(), plugs, shards), memory, destination }, lanes))
}

/// So many batches on each shard, on all of them at once.
fn run(shards: usize, shared: &Shared, bytes: &[u8], batches: usize) {
    thread::scope(|scope| {
        for shard in 0..shards {
            scope.spawn(move || {
                runtime().block_on(async {
                    for _ in 0..batches {
                        shared.take(shard, bytes).await;
                    }
                });
            });
        }
    });
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [chain, numbers @ ..] = arguments.as_slice() else {
        return Err("usage: shards CHAIN RECORDS SHARDS BATCHES".into());
    };
    let numbers: Result<Vec<usize>, _> = numbers.iter().map(|number| number.parse()).collect();
    let Ok([records, shards, batches]) = numbers.as_deref() else { return Err("three numbers are wanted".into()) };
    let plugs: &[Plug] = match chain.as_str() {
        "none" => &[],
        "filter" => &[FILTER],
        "transform" => &[TRANSFORM],
        "three" => &[FILTER, SAMPLER, TRANSFORM],
        other => return Err(format!("there is no chain {other}")),
    };
    let (shared, _lanes) = shared(plugs, *shards)?;
    let bytes = Recipe::traces(*records).encode(0);
    // Once for what the first time alone needs.
    run(*shards, &shared, &bytes, 2);
    lap();
    run(*shards, &shared, &bytes, *batches);
    lap();
    run(*shards, &shared, &bytes, 3 * batches);
    lap();
    Ok(())
}
