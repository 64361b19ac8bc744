//! What goes out: its form, its size, how much of it at once, and over which kind of connection.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use http::Version;
use prost::Message;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sluicebox::data::Signal;
use tokio_rustls::TlsAcceptor;

use super::http_backend::HttpBackend;
use super::{ATTEMPTS, DROPPED, QUICK, SENT, delivered, pipeline, until};
use crate::client::post_protobuf;
use crate::harness::{Sluicebox, wait_for};
use crate::peer::{Mood, Peer};
use crate::requests::{encoded_spans, numbered, span, traces};

async fn send(to: &Sluicebox, request: Vec<u8>) {
    assert_eq!(post_protobuf(to, Signal::Traces, request).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn e16_e17_e29_e30_a_request_over_http_says_what_it_is_and_is_it() {
    let backend = HttpBackend::start(None).await;
    let settings = format!("endpoint: '{}/base/', encoding: json, compression: gzip", backend.url());
    let sluicebox = Sluicebox::run(&pipeline("otlphttp", &settings));
    send(&sluicebox, encoded_spans("a", 1)).await;
    delivered(&sluicebox, 1.0).await;
    let seen = backend.seen().remove(0);
    assert_eq!(seen.path, "/base/v1/traces");
    let header = |name: &str| seen.headers[name].to_str().unwrap().to_owned();
    assert_eq!((header("content-type"), header("content-encoding")), ("application/json".into(), "gzip".into()));
    assert_eq!(header("user-agent"), format!("sluicebox/{}", env!("CARGO_PKG_VERSION")));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&seen.body[..]).read_to_string(&mut text).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let span = &json["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(
        (span["traceId"].as_str().unwrap(), span["spanId"].as_str().unwrap()),
        (&*"07".repeat(16), &*"09".repeat(8))
    );
    assert_eq!((span["kind"].as_u64(), span["name"].as_str()), (Some(2), Some("a-0")));
    assert_eq!(span["startTimeUnixNano"].as_str(), Some("1750000000000000000"));
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn e01_f38_requests_over_the_limit_are_split_and_a_record_over_it_is_dropped_alone() {
    let backend = Peer::start(Mood::content()).await;
    let settings = format!("endpoint: '{}', batch: {{ min_records: 1, max_bytes: 4KiB }}", backend.url());
    let sluicebox = Sluicebox::run(&pipeline("otlp", &settings));
    let mut spans = numbered("a", 100);
    spans.insert(50, span(&"x".repeat(5000)));
    send(&sluicebox, traces(spans).encode_to_vec()).await;
    until(&sluicebox, SENT, "", 100.0).await;
    until(&sluicebox, DROPPED, "too_large", 1.0).await;
    assert_eq!(backend.wait_for_spans(100).len(), 100);
    assert!(backend.taken().len() > 1 && backend.taken().iter().all(|request| request.len() <= 4096));
    assert_eq!(sluicebox.metric(DROPPED, &[]).await, 1.0);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn e02_f33_answers_that_are_huge_or_bombs_are_not_read_and_the_request_is_not_sent_again() {
    let huge = Peer::start(Mood::Takes(vec![0; 5 << 20].into())).await;
    let sluicebox = Sluicebox::run(&pipeline("otlp", &format!("endpoint: '{}', {QUICK}", huge.url())));
    send(&sluicebox, encoded_spans("a", 1)).await;
    until(&sluicebox, DROPPED, "refused_by_peer", 1.0).await;
    assert_eq!((huge.taken().len(), sluicebox.metric(ATTEMPTS, &[]).await), (1, 1.0));
    sluicebox.stop();

    let backend = HttpBackend::start(None).await;
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::copy(&mut std::io::repeat(0).take(256 << 20), &mut bomb).unwrap();
    let sluicebox = Sluicebox::run(&pipeline("otlphttp", &format!("endpoint: '{}', {QUICK}", backend.url())));
    send(&sluicebox, encoded_spans("before", 1)).await;
    delivered(&sluicebox, 1.0).await;
    let before = sluicebox.metric("process_resident_memory_bytes", &[]).await;
    backend.answers(200, &[("content-encoding", "gzip")], bomb.finish().unwrap());
    send(&sluicebox, encoded_spans("a", 1)).await;
    until(&sluicebox, DROPPED, "refused_by_peer", 1.0).await;
    let grown = sluicebox.metric("process_resident_memory_bytes", &[]).await - before;
    assert!(grown < f64::from(32 << 20), "{grown} bytes");
    assert_eq!(backend.seen().len(), 2);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn e03_no_more_requests_are_under_way_than_configured() {
    let backend = Peer::start(Mood::Hesitates).await;
    let settings = format!("endpoint: '{}', max_in_flight: 2, timeout: 5m", backend.url());
    let sluicebox = Sluicebox::run(&pipeline("otlp", &settings).replace("shards: 2", "shards: 1"));
    for number in 0..6 {
        send(&sluicebox, encoded_spans(&number.to_string(), 1)).await;
    }
    let both = || (backend.taken().len() == 2).then_some(());
    wait_for("two requests", both, || sluicebox.log().join("\n"));
    assert_eq!(sluicebox.metric("sluicebox_exporter_queue_records", &[]).await, 6.0);
    assert_eq!(backend.taken().len(), 2, "the others wait");
    backend.becomes(Mood::content());
    delivered(&sluicebox, 6.0).await;
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f37_a_backend_that_sends_its_clients_away_again_and_again_loses_and_doubles_nothing() {
    let backend = Sluicebox::run(
        "receivers:\n  otlp: { protocols: { grpc: { endpoint: '127.0.0.1:0', max_connection_age: 30ms } } }\n\
         exporters:\n  file: { path: ./out.jsonl }\n\
         service:\n  telemetry: { endpoint: '127.0.0.1:0' }\n  pipelines:\n    \
         traces: { receivers: [otlp], exporters: [file] }\n",
    );
    let settings = format!("endpoint: 'http://{}', {QUICK}", backend.address("otlp", "grpc"));
    let sluicebox = Sluicebox::run(&pipeline("otlp", &settings));
    let started = tokio::time::Instant::now();
    let mut sent = 0;
    while started.elapsed() < Duration::from_millis(600) {
        send(&sluicebox, encoded_spans(&sent.to_string(), 1)).await;
        sent += 1;
    }
    delivered(&sluicebox, f64::from(sent)).await;
    let all = |lines: &[serde_json::Value]| crate::harness::spans(lines).len() >= sent as usize;
    let lines = backend.wait_for_lines("out.jsonl", all);
    let names: std::collections::BTreeSet<_> =
        crate::harness::spans(&lines).into_iter().map(|span| span["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!((crate::harness::spans(&lines).len(), names.len()), (sent as usize, sent as usize));
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn e15_http_2_is_spoken_where_the_server_offers_it_and_http_1_1_elsewhere() {
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (issued.cert.pem(), issued.signing_key.serialize_pem());
    let offers: [(&[&[u8]], Version); 3] =
        [(&[b"h2", b"http/1.1"], Version::HTTP_2), (&[b"http/1.1"], Version::HTTP_11), (&[], Version::HTTP_11)];
    for (offered, spoken) in offers {
        let certificate = CertificateDer::from_pem_slice(cert.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        let backend = HttpBackend::start(Some(TlsAcceptor::from(Arc::new(config)))).await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), &cert).unwrap();
        let port = backend.address.port();
        let settings = format!("endpoint: 'https://localhost:{port}', tls: {{ ca_file: ./ca.pem }}, {QUICK}");
        std::fs::write(folder.path().join("pipeline.yaml"), pipeline("otlphttp", &settings)).unwrap();
        let sluicebox = Sluicebox::run_in(folder, &["pipeline.yaml"]);
        send(&sluicebox, encoded_spans("a", 1)).await;
        delivered(&sluicebox, 1.0).await;
        assert_eq!(backend.seen()[0].version, spoken, "{offered:?}");
        sluicebox.stop();
    }
}
