//! OTLP/HTTP with hyper's client over HTTP/1.1 and HTTP/2, and with the OpenTelemetry SDK's exporter.

use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_otlp::{Compression, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tonic_types::Status;

use super::raw::{Back, Raw};
use super::*;
use crate::data::Signal;

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

impl Back {
    /// The code and the text of a `google.rpc.Status` in the body, in the answer's media type.
    fn rpc_status(&self) -> (i32, String) {
        if self.header("content-type") == "application/json" {
            let status: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
            return (status["code"].as_i64().unwrap() as i32, status["message"].as_str().unwrap().to_owned());
        }
        assert_eq!(self.header("content-type"), "application/x-protobuf");
        let status = Status::decode(&self.body[..]).unwrap();
        (status.code, status.message)
    }
}

fn export_with_the_sdk(url: &str, protocol: Protocol, compression: Option<Compression>) {
    let mut builder =
        SpanExporter::builder().with_http().with_endpoint(format!("{url}/v1/traces")).with_protocol(protocol);
    if let Some(compression) = compression {
        builder = builder.with_compression(compression);
    }
    let provider = SdkTracerProvider::builder().with_batch_exporter(builder.build().unwrap()).build();
    provider.tracer("test").in_span("work", |_| {});
    provider.force_flush().unwrap();
    provider.shutdown().unwrap();
}

#[tokio::test]
async fn r02_the_sdk_exports_spans_over_http() {
    for (protocol, compression) in [
        (Protocol::HttpBinary, None),
        (Protocol::HttpBinary, Some(Compression::Gzip)),
        (Protocol::HttpJson, None),
        (Protocol::HttpJson, Some(Compression::Gzip)),
    ] {
        let pipeline = Pipeline::taking_all();
        let bench = Setup::default().http(&pipeline);
        let url = bench.url();
        tokio::task::spawn_blocking(move || export_with_the_sdk(&url, protocol, compression)).await.unwrap();
        let request = ExportTraceServiceRequest::decode(&pipeline.bytes()[0][..]).unwrap();
        assert_eq!(request.resource_spans[0].scope_spans[0].spans[0].name, "work");
        bench.end().await;
    }
}

#[tokio::test]
async fn r04_a_request_over_the_limit_is_413() {
    let pipeline = Pipeline::taking_all();
    let bench = Setup::limited(100_000).http(&pipeline);
    let clients = [Raw::http1(&bench), Raw::http2(&bench)];
    for raw in &clients {
        for size in [100_001, 3_000_000] {
            let back = raw.send("POST", "/v1/traces", &[PROTOBUF], vec![0; size]).await;
            assert_eq!(back.status, 413);
            assert_eq!(back.rpc_status(), (8, "the request is larger than 100000 bytes".to_owned()));
        }
        let back = raw.send("POST", "/v1/traces", &[PROTOBUF], vec![0; 100_000]).await;
        assert_eq!(back.status, 200);
    }
    assert_eq!(pipeline.bytes().len(), 2);
    // One each, as a 4xx does not cost the connection.
    assert_eq!(bench.server.connections(), 2);
}

#[tokio::test]
async fn r07_r24_success_is_the_encoded_response_in_the_requests_type() {
    let bench = Setup::default().http(&Pipeline::taking_all());
    let clients = [Raw::http1(&bench), Raw::http2(&bench)];
    for raw in &clients {
        let back = raw.send("POST", "/v1/traces", &[PROTOBUF], spans(1)).await;
        assert_eq!((back.status.as_u16(), back.header("content-type")), (200, "application/x-protobuf"));
        assert!(back.body.is_empty());
        let back = raw.send("POST", "/v1/traces", &[JSON], b"{\"resourceSpans\":[]}".to_vec()).await;
        assert_eq!((back.status.as_u16(), back.header("content-type")), (200, "application/json"));
        assert_eq!(back.body, "{}");
    }
}

#[tokio::test]
async fn r08_an_empty_request_succeeds() {
    let pipeline = Pipeline::taking_all();
    let bench = Setup::default().http(&pipeline);
    let raw = Raw::http1(&bench);
    assert_eq!(raw.send("POST", "/v1/logs", &[PROTOBUF], Vec::new()).await.status, 200);
    assert_eq!(raw.send("POST", "/v1/logs", &[JSON], b"{}".to_vec()).await.status, 200);
    assert_eq!(pipeline.bytes(), [Vec::<u8>::new(), Vec::new()]);
}

#[tokio::test]
async fn r09_r10_the_exact_number_of_rejected_records_is_told() {
    let receipt = Receipt { accepted: 4, rejected: 3, message: "span ids of 7 bytes".to_owned() };
    let bench = Setup::default().http(&Pipeline::that(move |_| Ok(receipt.clone())));
    let raw = Raw::http1(&bench);
    let back = raw.send("POST", "/v1/traces", &[PROTOBUF], spans(7)).await;
    let partial = ExportTraceServiceResponse::decode(&back.body[..]).unwrap().partial_success.unwrap();
    assert_eq!((partial.rejected_spans, partial.error_message.as_str()), (3, "span ids of 7 bytes"));
    for (path, rejected) in
        [("/v1/traces", "rejectedSpans"), ("/v1/metrics", "rejectedDataPoints"), ("/v1/logs", "rejectedLogRecords")]
    {
        let back = raw.send("POST", path, &[JSON], b"{}".to_vec()).await;
        let body = format!("{{\"partialSuccess\":{{\"{rejected}\":\"3\",\"errorMessage\":\"span ids of 7 bytes\"}}}}");
        assert_eq!((back.status.as_u16(), back.body), (200, body.into()));
    }
}

#[tokio::test]
async fn r17_only_post_is_allowed() {
    let bench = Setup::default().http(&Pipeline::taking_all());
    let clients = [Raw::http1(&bench), Raw::http2(&bench)];
    for raw in &clients {
        for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let back = raw.send(method, "/v1/traces", &[], Vec::new()).await;
            assert_eq!((back.status.as_u16(), back.header("allow")), (405, "POST"));
            assert_eq!(back.rpc_status(), (12, format!("{method} is not allowed: telemetry is sent with POST")));
        }
        // A HEAD has no body to carry a status.
        assert_eq!(raw.send("HEAD", "/v1/traces", &[], Vec::new()).await.status, 405);
    }
}

#[tokio::test]
async fn r18_each_signal_has_its_path() {
    let pipeline = Pipeline::taking_all();
    let bench = Setup::default().http(&pipeline);
    let raw = Raw::http1(&bench);
    for signal in Signal::ALL {
        assert_eq!(raw.send("POST", signal.http_path(), &[PROTOBUF], Vec::new()).await.status, 200);
    }
    let signals: Vec<_> = pipeline.taken.lock().iter().map(|request| request.signal).collect();
    assert_eq!(signals, Signal::ALL);
}

#[tokio::test]
async fn r18_paths_are_those_of_the_spec() {
    let pipeline = Pipeline::taking_all();
    let bench = Bench::start(|metrics| {
        let spec = HttpServerSpec {
            paths: BTreeMap::from([(Signal::Logs, "/ingest/logs".to_owned())]),
            ..Setup::default().http_spec()
        };
        Wiring::http("otlp", &spec, pipeline.clone(), &Memory::unlimited(), metrics)
    });
    let raw = Raw::http1(&bench);
    assert_eq!(raw.send("POST", "/ingest/logs", &[PROTOBUF], Vec::new()).await.status, 200);
    assert_eq!(raw.send("POST", "/v1/traces", &[PROTOBUF], Vec::new()).await.status, 200);
    let back = raw.send("POST", "/v1/logs", &[PROTOBUF], Vec::new()).await;
    assert_eq!(back.status, 404);
    let message = "/v1/logs is not served here; /ingest/logs, /v1/metrics, /v1/traces are";
    assert_eq!(back.rpc_status(), (5, message.to_owned()));
}

#[tokio::test]
async fn r19_r25_errors_have_the_requests_type_and_a_status() {
    let bench = Setup::default().http(&Pipeline::refusing(Refusal::Malformed("unknown wire type".to_owned())));
    let clients = [Raw::http1(&bench), Raw::http2(&bench)];
    for raw in &clients {
        for media in [PROTOBUF, JSON] {
            for (method, path, status, code) in
                [("POST", "/v1/traces", 400, 3), ("POST", "/v1/nothing", 404, 5), ("GET", "/v1/logs", 405, 12)]
            {
                let back = raw.send(method, path, &[media], b"{}".to_vec()).await;
                assert_eq!((back.status.as_u16(), back.header("content-type")), (status, media.1));
                assert_eq!(back.rpc_status().0, code);
                assert!(!back.rpc_status().1.is_empty());
            }
        }
    }
}

#[tokio::test]
async fn r20_parameters_are_tolerated_and_other_types_are_415() {
    let bench = Setup::default().http(&Pipeline::taking_all());
    let raw = Raw::http1(&bench);
    for known in ["application/json; charset=utf-8", "Application/JSON;charset=\"utf-8\"", " application/json "] {
        assert_eq!(raw.send("POST", "/v1/traces", &[("content-type", known)], b"{}".to_vec()).await.status, 200);
    }
    for unknown in
        ["text/plain", "application/protobuf", "", "application/x-protobuf2", "application/x-www-form-urlencoded"]
    {
        let back = raw.send("POST", "/v1/traces", &[("content-type", unknown)], b"{}".to_vec()).await;
        assert_eq!(back.status, 415);
        let message =
            format!("content-type {unknown:?} is not supported; application/x-protobuf and application/json are");
        assert_eq!(back.rpc_status(), (3, message));
    }
    assert_eq!(raw.send("POST", "/v1/traces", &[], b"{}".to_vec()).await.status, 415);
}

#[tokio::test]
async fn r26_what_cannot_be_decoded_is_400() {
    let pipeline = Pipeline::refusing(Refusal::Malformed("length runs past the end (at byte 1)".to_owned()));
    let bench = Setup::default().http(&pipeline);
    let raw = Raw::http1(&bench);
    let back = raw.send("POST", "/v1/traces", &[PROTOBUF], vec![0x0a, 0xff]).await;
    assert_eq!((back.status.as_u16(), back.rpc_status().1.as_str()), (400, "length runs past the end (at byte 1)"));
    let back = raw.send("POST", "/v1/traces", &[JSON], b"{\"resourceSpans\": 7}".to_vec()).await;
    assert_eq!(back.status, 400);
    assert!(back.rpc_status().1.starts_with("JSON, line 1, column 19, resourceSpans"), "{:?}", back.rpc_status());
    // The JSON never reached the pipeline.
    assert_eq!(pipeline.bytes().len(), 1);
    assert_eq!(
        bench.counted("receiver_requests"),
        ["sluicebox_receiver_requests_total{receiver=\"otlp\",transport=\"http\",outcome=\"malformed\"} 2"]
    );
}

#[tokio::test]
async fn r27_r28_overload_is_503_with_whole_seconds() {
    for (wait, header) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (30_000, "30")] {
        let refusal = Refusal::Busy { reason: "full".to_owned(), retry_after: Duration::from_millis(wait) };
        let bench = Setup::default().http(&Pipeline::refusing(refusal));
        let back = Raw::http1(&bench).send("POST", "/v1/traces", &[PROTOBUF], spans(3)).await;
        assert_eq!((back.status.as_u16(), back.header("retry-after")), (503, header));
        assert_eq!(back.rpc_status(), (14, "full".to_owned()));
        assert_eq!(
            bench.counted("receiver_refused"),
            ["otelcol_receiver_refused_spans_total{receiver=\"otlp\",transport=\"http\"} 3"]
        );
    }
}

#[tokio::test]
async fn r29_r30_connections_survive_refused_requests() {
    let bench = Setup::default().http(&Pipeline::taking_all());
    let clients = [Raw::http1(&bench), Raw::http2(&bench)];
    for raw in &clients {
        let before = bench.server.connections();
        for _ in 0..3 {
            assert_eq!(raw.send("POST", "/nowhere", &[PROTOBUF], vec![7; 1 << 20]).await.status, 404);
            assert_eq!(raw.send("POST", "/v1/traces", &[JSON], b"no".to_vec()).await.status, 400);
            assert_eq!(raw.send("POST", "/v1/traces", &[], vec![7; 100_000]).await.status, 415);
            assert_eq!(raw.send("POST", "/v1/traces", &[PROTOBUF], spans(1)).await.status, 200);
        }
        assert_eq!(bench.server.connections(), before + 1);
    }
}

#[tokio::test]
async fn r46_profiles_and_signals_without_pipeline_are_404() {
    let bench = Setup::default().http(&Pipeline::refusing(Refusal::NoPipeline(Signal::Logs)));
    let raw = Raw::http1(&bench);
    let back = raw.send("POST", "/v1development/profiles", &[PROTOBUF], Vec::new()).await;
    assert_eq!((back.status.as_u16(), back.rpc_status().0), (404, 5));
    let back = raw.send("POST", "/v1/logs", &[PROTOBUF], Vec::new()).await;
    assert_eq!(back.status, 404);
    assert_eq!(back.rpc_status(), (12, "no pipeline takes logs from this receiver".to_owned()));
}

#[tokio::test]
async fn f11_what_is_not_http_is_closed_and_others_go_on() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let bench = Setup::default().http(&Pipeline::taking_all());
    let mut stream = tokio::net::TcpStream::connect(bench.address()).await.unwrap();
    stream.write_all(b"\x16\x03\x01\x02\x00 this is no HTTP\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    soon(stream.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
    assert_eq!(Raw::http1(&bench).send("POST", "/v1/traces", &[PROTOBUF], spans(1)).await.status, 200);
}

#[tokio::test]
async fn f21_a_client_that_vanishes_takes_its_work_with_it() {
    let pipeline = Pipeline::gated();
    let bench = Setup::default().http(&pipeline);
    let raw = Raw::http1(&bench);
    let call = tokio::spawn(async move { raw.send("POST", "/v1/traces", &[PROTOBUF], spans(1)).await });
    pipeline.wait_for_waiting(1).await;
    call.abort();
    pipeline.wait_for_waiting(0).await;
    until(|| bench.server.connections() == 0).await;
    bench.end().await;
}

#[tokio::test]
async fn a_drain_lets_requests_finish_and_closes() {
    let pipeline = Pipeline::gated();
    let bench = Setup::default().http(&pipeline);
    let raw = Raw::http1(&bench);
    let call = tokio::spawn(async move { raw.send("POST", "/v1/traces", &[PROTOBUF], spans(1)).await });
    pipeline.wait_for_waiting(1).await;
    let address = bench.address();
    let drain = tokio::spawn(bench.server.drain(Instant::now() + SOON));
    until(|| std::net::TcpStream::connect(address).is_err()).await;
    pipeline.gate.add_permits(1);
    assert_eq!(call.await.unwrap().status, 200);
    assert_eq!(soon(drain).await.unwrap().cut_off, 0);
    assert_eq!(bench.shards.shutdown(Instant::now() + SOON).await, []);
}
