//! Data points: gauges, sums, histograms, exponential histograms and summaries in turn, up to ten points a metric.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, number_data_point,
};
use prost::Message;

use super::{Seed, int, resource, scope, text};

/// Points of one metric.
const POINTS: usize = 10;

const CUMULATIVE: i32 = 2;

/// One request of a data point for each seed.
pub fn encode(seeds: impl Iterator<Item = Seed>) -> Vec<u8> {
    let seeds: Vec<Seed> = seeds.collect();
    let metrics = seeds.chunks(POINTS).enumerate().map(|(number, seeds)| metric(number, seeds)).collect();
    let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics, ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics { resource: resource(), scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

fn metric(number: usize, seeds: &[Seed]) -> Metric {
    let all = seeds.iter().copied();
    let (name, unit, data) = match number % 5 {
        0 => {
            let data_points = all.map(|seed| number_point(seed, 0)).collect();
            ("process.cpu.utilization", "1", Data::Gauge(Gauge { data_points }))
        }
        1 => {
            let data_points = all.map(|seed| number_point(seed, start(seed))).collect();
            let sum = Sum { data_points, aggregation_temporality: CUMULATIVE, is_monotonic: true };
            ("http.server.request.count", "{request}", Data::Sum(sum))
        }
        2 => {
            let data_points = all.map(histogram_point).collect();
            let histogram = Histogram { data_points, aggregation_temporality: CUMULATIVE };
            ("http.server.request.duration", "s", Data::Histogram(histogram))
        }
        3 => {
            let data_points = all.map(exponential_point).collect();
            let histogram = ExponentialHistogram { data_points, aggregation_temporality: CUMULATIVE };
            ("db.client.operation.duration", "s", Data::ExponentialHistogram(histogram))
        }
        _ => {
            let data_points = all.map(summary_point).collect();
            ("rpc.server.duration", "ms", Data::Summary(Summary { data_points }))
        }
    };
    let description = "What a web shop measures".to_owned();
    Metric { name: name.to_owned(), description, unit: unit.to_owned(), data: Some(data), ..Metric::default() }
}

fn attributes(seed: Seed) -> Vec<KeyValue> {
    vec![
        text("http.route", seed.route),
        text("http.request.method", "GET"),
        int("http.response.status_code", 200),
        text("server.address", "frontend.shop.svc.cluster.local"),
    ]
}

fn start(seed: Seed) -> u64 {
    seed.time_nanos() - 60_000_000_000
}

fn number_point(seed: Seed, start_time_unix_nano: u64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(seed),
        start_time_unix_nano,
        time_unix_nano: seed.time_nanos(),
        value: Some(number_data_point::Value::AsDouble((seed.bits % 10_000) as f64 / 7.0)),
        ..NumberDataPoint::default()
    }
}

fn histogram_point(seed: Seed) -> HistogramDataPoint {
    let bucket_counts: Vec<u64> = (0..15).map(|bucket| (seed.bits >> bucket) % 50).collect();
    HistogramDataPoint {
        attributes: attributes(seed),
        start_time_unix_nano: start(seed),
        time_unix_nano: seed.time_nanos(),
        count: bucket_counts.iter().sum(),
        sum: Some((seed.bits % 1000) as f64),
        bucket_counts,
        explicit_bounds: vec![0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0],
        ..HistogramDataPoint::default()
    }
}

fn exponential_point(seed: Seed) -> ExponentialHistogramDataPoint {
    let bucket_counts: Vec<u64> = (0..20).map(|bucket| (seed.bits >> bucket) % 30).collect();
    ExponentialHistogramDataPoint {
        attributes: attributes(seed),
        start_time_unix_nano: start(seed),
        time_unix_nano: seed.time_nanos(),
        count: bucket_counts.iter().sum(),
        sum: Some((seed.bits % 1000) as f64),
        scale: 3,
        positive: Some(Buckets { offset: -5, bucket_counts }),
        ..ExponentialHistogramDataPoint::default()
    }
}

fn summary_point(seed: Seed) -> SummaryDataPoint {
    let at = |quantile: f64| ValueAtQuantile { quantile, value: quantile * (seed.bits % 900) as f64 };
    SummaryDataPoint {
        attributes: attributes(seed),
        start_time_unix_nano: start(seed),
        time_unix_nano: seed.time_nanos(),
        count: seed.bits % 10_000,
        sum: (seed.bits % 100_000) as f64,
        quantile_values: vec![at(0.5), at(0.9), at(0.99)],
        ..SummaryDataPoint::default()
    }
}
