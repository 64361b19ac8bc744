//! What the messages of OTLP look like on the wire, as far as the walk must know: the wire type of each field, and
//! which fields are text. Source: opentelemetry-proto 1.x.

/// A message: what its known fields must look like. Fields that are not known pass as they are.
#[derive(Debug)]
pub struct MessageShape {
    /// What is wrong if a field has another wire type, for errors.
    pub wrong_type: &'static str,
    /// Wire type by field number; [`UNKNOWN`] for fields that are not known.
    wire_types: [u8; 32],
    /// Fields that may come packed or not: wire type 2 is accepted beside the one above.
    packable: u32,
    /// Fields that are proto3 strings.
    strings: u32,
}

macro_rules! wrong_type {
    ($message:literal) => {
        concat!("a known field of a message (", $message, ") has another wire type")
    };
}

/// No field of that number is known.
const UNKNOWN: u8 = 0xff;

impl MessageShape {
    const fn new(wrong_type: &'static str, fields: &[(u8, u8)], strings: &[u8], packable: &[u8]) -> Self {
        let mut shape = MessageShape { wrong_type, wire_types: [UNKNOWN; 32], packable: 0, strings: 0 };
        let mut i = 0;
        while i < fields.len() {
            shape.wire_types[fields[i].0 as usize] = fields[i].1;
            i += 1;
        }
        i = 0;
        while i < strings.len() {
            shape.wire_types[strings[i] as usize] = BYTES;
            shape.strings |= 1 << strings[i];
            i += 1;
        }
        i = 0;
        while i < packable.len() {
            shape.packable |= 1 << packable[i];
            i += 1;
        }
        shape
    }

    /// Whether a field of that number may have that wire type.
    #[inline(always)]
    pub fn allows(&self, number: u32, wire_type: u8) -> bool {
        match self.wire_types.get(number as usize) {
            Some(&expected) if expected == wire_type => true,
            other => self.allows_rarely(other.copied(), number, wire_type),
        }
    }

    #[cold]
    #[inline(never)]
    fn allows_rarely(&self, expected: Option<u8>, number: u32, wire_type: u8) -> bool {
        match expected {
            None | Some(UNKNOWN) => true,
            Some(_) => wire_type == BYTES && self.packable >> number & 1 == 1,
        }
    }

    /// Whether the field of that number is a proto3 string.
    #[inline(always)]
    pub fn is_string(&self, number: u32) -> bool {
        number < 32 && self.strings >> number & 1 == 1
    }
}

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const FIXED32: u8 = 5;

/// `Export…ServiceRequest`.
pub static REQUEST: MessageShape = MessageShape::new(wrong_type!("request"), &[(1, BYTES)], &[], &[]);
/// `ResourceSpans`, `ResourceMetrics`, `ResourceLogs`.
pub static RESOURCE_ENVELOPE: MessageShape =
    MessageShape::new(wrong_type!("resource envelope"), &[(1, BYTES), (2, BYTES)], &[3], &[]);
/// `ScopeSpans`, `ScopeMetrics`, `ScopeLogs`.
pub static SCOPE_ENVELOPE: MessageShape =
    MessageShape::new(wrong_type!("scope envelope"), &[(1, BYTES), (2, BYTES)], &[3], &[]);
/// `Resource`.
pub static RESOURCE: MessageShape =
    MessageShape::new(wrong_type!("resource"), &[(1, BYTES), (2, VARINT), (3, BYTES)], &[], &[]);
/// `EntityRef`.
pub static ENTITY_REF: MessageShape = MessageShape::new(wrong_type!("entity reference"), &[], &[1, 2, 3, 4], &[]);
/// `InstrumentationScope`.
pub static SCOPE: MessageShape = MessageShape::new(wrong_type!("scope"), &[(3, BYTES), (4, VARINT)], &[1, 2], &[]);
/// `KeyValue`.
pub static KEY_VALUE: MessageShape = MessageShape::new(wrong_type!("attribute"), &[(2, BYTES), (3, VARINT)], &[1], &[]);
/// `AnyValue`.
pub static ANY_VALUE: MessageShape = MessageShape::new(
    wrong_type!("attribute value"),
    &[(2, VARINT), (3, VARINT), (4, FIXED64), (5, BYTES), (6, BYTES), (7, BYTES), (8, VARINT)],
    &[1],
    &[],
);
/// `ArrayValue` and `KeyValueList`.
pub static VALUE_LIST: MessageShape = MessageShape::new(wrong_type!("list of values"), &[(1, BYTES)], &[], &[]);
/// `Span`.
pub static SPAN: MessageShape = MessageShape::new(
    wrong_type!("span"),
    &[
        (1, BYTES),
        (2, BYTES),
        (4, BYTES),
        (6, VARINT),
        (7, FIXED64),
        (8, FIXED64),
        (9, BYTES),
        (10, VARINT),
        (11, BYTES),
        (12, VARINT),
        (13, BYTES),
        (14, VARINT),
        (15, BYTES),
        (16, FIXED32),
    ],
    &[3, 5],
    &[],
);
/// `Span.Event`.
pub static EVENT: MessageShape =
    MessageShape::new(wrong_type!("span event"), &[(1, FIXED64), (3, BYTES), (4, VARINT)], &[2], &[]);
/// `Span.Link`.
pub static LINK: MessageShape = MessageShape::new(
    wrong_type!("span link"),
    &[(1, BYTES), (2, BYTES), (4, BYTES), (5, VARINT), (6, FIXED32)],
    &[3],
    &[],
);
/// `Status`.
pub static STATUS: MessageShape = MessageShape::new(wrong_type!("status"), &[(3, VARINT)], &[2], &[]);
/// `LogRecord`.
pub static LOG: MessageShape = MessageShape::new(
    wrong_type!("log record"),
    &[
        (1, FIXED64),
        (2, VARINT),
        (5, BYTES),
        (6, BYTES),
        (7, VARINT),
        (8, FIXED32),
        (9, BYTES),
        (10, BYTES),
        (11, FIXED64),
    ],
    &[3, 12],
    &[],
);
/// `Metric`.
pub static METRIC: MessageShape = MessageShape::new(
    wrong_type!("metric"),
    &[(5, BYTES), (7, BYTES), (9, BYTES), (10, BYTES), (11, BYTES), (12, BYTES)],
    &[1, 2, 3],
    &[],
);
/// `Gauge`, `Sum`, `Histogram`, `ExponentialHistogram`, `Summary`.
pub static METRIC_DATA: MessageShape =
    MessageShape::new(wrong_type!("metric data"), &[(1, BYTES), (2, VARINT), (3, VARINT)], &[], &[]);
/// `NumberDataPoint`.
pub static NUMBER_POINT: MessageShape = MessageShape::new(
    wrong_type!("data point"),
    &[(2, FIXED64), (3, FIXED64), (4, FIXED64), (5, BYTES), (6, FIXED64), (7, BYTES), (8, VARINT)],
    &[],
    &[],
);
/// `HistogramDataPoint`.
pub static HISTOGRAM_POINT: MessageShape = MessageShape::new(
    wrong_type!("histogram data point"),
    &[
        (2, FIXED64),
        (3, FIXED64),
        (4, FIXED64),
        (5, FIXED64),
        (6, FIXED64),
        (7, FIXED64),
        (8, BYTES),
        (9, BYTES),
        (10, VARINT),
        (11, FIXED64),
        (12, FIXED64),
    ],
    &[],
    &[6, 7],
);
/// `ExponentialHistogramDataPoint`.
pub static EXPONENTIAL_POINT: MessageShape = MessageShape::new(
    wrong_type!("exponential histogram data point"),
    &[
        (1, BYTES),
        (2, FIXED64),
        (3, FIXED64),
        (4, FIXED64),
        (5, FIXED64),
        (6, VARINT),
        (7, FIXED64),
        (8, BYTES),
        (9, BYTES),
        (10, VARINT),
        (11, BYTES),
        (12, FIXED64),
        (13, FIXED64),
        (14, FIXED64),
    ],
    &[],
    &[],
);
/// `ExponentialHistogramDataPoint.Buckets`.
pub static BUCKETS: MessageShape = MessageShape::new(wrong_type!("buckets"), &[(1, VARINT), (2, VARINT)], &[], &[2]);
/// `SummaryDataPoint`.
pub static SUMMARY_POINT: MessageShape = MessageShape::new(
    wrong_type!("summary data point"),
    &[(2, FIXED64), (3, FIXED64), (4, FIXED64), (5, FIXED64), (6, BYTES), (7, BYTES), (8, VARINT)],
    &[],
    &[],
);
/// `SummaryDataPoint.ValueAtQuantile`.
pub static QUANTILE: MessageShape = MessageShape::new(wrong_type!("quantile"), &[(1, FIXED64), (2, FIXED64)], &[], &[]);
/// `Exemplar`.
pub static EXEMPLAR: MessageShape = MessageShape::new(
    wrong_type!("exemplar"),
    &[(2, FIXED64), (3, FIXED64), (4, BYTES), (5, BYTES), (6, FIXED64), (7, BYTES)],
    &[],
    &[],
);
