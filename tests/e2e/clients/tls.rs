//! Whom an exporter trusts, over TLS with a real server.

use std::sync::LazyLock;

use rustls::ServerConfig;
use rustls::version::{TLS12, TLS13};

use super::papers::Authority;
use super::server::Server;
use super::{account, pipeline, run, send, wait_for_metric};
use crate::harness::wait_for;

/// The names of the server's certificate.
const HERE: &[&str] = &["localhost", "127.0.0.1"];

/// Both OTLP exporters to one server, with the same settings.
fn both(server: &Server, own: &str) -> String {
    let own = format!("endpoint: '{}', {own}", server.url());
    pipeline(&[("otlp/x", &own), ("otlphttp/x", &own)])
}

/// Runs both exporters against a server whose door they cannot go through; then it gets a better one. The spans wait
/// meanwhile, and the log says why.
async fn shut_out_until_mended(case: &str, wrong: Option<ServerConfig>, right: ServerConfig, own: &str, why: &str) {
    let authority = Authority::new();
    let server = Server::content(Some(authority.issue(HERE).door(None, &[&TLS13]))).await;
    let pipeline = both(&server, own);
    server.change_door(wrong);
    let ours = OURS.pem();
    let paper = OURS.issue(&["gateway"]);
    let sluicebox = run(&pipeline, &[("ca.pem", &ours), ("cert.pem", &paper.cert), ("key.pem", &paper.key)]);
    send(&sluicebox, case).await;
    for exporter in ["otlp/x", "otlphttp/x"] {
        let label = format!("exporter=\"{exporter}\"");
        let attempts = [label.as_str(), "outcome=\"retryable\""];
        wait_for_metric(&sluicebox, "sluicebox_exporter_attempts_total", &attempts, 2.0).await;
        let said =
            |line: &String| line.contains(exporter) && line.contains("will be tried again") && line.contains(why);
        let told = || sluicebox.log().iter().any(said).then_some(());
        wait_for(&format!("why {exporter} is shut out ({case})"), told, || sluicebox.log().join("\n"));
    }
    assert_eq!(account(&sluicebox).await, [2.0, 0.0, 0.0], "{case}: nothing is lost, nothing is delivered");
    assert!(server.seen().is_empty(), "{case}");
    server.change_door(Some(right));
    assert_eq!(server.wait_for_spans(2), [format!("{case}-0"), format!("{case}-0")]);
    sluicebox.stop();
}

/// The authority that the exporters trust.
static OURS: LazyLock<Authority> = LazyLock::new(Authority::new);

const BOTH_VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&TLS12, &TLS13];
const TRUST: &str = "tls: { ca_file: ca.pem }";

#[tokio::test(flavor = "multi_thread")]
async fn f16_a_server_of_another_authority_is_not_trusted() {
    let wrong = Authority::new().issue(HERE).door(None, BOTH_VERSIONS);
    let right = OURS.issue(HERE).door(None, BOTH_VERSIONS);
    shut_out_until_mended("authority", Some(wrong), right, TRUST, "UnknownIssuer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_an_expired_certificate_is_not_trusted() {
    let wrong = OURS.issue_expired(HERE).door(None, BOTH_VERSIONS);
    let right = OURS.issue(HERE).door(None, BOTH_VERSIONS);
    shut_out_until_mended("expired", Some(wrong), right, TRUST, "certificate expired").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_a_certificate_for_another_name_is_not_trusted() {
    let wrong = OURS.issue(&["elsewhere.test"]).door(None, BOTH_VERSIONS);
    let right = OURS.issue(HERE).door(None, BOTH_VERSIONS);
    shut_out_until_mended("name", Some(wrong), right, TRUST, "not valid for name").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_a_server_that_wants_a_client_certificate_gets_one_or_nothing() {
    let door = |clients: &Authority| OURS.issue(HERE).door(Some(clients), BOTH_VERSIONS);
    let open = || OURS.issue(HERE).door(None, BOTH_VERSIONS);
    // In TLS 1.3 the refusal may come as an alert or as the end of the connection, whichever is seen first.
    shut_out_until_mended("none", Some(door(&OURS)), open(), TRUST, "").await;
    let own = "tls: { ca_file: ca.pem, cert_file: cert.pem, key_file: key.pem }";
    shut_out_until_mended("other", Some(door(&Authority::new())), door(&OURS), own, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_a_server_in_the_clear_is_not_spoken_with() {
    let right = OURS.issue(HERE).door(None, BOTH_VERSIONS);
    shut_out_until_mended("clear", None, right, TRUST, "no TLS with `localhost").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_version_of_tls_is_not_spoken_if_told_so() {
    let wrong = OURS.issue(HERE).door(None, &[&TLS12]);
    let right = OURS.issue(HERE).door(None, &[&TLS13]);
    let own = "tls: { ca_file: ca.pem, min_version: '1.3' }";
    shut_out_until_mended("version", Some(wrong), right, own, "ProtocolVersion").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e15_http_speaks_what_the_server_can() {
    for offered in [&b"h2"[..], b"http/1.1"] {
        let mut door = OURS.issue(HERE).door(None, BOTH_VERSIONS);
        door.alpn_protocols = vec![offered.to_vec()];
        let server = Server::content(Some(door)).await;
        let own = format!("endpoint: '{}', {TRUST}", server.url());
        let sluicebox = run(&pipeline(&[("otlphttp", &own)]), &[("ca.pem", &OURS.pem())]);
        send(&sluicebox, "spoken").await;
        assert_eq!(server.wait_for_spans(1), ["spoken-0"]);
        sluicebox.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e35_verification_is_off_only_where_told_so_and_loudly() {
    let server = Server::content(Some(Authority::new().issue(&["elsewhere.test"]).door(None, BOTH_VERSIONS))).await;
    let sluicebox = run(&both(&server, "tls: { insecure_skip_verify: true }"), &[]);
    send(&sluicebox, "anyhow").await;
    assert_eq!(server.wait_for_spans(2).len(), 2);
    let (log, _) = sluicebox.stop();
    for exporter in ["otlp/x", "otlphttp/x"] {
        let said = |line: &&String| line.contains("TLS VERIFICATION IS OFF") && line.contains(exporter);
        assert_eq!(log.iter().filter(said).count(), 1, "{}", log.join("\n"));
    }
}
