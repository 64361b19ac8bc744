//! `sluicebox bench sink`: a backend that counts what it is sent.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use super::load::positive;
use super::values;
use crate::bench::sink::{self, Refusal, SinkPlan};
use crate::cli::Outcome;

const EXAMPLES: &str = "\
Examples:
  sluicebox bench sink --listen 127.0.0.1:14317
  sluicebox bench sink --listen 127.0.0.1:14317 --interval 1s --json
  sluicebox bench sink --latency 20ms --fail 0.1 --status RESOURCE_EXHAUSTED --retry-after 1s

One address takes OTLP over gRPC and over HTTP. Where it listens is told on standard error, totals on
standard output. SIGINT and SIGTERM end it.";

/// Take telemetry, count it and forget it; slow or refusing, if asked to
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Sink {
    /// Where to listen, for gRPC and HTTP alike; may be given more than once
    #[arg(short, long, value_name = "ADDRESS", default_value = "127.0.0.1:14317")]
    listen: Vec<SocketAddr>,

    /// Wait so long before each answer
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = values::duration)]
    latency: Duration,

    /// Refuse this share of the requests
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = values::share)]
    fail: f64,

    /// How to refuse them: a code of gRPC, or a status of HTTP
    #[arg(long, value_name = "CODE", default_value = "UNAVAILABLE", value_parser = values::refusal)]
    status: Refusal,

    /// Tell refused clients to come again after so long
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    retry_after: Option<Duration>,

    /// Count requests and bytes only, which costs less still: bodies are neither decompressed nor looked at
    #[arg(long)]
    no_records: bool,

    /// Take bodies of up to so many MiB
    #[arg(long, value_name = "MIB", default_value = "64", value_parser = clap::value_parser!(u32).range(1..=4095))]
    max_body: u32,

    /// Print what came so far, every so often
    #[arg(short, long, value_name = "TIME", value_parser = values::duration)]
    interval: Option<Duration>,

    /// End by itself after so long
    #[arg(short, long, value_name = "TIME", value_parser = values::duration)]
    duration: Option<Duration>,

    /// Threads that serve
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: u32,

    /// Print JSON, an object a line
    #[arg(long)]
    json: bool,
}

impl Sink {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let plan = SinkPlan {
            listen: self.listen,
            latency: self.latency,
            fail: self.fail,
            refusal: Refusal { retry_after: self.retry_after, ..self.status },
            count_records: !self.no_records,
            body_bytes_max: (self.max_body as usize) << 20,
            threads: positive(self.threads),
        };
        let (interval, duration, json) = (self.interval.filter(|time| !time.is_zero()), self.duration, self.json);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let sink = sink::Sink::start(plan).await?;
            for address in &sink.addresses {
                eprintln!("sink listens on {address}");
            }
            tokio::select! {
                told = super::told_to_end() => told?,
                () = after(duration) => {}
                printed = print_every(&sink, interval, json) => printed?,
            }
            print(&sink.stop().await, json)?;
            Ok(Outcome::Done)
        })
    }
}

async fn after(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

async fn print_every(sink: &sink::Sink, interval: Option<Duration>, json: bool) -> anyhow::Result<()> {
    let Some(interval) = interval else { return std::future::pending().await };
    let mut earlier = sink.report();
    loop {
        tokio::time::sleep(interval).await;
        let now = sink.report();
        print(&now.since(&earlier), json)?;
        earlier = now;
    }
}

/// Written at once, also into a pipe; that nobody reads any more is an error, and so an end.
fn print(report: &sink::SinkReport, json: bool) -> anyhow::Result<()> {
    let line = if json { serde_json::to_string(report)? } else { report.to_string() };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}
