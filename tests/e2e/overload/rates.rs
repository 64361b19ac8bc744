//! Rates of clients.

use futures_util::future::join_all;
use sluicebox::data::Signal;
use tonic::Code;
use tonic_types::StatusExt;

use super::{to_file, wait_for_limit};
use crate::client::{GrpcClient, PROTOBUF, post};
use crate::harness::Sluicebox;
use crate::requests::encoded_spans;

#[tokio::test(flavor = "multi_thread")]
async fn r27_a_tenant_over_its_rate_is_told_when_to_come_again_and_others_are_not_affected() {
    let rate = ", rate_limit: { requests_per_second: 1, burst: 3, by_header: x-tenant }";
    let sluicebox = Sluicebox::run(&to_file("", rate, ""));
    let send = async |tenant: &str| {
        let headers = [("content-type", PROTOBUF), ("x-tenant", tenant)];
        post(&sluicebox, "/v1/traces", &headers, encoded_spans(tenant, 1)).await
    };
    // All at once: one after the other, a slow machine may take so long that none is over the rate.
    let answers = join_all((0..30).map(|_| send("greedy"))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    let taken = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(taken >= 3 && !refused.is_empty() && taken + refused.len() == 30, "{answers:?}");
    for answer in &refused {
        assert_eq!(answer.header("retry-after"), "1", "{answer:?}");
        assert_eq!(answer.header("content-type"), PROTOBUF);
    }
    assert_eq!(send("modest").await.status, 200);
    wait_for_limit(&sluicebox, "requests_per_second", refused.len() as f64).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r15_a_client_over_its_rate_of_records_is_told_when_to_come_again() {
    let rate = ", rate_limit: { records_per_second: 1, records_burst: 100 }";
    let sluicebox = Sluicebox::run(&to_file(rate, "", ""));
    let client = GrpcClient::connect(&sluicebox).await;
    client.export(Signal::Traces, encoded_spans("all", 90)).await.unwrap();
    let refused = client.export(Signal::Traces, encoded_spans("more", 90)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    let wait = refused.get_error_details().retry_info().unwrap().retry_delay.unwrap();
    // Eighty records are missing, and one comes a second.
    assert!((20..=80).contains(&wait.as_secs()), "{wait:?}");
    wait_for_limit(&sluicebox, "records_per_second", 1.0).await;
}
