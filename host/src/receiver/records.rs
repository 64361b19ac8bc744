//! How many records an encoded request holds: only asked for where it is refused, and nothing else walked it.

use std::ops::Range;

use crate::data::Signal;
use crate::data::wire::Reader;

/// Counts the spans, data points or log records of an encoded request, skipping their content. What is malformed
/// counts as nothing from there on.
pub fn count(signal: Signal, request: &[u8]) -> u64 {
    let everything = 0..request.len();
    within(request, everything, &[1], |resource| {
        within(request, resource, &[2], |scope| {
            within(request, scope, &[2], |item| match signal {
                Signal::Traces | Signal::Logs => 1,
                // opentelemetry/proto/metrics/v1: gauge, sum, histogram, exponential histogram, summary.
                Signal::Metrics => within(request, item, &[5, 7, 9, 10, 11], |data| within(request, data, &[1], |_| 1)),
            })
        })
    })
}

/// The sum of `count` over the sub-messages of a message that have one of the field numbers.
fn within(request: &[u8], message: Range<usize>, numbers: &[u32], count: impl Fn(Range<usize>) -> u64) -> u64 {
    let mut reader = Reader::within(request, message);
    let mut sum = 0;
    while let Ok(Some(field)) = reader.field() {
        if let Some(content) = field.content().filter(|_| numbers.contains(&field.number)) {
            sum += count(content);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::metrics::v1::{
        Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, metric::Data,
    };
    use prost::Message;

    use super::super::tests::spans;
    use super::*;

    #[test]
    fn spans_are_counted() {
        assert_eq!(count(Signal::Traces, &spans(7)), 7);
        assert_eq!(count(Signal::Logs, &[]), 0);
    }

    #[test]
    fn data_points_of_every_kind_are_counted() {
        let points = |count| vec![NumberDataPoint::default(); count];
        let metric = |data| Metric { name: "m".to_owned(), data: Some(data), ..Metric::default() };
        let metrics = vec![
            metric(Data::Gauge(Gauge { data_points: points(3) })),
            metric(Data::Sum(Sum { data_points: points(2), ..Sum::default() })),
            metric(Data::Summary(Summary { data_points: vec![SummaryDataPoint::default()] })),
        ];
        let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
        let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
        let request = ExportMetricsServiceRequest { resource_metrics }.encode_to_vec();
        assert_eq!(count(Signal::Metrics, &request), 6);
    }
}
