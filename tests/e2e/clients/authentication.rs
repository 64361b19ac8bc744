//! Credentials that exporters show, to a backend that looks at them.

use std::sync::{Arc, Mutex};

use rustls::version::TLS13;

use super::papers::Authority;
use super::server::{Reply, Seen, Server};
use super::{account, pipeline, run, send, wait_for_delivery, wait_for_metric};
use crate::harness::{eventually, sum, wait_for};

const RELOADS: &str = "sluicebox_exporter_credential_reloads_total";

/// The one credential that a backend lets in; can be changed.
#[derive(Clone)]
struct Known(Arc<Mutex<String>>);

impl Known {
    fn new(credential: &str) -> Known {
        Known(Arc::new(Mutex::new(credential.to_owned())))
    }

    fn becomes(&self, credential: &str) {
        *self.0.lock().unwrap() = credential.to_owned();
    }

    /// A backend that knows it.
    async fn backend(&self) -> Server {
        let known = self.clone();
        Server::start(None, move |seen: &Seen| match seen.header("authorization") == *known.0.lock().unwrap() {
            true => Reply::Taken,
            false => Reply::Unauthenticated("who are you?".to_owned()),
        })
        .await
    }
}

/// A token server that gives `token-1`, `token-2` and so on, each for an hour.
async fn token_server(door: Option<rustls::ServerConfig>) -> Server {
    let given = Mutex::new(0);
    Server::start(door, move |seen: &Seen| {
        // `gateway:hunter2`
        if seen.header("authorization") != "Basic Z2F0ZXdheTpodW50ZXIy" {
            return Reply::Json(401, r#"{"error":"invalid_client"}"#.to_owned());
        }
        let mut given = given.lock().unwrap();
        *given += 1;
        let token = format!(r#"{{"access_token":"token-{given}","token_type":"bearer","expires_in":3600}}"#);
        Reply::Json(200, token)
    })
    .await
}

fn both(server: &Server, auth: &str) -> String {
    let own = format!("endpoint: '{}', auth: {{ {auth} }}", server.url());
    pipeline(&[("otlp", &own), ("otlphttp", &own)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_and_a_password_open_the_door() {
    let backend = Known::new("Basic Z2F0ZXdheTpodW50ZXIy").backend().await;
    let auth = "basic: { username: gateway, password_file: password }";
    let sluicebox = run(&both(&backend, auth), &[("password", "hunter2\n")]);
    send(&sluicebox, "known").await;
    wait_for_delivery(&sluicebox, 2).await;
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_file_is_read_again_when_it_changes() {
    let known = Known::new("Bearer old-token");
    let backend = known.backend().await;
    // So long that only a refusal makes it look.
    let auth = "bearer: { file: token }, reload_interval: 1h";
    let sluicebox = run(&both(&backend, auth), &[("token", "old-token\n")]);
    send(&sluicebox, "before").await;
    wait_for_delivery(&sluicebox, 2).await;
    sluicebox.write("token", "new-token\n");
    known.becomes("Bearer new-token");
    send(&sluicebox, "after").await;
    wait_for_delivery(&sluicebox, 4).await;
    let retried = sluicebox.metric("sluicebox_exporter_attempts_total", &["outcome=\"retryable\""]).await;
    assert_eq!((retried, account(&sluicebox).await), (0.0, [0.0, 4.0, 0.0]), "the same attempt, with another token");
    assert_eq!(sluicebox.metric(RELOADS, &["credential=\"bearer_token\"", "outcome=\"applied\""]).await, 2.0);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_file_is_looked_at_before_the_old_token_is_refused() {
    let backend = Server::content(None).await;
    let own = format!("endpoint: '{}', auth: {{ bearer: {{ file: token }}, reload_interval: 1ms }}", backend.url());
    let sluicebox = run(&pipeline(&[("otlp", &own)]), &[("token", "old-token")]);
    send(&sluicebox, "before").await;
    wait_for_delivery(&sluicebox, 1).await;
    sluicebox.write("token", "new-token");
    send(&sluicebox, "after").await;
    wait_for_delivery(&sluicebox, 2).await;
    let shown: Vec<_> = backend.seen().iter().map(|seen| seen.header("authorization").to_owned()).collect();
    assert_eq!(shown, ["Bearer old-token", "Bearer new-token"]);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn e08_who_is_not_known_is_refused_for_good_and_it_is_counted() {
    let backend = Known::new("Bearer right-token").backend().await;
    let sluicebox = run(&both(&backend, "bearer: { token: wrong-token }"), &[]);
    send(&sluicebox, "stranger").await;
    let dropped = ["reason=\"refused_by_peer\""];
    wait_for_metric(&sluicebox, "sluicebox_dropped_records_total", &dropped, 2.0).await;
    assert_eq!((backend.seen().len(), account(&sluicebox).await), (2, [0.0, 0.0, 2.0]), "one try each");
    let (log, _) = sluicebox.stop();
    assert!(log.iter().any(|line| line.contains("Unauthenticated: who are you?")), "{}", log.join("\n"));
    assert!(log.iter().any(|line| line.contains("HTTP 401: who are you?")), "{}", log.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_server_is_asked_over_tls_once_for_all_and_again_when_its_token_is_refused() {
    let authority = Authority::new();
    let known = Known::new("Bearer token-1");
    let backend = known.backend().await;
    let door = authority.issue(&["localhost"]).door(Some(&authority), &[&TLS13]);
    let tokens = token_server(Some(door)).await;
    let tls = "{ ca_file: ca.pem, cert_file: cert.pem, key_file: key.pem }";
    let oauth2 = format!(
        "token_url: '{}/token', client_id: gateway, client_secret_file: secret, scopes: [write], tls: {tls}",
        tokens.url()
    );
    let paper = authority.issue(&["gateway"]);
    let files =
        [("ca.pem", &*authority.pem()), ("cert.pem", &paper.cert), ("key.pem", &paper.key), ("secret", "hunter2\n")];
    let own = format!("endpoint: '{}', auth: {{ oauth2: {{ {oauth2} }} }}", backend.url());
    let sluicebox = run(&pipeline(&[("otlp", &own)]), &files);
    futures_util::future::join_all((0..20).map(|_| send(&sluicebox, "first"))).await;
    wait_for_delivery(&sluicebox, 20).await;
    assert_eq!(tokens.seen().len(), 1);
    known.becomes("Bearer token-2");
    send(&sluicebox, "second").await;
    wait_for_delivery(&sluicebox, 21).await;
    let asked = tokens.seen();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].body, "grant_type=client_credentials&scope=write");
    assert!(asked.iter().all(|asked| asked.client.as_ref() == Some(&paper.der())));
    assert_eq!(account(&sluicebox).await, [0.0, 21.0, 0.0]);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_the_records_wait() {
    let backend = Known::new("Bearer token-1").backend().await;
    let tokens = token_server(None).await;
    let oauth2 = format!("token_url: '{}', client_id: gateway, client_secret_file: secret", tokens.url());
    let own = format!("endpoint: '{}', auth: {{ oauth2: {{ {oauth2} }}, reload_interval: 1ms }}", backend.url());
    let sluicebox = run(&pipeline(&[("otlp", &own)]), &[("secret", "wrong secret")]);
    send(&sluicebox, "patient").await;
    let spared = async || {
        let page = sluicebox.admin_get("/metrics").await;
        let refused = sum(&page, RELOADS, &["credential=\"access_token\"", "outcome=\"refused\""]);
        let attempts = sum(&page, "sluicebox_exporter_attempts_total", &["outcome=\"retryable\""]);
        let is_spared = refused >= 1.0 && attempts >= 3.0 && refused < attempts;
        if is_spared { Ok(()) } else { Err(format!("it refused {refused} of {attempts}")) }
    };
    eventually("attempts for which the token server is not asked again", spared).await;
    assert_eq!((backend.seen().len(), account(&sluicebox).await), (0, [1.0, 0.0, 0.0]));
    sluicebox.wait_for_log("it refused: invalid_client");
    sluicebox.write("secret", "hunter2");
    wait_for_delivery(&sluicebox, 1).await;
    sluicebox.stop();
    wait_for("the token server's memory", || (tokens.seen().len() > 1).then_some(()), String::new);
}
