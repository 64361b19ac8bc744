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
    assert_eq!((client.client.compression, client.encoding), (Compression::Gzip.into(), Encoding::Json));
    assert_eq!(client.client.timeout, Duration::from_millis(2500), "the form for logs is not for a traces pipeline");
    assert_eq!(
        http("{compression: none, timeout: 1s, encoding: proto}", &good).client.compression,
        Compression::None.into()
    );
    let bad = good.map(|(name, _)| (name, "brotli"));
    let (target, warnings) = exporter("otlphttp", "", &bad).unwrap();
    let TargetSpec::OtlpHttp(client) = target else { panic!() };
    assert_eq!((client.client.compression, client.encoding), (Compression::None.into(), Encoding::Protobuf));
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

#[test]
fn e21_the_url_of_a_signal_is_used_as_it_is_and_only_over_http() {
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://base:4318/otlp"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "https://metrics/as/it/is"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", ""),
    ];
    let client = http("", &env);
    assert_eq!(client.client.endpoint, "http://base:4318/otlp");
    assert_eq!(client.endpoints, BTreeMap::from([(Signal::Metrics, "https://metrics/as/it/is".to_owned())]));
    assert_eq!(grpc("", &[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://l:1")]).endpoint, "http://localhost:4317");
}

#[test]
fn e22_e24_e25_the_form_of_the_signal_wins() {
    let env = [
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=general"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=mine"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "2000"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
    ];
    let client = http("", &env);
    assert_eq!((client.client.headers["a"].expose(), client.client.compression), ("mine", Compression::Zstd.into()));
    assert_eq!((client.client.timeout, client.encoding), (Duration::from_secs(2), Encoding::Json));
}

#[test]
fn e26_the_certificates_of_the_signal_win() {
    let folder = TempDir::new().unwrap();
    let files = ["ca", "cert", "key", "own-ca", "own-cert", "own-key"].map(|name| write(&folder, name, ""));
    let names = ["CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"];
    let general = names.map(|name| format!("OTEL_EXPORTER_OTLP_{name}"));
    let own = names.map(|name| format!("OTEL_EXPORTER_OTLP_TRACES_{name}"));
    let all: Vec<(&str, &str)> =
        general.iter().chain(&own).map(String::as_str).zip(files.iter().map(|file| file.to_str().unwrap())).collect();
    let tls = grpc("", &all).tls;
    assert_eq!(
        (tls.ca_file, tls.cert_file, tls.key_file),
        (files.get(3).cloned(), files.get(4).cloned(), files.get(5).cloned())
    );
    let tls = http("", &all[..3]).client.tls;
    assert_eq!(
        (tls.ca_file, tls.cert_file, tls.key_file),
        (files.first().cloned(), files.get(1).cloned(), files.get(2).cloned())
    );
    let typed = grpc(&format!("{{tls: {{ca_file: {:?}}}}}", files[0]), &all).tls;
    assert_eq!(typed.ca_file.as_ref(), files.first(), "what is typed wins");
}

#[test]
fn e20_to_e27_an_empty_variable_is_an_unset_one() {
    let options = [
        "ENDPOINT",
        "HEADERS",
        "COMPRESSION",
        "TIMEOUT",
        "PROTOCOL",
        "CERTIFICATE",
        "CLIENT_KEY",
        "CLIENT_CERTIFICATE",
        "INSECURE",
    ];
    let names: Vec<String> = options
        .iter()
        .flat_map(|name| ["", "TRACES_"].map(|signal| format!("OTEL_EXPORTER_OTLP_{signal}{name}")))
        .collect();
    for empty in ["", "  "] {
        let env: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), empty)).collect();
        for id in ["otlp", "otlphttp"] {
            let (target, warnings) = exporter(id, "", &env).unwrap();
            assert_eq!((target, warnings.len()), (exporter(id, "", &[]).unwrap().0, 0), "{id}");
        }
    }
}

#[test]
fn e27_an_unknown_value_warns_and_is_ignored() {
    let env = [("OTEL_EXPORTER_OTLP_INSECURE", "perhaps"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "e:1")];
    let (target, warnings) = exporter("otlp", "", &env).unwrap();
    let TargetSpec::OtlpGrpc(client) = target else { panic!() };
    assert_eq!(client.endpoint, "https://e:1", "TLS, as long as nobody says otherwise");
    assert!(texts(&warnings).contains("`OTEL_EXPORTER_OTLP_INSECURE`"), "{}", texts(&warnings));
    let upper = [("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "TRUE"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "e:1")];
    assert_eq!(grpc("", &upper).endpoint, "http://e:1");
}
