//! The messages of OTLP as tables: what each field is called in JSON, its number, and how it is written.
//!
//! Reading and writing JSON share these tables, so that both know the same fields. A test holds them against
//! the descriptors of opentelemetry-proto. Source: opentelemetry-proto, `trace.proto`, `metrics.proto`,
//! `logs.proto`, `common.proto`, `resource.proto`; protobuf.dev, "ProtoJSON Format".

use crate::data::Signal;

/// A message: its fields, in the order in which they are written as JSON. It has no `Debug`: tables go in circles.
pub struct Message {
    /// Its fields.
    pub fields: &'static [Field],
}

/// A field of a message.
pub struct Field {
    /// Its name in JSON: lowerCamelCase.
    pub name: &'static str,
    /// Its number on the wire.
    pub number: u32,
    /// What its values are.
    pub kind: Kind,
    /// How many there may be, and whether one with the default value is written.
    pub label: Label,
}

/// What a value is, in JSON and on the wire.
#[derive(Clone, Copy)]
pub enum Kind {
    /// `string`.
    Text,
    /// `bytes` that are an id: hexadecimal in OTLP/JSON, unlike in ProtoJSON.
    Hex,
    /// Other `bytes`.
    Base64,
    /// `bool`.
    Bool,
    /// An enumeration: only ever a number in OTLP/JSON.
    Enum,
    /// `int32`.
    Int32,
    /// `uint32`.
    Uint32,
    /// `sint32`.
    Sint32,
    /// `fixed32`.
    Fixed32,
    /// `int64`.
    Int64,
    /// `uint64`.
    Uint64,
    /// `fixed64`.
    Fixed64,
    /// `sfixed64`.
    Sfixed64,
    /// `double`.
    Double,
    /// A message.
    Message(&'static Message),
}

/// How many values a field has, and whether a default is told from none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// At most one; a scalar's default is not written.
    Plain,
    /// At most one, written whenever it is there (`optional`).
    Optional,
    /// At most one among all members of the message's `oneof` (no message has two of them), written whenever it
    /// is there.
    Member,
    /// Any number.
    List,
}

impl Message {
    /// Where the field of that JSON name is in the table; `hint` is where it is looked for first.
    pub fn position_of_name(&self, name: &[u8], hint: usize) -> Option<usize> {
        self.position(hint, |field| field.name.as_bytes() == name)
    }

    /// Where the field of that number is in the table; `hint` is where it is looked for first.
    pub fn position_of_number(&self, number: u32, hint: usize) -> Option<usize> {
        self.position(hint, |field| field.number == number)
    }

    fn position(&self, hint: usize, matches: impl Fn(&Field) -> bool) -> Option<usize> {
        match self.fields.get(hint) {
            Some(field) if matches(field) => Some(hint),
            _ => self.fields.iter().position(matches),
        }
    }
}

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
    Field { name, number, kind, label: Label::Plain }
}

const fn optional(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, number, kind, label: Label::Optional }
}

const fn member(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, number, kind, label: Label::Member }
}

const fn list(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, number, kind, label: Label::List }
}

static TRACE_REQUEST: Message = Message { fields: &[list("resourceSpans", 1, Kind::Message(&RESOURCE_SPANS))] };

static METRICS_REQUEST: Message = Message { fields: &[list("resourceMetrics", 1, Kind::Message(&RESOURCE_METRICS))] };

static LOGS_REQUEST: Message = Message { fields: &[list("resourceLogs", 1, Kind::Message(&RESOURCE_LOGS))] };

static TRACE_RESPONSE: Message = Message { fields: &[one("partialSuccess", 1, Kind::Message(&TRACE_PARTIAL_SUCCESS))] };

static TRACE_PARTIAL_SUCCESS: Message =
    Message { fields: &[one("rejectedSpans", 1, Kind::Int64), one("errorMessage", 2, Kind::Text)] };

static METRICS_RESPONSE: Message =
    Message { fields: &[one("partialSuccess", 1, Kind::Message(&METRICS_PARTIAL_SUCCESS))] };

static METRICS_PARTIAL_SUCCESS: Message =
    Message { fields: &[one("rejectedDataPoints", 1, Kind::Int64), one("errorMessage", 2, Kind::Text)] };

static LOGS_RESPONSE: Message = Message { fields: &[one("partialSuccess", 1, Kind::Message(&LOGS_PARTIAL_SUCCESS))] };

static LOGS_PARTIAL_SUCCESS: Message =
    Message { fields: &[one("rejectedLogRecords", 1, Kind::Int64), one("errorMessage", 2, Kind::Text)] };

/// `google.rpc.Status` without `details`, which need descriptors to be read or written as JSON.
pub static RPC_STATUS: Message = Message { fields: &[one("code", 1, Kind::Int32), one("message", 2, Kind::Text)] };

/// An attribute value or log body; the only message that may nest in itself.
pub static ANY_VALUE: Message = Message {
    fields: &[
        member("stringValue", 1, Kind::Text),
        member("boolValue", 2, Kind::Bool),
        member("intValue", 3, Kind::Int64),
        member("doubleValue", 4, Kind::Double),
        member("arrayValue", 5, Kind::Message(&ARRAY_VALUE)),
        member("kvlistValue", 6, Kind::Message(&KEY_VALUE_LIST)),
        member("bytesValue", 7, Kind::Base64),
        member("stringValueStrindex", 8, Kind::Int32),
    ],
};

static ARRAY_VALUE: Message = Message { fields: &[list("values", 1, Kind::Message(&ANY_VALUE))] };

static KEY_VALUE_LIST: Message = Message { fields: &[list("values", 1, Kind::Message(&KEY_VALUE))] };

static KEY_VALUE: Message = Message {
    fields: &[
        one("key", 1, Kind::Text),
        one("value", 2, Kind::Message(&ANY_VALUE)),
        one("keyStrindex", 3, Kind::Int32),
    ],
};

static SCOPE: Message = Message {
    fields: &[
        one("name", 1, Kind::Text),
        one("version", 2, Kind::Text),
        list("attributes", 3, Kind::Message(&KEY_VALUE)),
        one("droppedAttributesCount", 4, Kind::Uint32),
    ],
};

static ENTITY_REF: Message = Message {
    fields: &[
        one("schemaUrl", 1, Kind::Text),
        one("type", 2, Kind::Text),
        list("idKeys", 3, Kind::Text),
        list("descriptionKeys", 4, Kind::Text),
    ],
};

static RESOURCE: Message = Message {
    fields: &[
        list("attributes", 1, Kind::Message(&KEY_VALUE)),
        one("droppedAttributesCount", 2, Kind::Uint32),
        list("entityRefs", 3, Kind::Message(&ENTITY_REF)),
    ],
};

static RESOURCE_SPANS: Message = Message {
    fields: &[
        one("resource", 1, Kind::Message(&RESOURCE)),
        list("scopeSpans", 2, Kind::Message(&SCOPE_SPANS)),
        one("schemaUrl", 3, Kind::Text),
    ],
};

static SCOPE_SPANS: Message = Message {
    fields: &[
        one("scope", 1, Kind::Message(&SCOPE)),
        list("spans", 2, Kind::Message(&SPAN)),
        one("schemaUrl", 3, Kind::Text),
    ],
};

static SPAN: Message = Message {
    fields: &[
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
    ],
};

static SPAN_EVENT: Message = Message {
    fields: &[
        one("timeUnixNano", 1, Kind::Fixed64),
        one("name", 2, Kind::Text),
        list("attributes", 3, Kind::Message(&KEY_VALUE)),
        one("droppedAttributesCount", 4, Kind::Uint32),
    ],
};

static SPAN_LINK: Message = Message {
    fields: &[
        one("traceId", 1, Kind::Hex),
        one("spanId", 2, Kind::Hex),
        one("traceState", 3, Kind::Text),
        list("attributes", 4, Kind::Message(&KEY_VALUE)),
        one("droppedAttributesCount", 5, Kind::Uint32),
        one("flags", 6, Kind::Fixed32),
    ],
};

static SPAN_STATUS: Message = Message { fields: &[one("message", 2, Kind::Text), one("code", 3, Kind::Enum)] };

static RESOURCE_LOGS: Message = Message {
    fields: &[
        one("resource", 1, Kind::Message(&RESOURCE)),
        list("scopeLogs", 2, Kind::Message(&SCOPE_LOGS)),
        one("schemaUrl", 3, Kind::Text),
    ],
};

static SCOPE_LOGS: Message = Message {
    fields: &[
        one("scope", 1, Kind::Message(&SCOPE)),
        list("logRecords", 2, Kind::Message(&LOG_RECORD)),
        one("schemaUrl", 3, Kind::Text),
    ],
};

static LOG_RECORD: Message = Message {
    fields: &[
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
    ],
};

static RESOURCE_METRICS: Message = Message {
    fields: &[
        one("resource", 1, Kind::Message(&RESOURCE)),
        list("scopeMetrics", 2, Kind::Message(&SCOPE_METRICS)),
        one("schemaUrl", 3, Kind::Text),
    ],
};

static SCOPE_METRICS: Message = Message {
    fields: &[
        one("scope", 1, Kind::Message(&SCOPE)),
        list("metrics", 2, Kind::Message(&METRIC)),
        one("schemaUrl", 3, Kind::Text),
    ],
};

static METRIC: Message = Message {
    fields: &[
        one("name", 1, Kind::Text),
        one("description", 2, Kind::Text),
        one("unit", 3, Kind::Text),
        member("gauge", 5, Kind::Message(&GAUGE)),
        member("sum", 7, Kind::Message(&SUM)),
        member("histogram", 9, Kind::Message(&HISTOGRAM)),
        member("exponentialHistogram", 10, Kind::Message(&EXPONENTIAL_HISTOGRAM)),
        member("summary", 11, Kind::Message(&SUMMARY)),
        list("metadata", 12, Kind::Message(&KEY_VALUE)),
    ],
};

static GAUGE: Message = Message { fields: &[list("dataPoints", 1, Kind::Message(&NUMBER_POINT))] };

static SUM: Message = Message {
    fields: &[
        list("dataPoints", 1, Kind::Message(&NUMBER_POINT)),
        one("aggregationTemporality", 2, Kind::Enum),
        one("isMonotonic", 3, Kind::Bool),
    ],
};

static HISTOGRAM: Message = Message {
    fields: &[list("dataPoints", 1, Kind::Message(&HISTOGRAM_POINT)), one("aggregationTemporality", 2, Kind::Enum)],
};

static EXPONENTIAL_HISTOGRAM: Message = Message {
    fields: &[list("dataPoints", 1, Kind::Message(&EXPONENTIAL_POINT)), one("aggregationTemporality", 2, Kind::Enum)],
};

static SUMMARY: Message = Message { fields: &[list("dataPoints", 1, Kind::Message(&SUMMARY_POINT))] };

static NUMBER_POINT: Message = Message {
    fields: &[
        list("attributes", 7, Kind::Message(&KEY_VALUE)),
        one("startTimeUnixNano", 2, Kind::Fixed64),
        one("timeUnixNano", 3, Kind::Fixed64),
        member("asDouble", 4, Kind::Double),
        member("asInt", 6, Kind::Sfixed64),
        list("exemplars", 5, Kind::Message(&EXEMPLAR)),
        one("flags", 8, Kind::Uint32),
    ],
};

static HISTOGRAM_POINT: Message = Message {
    fields: &[
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
    ],
};

static EXPONENTIAL_POINT: Message = Message {
    fields: &[
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
    ],
};

static BUCKETS: Message = Message { fields: &[one("offset", 1, Kind::Sint32), list("bucketCounts", 2, Kind::Uint64)] };

static SUMMARY_POINT: Message = Message {
    fields: &[
        list("attributes", 7, Kind::Message(&KEY_VALUE)),
        one("startTimeUnixNano", 2, Kind::Fixed64),
        one("timeUnixNano", 3, Kind::Fixed64),
        one("count", 4, Kind::Fixed64),
        one("sum", 5, Kind::Double),
        list("quantileValues", 6, Kind::Message(&QUANTILE)),
        one("flags", 8, Kind::Uint32),
    ],
};

static QUANTILE: Message = Message { fields: &[one("quantile", 1, Kind::Double), one("value", 2, Kind::Double)] };

static EXEMPLAR: Message = Message {
    fields: &[
        list("filteredAttributes", 7, Kind::Message(&KEY_VALUE)),
        one("timeUnixNano", 2, Kind::Fixed64),
        member("asDouble", 3, Kind::Double),
        member("asInt", 6, Kind::Sfixed64),
        one("spanId", 4, Kind::Hex),
        one("traceId", 5, Kind::Hex),
    ],
};
