//! What a backend's answer means for a request: every status of gRPC and HTTP, seen from outside.

use std::time::Duration;

use sluicebox::data::Signal;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::http_backend::HttpBackend;
use super::{ATTEMPTS, DROPPED, SENT, pipeline, until};
use crate::client::post_protobuf;
use crate::harness::{Sluicebox, wait_for};
use crate::peer::{Mood, Peer};
use crate::requests::encoded_spans;

const IMPATIENT: &str = "retry_on_failure: { initial_interval: 5ms, max_interval: 5ms }, \
                         circuit_breaker: { enabled: false }";

#[tokio::test(flavor = "multi_thread")]
async fn e05_e06_e08_f28_f29_each_grpc_status_is_retried_or_dropped_as_the_protocol_says() {
    let backend = Peer::start(Mood::content()).await;
    let sluicebox = Sluicebox::run(&pipeline("otlp", &format!("endpoint: '{}', {IMPATIENT}", backend.url())));
    let (mut sent, mut dropped) = (0.0, 0.0);
    for number in 1..=16 {
        let code = Code::from(number);
        backend.becomes(Mood::Refuses(Status::new(code, "as the test says")));
        let tried = sluicebox.metric(ATTEMPTS, &["retryable"]).await;
        assert_eq!(post_protobuf(&sluicebox, Signal::Traces, encoded_spans("a", 1)).await.status, 200);
        if [1, 4, 10, 11, 14, 15].contains(&number) {
            until(&sluicebox, ATTEMPTS, "retryable", tried + 2.0).await;
            backend.becomes(Mood::content());
            sent += 1.0;
            until(&sluicebox, SENT, "", sent).await;
        } else {
            dropped += 1.0;
            until(&sluicebox, DROPPED, "refused_by_peer", dropped).await;
            assert_eq!(sluicebox.metric(ATTEMPTS, &["retryable"]).await, tried, "{code:?} is tried once");
        }
    }
    assert_eq!((sent, dropped), (6.0, 10.0));
    assert_eq!(backend.taken().len(), 6);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn e07_f29_the_wait_that_retry_info_asks_for_is_kept_and_without_it_exhausted_is_final() {
    let backend = Peer::start(Mood::content()).await;
    let sluicebox = Sluicebox::run(&pipeline("otlp", &format!("endpoint: '{}', {IMPATIENT}", backend.url())));
    let asked = Duration::from_millis(500);
    let details = ErrorDetails::with_retry_info(Some(asked));
    backend.becomes(Mood::Refuses(Status::with_error_details(Code::ResourceExhausted, "later", details)));
    let started = tokio::time::Instant::now();
    assert_eq!(post_protobuf(&sluicebox, Signal::Traces, encoded_spans("a", 1)).await.status, 200);
    until(&sluicebox, ATTEMPTS, "retryable", 2.0).await;
    assert!(started.elapsed() >= asked, "{:?}", started.elapsed());
    backend.becomes(Mood::content());
    until(&sluicebox, SENT, "", 1.0).await;
    backend.becomes(Mood::Refuses(Status::resource_exhausted("too much")));
    assert_eq!(post_protobuf(&sluicebox, Signal::Traces, encoded_spans("b", 1)).await.status, 200);
    until(&sluicebox, DROPPED, "refused_by_peer", 1.0).await;
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn e08_e11_f30_of_all_http_statuses_four_are_retried_and_the_others_dropped_and_counted() {
    let backend = HttpBackend::start(None).await;
    let sluicebox = Sluicebox::run(&pipeline("otlphttp", &format!("endpoint: '{}', {IMPATIENT}", backend.url())));
    let (mut sent, mut dropped) = (0.0, 0.0);
    // 1xx is no answer in HTTP; a library test has it.
    let statuses = (200..600).filter(|status| status % 100 < 32 || *status == 599);
    for status in statuses {
        backend.answers(status, &[], "");
        let tried = sluicebox.metric(ATTEMPTS, &["retryable"]).await;
        assert_eq!(post_protobuf(&sluicebox, Signal::Traces, encoded_spans("a", 1)).await.status, 200);
        if [429, 502, 503, 504].contains(&status) {
            until(&sluicebox, ATTEMPTS, "retryable", tried + 2.0).await;
            backend.answers(200, &[], "");
        }
        if [429, 502, 503, 504].contains(&status) || status < 300 {
            sent += 1.0;
            until(&sluicebox, SENT, "", sent).await;
        } else {
            dropped += 1.0;
            until(&sluicebox, DROPPED, "refused_by_peer", dropped).await;
            assert_eq!(sluicebox.metric(ATTEMPTS, &["retryable"]).await, tried, "{status} is tried once");
        }
    }
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn e12_f31_odd_values_of_retry_after_neither_stop_the_retries_nor_make_them_storm() {
    let backend = HttpBackend::start(None).await;
    let retry =
        "retry_on_failure: { initial_interval: 100ms, max_interval: 100ms }, circuit_breaker: { enabled: false }";
    let sluicebox = Sluicebox::run(&pipeline("otlphttp", &format!("endpoint: '{}', {retry}", backend.url())));
    let mut sent = 0.0;
    for value in ["0", "-1", "soon", "", "1.5", "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 99 Foo 1994 08:49:37 GMT"] {
        backend.answers(503, &[("retry-after", value)], "");
        let tried = sluicebox.metric(ATTEMPTS, &["retryable"]).await;
        let started = tokio::time::Instant::now();
        assert_eq!(post_protobuf(&sluicebox, Signal::Traces, encoded_spans("a", 1)).await.status, 200);
        until(&sluicebox, ATTEMPTS, "retryable", tried + 3.0).await;
        // Two waits of at least half the interval lie between three attempts.
        assert!(started.elapsed().as_millis() >= 100, "`{value}` made it hurry");
        backend.answers(200, &[], "");
        sent += 1.0;
        until(&sluicebox, SENT, "", sent).await;
    }
    // A billion seconds are clamped to five minutes: the wait that is logged says so.
    backend.answers(503, &[("retry-after", "1000000000")], "");
    assert_eq!(post_protobuf(&sluicebox, Signal::Traces, encoded_spans("a", 1)).await.status, 200);
    let found = || sluicebox.log().into_iter().filter_map(|line| wait_ms(&line)).find(|wait| *wait > 200_000);
    let wait = wait_for("the long wait", found, || sluicebox.log().join("\n"));
    assert!((299_000..=450_000).contains(&wait), "{wait}");
    // A shutdown ends that wait too.
    backend.answers(200, &[], "");
    sluicebox.stop();
}

/// The field `wait_ms` of a log line.
fn wait_ms(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("wait_ms=")?;
    rest.split(' ').next()?.parse().ok()
}
