//! Spans.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

use super::{Seed, int, resource, scope, text};

/// One request of a span for each seed.
pub fn encode(seeds: impl Iterator<Item = Seed>, record_bytes: Option<usize>) -> Vec<u8> {
    let spans = seeds.map(|seed| filled(span(seed), seed, record_bytes)).collect();
    let scope_spans = vec![ScopeSpans { scope: scope(), spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { resource: resource(), scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn span(seed: Seed) -> Span {
    let Seed { index, bits, route } = seed;
    Span {
        trace_id: seed.trace_id(),
        span_id: seed.span_id(),
        parent_span_id: bits.rotate_left(7).to_be_bytes().to_vec(),
        name: format!("GET {route}"),
        kind: 2,
        start_time_unix_nano: seed.time_nanos(),
        end_time_unix_nano: seed.time_nanos() + bits % 500_000_000,
        attributes: vec![
            text("http.request.method", "GET"),
            text("http.route", route),
            int("http.response.status_code", 200),
            text("url.path", format!("/api/products/{}", bits % 100_000)),
            text("server.address", "frontend.shop.svc.cluster.local"),
            int("server.port", 8080),
            text("client.address", format!("10.1.{}.{}", bits % 200, bits % 251)),
            text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0"),
            text("user.id", format!("user-{:08x}", bits as u32)),
            text("network.protocol.version", "1.1"),
        ],
        status: Some(Status { code: i32::from(index.is_multiple_of(50)) * 2, message: String::new() }),
        flags: 0x101,
        ..Span::default()
    }
}

/// With one attribute more, if it is smaller than it should be.
fn filled(mut span: Span, seed: Seed, record_bytes: Option<usize>) -> Span {
    const KEY: &str = "app.note";
    // Tags and lengths around a key and a text of some hundred bytes.
    const AROUND: usize = 14;
    let missing = record_bytes.unwrap_or(0).saturating_sub(span.encoded_len() + KEY.len() + AROUND);
    if missing > 0 {
        span.attributes.push(text(KEY, seed.prose(missing)));
    }
    span
}
