//! Requests to measure with, as a web shop sends them: spans of about 500 bytes with 10 attributes, log records of
//! about 300, data points of five kinds; a resource of 8 attributes.
//!
//! Made from the record's number alone, so that every run sends the same. A share of the records has the `http.route`
//! `/healthz`, for filters to drop.

mod logs;
mod metrics;
mod traces;

use bytes::Bytes;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::is_of_share;
use crate::data::Signal;

/// The route of what a filter may drop.
pub const PROBE_ROUTE: &str = "/healthz";

/// The routes of everything else.
const ROUTES: [&str; 7] = [
    "/api/products/{id}",
    "/api/cart",
    "/api/checkout",
    "/api/orders/{id}",
    "/api/search",
    "/api/users/{id}",
    "/static/{file}",
];

/// When the first record was made, in nanoseconds since the Unix epoch.
const EPOCH_NANOS: u64 = 1_763_712_000_000_000_000;

/// What requests consist of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// What they carry.
    pub signal: Signal,
    /// Records in each.
    pub records: usize,
    /// The size to which spans and log records are filled up, in bytes; as they come if none.
    pub record_bytes: Option<usize>,
    /// The share of records whose `http.route` is [`PROBE_ROUTE`].
    pub probes: f64,
}

impl Recipe {
    /// Spans as they come, three of ten with the route of a probe.
    pub const fn traces(records: usize) -> Recipe {
        Recipe { signal: Signal::Traces, records, record_bytes: None, probes: 0.3 }
    }

    /// The encoded request of a number; others hold other records.
    pub fn encode(&self, number: usize) -> Bytes {
        let seeds = (0..self.records).map(|index| Seed::new(number * self.records + index, self.probes));
        let encoded = match self.signal {
            Signal::Traces => traces::encode(seeds, self.record_bytes),
            Signal::Metrics => metrics::encode(seeds),
            Signal::Logs => logs::encode(seeds, self.record_bytes),
        };
        encoded.into()
    }
}

/// What a record is made from.
#[derive(Clone, Copy, Debug)]
struct Seed {
    index: usize,
    /// Well mixed bits.
    bits: u64,
    route: &'static str,
}

impl Seed {
    fn new(index: usize, probes: f64) -> Seed {
        let bits = (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let route = if is_of_share(index as u64, probes) { PROBE_ROUTE } else { ROUTES[index % ROUTES.len()] };
        Seed { index, bits, route }
    }

    fn time_nanos(self) -> u64 {
        EPOCH_NANOS + self.index as u64 * 1_000_000
    }

    fn trace_id(self) -> Vec<u8> {
        [self.bits.to_be_bytes(), self.bits.rotate_left(23).to_be_bytes()].concat()
    }

    fn span_id(self) -> Vec<u8> {
        self.bits.rotate_left(41).to_be_bytes().to_vec()
    }

    /// Text of so many bytes, that compresses about as what programs write does.
    fn prose(self, bytes: usize) -> String {
        const WORDS: [&str; 16] = [
            "request", "for", "order", "of", "customer", "took", "cache", "miss", "in", "shard", "retry", "after",
            "payment", "gateway", "answered", "with",
        ];
        let mut text = String::with_capacity(bytes + 24);
        let mut bits = self.bits;
        while text.len() < bytes {
            bits = bits.rotate_left(9).wrapping_mul(0xd129_0d3f_8f4b_6a35).wrapping_add(1);
            text.push_str(WORDS[(bits >> 60) as usize]);
            text.push(' ');
            if (bits >> 32).is_multiple_of(6) {
                text.push_str(&format!("{:x} ", (bits >> 20) as u16));
            }
        }
        text.truncate(bytes);
        text
    }
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.into())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn int(key: &str, value: i64) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::IntValue(value)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn resource() -> Option<Resource> {
    let attributes = vec![
        text("service.name", "frontend"),
        text("service.version", "2.7.1"),
        text("service.instance.id", "0f7b2c52-8a7f-4c43-9d0e-3c8c2f6b7f11"),
        text("deployment.environment.name", "production"),
        text("k8s.namespace.name", "shop"),
        text("k8s.pod.name", "frontend-5d9c7b7f9b-x2x7k"),
        text("host.name", "node-17.cluster.local"),
        text("telemetry.sdk.language", "go"),
    ];
    Some(Resource { attributes, ..Resource::default() })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp".to_owned(),
        version: "0.58.0".to_owned(),
        ..InstrumentationScope::default()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::data::projection::Projection;
    use crate::data::walk::{Limits, walk};
    use crate::receiver::records::count;

    #[test]
    fn every_record_is_taken_and_the_sizes_are_as_told() {
        for (signal, record_bytes, expected) in [
            (Signal::Traces, None, 450..560),
            (Signal::Traces, Some(2000), 1950..2050),
            (Signal::Logs, None, 290..330),
            (Signal::Logs, Some(1000), 980..1020),
            (Signal::Metrics, None, 100..400),
        ] {
            let recipe = Recipe { signal, records: 1000, record_bytes, probes: 0.3 };
            let request = recipe.encode(0);
            let batch = walk(&request, &Arc::new(Projection::empty(signal)), Limits::default()).unwrap();
            assert_eq!((batch.live_rows(), count(signal, &request)), (1000, 1000), "{signal}");
            let bytes = request.len() / 1000;
            assert!(expected.contains(&bytes), "{signal} {record_bytes:?}: {bytes}");
        }
    }

    #[test]
    fn a_share_of_the_records_is_to_be_dropped() {
        for signal in Signal::ALL {
            let request = Recipe { signal, records: 200, record_bytes: None, probes: 0.3 }.encode(7);
            let text = String::from_utf8_lossy(&request);
            assert_eq!(text.matches("\u{a}\nhttp.route\u{12}\u{a}\u{a}\u{8}/healthz").count(), 60, "{signal}");
            assert_ne!(request, Recipe { signal, records: 200, record_bytes: None, probes: 0.3 }.encode(8));
        }
    }
}
