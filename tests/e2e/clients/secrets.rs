//! E36: no secret is shown, whatever goes wrong and however much is logged.

use super::papers::Authority;
use super::server::{Reply, Seen, Server};
use super::{folder, pipeline, send, wait_for_metric};
use crate::harness::Sluicebox;

/// Every secret of the run: none of these texts may be seen.
const SECRETS: [&str; 11] = [
    "hunter-header",
    "hunter-env-header",
    "hunter-otel-header",
    "hunter-token",
    "hunter-file-token",
    "hunter-password",
    "hunter-client-secret",
    "hunter-param",
    "hunter-access-token",
    "hunter-broken",
    // `me:hunter-password`, as it is sent.
    "bWU6aHVudGVyLXBhc3N3b3Jk",
];

/// A peer that repeats what it is shown, as debugging middleware does.
fn parrot(seen: &Seen) -> Reply {
    let all = [seen.header("authorization"), seen.header("x-key"), seen.header("x-env"), seen.header("x-otel")];
    match seen.headers.get("x-otel").is_some() {
        true => Reply::Json(503, serde_json::json!({ "message": all.join(" and ") }).to_string()),
        false => Reply::Unauthenticated(format!("not good enough: {}", all.join(" and "))),
    }
}

fn exporters(peer: &Server, tokens: &Server, refusing: &Server) -> String {
    let to = format!("endpoint: '{}', headers: {{ x-key: hunter-header, x-env: '${{env:KEY}}' }}", peer.url());
    let oauth2 = |server: &Server| {
        format!(
            "{to}, auth: {{ oauth2: {{ token_url: '{}', client_id: me, client_secret: hunter-client-secret, \
             auth_style: params, params: {{ audience: hunter-param }} }} }}",
            server.url()
        )
    };
    pipeline(&[
        ("otlp/token", &format!("{to}, auth: {{ bearer: {{ token: hunter-token }} }}")),
        ("otlphttp/file", &format!("{to}, auth: {{ bearer: {{ file: token }} }}")),
        ("otlphttp/basic", &format!("{to}, auth: {{ basic: {{ username: me, password: '${{env:PASSWORD}}' }} }}")),
        ("otlp/oauth2", &oauth2(tokens)),
        ("otlphttp/no-token", &oauth2(refusing)),
        ("otlphttp/env", &format!("endpoint: '{}'", peer.url())),
    ])
}

fn assert_hidden(what: &str, text: &str, key: &str) {
    // Of a key it is the text between the PEM lines.
    let lines = key.lines().filter(|line| !line.starts_with('-'));
    for secret in SECRETS.into_iter().chain(lines) {
        let shown: Vec<&str> = text.lines().filter(|line| line.contains(secret)).collect();
        assert!(shown.is_empty(), "`{secret}` is in {what}: {shown:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e36_no_secret_is_shown_in_logs_status_or_metrics_through_failures_too() {
    let peer = Server::start(None, parrot).await;
    let tokens = Server::start(None, |_| {
        Reply::Json(200, r#"{"access_token":"hunter-access-token","token_type":"bearer","expires_in":9}"#.to_owned())
    })
    .await;
    let refusing = Server::start(None, |seen: &Seen| {
        let words = String::from_utf8_lossy(&seen.body).into_owned();
        Reply::Json(400, serde_json::json!({ "error": "invalid_request", "error_description": words }).to_string())
    })
    .await;
    let paper = Authority::new().issue(&["gateway"]);
    let pipeline = exporters(&peer, &tokens, &refusing).replace("service:", "service:\n  shutdown_timeout: 1s");
    let files = [("token", "hunter-file-token\n"), ("cert.pem", &*paper.cert), ("key.pem", &paper.key)];
    let variables = [
        ("KEY", "hunter-env-header"),
        ("PASSWORD", "hunter-password"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-otel=hunter-otel-header"),
        ("SLUICEBOX_LOG", "trace"),
    ];
    let sluicebox = Sluicebox::spawn_with(folder(&pipeline, &files), &["pipeline.yaml"], &variables);
    send(&sluicebox, "asked").await;
    // Four are refused for good, two try again and again.
    wait_for_metric(&sluicebox, "sluicebox_exporter_attempts_total", &["outcome=\"permanent\""], 4.0).await;
    for exporter in ["exporter=\"otlphttp/env\"", "exporter=\"otlphttp/no-token\""] {
        let attempts = [exporter, "outcome=\"retryable\""];
        wait_for_metric(&sluicebox, "sluicebox_exporter_attempts_total", &attempts, 2.0).await;
    }
    // Reloads that fail: a secret in a file that is no YAML, one of the wrong type, one that cannot be sent, a key
    // that does not fit.
    let mistakes = [
        pipeline.replace("hunter-token }", "'hunter-broken }"),
        pipeline.replace("token: hunter-token", "token: [hunter-broken]"),
        pipeline.replace("token: hunter-token", "token: \"hunter-broken\\n\""),
        pipeline.replace("x-key: hunter-header", "'x key': hunter-broken"),
        pipeline
            .replace("client_secret: hunter-client-secret", "client_secret: hunter-broken, client_secret_file: token"),
        pipeline.replace(&format!("endpoint: '{}'", peer.url()), "endpoint: 'https://me:hunter-broken@host:1'"),
        pipeline
            .replace("auth_style: params", "tls: { cert_file: cert.pem, key_file: token }")
            .replace(&tokens.url(), "https://localhost:1"),
        pipeline.replace("audience: hunter-param", "client_secret: hunter-broken"),
    ];
    for (number, mistake) in mistakes.iter().enumerate() {
        assert_ne!(*mistake, pipeline);
        sluicebox.write("pipeline.yaml", mistake);
        sluicebox.wait_for_nth_log("the change is not taken", number + 1);
        let status = sluicebox.admin_get("/status").await;
        assert_hidden("/status", &status, &paper.key);
    }
    for path in ["/metrics", "/status", "/", "/readyz"] {
        assert_hidden(path, &sluicebox.admin_get(path).await, &paper.key);
    }
    let log = sluicebox.log().join("\n");
    assert!(log.contains("not good enough: [secret]") || log.contains("not good enough: Bearer [secret]"), "{log}");
    let (log, _) = sluicebox.stop();
    assert!(log.len() > 100, "the log is full");
    assert_hidden("the log", &log.join("\n"), &paper.key);
}

#[test]
fn e36_validate_shows_no_secret() {
    let text = pipeline(&[(
        "otlp",
        "headers: { x-key: hunter-header }, auth: { bearer: { token: hunter-token, file: no-such }, \
         basic: { username: me, password: hunter-password } }, compression: hunter, unknown: hunter",
    )]);
    let folder = folder(&text, &[]);
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_sluicebox"))
        .args(["validate", "pipeline.yaml"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(!run.status.success());
    let said = [run.stdout, run.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(said.contains("unknown key"), "{said}");
    assert_hidden("the output", &said, "");
}
