//! OTLP/gRPC with tonic's client and with the OpenTelemetry SDK's exporter.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tonic::client::Grpc;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::*;
use crate::data::Signal;

/// Sends and receives messages as bytes.
#[derive(Clone, Copy, Default)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

pub async fn connected(bench: &Bench) -> Channel {
    Endpoint::from_shared(bench.url()).unwrap().connect().await.unwrap()
}

pub async fn call_path(
    channel: &Channel,
    path: &'static str,
    compression: Option<CompressionEncoding>,
    request: Request<Bytes>,
) -> Result<Bytes, Status> {
    let mut client = Grpc::new(channel.clone());
    if let Some(compression) = compression {
        client = client.send_compressed(compression).accept_compressed(compression);
    }
    client.ready().await.unwrap();
    soon(client.unary(request, PathAndQuery::from_static(path), Raw)).await.map(tonic::Response::into_inner)
}

pub async fn export(channel: &Channel, request: Vec<u8>) -> Result<Bytes, Status> {
    call_path(channel, Signal::Traces.grpc_path(), None, Request::new(request.into())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn r02_the_sdk_exports_spans_over_grpc() {
    use opentelemetry::trace::{Tracer, TracerProvider};
    let pipeline = Pipeline::taking_all();
    let bench = Setup::default().grpc(&pipeline);
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(bench.url()).build().unwrap();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    provider.tracer("test").in_span("work", |_| {});
    let flushed = provider.clone();
    tokio::task::spawn_blocking(move || flushed.force_flush()).await.unwrap().unwrap();
    let request = ExportTraceServiceRequest::decode(&pipeline.bytes()[0][..]).unwrap();
    assert_eq!(request.resource_spans[0].scope_spans[0].spans[0].name, "work");
    tokio::task::spawn_blocking(move || provider.shutdown()).await.unwrap().unwrap();
    bench.end().await;
}

#[tokio::test]
async fn r02_all_three_services_take_requests() {
    let pipeline = Pipeline::taking_all();
    let bench = Setup::default().grpc(&pipeline);
    let channel = connected(&bench).await;
    for signal in Signal::ALL {
        let answer = call_path(&channel, signal.grpc_path(), None, Request::new(Bytes::from(vec![0x0a, 0])));
        assert!(answer.await.unwrap().is_empty());
    }
    let signals: Vec<_> = pipeline.taken.lock().iter().map(|request| request.signal).collect();
    assert_eq!(signals, Signal::ALL);
    drop(channel);
    bench.end().await;
}

#[tokio::test]
async fn r03_a_request_over_the_limit_is_resource_exhausted_without_retry_info() {
    let pipeline = Pipeline::taking_all();
    let bench = Setup::limited(100_000).grpc(&pipeline);
    let channel = connected(&bench).await;
    for size in [100_001, 10_000_000] {
        let status = export(&channel, vec![0; size]).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.get_details_retry_info().is_none());
    }
    assert!(export(&channel, vec![0; 100_000]).await.is_ok());
    assert_eq!(pipeline.bytes(), [vec![0; 100_000]]);
    assert_eq!(
        bench.counted("receiver_requests"),
        [
            "sluicebox_receiver_requests_total{receiver=\"otlp\",transport=\"grpc\",outcome=\"ok\"} 1",
            "sluicebox_receiver_requests_total{receiver=\"otlp\",transport=\"grpc\",outcome=\"too_large\"} 2",
        ]
    );
}

#[tokio::test]
async fn r03_the_limit_is_the_pipelines_too() {
    let bench = Setup::default().grpc(&Pipeline::refusing(Refusal::TooLarge("10001 attributes".to_owned())));
    let status = export(&connected(&bench).await, spans(1)).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "10001 attributes"));
    assert!(status.get_details_retry_info().is_none());
}

#[tokio::test]
async fn r05_a_huge_explanation_is_shortened() {
    let receipt = Receipt { accepted: 1, rejected: 2, message: "x".repeat(8 << 20) };
    let bench = Setup::default().grpc(&Pipeline::that(move |_| Ok(receipt.clone())));
    let answer = export(&connected(&bench).await, spans(3)).await.unwrap();
    assert!(answer.len() < 4 << 20);
    assert_eq!(partial_success(&answer).unwrap().rejected_spans, 2);

    let bench = Setup::default().grpc(&Pipeline::refusing(Refusal::Malformed("\u{1f}é".repeat(1 << 20))));
    let status = export(&connected(&bench).await, spans(3)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().starts_with("\u{1f}é"));
}

fn partial_success(
    answer: &[u8],
) -> Option<opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess> {
    opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse::decode(answer)
        .unwrap()
        .partial_success
}

#[tokio::test]
async fn r06_calls_of_one_connection_run_concurrently() {
    let pipeline = Pipeline::gated();
    let bench = Setup::default().grpc(&pipeline);
    let channel = connected(&bench).await;
    let calls: Vec<_> = (0..100)
        .map(|_| {
            tokio::spawn({
                let channel = channel.clone();
                async move { export(&channel, spans(1)).await }
            })
        })
        .collect();
    pipeline.wait_for_waiting(100).await;
    assert_eq!(bench.server.connections(), 1);
    pipeline.gate.add_permits(100);
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn f14_streams_of_a_connection_are_capped_and_the_rest_waits() {
    let pipeline = Pipeline::gated();
    let bench = Setup::default().grpc(&pipeline);
    let channel = connected(&bench).await;
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let channel = channel.clone();
            tokio::spawn(async move { export(&channel, spans(1)).await })
        })
        .collect();
    pipeline.wait_for_waiting(128).await;
    // Another connection has its own streams; when it has been served, the first has had its chance to go too far.
    let other = connected(&bench).await;
    let call = tokio::spawn(async move { export(&other, spans(1)).await });
    pipeline.wait_for_waiting(129).await;
    pipeline.gate.add_permits(201);
    call.await.unwrap().unwrap();
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn r07_full_success_leaves_partial_success_unset() {
    let bench = Setup::default().grpc(&Pipeline::taking_all());
    let answer = export(&connected(&bench).await, spans(2)).await.unwrap();
    assert!(answer.is_empty());
}

#[tokio::test]
async fn r08_an_empty_request_succeeds() {
    let pipeline = Pipeline::that(|_| Ok(Receipt::default()));
    let bench = Setup::default().grpc(&pipeline);
    assert!(export(&connected(&bench).await, Vec::new()).await.unwrap().is_empty());
    assert_eq!(pipeline.bytes(), [Vec::<u8>::new()]);
}

#[tokio::test]
async fn r09_the_exact_number_of_rejected_records_is_told() {
    let receipt = Receipt { accepted: 4, rejected: 3, message: "span ids of 7 bytes".to_owned() };
    let bench = Setup::default().grpc(&Pipeline::that(move |_| Ok(receipt.clone())));
    let partial = partial_success(&export(&connected(&bench).await, spans(7)).await.unwrap()).unwrap();
    assert_eq!((partial.rejected_spans, partial.error_message.as_str()), (3, "span ids of 7 bytes"));
    let labels = "{receiver=\"otlp\",transport=\"grpc\"";
    assert_eq!(bench.counted("receiver_accepted"), [format!("otelcol_receiver_accepted_spans_total{labels}}} 4")]);
    assert_eq!(bench.counted("receiver_rejected"), [format!("sluicebox_receiver_rejected_spans_total{labels}}} 3")]);
    assert_eq!(
        bench.counted("receiver_requests"),
        [format!("sluicebox_receiver_requests_total{labels},outcome=\"partial\"}} 1")]
    );
}

#[tokio::test]
async fn r11_a_warning_has_a_message_and_no_rejected_records() {
    let receipt = Receipt { accepted: 1, rejected: 0, message: "old".to_owned() };
    let bench = Setup::default().grpc(&Pipeline::that(move |_| Ok(receipt.clone())));
    let partial = partial_success(&export(&connected(&bench).await, spans(1)).await.unwrap()).unwrap();
    assert_eq!((partial.rejected_spans, partial.error_message.as_str()), (0, "old"));
}

#[tokio::test]
async fn r12_r15_backpressure_is_unavailable_with_retry_info() {
    let retry_after = Duration::from_millis(1500);
    let refusal = Refusal::Busy { reason: "the queue of otlp/backend is full".to_owned(), retry_after };
    let bench = Setup::default().grpc(&Pipeline::refusing(refusal));
    let status = export(&connected(&bench).await, spans(5)).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "the queue of otlp/backend is full"));
    assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(retry_after));
    assert_eq!(
        bench.counted("receiver_refused"),
        ["otelcol_receiver_refused_spans_total{receiver=\"otlp\",transport=\"grpc\"} 5"]
    );
}

#[tokio::test]
async fn r13_r14_a_malformed_request_is_invalid_argument() {
    let bench =
        Setup::default().grpc(&Pipeline::refusing(Refusal::Malformed("unknown wire type (at byte 0)".to_owned())));
    let status = export(&connected(&bench).await, vec![0xff; 10]).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "unknown wire type (at byte 0)"));
    assert!(bench.counted("receiver_refused").is_empty());
}

#[tokio::test]
async fn r14_a_signal_without_pipeline_is_unimplemented() {
    let bench = Setup::default().grpc(&Pipeline::refusing(Refusal::NoPipeline(Signal::Traces)));
    let status = export(&connected(&bench).await, spans(1)).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unimplemented, "no pipeline takes traces from this receiver"));
}

#[tokio::test]
async fn r46_profiles_and_unknown_methods_are_unimplemented() {
    let bench = Setup::default().grpc(&Pipeline::taking_all());
    let channel = connected(&bench).await;
    for path in [
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
        "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
        "/",
    ] {
        let status = call_path(&channel, path, None, Request::new(Bytes::new())).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
        assert!(status.message().contains(path), "{status}");
    }
}

#[tokio::test]
async fn r48_work_that_outlives_the_deadline_is_deadline_exceeded_and_dropped() {
    let pipeline = Pipeline::gated();
    let bench = Setup::default().grpc(&pipeline);
    // Not with tonic, whose client ends such a call itself.
    let back = raw::Raw::http2(&bench).call(&[("grpc-timeout", "30m")], raw::framed(0, &spans(1))).await;
    assert_eq!(back.grpc_status(), "4");
    pipeline.wait_for_waiting(0).await;
    assert!(pipeline.bytes().is_empty());
    assert_eq!(
        bench.counted("receiver_requests"),
        ["sluicebox_receiver_requests_total{receiver=\"otlp\",transport=\"grpc\",outcome=\"timeout\"} 1"]
    );
}

#[tokio::test]
async fn r48_a_broken_deadline_is_invalid_argument() {
    let bench = Setup::default().grpc(&Pipeline::taking_all());
    let back = raw::Raw::http2(&bench).call(&[("grpc-timeout", "soon")], raw::framed(0, &[])).await;
    assert_eq!(back.grpc_status(), "3");
}

#[tokio::test]
async fn broken_framing_is_never_retryable() {
    let bench = Setup::default().grpc(&Pipeline::taking_all());
    let raw = raw::Raw::http2(&bench);
    let whole = raw::framed(0, b"message");
    let bodies = [
        Vec::new(),
        whole[..3].to_vec(),
        whole[..9].to_vec(),
        [whole.clone(), whole.clone()].concat(),
        raw::framed(2, b"message"),
    ];
    for body in bodies {
        assert_eq!(raw.call(&[], body).await.grpc_status(), "3");
    }
    // The gRPC compression specification wants INTERNAL here.
    assert_eq!(raw.call(&[], raw::framed(1, b"message")).await.grpc_status(), "13");
    let lie = [&[0, 0xff, 0xff, 0xff, 0xff][..], b"message"].concat();
    assert_eq!(raw.call(&[], lie).await.grpc_status(), "8");
}

#[tokio::test]
async fn f11_what_is_not_grpc_is_told_so_over_http() {
    let bench = Setup::default().grpc(&Pipeline::taking_all());
    let raw = raw::Raw::http2(&bench);
    let path = Signal::Traces.grpc_path();
    let back = raw.send("POST", path, &[("content-type", "application/json")], b"{}".to_vec()).await;
    assert_eq!(back.status, 415);
    let back = raw.send("GET", path, &[("content-type", "application/grpc")], Vec::new()).await;
    assert_eq!((back.status.as_u16(), back.header("allow")), (405, "POST"));
    let back = raw.send("POST", path, &[("content-type", "application/grpc+proto")], raw::framed(0, &[])).await;
    assert_eq!(back.grpc_status(), "0");
}

#[tokio::test]
async fn a_drain_lets_calls_finish_and_closes() {
    let pipeline = Pipeline::gated();
    let bench = Setup::default().grpc(&pipeline);
    let channel = connected(&bench).await;
    let call = tokio::spawn(async move { export(&channel, spans(1)).await });
    pipeline.wait_for_waiting(1).await;
    let address = bench.address();
    let drain = tokio::spawn(bench.server.drain(Instant::now() + SOON));
    until(|| std::net::TcpStream::connect(address).is_err()).await;
    pipeline.gate.add_permits(1);
    call.await.unwrap().unwrap();
    assert_eq!(soon(drain).await.unwrap().cut_off, 0);
    assert_eq!(bench.shards.shutdown(Instant::now() + SOON).await, []);
}

#[tokio::test]
async fn a_drain_cuts_off_what_does_not_finish() {
    let pipeline = Pipeline::gated();
    let bench = Setup::default().grpc(&pipeline);
    let channel = connected(&bench).await;
    let call = tokio::spawn(async move { export(&channel, spans(1)).await });
    pipeline.wait_for_waiting(1).await;
    let drained = bench.server.drain(Instant::now() + Duration::from_millis(50)).await;
    assert_eq!(drained, Drained { connections: 1, cut_off: 1 });
    assert!(call.await.unwrap().is_err());
    assert_eq!(bench.shards.shutdown(Instant::now() + SOON).await, []);
}

#[tokio::test]
async fn a_rewired_listener_serves_the_new_intake_on_the_old_connection() {
    let (old, new) = (Pipeline::gated(), Pipeline::taking_all());
    let bench = Setup::default().grpc(&old);
    let channel = connected(&bench).await;
    let under_way = tokio::spawn({
        let channel = channel.clone();
        async move { export(&channel, spans(1)).await }
    });
    old.wait_for_waiting(1).await;
    bench.server.rewire(Setup::default().grpc_wiring(&new, &bench.metrics));
    export(&channel, spans(2)).await.unwrap();
    old.gate.add_permits(1);
    under_way.await.unwrap().unwrap();
    assert_eq!((old.bytes(), new.bytes()), (vec![spans(1)], vec![spans(2)]));
    assert_eq!(bench.server.connections(), 1);
}

#[tokio::test]
async fn connections_are_dealt_to_all_shards() {
    let pipeline = Pipeline::taking_all();
    let bench = Setup::default().grpc(&pipeline);
    for _ in 0..4 {
        export(&connected(&bench).await, spans(1)).await.unwrap();
    }
    let mut shards: Vec<_> = pipeline.taken.lock().iter().map(|request| request.shard).collect();
    shards.sort_unstable();
    assert_eq!(shards, [0, 0, 1, 1]);
}

#[tokio::test]
async fn an_old_connection_is_asked_to_go_away() {
    let setup = Setup { max_connection_age: Some(Duration::from_millis(50)), ..Setup::default() };
    let bench = setup.grpc(&Pipeline::taking_all());
    let channel = connected(&bench).await;
    export(&channel, spans(1)).await.unwrap();
    until(|| bench.server.connections() == 0).await;
    export(&channel, spans(1)).await.unwrap();
}

#[tokio::test]
async fn r49_pings_of_the_client_are_tolerated() {
    let pipeline = Pipeline::gated();
    let bench = Setup::default().grpc(&pipeline);
    let channel = Endpoint::from_shared(bench.url())
        .unwrap()
        .http2_keep_alive_interval(Duration::from_millis(5))
        .keep_alive_timeout(Duration::from_secs(4))
        .keep_alive_while_idle(true)
        .connect()
        .await
        .unwrap();
    let call = tokio::spawn({
        let channel = channel.clone();
        async move { export(&channel, spans(1)).await }
    });
    pipeline.wait_for_waiting(1).await;
    // Hundreds of pings; an unanswered one would end the connection after four seconds.
    tokio::time::sleep(Duration::from_millis(4500)).await;
    pipeline.gate.add_permits(2);
    call.await.unwrap().unwrap();
    export(&channel, spans(1)).await.unwrap();
    assert_eq!(bench.server.connections(), 1);
}

#[tokio::test]
async fn f21_a_client_that_vanishes_takes_its_work_with_it() {
    let pipeline = Pipeline::gated();
    let bench = Setup::default().grpc(&pipeline);
    let channel = connected(&bench).await;
    let calls: Vec<_> = (0..3)
        .map(|_| {
            tokio::spawn({
                let channel = channel.clone();
                async move { export(&channel, spans(1)).await }
            })
        })
        .collect();
    pipeline.wait_for_waiting(3).await;
    for call in calls {
        call.abort();
    }
    drop(channel);
    pipeline.wait_for_waiting(0).await;
    until(|| bench.server.connections() == 0).await;
    bench.end().await;
}

#[tokio::test]
async fn r43_r45_what_is_unknown_arrives_byte_for_byte() {
    let pipeline = Pipeline::taking_all();
    let bench = Setup::default().grpc(&pipeline);
    // A span with all flag bits and an unknown field 1000, then an unknown field of the request itself.
    let mut request = spans(1);
    let span = [&[0x85, 0x01][..], &u32::MAX.to_le_bytes(), &[0xc2, 0x3e, 2, 1, 2]].concat();
    request.extend([&[0x0a, 15, 0x12, 13, 0x12, 11][..], &span, &[0xc2, 0x3e, 1, 7]].concat());
    export(&connected(&bench).await, request.clone()).await.unwrap();
    assert_eq!(pipeline.bytes(), [request]);
}
