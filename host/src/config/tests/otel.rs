//! Rows E20 to E27: `OTEL_EXPORTER_OTLP_*`.

use super::*;

#[test]
fn e20_endpoints_come_from_the_environment_where_the_file_is_silent() {
    assert_eq!(grpc("", &[]).endpoint, "http://localhost:4317");
    assert_eq!(http("", &[]).client.endpoint, "http://localhost:4318");
    let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", "https://e:1"), ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:2/x")];
    assert_eq!(grpc("", &env).endpoint, "http://t:2/x");
    assert_eq!(grpc("{endpoint: \"http://f:3\"}", &env).endpoint, "http://f:3");
    let client = http("", &env);
    assert_eq!(client.client.endpoint, "https://e:1");
    assert_eq!(client.endpoints, BTreeMap::from([(Signal::Traces, "http://t:2/x".to_owned())]));
    assert_eq!(http("{endpoint: \"http://f:3\"}", &env).endpoints, BTreeMap::new());
    assert_eq!(grpc("", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "  ")]).endpoint, "http://localhost:4317", "empty is unset");
    let bad = exporter("otlp", "", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://hunter2")]).unwrap_err().to_string();
    assert!(bad.contains("OTEL_EXPORTER_OTLP_ENDPOINT") && !bad.contains("hunter2"), "{bad}");
}

#[test]
fn e22_headers_come_from_the_environment() {
    let env = [("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=a%20b, x = y,broken")];
    let (target, warnings) = exporter("otlp", "", &env).unwrap();
    let TargetSpec::OtlpGrpc(client) = target else { panic!() };
    assert_eq!((client.headers["api-key"].expose(), client.headers["x"].expose()), ("a b", "y"));
    assert!(texts(&warnings).contains("`OTEL_EXPORTER_OTLP_HEADERS`") && !texts(&warnings).contains("broken"));
    assert_eq!(grpc("{headers: {}}", &env).headers, BTreeMap::new());
}

#[test]
fn e23_e24_e25_unknown_values_warn_and_are_ignored() {
    let good = [
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "1"),
    ];
    let client = http("", &good);
    assert_eq!((client.client.compression, client.encoding), (Compression::Gzip, Encoding::Json));
    assert_eq!(client.client.timeout, Duration::from_millis(2500), "the form for logs is not for a traces pipeline");
    assert_eq!(http("{compression: none, timeout: 1s, encoding: proto}", &good).client.compression, Compression::None);
    let bad = good.map(|(name, _)| (name, "brotli"));
    let (target, warnings) = exporter("otlphttp", "", &bad).unwrap();
    let TargetSpec::OtlpHttp(client) = target else { panic!() };
    assert_eq!((client.client.compression, client.encoding), (Compression::None, Encoding::Protobuf));
    assert_eq!(client.client.timeout, Duration::from_secs(10));
    assert_eq!(warnings.len(), 3, "{}", texts(&warnings));
}

#[test]
fn e26_certificates_come_from_the_environment() {
    let folder = TempDir::new().unwrap();
    let pem = write(&folder, "ca.pem", "");
    let env = [("OTEL_EXPORTER_OTLP_CERTIFICATE", pem.to_str().unwrap())];
    assert_eq!(grpc("", &env).tls.ca_file, Some(pem.clone()));
    let missing = exporter("otlp", "", &[("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/no/such")]).unwrap_err().to_string();
    assert!(missing.contains("`OTEL_EXPORTER_OTLP_CLIENT_KEY` names does not exist"), "{missing}");
}

#[test]
fn e27_insecure_decides_only_where_there_is_no_scheme() {
    let insecure = [("OTEL_EXPORTER_OTLP_INSECURE", "true"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "e:1")];
    assert_eq!(grpc("", &insecure).endpoint, "http://e:1");
    assert_eq!(grpc("", &insecure[1..]).endpoint, "https://e:1");
    assert_eq!(grpc("{endpoint: \"f:2\", tls: {insecure: true}}", &[]).endpoint, "http://f:2");
    assert_eq!(grpc("{endpoint: \"https://f:2\", tls: {insecure: true}}", &[]).endpoint, "https://f:2");
}
