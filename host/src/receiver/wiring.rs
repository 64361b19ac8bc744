//! What a listener serves: the part that a reload may exchange while connections stay open.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::meter::Meter;
use crate::config::spec::{GrpcServerSpec, HttpServerSpec};
use crate::data::Signal;
use crate::data::intake::Intake;
use crate::gate::Gate;
use crate::telemetry::metrics::Metrics;

/// What one listener speaks, and whom it hands requests to. Loaded anew for each request, so that after an exchange
/// the next request of an open connection meets the new one.
pub struct Wiring {
    /// OTLP/gRPC or OTLP/HTTP.
    pub protocol: Protocol,
    /// Takes the requests.
    pub intake: Arc<dyn Intake>,
    /// Counts them.
    pub meter: Meter,
    /// How long clients may take.
    pub patience: Patience,
    /// What clients have to show.
    pub gate: Gate,
}

/// A protocol and its settings.
#[derive(Clone, Debug)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc(GrpcServerSpec),
    /// OTLP/HTTP.
    Http {
        /// As configured.
        spec: HttpServerSpec,
        /// The signal of each path.
        paths: HashMap<String, Signal>,
    },
}

/// How long clients may take; slower ones are answered with a timeout, or closed.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the accepted connection to its first 24 bytes (the HTTP/2 preface, or nearly any HTTP/1.1 request), and
    /// on HTTP/1.1 from one answer to the complete head of the next request. 60 s, as the collector has it.
    pub head: Duration,
    /// For a request's body, and one second more for each 64 KiB that have come. 30 s.
    pub body: Duration,
    /// For the rest of the body of a request that is refused already: so that the connection survives. 2 s.
    pub rest: Duration,
    /// Between HTTP/2 keep-alive pings. 60 s.
    pub ping: Duration,
    /// For the answer to one. 20 s.
    pub pong: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let secs = Duration::from_secs;
        Patience { head: secs(60), body: secs(30), rest: secs(2), ping: secs(60), pong: secs(20) }
    }
}

impl Wiring {
    /// OTLP/gRPC for the receiver with id `receiver`.
    pub fn grpc(receiver: &str, spec: &GrpcServerSpec, intake: Arc<dyn Intake>, metrics: &Metrics) -> Wiring {
        Wiring {
            protocol: Protocol::Grpc(spec.clone()),
            intake,
            meter: Meter::new(metrics, receiver, "grpc"),
            patience: Patience::default(),
            gate: Gate::open(),
        }
    }

    /// OTLP/HTTP for the receiver with id `receiver`. A signal that the spec gives no path has OTLP's.
    pub fn http(receiver: &str, spec: &HttpServerSpec, intake: Arc<dyn Intake>, metrics: &Metrics) -> Wiring {
        let path = |signal: Signal| spec.paths.get(&signal).map_or(signal.http_path(), String::as_str);
        let paths = Signal::ALL.into_iter().map(|signal| (path(signal).to_owned(), signal)).collect();
        Wiring {
            protocol: Protocol::Http { spec: spec.clone(), paths },
            intake,
            meter: Meter::new(metrics, receiver, "http"),
            patience: Patience::default(),
            gate: Gate::open(),
        }
    }

    /// The same, behind a gate.
    pub fn behind(self, gate: Gate) -> Wiring {
        Wiring { gate, ..self }
    }
}
