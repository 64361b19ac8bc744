//! The messages of OTLP as tables: what each field is called in JSON, its number, and how it is written.
//!
//! Reading and writing JSON share these tables, so that both know the same fields. A test holds them against
//! the descriptors of opentelemetry-proto. Source: opentelemetry-proto, `trace.proto`, `metrics.proto`,
//! `logs.proto`, `common.proto`, `resource.proto`; protobuf.dev, "ProtoJSON Format".

use super::message::{Field, Kind, Label, Message};
use crate::data::Signal;

/// The `Export…ServiceRequest` of a signal.
pub fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &TRACE_REQUEST,
        Signal::Metrics => &METRICS_REQUEST,
        Signal::Logs => &LOGS_REQUEST,
    }
}

/// The `Export…ServiceResponse` of a signal.
pub fn response(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &TRACE_RESPONSE,
        Signal::Metrics => &METRICS_RESPONSE,
        Signal::Logs => &LOGS_RESPONSE,
    }
}

const fn one(name: &'static str, number: u32, kind: Kind) -> Field {
    Field::new(name, number, kind, Label::Plain)
}

const fn optional(name: &'static str, number: u32, kind: Kind) -> Field {
    Field::new(name, number, kind, Label::Optional)
}

const fn member(name: &'static str, number: u32, kind: Kind) -> Field {
    Field::new(name, number, kind, Label::Member)
}

const fn list(name: &'static str, number: u32, kind: Kind) -> Field {
    Field::new(name, number, kind, Label::List)
}

static TRACE_REQUEST: Message = Message::new(&[list("resourceSpans", 1, Kind::Message(&RESOURCE_SPANS))]);

static METRICS_REQUEST: Message = Message::new(&[list("resourceMetrics", 1, Kind::Message(&RESOURCE_METRICS))]);

static LOGS_REQUEST: Message = Message::new(&[list("resourceLogs", 1, Kind::Message(&RESOURCE_LOGS))]);

static TRACE_RESPONSE: Message = Message::new(&[one("partialSuccess", 1, Kind::Message(&TRACE_PARTIAL_SUCCESS))]);

static TRACE_PARTIAL_SUCCESS: Message =
    Message::new(&[one("rejectedSpans", 1, Kind::Int64), one("errorMessage", 2, Kind::Text)]);

static METRICS_RESPONSE: Message = Message::new(&[one("partialSuccess", 1, Kind::Message(&METRICS_PARTIAL_SUCCESS))]);

static METRICS_PARTIAL_SUCCESS: Message =
    Message::new(&[one("rejectedDataPoints", 1, Kind::Int64), one("errorMessage", 2, Kind::Text)]);

static LOGS_RESPONSE: Message = Message::new(&[one("partialSuccess", 1, Kind::Message(&LOGS_PARTIAL_SUCCESS))]);

static LOGS_PARTIAL_SUCCESS: Message =
    Message::new(&[one("rejectedLogRecords", 1, Kind::Int64), one("errorMessage", 2, Kind::Text)]);

/// `google.rpc.Status` without `details`, which need descriptors to be read or written as JSON.
pub static RPC_STATUS: Message = Message::new(&[one("code", 1, Kind::Int32), one("message", 2, Kind::Text)]);

/// An attribute value or log body; the only message that may nest in itself.
pub static ANY_VALUE: Message = Message::new(&[
    member("stringValue", 1, Kind::Text),
    member("boolValue", 2, Kind::Bool),
    member("intValue", 3, Kind::Int64),
    member("doubleValue", 4, Kind::Double),
    member("arrayValue", 5, Kind::Message(&ARRAY_VALUE)),
    member("kvlistValue", 6, Kind::Message(&KEY_VALUE_LIST)),
    member("bytesValue", 7, Kind::Base64),
    member("stringValueStrindex", 8, Kind::Int32),
]);

static ARRAY_VALUE: Message = Message::new(&[list("values", 1, Kind::Message(&ANY_VALUE))]);

static KEY_VALUE_LIST: Message = Message::new(&[list("values", 1, Kind::Message(&KEY_VALUE))]);

/// An attribute.
pub static KEY_VALUE: Message = Message::new(&[
    one("key", 1, Kind::Text),
    one("value", 2, Kind::Message(&ANY_VALUE)),
    one("keyStrindex", 3, Kind::Int32),
]);

static SCOPE: Message = Message::new(&[
    one("name", 1, Kind::Text),
    one("version", 2, Kind::Text),
    list("attributes", 3, Kind::Message(&KEY_VALUE)),
    one("droppedAttributesCount", 4, Kind::Uint32),
]);

static ENTITY_REF: Message = Message::new(&[
    one("schemaUrl", 1, Kind::Text),
    one("type", 2, Kind::Text),
    list("idKeys", 3, Kind::Text),
    list("descriptionKeys", 4, Kind::Text),
]);

static RESOURCE: Message = Message::new(&[
    list("attributes", 1, Kind::Message(&KEY_VALUE)),
    one("droppedAttributesCount", 2, Kind::Uint32),
    list("entityRefs", 3, Kind::Message(&ENTITY_REF)),
]);

static RESOURCE_SPANS: Message = Message::new(&[
    one("resource", 1, Kind::Message(&RESOURCE)),
    list("scopeSpans", 2, Kind::Message(&SCOPE_SPANS)),
    one("schemaUrl", 3, Kind::Text),
]);

static SCOPE_SPANS: Message = Message::new(&[
    one("scope", 1, Kind::Message(&SCOPE)),
    list("spans", 2, Kind::Message(&SPAN)),
    one("schemaUrl", 3, Kind::Text),
]);

static SPAN: Message = Message::new(&[
    one("traceId", 1, Kind::Hex),
    one("spanId", 2, Kind::Hex),
    one("traceState", 3, Kind::Text),
    one("parentSpanId", 4, Kind::Hex),
    one("flags", 16, Kind::Fixed32),
    one("name", 5, Kind::Text),
    one("kind", 6, Kind::Enum),
    one("startTimeUnixNano", 7, Kind::Fixed64),
    one("endTimeUnixNano", 8, Kind::Fixed64),
    list("attributes", 9, Kind::Message(&KEY_VALUE)),
    one("droppedAttributesCount", 10, Kind::Uint32),
    list("events", 11, Kind::Message(&SPAN_EVENT)),
    one("droppedEventsCount", 12, Kind::Uint32),
    list("links", 13, Kind::Message(&SPAN_LINK)),
    one("droppedLinksCount", 14, Kind::Uint32),
    one("status", 15, Kind::Message(&SPAN_STATUS)),
]);

static SPAN_EVENT: Message = Message::new(&[
    one("timeUnixNano", 1, Kind::Fixed64),
    one("name", 2, Kind::Text),
    list("attributes", 3, Kind::Message(&KEY_VALUE)),
    one("droppedAttributesCount", 4, Kind::Uint32),
]);

static SPAN_LINK: Message = Message::new(&[
    one("traceId", 1, Kind::Hex),
    one("spanId", 2, Kind::Hex),
    one("traceState", 3, Kind::Text),
    list("attributes", 4, Kind::Message(&KEY_VALUE)),
    one("droppedAttributesCount", 5, Kind::Uint32),
    one("flags", 6, Kind::Fixed32),
]);

static SPAN_STATUS: Message = Message::new(&[one("message", 2, Kind::Text), one("code", 3, Kind::Enum)]);

static RESOURCE_LOGS: Message = Message::new(&[
    one("resource", 1, Kind::Message(&RESOURCE)),
    list("scopeLogs", 2, Kind::Message(&SCOPE_LOGS)),
    one("schemaUrl", 3, Kind::Text),
]);

static SCOPE_LOGS: Message = Message::new(&[
    one("scope", 1, Kind::Message(&SCOPE)),
    list("logRecords", 2, Kind::Message(&LOG_RECORD)),
    one("schemaUrl", 3, Kind::Text),
]);

static LOG_RECORD: Message = Message::new(&[
    one("timeUnixNano", 1, Kind::Fixed64),
    one("observedTimeUnixNano", 11, Kind::Fixed64),
    one("severityNumber", 2, Kind::Enum),
    one("severityText", 3, Kind::Text),
    one("body", 5, Kind::Message(&ANY_VALUE)),
    list("attributes", 6, Kind::Message(&KEY_VALUE)),
    one("droppedAttributesCount", 7, Kind::Uint32),
    one("flags", 8, Kind::Fixed32),
    one("traceId", 9, Kind::Hex),
    one("spanId", 10, Kind::Hex),
    one("eventName", 12, Kind::Text),
]);

static RESOURCE_METRICS: Message = Message::new(&[
    one("resource", 1, Kind::Message(&RESOURCE)),
    list("scopeMetrics", 2, Kind::Message(&SCOPE_METRICS)),
    one("schemaUrl", 3, Kind::Text),
]);

static SCOPE_METRICS: Message = Message::new(&[
    one("scope", 1, Kind::Message(&SCOPE)),
    list("metrics", 2, Kind::Message(&METRIC)),
    one("schemaUrl", 3, Kind::Text),
]);

static METRIC: Message = Message::new(&[
    one("name", 1, Kind::Text),
    one("description", 2, Kind::Text),
    one("unit", 3, Kind::Text),
    member("gauge", 5, Kind::Message(&GAUGE)),
    member("sum", 7, Kind::Message(&SUM)),
    member("histogram", 9, Kind::Message(&HISTOGRAM)),
    member("exponentialHistogram", 10, Kind::Message(&EXPONENTIAL_HISTOGRAM)),
    member("summary", 11, Kind::Message(&SUMMARY)),
    list("metadata", 12, Kind::Message(&KEY_VALUE)),
]);

static GAUGE: Message = Message::new(&[list("dataPoints", 1, Kind::Message(&NUMBER_POINT))]);

static SUM: Message = Message::new(&[
    list("dataPoints", 1, Kind::Message(&NUMBER_POINT)),
    one("aggregationTemporality", 2, Kind::Enum),
    one("isMonotonic", 3, Kind::Bool),
]);

static HISTOGRAM: Message = Message::new(&[
    list("dataPoints", 1, Kind::Message(&HISTOGRAM_POINT)),
    one("aggregationTemporality", 2, Kind::Enum),
]);

static EXPONENTIAL_HISTOGRAM: Message = Message::new(&[
    list("dataPoints", 1, Kind::Message(&EXPONENTIAL_POINT)),
    one("aggregationTemporality", 2, Kind::Enum),
]);

static SUMMARY: Message = Message::new(&[list("dataPoints", 1, Kind::Message(&SUMMARY_POINT))]);

static NUMBER_POINT: Message = Message::new(&[
    list("attributes", 7, Kind::Message(&KEY_VALUE)),
    one("startTimeUnixNano", 2, Kind::Fixed64),
    one("timeUnixNano", 3, Kind::Fixed64),
    member("asDouble", 4, Kind::Double),
    member("asInt", 6, Kind::Sfixed64),
    list("exemplars", 5, Kind::Message(&EXEMPLAR)),
    one("flags", 8, Kind::Uint32),
]);

static HISTOGRAM_POINT: Message = Message::new(&[
    list("attributes", 9, Kind::Message(&KEY_VALUE)),
    one("startTimeUnixNano", 2, Kind::Fixed64),
    one("timeUnixNano", 3, Kind::Fixed64),
    one("count", 4, Kind::Fixed64),
    optional("sum", 5, Kind::Double),
    list("bucketCounts", 6, Kind::Fixed64),
    list("explicitBounds", 7, Kind::Double),
    list("exemplars", 8, Kind::Message(&EXEMPLAR)),
    one("flags", 10, Kind::Uint32),
    optional("min", 11, Kind::Double),
    optional("max", 12, Kind::Double),
]);

static EXPONENTIAL_POINT: Message = Message::new(&[
    list("attributes", 1, Kind::Message(&KEY_VALUE)),
    one("startTimeUnixNano", 2, Kind::Fixed64),
    one("timeUnixNano", 3, Kind::Fixed64),
    one("count", 4, Kind::Fixed64),
    optional("sum", 5, Kind::Double),
    one("scale", 6, Kind::Sint32),
    one("zeroCount", 7, Kind::Fixed64),
    one("positive", 8, Kind::Message(&BUCKETS)),
    one("negative", 9, Kind::Message(&BUCKETS)),
    one("flags", 10, Kind::Uint32),
    list("exemplars", 11, Kind::Message(&EXEMPLAR)),
    optional("min", 12, Kind::Double),
    optional("max", 13, Kind::Double),
    one("zeroThreshold", 14, Kind::Double),
]);

static BUCKETS: Message = Message::new(&[one("offset", 1, Kind::Sint32), list("bucketCounts", 2, Kind::Uint64)]);

static SUMMARY_POINT: Message = Message::new(&[
    list("attributes", 7, Kind::Message(&KEY_VALUE)),
    one("startTimeUnixNano", 2, Kind::Fixed64),
    one("timeUnixNano", 3, Kind::Fixed64),
    one("count", 4, Kind::Fixed64),
    one("sum", 5, Kind::Double),
    list("quantileValues", 6, Kind::Message(&QUANTILE)),
    one("flags", 8, Kind::Uint32),
]);

static QUANTILE: Message = Message::new(&[one("quantile", 1, Kind::Double), one("value", 2, Kind::Double)]);

static EXEMPLAR: Message = Message::new(&[
    list("filteredAttributes", 7, Kind::Message(&KEY_VALUE)),
    one("timeUnixNano", 2, Kind::Fixed64),
    member("asDouble", 3, Kind::Double),
    member("asInt", 6, Kind::Sfixed64),
    one("spanId", 4, Kind::Hex),
    one("traceId", 5, Kind::Hex),
]);
