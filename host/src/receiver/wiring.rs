//! What a listener serves: the part that a reload may exchange while connections stay open.

use std::collections::HashMap;
use std::sync::Arc;

use super::admission::Admission;
use super::meter::Meter;
use crate::config::spec::{AdmissionSpec, GrpcServerSpec, HttpServerSpec, TimeoutsSpec};
use crate::data::Signal;
use crate::data::intake::Intake;
use crate::gate::Gate;
use crate::memory::Memory;
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
    /// What is let in.
    pub admission: Admission,
    /// How long clients may take.
    pub timeouts: TimeoutsSpec,
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

impl Wiring {
    /// OTLP/gRPC for the receiver with id `receiver`.
    pub fn grpc(
        receiver: &str,
        spec: &GrpcServerSpec,
        intake: Arc<dyn Intake>,
        memory: &Memory,
        metrics: &Metrics,
    ) -> Wiring {
        Wiring {
            protocol: Protocol::Grpc(spec.clone()),
            intake,
            meter: Meter::new(metrics, receiver, "grpc"),
            admission: Admission::new(&spec.admission, spec.rate_limit.as_ref(), memory),
            timeouts: spec.timeouts,
            gate: Gate::open(),
        }
    }

    /// OTLP/HTTP for the receiver with id `receiver`. A signal that the spec gives no path has OTLP's.
    pub fn http(
        receiver: &str,
        spec: &HttpServerSpec,
        intake: Arc<dyn Intake>,
        memory: &Memory,
        metrics: &Metrics,
    ) -> Wiring {
        let path = |signal: Signal| spec.paths.get(&signal).map_or(signal.http_path(), String::as_str);
        let paths = Signal::ALL.into_iter().map(|signal| (path(signal).to_owned(), signal)).collect();
        Wiring {
            protocol: Protocol::Http { spec: spec.clone(), paths },
            intake,
            meter: Meter::new(metrics, receiver, "http"),
            admission: Admission::new(&spec.admission, spec.rate_limit.as_ref(), memory),
            timeouts: spec.timeouts,
            gate: Gate::open(),
        }
    }

    /// What it takes on at a time.
    pub(super) fn limits(&self) -> &AdmissionSpec {
        match &self.protocol {
            Protocol::Grpc(spec) => &spec.admission,
            Protocol::Http { spec, .. } => &spec.admission,
        }
    }

    /// The same, behind a gate.
    pub fn behind(self, gate: Gate) -> Wiring {
        Wiring { gate, ..self }
    }
}
