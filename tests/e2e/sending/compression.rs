//! Adaptive compression: what is chosen on real data, for real peers.

use std::collections::BTreeSet;
use std::io::Read;
use std::time::SystemTime;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message;
use sluicebox::data::Signal;

use super::http_backend::{HttpBackend, Seen};
use super::{DROPPED, delivered, pipeline, until};
use crate::client::post_protobuf;
use crate::harness::{PATIENCE, Sluicebox};
use crate::peer::{Mood, Peer, span_names};
use crate::requests::{encoded_spans, span, traces};

/// Spans of one request that compresses.
const SPANS: usize = 500;
const CHOSEN: &str = "sluicebox_exporter_compression_chosen";
const RATIO: &str = "sluicebox_exporter_compression_ratio";

fn adaptive(endpoint: &str) -> String {
    format!("endpoint: '{endpoint}', compression: {{ adaptive: {{ aim: network, max_cpu: 200ms }} }}")
}

/// What `/status` says is chosen.
async fn chosen(sluicebox: &Sluicebox) -> String {
    sluicebox.status().await["exporters"][0]["compression"].as_str().unwrap().to_owned()
}

/// Sends requests until every candidate was measured and the choice is as expected; the answer is their number.
async fn send_until(sluicebox: &Sluicebox, request: impl Fn(usize) -> Vec<u8>, expected: &str) -> usize {
    let started = SystemTime::now();
    for number in 0.. {
        if chosen(sluicebox).await.starts_with(expected) && sluicebox.metric(RATIO, &["encoding=\"none\""]).await > 0.0
        {
            return number;
        }
        assert!(started.elapsed().unwrap() < PATIENCE, "{}", sluicebox.log().join("\n"));
        assert_eq!(post_protobuf(sluicebox, Signal::Traces, request(number)).await.status, 200);
    }
    unreachable!("numbers do not end");
}

fn telemetry(number: usize) -> Vec<u8> {
    encoded_spans(&format!("r{number}"), SPANS)
}

/// A span with bytes that nothing makes fewer of.
fn noise(number: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ number as u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    let bytes = (0..50_000).map(|_| next()).collect();
    let value = Some(AnyValue { value: Some(Value::BytesValue(bytes)) });
    let mut span = span(&format!("r{number}-0"));
    span.attributes.push(KeyValue { key: "noise".to_owned(), value, key_strindex: 0 });
    traces(vec![span]).encode_to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn telemetry_goes_out_as_zstd_when_the_network_counts() {
    let backend = HttpBackend::start(None).await;
    let sluicebox = Sluicebox::run(&pipeline("otlphttp", &adaptive(&backend.url())));
    let requests = send_until(&sluicebox, telemetry, "zstd").await;
    delivered(&sluicebox, (requests * SPANS) as f64).await;
    assert_eq!(sluicebox.metric(CHOSEN, &[]).await, 1.0, "one of them");
    let seen = backend.seen();
    assert!(seen.iter().any(|seen| encoding(seen) == "zstd"));
    let names: BTreeSet<_> = seen.iter().flat_map(|seen| span_names(&unpacked(seen))).collect();
    assert_eq!(names.len(), requests * SPANS, "each as it was sent");
    sluicebox.stop();
}

fn encoding(seen: &Seen) -> &str {
    seen.headers.get("content-encoding").map_or("none", |name| name.to_str().unwrap())
}

fn unpacked(seen: &Seen) -> Vec<u8> {
    let mut plain = Vec::new();
    match encoding(seen) {
        "zstd" => plain = zstd::decode_all(&seen.body[..]).unwrap(),
        "gzip" => drop(flate2::read::GzDecoder::new(&seen.body[..]).read_to_end(&mut plain).unwrap()),
        _ => plain = seen.body.to_vec(),
    }
    plain
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_goes_out_as_it_is() {
    let backend = HttpBackend::start(None).await;
    let sluicebox = Sluicebox::run(&pipeline("otlphttp", &adaptive(&backend.url())));
    assert_eq!(chosen(&sluicebox).await, "zstd 1", "before anything is measured");
    let requests = send_until(&sluicebox, noise, "none").await;
    delivered(&sluicebox, requests as f64).await;
    assert_eq!(post_protobuf(&sluicebox, Signal::Traces, noise(requests)).await.status, 200);
    delivered(&sluicebox, (requests + 1) as f64).await;
    let last = backend.seen().into_iter().find(|seen| seen.body == noise(requests));
    assert!(last.is_some_and(|seen| encoding(&seen) == "none"));
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_know_zstd_gets_gzip_and_nothing_is_lost() {
    let peer = Peer::start_without_zstd(Mood::content()).await;
    let sluicebox = Sluicebox::run(&pipeline("otlp", &adaptive(&peer.url())));
    let requests = send_until(&sluicebox, telemetry, "gzip").await;
    delivered(&sluicebox, (requests * SPANS) as f64).await;
    peer.wait_for_spans(requests * SPANS);
    until(&sluicebox, "sluicebox_exporter_compression_refusals_total", "encoding=\"zstd\"", 1.0).await;
    assert_eq!(sluicebox.metric(RATIO, &["encoding=\"zstd\""]).await, 0.0, "what it does not take is not measured");
    assert_eq!(sluicebox.metric(DROPPED, &[]).await, 0.0);
    sluicebox.wait_for_log("the peer does not take this compression");
    sluicebox.stop();
}
