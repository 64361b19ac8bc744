//! Requests to measure with: spans of about 500 bytes with 10 attributes, a resource of 8, as a web shop sends them.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

const ROUTES: [&str; 10] = [
    "/healthz",
    "/api/products/{id}",
    "/healthz",
    "/api/cart",
    "/api/checkout",
    "/healthz",
    "/api/orders/{id}",
    "/api/search",
    "/api/users/{id}",
    "/static/{file}",
];

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.into())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn int(key: &str, value: i64) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::IntValue(value)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn span(index: usize) -> Span {
    let seed = (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let start = 1_763_712_000_000_000_000 + index as u64 * 1_000_000;
    let route = ROUTES[index % ROUTES.len()];
    Span {
        trace_id: [seed.to_be_bytes(), seed.rotate_left(23).to_be_bytes()].concat(),
        span_id: seed.rotate_left(41).to_be_bytes().to_vec(),
        parent_span_id: seed.rotate_left(7).to_be_bytes().to_vec(),
        name: format!("GET {route}"),
        kind: 2,
        start_time_unix_nano: start,
        end_time_unix_nano: start + seed % 500_000_000,
        attributes: vec![
            text("http.request.method", "GET"),
            text("http.route", route),
            int("http.response.status_code", 200),
            text("url.path", format!("/api/products/{}", seed % 100_000)),
            text("server.address", "frontend.shop.svc.cluster.local"),
            int("server.port", 8080),
            text("client.address", format!("10.1.{}.{}", seed % 200, seed % 251)),
            text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0"),
            text("user.id", format!("user-{:08x}", seed as u32)),
            text("network.protocol.version", "1.1"),
        ],
        status: Some(Status { code: i32::from(index.is_multiple_of(50)) * 2, message: String::new() }),
        flags: 0x101,
        ..Span::default()
    }
}

/// An encoded request of `records` spans of one resource and scope.
pub fn traces(records: usize) -> Bytes {
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
    let scope = InstrumentationScope {
        name: "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp".to_owned(),
        version: "0.58.0".to_owned(),
        ..InstrumentationScope::default()
    };
    let spans = (0..records).map(span).collect();
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource { attributes, ..Resource::default() }),
            scope_spans: vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    };
    request.encode_to_vec().into()
}
