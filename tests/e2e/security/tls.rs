//! TLS on both protocols, and every way in which a handshake may fail.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::caller::Caller;
use super::papers::{Authority, MUTUAL, Papers, TLS};
use super::{pipeline, run_with};
use crate::harness::{PATIENCE, Sluicebox, spans};

/// The names of all spans in the file, once there are so many.
fn names(sluicebox: &Sluicebox, count: usize) -> BTreeSet<String> {
    let lines = sluicebox.wait_for_lines("taken.jsonl", |lines| spans(lines).len() >= count);
    spans(&lines).iter().map(|span| span["name"].as_str().unwrap().to_owned()).collect()
}

/// Waits until a failed handshake was counted: a client of TLS 1.3 knows of it before the server has done so.
async fn await_failed(sluicebox: &Sluicebox, transport: &str, reason: &str) {
    let labels = [format!("transport=\"{transport}\""), format!("reason=\"{reason}\"")];
    let counted = async {
        while sluicebox.metric("sluicebox_receiver_tls_handshakes_failed_total", &[&labels[0], &labels[1]]).await < 1.0
        {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let patience = timeout(PATIENCE, counted).await;
    assert!(patience.is_ok(), "{transport} {reason}: {:?}", sluicebox.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn both_protocols_speak_tls_in_both_versions() {
    let papers = Papers::issue();
    let caller = Caller::trusting(&papers.authority.pem());
    let sluicebox = run_with(papers, &pipeline(TLS, "", ""));
    assert_eq!(caller.sends(&sluicebox, "new").await, [true, true]);
    let old = Caller { is_old: true, ..caller };
    assert_eq!(old.web().export(&sluicebox, "old").await.unwrap().status, 200);
    assert_eq!(names(&sluicebox, 3), BTreeSet::from(["new-0".to_owned(), "old-0".to_owned()]));
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_version_is_that_of_the_file() {
    let papers = Papers::issue();
    let caller = Caller::trusting(&papers.authority.pem());
    let strict = TLS.replace("reload_interval: 50ms", "min_version: 1.3");
    let sluicebox = run_with(papers, &pipeline(&strict, "", ""));
    let old = Caller { is_old: true, ..caller.clone() };
    assert!(old.web().export(&sluicebox, "old").await.is_none());
    assert_eq!(caller.sends(&sluicebox, "new").await, [true, true]);
    await_failed(&sluicebox, "http", "incompatible").await;
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_whoever_shows_no_good_certificate_is_refused_and_others_are_not_affected() {
    let papers = Papers::issue();
    let trusting = Caller::trusting(&papers.authority.pem());
    let good = trusting.clone().showing(&papers.authority.issue());
    let expired = trusting.clone().showing(&papers.authority.issue_expired());
    let of_another = trusting.clone().showing(&Authority::new().issue());
    let sluicebox = run_with(papers, &pipeline(MUTUAL, "", ""));

    // Open before the others come, and still so after them.
    let (line, web) = (good.grpc(&sluicebox), good.web());
    line.export("before").await.unwrap();
    assert_eq!(web.export(&sluicebox, "before").await.unwrap().status, 200);
    for (caller, reason) in
        [(Caller::plain(), "plaintext"), (trusting, "no_certificate"), (expired, "expired"), (of_another, "untrusted")]
    {
        assert_eq!(caller.sends(&sluicebox, "stranger").await, [false, false], "{reason}");
        for transport in ["grpc", "http"] {
            await_failed(&sluicebox, transport, reason).await;
        }
        line.export("between").await.unwrap();
        assert_eq!(web.export(&sluicebox, "between").await.unwrap().status, 200);
    }
    assert_eq!(good.sends(&sluicebox, "after").await, [true, true]);

    let expected = ["after-0", "before-0", "between-0"].map(str::to_owned);
    assert_eq!(names(&sluicebox, 12), BTreeSet::from(expected), "nothing of the strangers");
    assert!(sluicebox.admin_get("/healthz").await.contains("\"healthy\": true"));
    let told = sluicebox.wait_for_log("TLS handshakes failed");
    assert!(told.contains("otlp (") && told.contains("peer=127.0.0.1:"), "{told}");
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_where_certificates_are_optional_a_bad_one_is_still_refused() {
    let papers = Papers::issue();
    let trusting = Caller::trusting(&papers.authority.pem());
    let good = trusting.clone().showing(&papers.authority.issue());
    let expired = trusting.clone().showing(&papers.authority.issue_expired());
    let optional = MUTUAL.replace("reload_interval: 50ms", "client_auth: optional");
    let sluicebox = run_with(papers, &pipeline(&optional, "", ""));
    assert_eq!(trusting.sends(&sluicebox, "none").await, [true, true]);
    assert_eq!(good.sends(&sluicebox, "good").await, [true, true]);
    assert_eq!(expired.sends(&sluicebox, "expired").await, [false, false]);
    sluicebox.stop();
}
