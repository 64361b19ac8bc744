//! Rows E20 to E27: an exporter that says nothing does what the environment says.

use rustls::version::TLS13;

use super::papers::Authority;
use super::server::Server;
use super::{folder, send, wait_for_delivery};
use crate::harness::Sluicebox;

/// Both exporters, with nothing but their types; what they have in common is what makes the test quick.
const SILENT: &str = "
receivers: { otlp: { protocols: { grpc: { endpoint: '127.0.0.1:0' } } } }
exporters:
  otlp: { batch: { timeout: 10ms } }
  otlphttp: { batch: { timeout: 10ms } }
service:
  telemetry: { endpoint: '127.0.0.1:0' }
  pipelines: { traces: { receivers: [otlp], exporters: [otlp, otlphttp] } }
";

fn run(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Sluicebox {
    let sluicebox = Sluicebox::spawn_with(folder(SILENT, files), &["pipeline.yaml"], variables);
    sluicebox.wait_for_log("metrics and status on ");
    sluicebox
}

#[tokio::test(flavor = "multi_thread")]
async fn e20_to_e26_the_environment_configures_what_the_file_leaves_open() {
    let authority = Authority::new();
    let server = Server::content(Some(authority.issue(&["localhost"]).door(Some(&authority), &[&TLS13]))).await;
    let paper = authority.issue(&["gateway"]);
    let files = [("ca.pem", &*authority.pem()), ("cert.pem", &paper.cert), ("key.pem", &paper.key)];
    let url = server.url();
    let traces = format!("{url}/as/it/is");
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=shop%20one"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "25000"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", ""),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "cert.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "key.pem"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "nonsense"),
    ];
    let sluicebox = run(&files, &variables);
    send(&sluicebox, "general").await;
    wait_for_delivery(&sluicebox, 2).await;
    let seen = server.taken();
    assert!(seen.iter().all(|seen| seen.header("x-tenant") == "shop one" && seen.client.is_some()));
    let timeouts: Vec<_> =
        seen.iter().map(|seen| seen.header("grpc-timeout")).filter(|text| !text.is_empty()).collect();
    assert_eq!(timeouts, ["25000m"]);
    assert!(seen.iter().any(|seen| seen.path == "/v1/traces"));
    assert!(sluicebox.log().join("\n").contains("`OTEL_EXPORTER_OTLP_INSECURE` has a value that is not known"));
    sluicebox.stop();

    // E21 and the forms of the signal: over HTTP the whole URL, as it is.
    let mut variables = variables.to_vec();
    variables.extend([
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", traces.as_str()),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-tenant=other"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
    ]);
    let before = server.seen().len();
    let silent = SILENT.replace("[otlp, otlphttp]", "[otlphttp]");
    let sluicebox = Sluicebox::spawn_with(folder(&silent, &files), &["pipeline.yaml"], &variables);
    send(&sluicebox, "own").await;
    let seen = server.wait_for_requests(before + 1).pop().unwrap();
    assert_eq!((seen.path.as_str(), seen.header("x-tenant")), ("/as/it/is", "other"));
    assert_eq!((seen.header("content-type"), seen.header("content-encoding")), ("application/json", "gzip"));
    wait_for_delivery(&sluicebox, 1).await;
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn e27_insecure_is_for_endpoints_without_a_scheme() {
    let server = Server::content(None).await;
    let endpoint = format!("localhost:{}", server.address.port());
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "true"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "brotli"),
    ];
    let silent = SILENT.replace("[otlp, otlphttp]", "[otlp]");
    let sluicebox = Sluicebox::spawn_with(folder(&silent, &[]), &["pipeline.yaml"], &variables);
    send(&sluicebox, "clear").await;
    assert_eq!(server.wait_for_spans(1), ["clear-0"]);
    let (log, _) = sluicebox.stop();
    assert!(log.join("\n").contains("`OTEL_EXPORTER_OTLP_TRACES_COMPRESSION` has a value that is not known"));
}
