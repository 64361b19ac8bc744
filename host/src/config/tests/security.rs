//! What listeners ask for.

use super::*;

const FILE: &str = r#"
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.2:4317
        tls: { cert_file: a.pem, key_file: b.pem, client_ca_file: a.pem, min_version: 1.3, reload_interval: 5s }
      http:
        endpoint: 0.0.0.0:4318
        auth:
          bearer: { tokens: ["${env:TOKEN}"], file: b.pem }
          api_key: { header: X-Key, keys: [hidden-key] }
          basic: { htpasswd: ["ann:HASH"] }
        cors: { allowed_origins: ["https://a.test"], allowed_headers: [X-Key], max_age: 10m }
exporters: { debug: }
service:
  telemetry: { auth: { bearer: { tokens: [hidden-admin] } } }
  pipelines: { traces: { receivers: [otlp], exporters: [debug] } }
"#;

#[test]
fn what_listeners_ask_for_means_what_it_says_and_no_secret_is_printed() {
    let folder = TempDir::new().unwrap();
    let [a, b] = ["a.pem", "b.pem"].map(|name| write(&folder, name, "x"));
    let hash = bcrypt::hash("x", 4).unwrap();
    let file = write(&folder, "p.yaml", &FILE.replace("HASH", &hash));
    let env = |name: &str| (name == "TOKEN").then(|| "hidden-token".to_owned());
    let loaded = load(&[file], &env).unwrap();
    assert_eq!(loaded.warnings, []);
    let ReceiverSpec::Otlp { grpc: Some(grpc), http: Some(http) } = &loaded.spec.receivers["otlp"] else { panic!() };
    let tls = TlsServerSpec {
        cert_file: a.clone(),
        key_file: b.clone(),
        clients: Some(ClientCertificatesSpec { ca_file: a, demand: Demand::Required }),
        min_version: TlsVersion::V1_3,
        reload_interval: Duration::from_secs(5),
    };
    assert_eq!(grpc.security, SecuritySpec { tls: Some(Box::new(tls)), auth: None });
    let secret = |text: &str| Secret::new(text.to_owned());
    let auth = AuthSpec {
        bearer: Some(SecretsSpec { values: vec![secret("hidden-token")], file: Some(b) }),
        api_key: Some(ApiKeySpec {
            header: http::HeaderName::from_static("x-key"),
            keys: SecretsSpec { values: vec![secret("hidden-key")], file: None },
        }),
        basic: Some(BasicSpec {
            users: vec![PasswordEntry { user: "ann".to_owned(), hash: Secret::new(hash.clone()) }],
            file: None,
        }),
        reload_interval: Duration::from_secs(30),
    };
    assert_eq!(http.security, SecuritySpec { tls: None, auth: Some(Box::new(auth)) });
    let cors = CorsSpec {
        origins: vec![Origin::Exact("https://a.test".to_owned())],
        headers: AllowedHeaders::These(vec![http::HeaderName::from_static("x-key")]),
        max_age: Some(Duration::from_secs(600)),
    };
    assert_eq!(http.cors, Some(cors));
    let printed = format!("{loaded:?}");
    assert!(!printed.contains("hidden") && !printed.contains(&hash), "{printed}");
}

#[test]
fn every_listener_is_on_loopback_and_asks_for_nothing_unless_told_otherwise() {
    let text = "receivers: {otlp: }\nexporters: {debug: }\nservice: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}";
    let loaded = load_text(text, &[]).unwrap();
    let ReceiverSpec::Otlp { grpc: Some(grpc), http: Some(http) } = &loaded.spec.receivers["otlp"] else { panic!() };
    let service = &loaded.spec.service;
    for endpoint in [&grpc.endpoint, &http.endpoint, service.admin_endpoint.as_ref().unwrap()] {
        assert!(endpoint.starts_with("127.0.0.1:"), "{endpoint}");
    }
    assert!(grpc.security.is_open() && http.security.is_open() && service.admin_security.is_open());
    assert_eq!(http.cors, None);
}

#[test]
fn e36_credentials_are_hidden_also_where_the_file_is_broken() {
    for text in [
        "receivers:\n  otlp:\n    protocols:\n      http:\n        auth: { bearer: { tokens: [hidden-token }\n",
        "a: [\nauth:\n  basic:\n    htpasswd:\n      - hidden-line\n",
        "api_key:\n  keys:\n    - hidden-key\n  x: [\n",
    ] {
        let told = load_text(text, &[]).unwrap_err().to_string();
        assert!(!told.contains("hidden"), "{told}");
    }
}
