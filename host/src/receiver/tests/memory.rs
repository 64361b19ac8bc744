//! Memory that is short, and the answers of both protocols.

use std::io::Write;

use super::otlp_grpc::{connected, export};
use super::raw::{Raw, framed};
use super::*;
use crate::config::spec::{MemoryLimiterSpec, MemoryShare};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

fn limited(hard: usize, soft: usize) -> Memory {
    let spec = MemoryLimiterSpec::Limited {
        limit: MemoryShare::Bytes(hard),
        spike: Some(MemoryShare::Bytes(hard - soft)),
        check_interval: Duration::from_secs(1),
    };
    Memory::new(&spec, &Metrics::default())
}

fn setup(memory: &Memory) -> Setup {
    Setup { memory: Some(memory.clone()), ..Setup::default() }
}

/// Waits until nothing is held any more.
async fn given_back(memory: &Memory) {
    until(|| memory.held() == 0).await;
}

#[tokio::test]
async fn r15_r27_above_the_soft_limit_nothing_is_read() {
    let memory = limited(10 << 20, 1 << 20);
    let pipeline = Pipeline::taking_all();
    let (grpc, http) = (setup(&memory).grpc(&pipeline), setup(&memory).http(&pipeline));
    let held = memory.lease_of(crate::memory::Kind::Requests, 2 << 20).unwrap();
    let refused = export(&connected(&grpc).await, spans(1)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable);
    assert!(tonic_types::StatusExt::get_error_details(&refused).retry_info().is_some());
    // A client that asks first is not asked for its body.
    let headers = [PROTOBUF, ("expect", "100-continue")];
    let back = Raw::http1(&http).send("POST", "/v1/traces", &headers, spans(1)).await;
    assert_eq!((back.status.as_u16(), back.header("retry-after")), (503, "1"));
    assert!(pipeline.bytes().is_empty());
    assert_eq!(grpc.counted("limits").len() + http.counted("limits").len(), 2);
    drop(held);
    export(&connected(&grpc).await, spans(1)).await.unwrap();
    pipeline.taken.lock().clear();
    given_back(&memory).await;
}

#[tokio::test]
async fn r15_r27_what_would_cross_the_hard_limit_is_refused_while_it_is_read() {
    let memory = limited(4 << 20, 4 << 20);
    let pipeline = Pipeline::gated();
    let (grpc, http) = (setup(&memory).grpc(&pipeline), setup(&memory).http(&pipeline));
    let large = vec![0; 3 << 20];
    let first = {
        let (raw, body) = (Raw::http1(&http), large.clone());
        tokio::spawn(async move { raw.send("POST", "/v1/traces", &[PROTOBUF], body).await })
    };
    pipeline.wait_for_waiting(1).await;
    let back = Raw::http1(&http).send("POST", "/v1/traces", &[PROTOBUF], large.clone()).await;
    assert_eq!((back.status.as_u16(), back.header("retry-after")), (503, "1"));
    assert_eq!(Raw::http2(&grpc).call(&[], framed(0, &large)).await.grpc_status(), "14");
    // So is what only grows when it is decompressed, or turned from JSON.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&large).unwrap();
    let compressed = gzip.finish().unwrap();
    assert_eq!(Raw::http2(&grpc).call(&[("grpc-encoding", "gzip")], framed(1, &compressed)).await.grpc_status(), "14");
    let headers = [PROTOBUF, ("content-encoding", "gzip")];
    assert_eq!(Raw::http1(&http).send("POST", "/v1/traces", &headers, compressed).await.status, 503);
    let json = format!("{{\"resourceSpans\":[{}]}}", " ".repeat(700 << 10));
    let back = Raw::http1(&http).send("POST", "/v1/traces", &[("content-type", "application/json")], json.into()).await;
    assert_eq!((back.status.as_u16(), back.header("content-type")), (503, "application/json"));
    assert!(memory.held() <= 4 << 20);
    pipeline.gate.add_permits(1);
    assert_eq!(first.await.unwrap().status, 200);
    pipeline.taken.lock().clear();
    given_back(&memory).await;
}

#[tokio::test]
async fn what_could_never_be_held_is_too_large_for_good() {
    let memory = limited(1 << 20, 1 << 20);
    let pipeline = Pipeline::taking_all();
    let (grpc, http) = (setup(&memory).grpc(&pipeline), setup(&memory).http(&pipeline));
    let huge = vec![0; 2 << 20];
    assert_eq!(Raw::http1(&http).send("POST", "/v1/traces", &[PROTOBUF], huge.clone()).await.status, 413);
    assert_eq!(Raw::http2(&grpc).call(&[], framed(0, &huge)).await.grpc_status(), "8");
    given_back(&memory).await;
}

#[tokio::test]
async fn the_account_is_empty_after_every_kind_of_request() {
    let memory = limited(100 << 20, 80 << 20);
    let pipeline = Pipeline::that(|_| Err(Refusal::Malformed("as the test asks".to_owned())));
    let (grpc, http) = (setup(&memory).grpc(&pipeline), setup(&memory).http(&pipeline));
    for count in [0, 1, 1000, 100_000] {
        let body = spans(count);
        Raw::http2(&grpc).call(&[], framed(0, &body)).await;
        Raw::http1(&http).send("POST", "/v1/traces", &[PROTOBUF], body.clone()).await;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&body).unwrap();
        let headers = [PROTOBUF, ("content-encoding", "gzip")];
        Raw::http1(&http).send("POST", "/v1/traces", &headers, gzip.finish().unwrap()).await;
        // What the pipeline keeps is held, to the byte.
        let kept: usize = pipeline.bytes().iter().map(Vec::len).sum();
        let slack = 3 * 5;
        assert!((kept..=kept + slack).contains(&memory.held()), "{} for {kept}", memory.held());
        pipeline.taken.lock().clear();
        given_back(&memory).await;
    }
}
