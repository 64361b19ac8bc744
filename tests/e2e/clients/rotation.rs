//! Certificates that change while records flow.

use rustls::version::TLS13;

use super::papers::Authority;
use super::server::Server;
use super::{account, pipeline, run, send, wait_for_delivery, wait_for_metric};
use crate::harness::Sluicebox;

const HERE: &[&str] = &["localhost"];
const RELOADS: &str = "sluicebox_exporter_credential_reloads_total";
const FILES: &str = "tls: { ca_file: ca.pem, cert_file: cert.pem, key_file: key.pem, reload_interval: 50ms }";

fn start(server: &Server, authority: &Authority) -> Sluicebox {
    let own = format!("endpoint: '{}', {FILES}", server.url());
    let paper = authority.issue(&["gateway"]);
    let files = [("ca.pem", authority.pem()), ("cert.pem", paper.cert), ("key.pem", paper.key)];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, content)| (*name, content.as_str())).collect();
    run(&pipeline(&[("otlp", &own), ("otlphttp", &own)]), &files)
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_the_papers_of_both_sides_change_while_records_flow() {
    let (old, new) = (Authority::new(), Authority::new());
    let server = Server::content(Some(old.issue(HERE).door(Some(&old), &[&TLS13]))).await;
    let sluicebox = start(&server, &old);
    send(&sluicebox, "before").await;
    wait_for_delivery(&sluicebox, 2).await;

    server.change_door(Some(new.issue(HERE).door(Some(&new), &[&TLS13])));
    send(&sluicebox, "between").await;
    for exporter in ["exporter=\"otlp\"", "exporter=\"otlphttp\""] {
        let attempts = [exporter, "outcome=\"retryable\""];
        wait_for_metric(&sluicebox, "sluicebox_exporter_attempts_total", &attempts, 1.0).await;
    }
    assert_eq!(account(&sluicebox).await, [2.0, 2.0, 0.0]);
    let paper = new.issue(&["gateway"]);
    sluicebox.write("ca.pem", new.pem());
    sluicebox.write("cert.pem", &paper.cert);
    sluicebox.write("key.pem", &paper.key);
    wait_for_delivery(&sluicebox, 4).await;
    let shown: Vec<_> = server.taken().into_iter().map(|seen| seen.client.unwrap()).collect();
    assert!(shown[..2].iter().all(|old| *old != paper.der()) && shown[2..].iter().all(|new| *new == paper.der()));
    let applied = ["credential=\"tls\"", "outcome=\"applied\""];
    assert!(sluicebox.metric(RELOADS, &applied).await >= 2.0);
    assert_eq!(account(&sluicebox).await, [0.0, 4.0, 0.0]);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_a_bad_file_leaves_the_old_in_use_and_is_told_once() {
    let authority = Authority::new();
    let server = Server::content(Some(authority.issue(HERE).door(Some(&authority), &[&TLS13]))).await;
    let sluicebox = start(&server, &authority);
    send(&sluicebox, "before").await;
    wait_for_delivery(&sluicebox, 2).await;
    sluicebox.write("cert.pem", "-----BEGIN CERTIFICATE-----\nhalf");
    for round in 1..4 {
        // A new connection each time, so that the certificate is needed.
        server.hang_up();
        send(&sluicebox, &format!("round-{round}")).await;
        wait_for_delivery(&sluicebox, 2 + 2 * round).await;
    }
    let refused = ["credential=\"tls\"", "outcome=\"refused\""];
    assert_eq!(sluicebox.metric(RELOADS, &refused).await, 2.0, "once for each exporter");
    // The key of another certificate is as bad.
    sluicebox.write("cert.pem", authority.issue(&["gateway"]).cert);
    server.hang_up();
    send(&sluicebox, "mismatch").await;
    wait_for_delivery(&sluicebox, 10).await;
    assert_eq!(sluicebox.metric(RELOADS, &refused).await, 4.0);
    let (log, _) = sluicebox.stop();
    let told = log.iter().filter(|line| line.contains("cert.pem") && line.contains("old ones stay in use"));
    assert_eq!(told.count(), 2, "{}", log.join("\n"));
    assert!(log.iter().any(|line| line.contains("key.pem") && line.contains("old ones stay in use")));
}
