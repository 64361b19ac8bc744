//! One readable line for each record.

use std::fmt::Write;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, number_data_point};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::{DecodeError, Message};

use crate::data::Signal;
use crate::exporter::calendar::{Separator, stamp};

/// The records of a request, each as a line.
#[derive(Debug, Default)]
pub struct Lines {
    /// How many resources they are of.
    pub resources: usize,
    /// The lines.
    pub records: Vec<String>,
}

/// Reads an encoded request.
pub fn of(signal: Signal, request: &[u8]) -> Result<Lines, DecodeError> {
    let mut lines = Lines::default();
    match signal {
        Signal::Traces => {
            for resource in ExportTraceServiceRequest::decode(request)?.resource_spans {
                lines.resources += 1;
                let service = service(resource.resource.as_ref());
                let spans = resource.scope_spans.iter().flat_map(|scope| &scope.spans);
                lines.records.extend(spans.map(|span| of_span(&service, span)));
            }
        }
        Signal::Logs => {
            for resource in ExportLogsServiceRequest::decode(request)?.resource_logs {
                lines.resources += 1;
                let service = service(resource.resource.as_ref());
                let logs = resource.scope_logs.iter().flat_map(|scope| &scope.log_records);
                lines.records.extend(logs.map(|log| of_log(&service, log)));
            }
        }
        Signal::Metrics => {
            for resource in ExportMetricsServiceRequest::decode(request)?.resource_metrics {
                lines.resources += 1;
                let service = service(resource.resource.as_ref());
                let metrics = resource.scope_metrics.iter().flat_map(|scope| &scope.metrics);
                metrics.for_each(|metric| of_points(&service, metric, &mut lines.records));
            }
        }
    }
    Ok(lines)
}

fn service(resource: Option<&Resource>) -> String {
    let attributes = resource.map(|resource| resource.attributes.as_slice()).unwrap_or_default();
    let name = attributes.iter().find(|attribute| attribute.key == "service.name");
    name.map_or_else(|| "unknown_service".to_owned(), |name| plain(&shown(name.value.as_ref())))
}

fn of_span(service: &str, span: &Span) -> String {
    let took = std::time::Duration::from_nanos(span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano));
    let status = match span.status.as_ref().map(|status| status.code()) {
        Some(StatusCode::Error) => " error",
        Some(StatusCode::Ok) => " ok",
        _ => "",
    };
    let head = format!("{} {service} {} {took:?}{status}", time(span.start_time_unix_nano), plain(&span.name));
    with_attributes(head, &span.attributes)
}

fn of_log(service: &str, log: &LogRecord) -> String {
    let at = if log.time_unix_nano == 0 { log.observed_time_unix_nano } else { log.time_unix_nano };
    let severity = match log.severity_text.as_str() {
        "" => log.severity_number().as_str_name().trim_start_matches("SEVERITY_NUMBER_"),
        text => text,
    };
    let head = format!("{} {service} {} {}", time(at), plain(severity), plain(&shown(log.body.as_ref())));
    with_attributes(head, &log.attributes)
}

fn of_points(service: &str, metric: &Metric, out: &mut Vec<String>) {
    let name = plain(&metric.name);
    let unit = if metric.unit.is_empty() { String::new() } else { format!(" {}", plain(&metric.unit)) };
    let mut push = |at: u64, value: String, attributes: &[KeyValue]| {
        out.push(with_attributes(format!("{} {service} {name} {value}{unit}", time(at)), attributes));
    };
    match &metric.data {
        None => {}
        Some(Data::Gauge(data)) => {
            data.data_points.iter().for_each(|p| push(p.time_unix_nano, number(p.value.as_ref()), &p.attributes));
        }
        Some(Data::Sum(data)) => {
            data.data_points.iter().for_each(|p| push(p.time_unix_nano, number(p.value.as_ref()), &p.attributes));
        }
        Some(Data::Histogram(data)) => {
            data.data_points.iter().for_each(|p| push(p.time_unix_nano, spread(p.count, p.sum), &p.attributes));
        }
        Some(Data::ExponentialHistogram(data)) => {
            data.data_points.iter().for_each(|p| push(p.time_unix_nano, spread(p.count, p.sum), &p.attributes));
        }
        Some(Data::Summary(data)) => {
            data.data_points.iter().for_each(|p| push(p.time_unix_nano, spread(p.count, Some(p.sum)), &p.attributes));
        }
    }
}

fn number(value: Option<&number_data_point::Value>) -> String {
    match value {
        Some(number_data_point::Value::AsInt(int)) => int.to_string(),
        Some(number_data_point::Value::AsDouble(double)) => double.to_string(),
        None => "none".to_owned(),
    }
}

fn spread(count: u64, sum: Option<f64>) -> String {
    match sum {
        Some(sum) => format!("count={count} sum={sum}"),
        None => format!("count={count}"),
    }
}

fn time(nanos: u64) -> String {
    format!("{}Z", stamp(nanos / 1_000_000, Separator::Colon))
}

fn with_attributes(mut line: String, attributes: &[KeyValue]) -> String {
    for attribute in attributes {
        // Writing to a string cannot fail.
        let _ = write!(line, " {}={}", plain(&attribute.key), plain(&shown(attribute.value.as_ref())));
    }
    line
}

/// Levels of nested values that are shown; a decoded message cannot have more than prost's limit anyway.
const DEPTH_MAX: usize = 8;

fn shown(value: Option<&AnyValue>) -> String {
    let mut out = String::new();
    show(value.and_then(|value| value.value.as_ref()), 0, &mut out);
    out
}

fn show(value: Option<&Value>, depth: usize, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = match value {
        None => Ok(()),
        Some(Value::StringValue(text)) => out.write_str(text),
        Some(Value::BoolValue(bool)) => write!(out, "{bool}"),
        Some(Value::IntValue(int)) => write!(out, "{int}"),
        Some(Value::DoubleValue(double)) => write!(out, "{double}"),
        Some(Value::BytesValue(bytes)) => write!(out, "({} bytes)", bytes.len()),
        Some(_) if depth >= DEPTH_MAX => out.write_str("…"),
        Some(Value::ArrayValue(array)) => {
            list('[', ']', &array.values, out, |value, out| show(value.value.as_ref(), depth + 1, out))
        }
        Some(Value::KvlistValue(list_of)) => list('{', '}', &list_of.values, out, |pair, out| {
            out.push_str(&pair.key);
            out.push('=');
            show(pair.value.as_ref().and_then(|value| value.value.as_ref()), depth + 1, out);
        }),
        Some(other) => write!(out, "{other:?}"),
    };
}

fn list<T>(open: char, close: char, items: &[T], out: &mut String, show: impl Fn(&T, &mut String)) -> std::fmt::Result {
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index > 0 { ", " } else { "" });
        show(item, out);
    }
    out.push(close);
    Ok(())
}

/// Text that cannot move the cursor or begin a line.
fn plain(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
