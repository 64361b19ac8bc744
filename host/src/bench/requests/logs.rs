//! Log records.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;

use super::{Seed, int, resource, scope, text};

/// The size of a record, if none is asked for.
const RECORD_BYTES: usize = 300;

/// One request of a log record for each seed.
pub fn encode(seeds: impl Iterator<Item = Seed>, record_bytes: Option<usize>) -> Vec<u8> {
    let record_bytes = record_bytes.unwrap_or(RECORD_BYTES);
    let log_records = seeds.map(|seed| record(seed, record_bytes)).collect();
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { resource: resource(), scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

fn record(seed: Seed, record_bytes: usize) -> LogRecord {
    let (severity_number, severity_text) = match seed.index % 20 {
        0 => (17, "ERROR"),
        1 | 2 => (13, "WARN"),
        3..=5 => (5, "DEBUG"),
        _ => (9, "INFO"),
    };
    let mut record = LogRecord {
        time_unix_nano: seed.time_nanos(),
        observed_time_unix_nano: seed.time_nanos() + 40_000,
        severity_number,
        severity_text: severity_text.to_owned(),
        attributes: vec![
            text("http.route", seed.route),
            int("http.response.status_code", 200),
            text("thread.name", format!("worker-{}", seed.bits % 16)),
        ],
        trace_id: seed.trace_id(),
        span_id: seed.span_id(),
        flags: 1,
        ..LogRecord::default()
    };
    let head = format!("{} {} ", severity_text, seed.route);
    // Tags and lengths around a body of some hundred bytes.
    let missing = record_bytes.saturating_sub(record.encoded_len() + head.len() + 6);
    let body = Value::StringValue(head + &seed.prose(missing));
    record.body = Some(AnyValue { value: Some(body) });
    record
}
