//! The far ends of pipelines: each turns a batch into what its target takes, and tries to hand it over once.
//!
//! ```text
//!  destination: batch ─► prepare (join, encode, compress: once) ─► attempt ─► Outcome
//!                                                                  ▲  │
//!                                              backoff, same bytes └──┴─► Failure: retryable or permanent
//! ```
//!
//! When to try again is the destination's business ([`crate::destination`]); whether it makes sense is the
//! exporter's, which alone understands the answer.

pub mod access;
pub mod answer;
pub mod auth;
pub mod calendar;
pub mod clients;
pub mod compress;
pub mod connector;
pub mod debug;
pub mod endpoint;
pub mod file;
pub mod frames;
pub mod grpc_status;
pub mod otlp_grpc;
pub mod otlp_http;
pub mod outcome;
pub mod reread;
pub mod response;
pub mod retry_after;
pub mod tls;

#[cfg(test)]
pub mod testing;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use crate::config::spec::TargetSpec;
use crate::data::Signal;

pub use access::Access;
pub use frames::Frames;
pub use outcome::{Failure, Outcome};

/// The `User-Agent` of every request (E29).
pub const USER_AGENT: &str = concat!("sluicebox/", env!("CARGO_PKG_VERSION"));

/// Silence on an HTTP/2 connection with open requests after which it is pinged, and the time a ping may take. Both
/// stay below the usual attempt timeout, so that a dead connection is replaced and not tried again (F34).
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// The same for the system's own probes, which find dead connections that idle.
const TCP_KEEP_ALIVE: Duration = Duration::from_secs(60);

/// One exporter. A closed set, so that the data path has no indirect calls.
#[derive(Debug)]
pub enum Exporter {
    /// OTLP over gRPC.
    OtlpGrpc(otlp_grpc::OtlpGrpc),
    /// OTLP over HTTP.
    OtlpHttp(Box<otlp_http::OtlpHttp>),
    /// OTLP JSON lines in a file.
    File(file::FileExporter),
    /// The console.
    Debug(debug::DebugExporter),
}

/// An exporter cannot be built as the pipeline file describes it.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The endpoint cannot be used. Shown without a password that it may hold.
    #[error("the endpoint `{endpoint}` cannot be used: {why}; write it as http://host:port or https://host:port")]
    Endpoint {
        /// As configured.
        endpoint: String,
        /// What is wrong.
        why: String,
    },
    /// A header cannot be sent. Its value is not shown, since it may be a secret.
    #[error("the header `{name}` cannot be sent: {why}")]
    Header {
        /// Its name.
        name: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A file with certificates or a key cannot be used.
    #[error("the TLS file `{}` cannot be used: {why}", path.display())]
    TlsFile {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file with certificates or a secret cannot be read.
    #[error("the file `{}` cannot be read: {why}", path.display())]
    SecretFile {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The TLS settings do not fit together.
    #[error("the TLS settings cannot be used: {why}")]
    Tls {
        /// What is wrong.
        why: String,
    },
    /// The durable queue cannot be opened.
    #[error(transparent)]
    Queue(#[from] crate::queue::OpenError),
    /// The output file cannot be written.
    #[error("the file `{}` cannot be written: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong, and the mend.
        why: String,
    },
}

impl Exporter {
    /// Builds the exporter of a target, with the access that was opened for it. Connects nothing yet; must be called
    /// inside the tokio runtime that will use it, because connections live on it.
    pub fn build(target: &TargetSpec, access: &Access) -> Result<Exporter, BuildError> {
        Ok(match target {
            TargetSpec::OtlpGrpc(spec) => Exporter::OtlpGrpc(otlp_grpc::OtlpGrpc::build(spec, access)?),
            TargetSpec::OtlpHttp(spec) => Exporter::OtlpHttp(Box::new(otlp_http::OtlpHttp::build(spec, access)?)),
            TargetSpec::File(spec) => Exporter::File(file::FileExporter::open(spec)?),
            TargetSpec::Debug(spec) => Exporter::Debug(debug::DebugExporter::stdout(spec.verbosity)),
        })
    }

    /// Turns the requests of one batch into what every attempt sends, bit for bit the same (E14, F36).
    pub async fn prepare(&self, signal: Signal, requests: &[Bytes]) -> Result<Frames, Failure> {
        match self {
            Exporter::OtlpGrpc(exporter) => exporter.prepare(requests).await,
            Exporter::OtlpHttp(exporter) => exporter.prepare(signal, requests).await,
            Exporter::File(exporter) => exporter.prepare(signal, requests).await,
            Exporter::Debug(_) => Ok(Frames::new(requests.to_vec())),
        }
    }

    /// Tries once to hand over a prepared batch.
    pub async fn attempt(&self, signal: Signal, frames: &Frames) -> Result<Outcome, Failure> {
        match self {
            Exporter::OtlpGrpc(exporter) => exporter.attempt(signal, frames).await,
            Exporter::OtlpHttp(exporter) => exporter.attempt(signal, frames).await,
            Exporter::File(exporter) => exporter.attempt(frames).await,
            Exporter::Debug(exporter) => exporter.attempt(signal, frames),
        }
    }
}
