//! What a gate counts and tells.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::SystemTime;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::Instant;

use super::complaint::Complaint;
use super::denial::Denial;
use super::files::FileFault;
use super::handshake::HandshakeError;
use crate::telemetry::metrics::{GateLabels, Metrics, ReceiverLabels, RotationLabels};

/// The counters and complaints of one gate.
pub(super) struct GateMeter {
    listener: String,
    transport: &'static str,
    metrics: Metrics,
    denied: BTreeMap<&'static str, Counter>,
    denials: Complaint,
    handshakes: Complaint,
}

impl GateMeter {
    pub fn new(metrics: &Metrics, listener: &str, transport: &'static str) -> GateMeter {
        let denied = Denial::ALL.into_iter().map(|denial| {
            let labels = GateLabels { receiver: listener.to_owned(), transport, reason: denial.reason() };
            (denial.reason(), metrics.authentication_failures.get_or_create_owned(&labels))
        });
        GateMeter {
            listener: listener.to_owned(),
            transport,
            denied: denied.collect(),
            metrics: metrics.clone(),
            denials: Complaint::default(),
            handshakes: Complaint::default(),
        }
    }

    /// The counters of what rotates below `key`.
    pub fn rotation(&self, key: &'static str) -> RotationMeter {
        let (listener, transport) = (&self.listener, self.transport);
        let counter = |outcome| {
            let labels = RotationLabels { receiver: listener.clone(), transport, key, outcome };
            self.metrics.rotations.get_or_create_owned(&labels)
        };
        let name = format!("{listener} ({transport}): `{key}`");
        RotationMeter { name, applied: counter("applied"), refused: counter("refused") }
    }

    /// The date of the certificate.
    pub fn expiry(&self) -> ExpiryMeter {
        let labels = ReceiverLabels { receiver: self.listener.clone(), transport: self.transport };
        ExpiryMeter {
            name: format!("{} ({})", self.listener, self.transport),
            gauge: self.metrics.certificate_expiry.get_or_create_owned(&labels),
        }
    }

    /// A request was not let in.
    pub fn denied(&self, peer: SocketAddr, denial: Denial) {
        if let Some(counter) = self.denied.get(denial.reason()) {
            counter.inc();
        }
        if let Some(requests) = self.denials.due(Instant::now()) {
            let (listener, transport) = (&self.listener, self.transport);
            tracing::warn!(%peer, "{listener} ({transport}): {requests} requests were not let in since this was last told; this one: {}", denial.message());
        }
    }

    /// A handshake came to nothing.
    pub fn failed(&self, peer: SocketAddr, error: &HandshakeError) {
        let (listener, transport) = (&self.listener, self.transport);
        let labels = GateLabels { receiver: listener.clone(), transport, reason: error.reason() };
        self.metrics.handshakes_failed.get_or_create_owned(&labels).inc();
        if let Some(connections) = self.handshakes.due(Instant::now()) {
            tracing::warn!(%peer, "{listener} ({transport}): {connections} TLS handshakes failed since this was last told; this one: {error}");
        }
    }
}

/// The date that clients of a listener will not go beyond.
pub(super) struct ExpiryMeter {
    name: String,
    gauge: Gauge,
}

impl ExpiryMeter {
    /// The certificate in use is valid until then, in seconds since the Unix epoch.
    pub fn set(&self, not_after: i64) {
        self.gauge.set(not_after);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        if not_after < i64::try_from(now).unwrap_or(i64::MAX) {
            tracing::error!("{}: the certificate is expired; clients refuse it", self.name);
        }
    }
}

/// The counters of something that rotates.
pub(super) struct RotationMeter {
    name: String,
    applied: Counter,
    refused: Counter,
}

impl RotationMeter {
    /// What the files hold now is used.
    pub fn applied(&self) {
        self.applied.inc();
        tracing::info!("{}: its files have changed, and are used from now on", self.name);
    }

    /// What the files hold now cannot be used.
    pub fn refused(&self, fault: &FileFault) {
        self.refused.inc();
        tracing::error!(
            "{}: its files have changed, but cannot be used; what was read before stays: {fault}",
            self.name
        );
    }
}
