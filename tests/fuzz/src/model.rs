//! prost as the model of what bytes mean.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::{DecodeError, Message};
use sluicebox::data::Signal;

/// What a request says, as text: two NaNs are one, and unknown fields say nothing.
pub fn meaning(signal: Signal, bytes: &[u8]) -> Result<String, DecodeError> {
    Ok(match signal {
        Signal::Traces => format!("{:?}", ExportTraceServiceRequest::decode(bytes)?),
        Signal::Metrics => format!("{:?}", ExportMetricsServiceRequest::decode(bytes)?),
        Signal::Logs => format!("{:?}", ExportLogsServiceRequest::decode(bytes)?),
    })
}
