//! Between Sluicebox and one backend: a network that fails.

use std::time::Duration;

use sluicebox::data::Signal;

use crate::client::post_protobuf;
use crate::fault_proxy::{Fault, FaultProxy};
use crate::harness::{Sluicebox, wait_for};
use crate::peer::{Mood, Peer};
use crate::requests::encoded_spans;

/// A pipeline from OTLP/HTTP to one gRPC exporter with these settings.
pub(super) fn pipeline(exporter: &str) -> String {
    format!(
        "receivers:\n  otlp: {{ protocols: {{ http: {{ endpoint: 127.0.0.1:0 }} }} }}\n\
         exporters:\n  otlp/out: {{ {exporter}, batch: {{ min_records: 1 }} }}\n\
         service:\n  shards: 2\n  telemetry: {{ endpoint: 127.0.0.1:0 }}\n  pipelines:\n    \
         traces: {{ receivers: [otlp], exporters: [otlp/out] }}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn e14_f36_after_a_reset_that_hides_the_answer_the_same_bytes_go_again() {
    let backend = Peer::start(Mood::content()).await;
    let network = FaultProxy::before(backend.address).await;
    let retry = "retry_on_failure: { initial_interval: 50ms, max_interval: 100ms }";
    let sluicebox = Sluicebox::run(&pipeline(&format!("endpoint: '{}', compression: gzip, {retry}", network.url())));
    network.becomes(Fault::Mute);
    let request = encoded_spans("a", 20);
    assert_eq!(post_protobuf(&sluicebox, Signal::Traces, request.clone()).await.status, 200);
    let committed = || (backend.taken().len() == 1).then_some(());
    wait_for("the backend to take it", committed, || sluicebox.log().join("\n"));
    network.becomes(Fault::Reset);
    sluicebox.wait_for_log("delivery failed and will be tried again");
    network.becomes(Fault::Delay(Duration::from_millis(5)));
    let again = || (backend.taken().len() == 2).then_some(());
    wait_for("the same request once more", again, || sluicebox.log().join("\n"));
    assert!(backend.taken().iter().all(|taken| *taken == request));
    sluicebox.stop();
}
