//! `sluicebox queue drain`: sends what is left in a durable queue, without a pipeline.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::{entries, records};
use crate::cli::Outcome;
use crate::config::spec::TargetSpec;
use crate::config::{self, Loaded, Problems};
use crate::exporter::{Access, Exporter, Failure};
use crate::queue::{Meter, Options, Queue, Stored, Ticket};
use crate::telemetry::metrics::Metrics;

const EXAMPLES: &str = "\
Examples:
  sluicebox queue drain ./var/backend --endpoint http://other:4317
  sluicebox queue drain ./var/backend --endpoint https://other:4318 --protocol http
  sluicebox queue drain ./var/backend --config pipeline.yaml --exporter otlp/backend

With --config an exporter of a pipeline file is used as it is, with its headers and certificates;
with --endpoint, OTEL_EXPORTER_OTLP_HEADERS and the like are. No other process may have the queue
open. What was delivered leaves the queue at once; it can be stopped and run again. Exits with 1 if
something is left.";

/// First and longest wait between attempts.
const WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// How often it is looked whether anything is left.
const LOOK: Duration = Duration::from_millis(200);

/// Entries that the peer refuses for good stay in the queue; after so many it is not tried any further.
const REFUSED_MAX: usize = 1000;

/// Send what is left in a durable queue to an OTLP endpoint, and take it out of the queue
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Drain {
    /// Folder of the queue
    dir: PathBuf,

    /// Where to: http://host:port or https://host:port
    #[arg(long, value_name = "URL", required_unless_present = "config", conflicts_with = "config")]
    endpoint: Option<String>,

    /// How: grpc or http
    #[arg(long, value_enum, default_value_t, hide_possible_values = true, conflicts_with = "config")]
    protocol: Protocol,

    /// Pipeline file, or folder of them, with the exporter to use
    #[arg(long, value_name = "PATH", requires = "exporter")]
    config: Option<PathBuf>,

    /// Id of that exporter
    #[arg(long, value_name = "ID", requires = "config")]
    exporter: Option<String>,

    /// Time after which it is given up if nothing gets through, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    give_up_after: u64,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Protocol {
    /// OTLP/gRPC
    #[default]
    Grpc,
    /// OTLP/HTTP, protobuf
    Http,
}

/// What became of the entries.
#[derive(Default)]
struct Count {
    entries: u64,
    records: u64,
    rejected: u64,
    refused: Vec<Ticket>,
}

impl Drain {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let target = match self.target() {
            Ok(target) => target?,
            Err(problems) => {
                eprintln!("{problems}");
                return Ok(Outcome::Problems);
            }
        };
        // A folder that holds no queue is a mistake here, not a new queue.
        crate::queue::view::View::open(&self.dir)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.drain(&target))
    }

    fn target(&self) -> Result<anyhow::Result<TargetSpec>, Problems> {
        let env = |name: &str| std::env::var(name).ok();
        let (loaded, id) = match (&self.config, &self.exporter) {
            (Some(path), Some(id)) => (config::load(std::slice::from_ref(path), &env)?, id.as_str()),
            _ => {
                let (id, endpoint) = match self.protocol {
                    Protocol::Grpc => ("otlp", &self.endpoint),
                    Protocol::Http => ("otlphttp", &self.endpoint),
                };
                (config::load_text(pipeline(id, endpoint.as_deref()), &env)?, id)
            }
        };
        Ok(named(loaded, id))
    }

    async fn drain(&self, target: &TargetSpec) -> anyhow::Result<Outcome> {
        let metrics = Metrics::default();
        // One request at a time needs one endpoint: the first of several.
        let each = target.each();
        let first = each.first().map_or(target, |(first, _)| first);
        let exporter = Exporter::build(first, &Access::open("drain", first, &metrics)?)?;
        let meter = Meter::new("drain", 0, &metrics);
        let queue = Queue::open(&self.dir, &Options::default(), meter)?;
        let mut count = Count::default();
        let ended = self.send_all(&queue, &exporter, &mut count).await;
        let left = queue.held();
        count.refused.clear();
        queue.close();
        queue.finish().await;
        eprintln!("delivered {} with {}", entries(count.entries), records(count.records));
        if count.rejected > 0 {
            eprintln!("the peer rejected {} of them for good", records(count.rejected));
        }
        ended?;
        if left.entries > 0 {
            eprintln!("{} with {} are left: the peer refuses them", entries(left.entries), records(left.records));
            return Ok(Outcome::Problems);
        }
        Ok(Outcome::Done)
    }

    async fn send_all(&self, queue: &Queue, exporter: &Exporter, count: &mut Count) -> anyhow::Result<()> {
        while queue.held().entries > count.refused.len() as u64 {
            // What cannot be read is taken from what is held, so that there may be nothing to wait for.
            let Ok(next) = timeout(LOOK, queue.next()).await else { continue };
            let Some(Stored { payload, ticket }) = next else { break };
            match self.send(exporter, &payload).await? {
                Ok(rejected) => {
                    count.entries += 1;
                    count.records += payload.records;
                    count.rejected += rejected;
                    ticket.delivered();
                }
                Err(failure) => {
                    tracing::error!(entry = ticket.sequence(), "the peer refuses an entry: {failure}");
                    count.refused.push(ticket);
                }
            }
            if count.refused.len() >= REFUSED_MAX {
                bail!("the peer refuses everything");
            }
        }
        Ok(())
    }

    /// Sends one entry until it is taken or refused for good; how many of its records were rejected.
    async fn send(&self, exporter: &Exporter, payload: &crate::data::Payload) -> anyhow::Result<Result<u64, Failure>> {
        let began = Instant::now();
        let limit = Duration::from_secs(self.give_up_after);
        let (mut wait, longest) = WAITS;
        loop {
            let requests = std::slice::from_ref(&payload.bytes);
            let attempt = match exporter.prepare(payload.signal, requests).await {
                Ok(frames) => exporter.attempt(payload.signal, &frames).await,
                Err(failure) => Err(failure),
            };
            let failure = match attempt {
                Ok(outcome) => return Ok(Ok(outcome.rejected)),
                Err(failure) if !failure.is_retryable() => return Ok(Err(failure)),
                Err(failure) => failure,
            };
            let pause = failure.after().unwrap_or(wait).max(wait);
            if began.elapsed() + pause > limit {
                return Err(failure).context("nothing gets through; what is left stays in the queue");
            }
            tracing::warn!("an attempt failed and is repeated in {pause:?}: {failure}");
            sleep(pause).await;
            wait = (wait * 2).min(longest);
        }
    }
}

/// What a pipeline file would say that sends to this endpoint.
fn pipeline(id: &str, endpoint: Option<&str>) -> String {
    let exporter = json!({ id: { "endpoint": endpoint } });
    let all = json!({ "receivers": ["otlp"], "exporters": [id] });
    let pipelines = json!({ "traces": all, "metrics": all, "logs": all });
    json!({ "receivers": { "otlp": null }, "exporters": exporter, "service": { "pipelines": pipelines } }).to_string()
}

fn named(mut loaded: Loaded, id: &str) -> anyhow::Result<TargetSpec> {
    match loaded.spec.exporters.remove(id) {
        Some(exporter) => Ok(exporter.target),
        None => {
            let known: Vec<_> = loaded.spec.exporters.keys().map(String::as_str).collect();
            bail!("no pipeline uses an exporter `{id}`; there is `{}`", known.join("`, `"))
        }
    }
}
