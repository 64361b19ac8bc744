//! `sluicebox bench load`: sends telemetry, as much as is taken or at a rate.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, ValueEnum};
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Uri};
use tokio::sync::watch;

use super::values;
use crate::bench::load::{self, LoadPlan, Rate, Until};
use crate::bench::magazine::Transport;
use crate::bench::requests::Recipe;
use crate::cli::Outcome;
use crate::config::spec::{Compression, Encoding};
use crate::data::Signal;

const EXAMPLES: &str = "\
Examples:
  sluicebox bench load http://127.0.0.1:4317
  sluicebox bench load http://127.0.0.1:4317 --batch 1000 --connections 8 --in-flight 4 --json
  sluicebox bench load http://127.0.0.1:4317 --rate 50000 --duration 1m --pid $(pidof sluicebox)
  sluicebox bench load http://127.0.0.1:4318 --protocol http --encoding json --compression gzip
  sluicebox bench load https://gateway:4317 --ca-file ca.pem --header authorization='Bearer …'

Without --rate, a connection sends the next request when one is answered (closed loop): that
finds the most that the target takes. With it, requests are due at that rate whatever the target
does, and their latency counts from when they were due (open loop): that finds how it answers.
Answers that ask to come again (UNAVAILABLE, RESOURCE_EXHAUSTED, 429, 502, 503, 504) are
refusals: counted apart, and not sent again.

SIGINT and SIGTERM end the run early, with a report. Exit code: 0 if anything was accepted, else 1.";

/// What requests are sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Protocol {
    Grpc,
    Http,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum BodyEncoding {
    Protobuf,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum BodyCompression {
    None,
    Gzip,
    Zstd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Traces,
    Metrics,
    Logs,
}

/// Send telemetry, as much as is taken or at a rate, and report goodput and latency
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Load {
    /// Where to: http://host:port or https://host:port
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:4317")]
    target: Uri,

    /// OTLP over gRPC or HTTP/1.1: grpc or http
    #[arg(long, value_enum, default_value = "grpc", hide_possible_values = true)]
    protocol: Protocol,

    /// Bodies of HTTP: protobuf or json
    #[arg(long, value_enum, default_value = "protobuf", hide_possible_values = true)]
    encoding: BodyEncoding,

    /// Compression of requests: none, gzip or zstd
    #[arg(long, value_enum, default_value = "none", hide_possible_values = true)]
    compression: BodyCompression,

    /// What to send, in turn: traces, metrics, logs
    #[arg(long, value_enum, default_value = "traces", value_delimiter = ',', hide_possible_values = true)]
    signal: Vec<Kind>,

    /// Records in a request (1 to 100000)
    #[arg(long, default_value = "100", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch: u32,

    /// Fill spans and log records up to this size; as they come, spans are of about 500 bytes, log records of 300
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    record_bytes: Option<u32>,

    /// The share of records with http.route=/healthz, for a filter to drop
    #[arg(long, value_name = "SHARE", default_value = "0.3", value_parser = values::share)]
    probes: f64,

    /// Connections (1 to 4096)
    #[arg(short, long, default_value = "4", value_parser = clap::value_parser!(u32).range(1..=4096))]
    connections: u32,

    /// Requests in flight on each; over HTTP each takes a connection of its own (1 to 1024)
    #[arg(short = 'm', long, default_value = "4", value_parser = clap::value_parser!(u32).range(1..=1024))]
    in_flight: u32,

    /// Records a second: an open loop
    #[arg(short, long, value_name = "RECORDS", value_parser = values::rate)]
    rate: Option<f64>,

    /// How long to measure
    #[arg(short, long, value_name = "TIME", default_value = "10s", value_parser = values::duration)]
    duration: Duration,

    /// Send so many requests, however long it takes, instead of --duration
    #[arg(short = 'n', long, value_name = "COUNT", conflicts_with = "duration")]
    requests: Option<NonZeroU64>,

    /// The beginning that is not measured; 1s with --duration, none with --requests
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    warm_up: Option<Duration>,

    /// How long an answer may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::duration)]
    timeout: Duration,

    /// A header for each request; may be given more than once
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = values::header)]
    headers: Vec<(HeaderName, HeaderValue)>,

    /// Certificates that are trusted instead of the system's, PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Threads that send
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: u32,

    /// Report the CPU time and memory of this process too: the one that is measured
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,

    /// Report as JSON
    #[arg(long)]
    json: bool,
}

impl Load {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let json = self.json;
        let plan = self.plan()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let report = runtime.block_on(async {
            let (stop, stopped) = watch::channel(false);
            let mut run = std::pin::pin!(load::run(plan, stopped));
            tokio::select! {
                report = run.as_mut() => return anyhow::Ok(report?),
                told = super::told_to_end() => told?,
            }
            stop.send_replace(true);
            Ok(run.await?)
        })?;
        if json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            println!("{report}");
        }
        Ok(if report.total.accepted_requests > 0 { Outcome::Done } else { Outcome::Problems })
    }

    fn plan(self) -> anyhow::Result<LoadPlan> {
        if !matches!(self.target.scheme_str(), Some("http" | "https")) || self.target.host().is_none() {
            bail!("`{}` is not a target; write http://host:port or https://host:port", self.target);
        }
        let transport = match (self.protocol, self.encoding) {
            (Protocol::Grpc, BodyEncoding::Protobuf) => Transport::Grpc,
            (Protocol::Grpc, BodyEncoding::Json) => bail!("JSON goes over HTTP: add --protocol http"),
            (Protocol::Http, BodyEncoding::Protobuf) => Transport::Http(Encoding::Protobuf),
            (Protocol::Http, BodyEncoding::Json) => Transport::Http(Encoding::Json),
        };
        let recipe = |kind: &Kind| Recipe {
            signal: match kind {
                Kind::Traces => Signal::Traces,
                Kind::Metrics => Signal::Metrics,
                Kind::Logs => Signal::Logs,
            },
            records: self.batch as usize,
            record_bytes: self.record_bytes.map(|bytes| bytes as usize),
            probes: self.probes,
        };
        if u64::from(self.batch) * u64::from(self.record_bytes.unwrap_or(0)) > 1 << 30 {
            bail!("a request of {} records of so many bytes is over 1 GiB: choose a smaller --batch", self.batch);
        }
        let (until, warm_up) = match self.requests {
            Some(requests) => (Until::requests(requests), Duration::ZERO),
            None => (Until::Elapsed(self.duration), Duration::from_secs(1)),
        };
        Ok(LoadPlan {
            transport,
            compression: match self.compression {
                BodyCompression::None => Compression::None,
                BodyCompression::Gzip => Compression::Gzip,
                BodyCompression::Zstd => Compression::Zstd,
            },
            headers: HeaderMap::from_iter(self.headers),
            recipes: self.signal.iter().map(recipe).collect(),
            connections: positive(self.connections),
            in_flight: positive(self.in_flight),
            rate: match self.rate {
                None => Rate::Closed,
                Some(records) => Rate::Open { requests_per_s: records / f64::from(self.batch) },
            },
            until,
            warm_up: self.warm_up.unwrap_or(warm_up),
            timeout: self.timeout,
            threads: positive(self.threads),
            ca_file: self.ca_file,
            pid: self.pid,
            target: self.target,
        })
    }
}

/// The ranges of the arguments leave 0 out.
pub(super) fn positive(count: u32) -> NonZeroUsize {
    NonZeroUsize::new(count as usize).unwrap_or(NonZeroUsize::MIN)
}
