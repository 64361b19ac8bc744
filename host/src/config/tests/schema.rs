//! The schema, the files and the operators' page agree.

use std::path::Path;

use serde_json::Value;

use super::*;
use crate::config::schema as schema_of;

/// A plugin's schema with a definition of its own.
fn plugins() -> [PluginSchema; 1] {
    let config_schema = json!({
        "type": "object",
        "properties": {"rule": {"$ref": "#/$defs/Rule"}},
        "additionalProperties": false,
        "$defs": {"Rule": {"type": "object", "properties": {"rate": {"type": "number"}}, "additionalProperties": false}},
    });
    [PluginSchema { name: "drop".to_owned(), config_schema }]
}

/// YAML as JSON, for the schema.
fn as_json(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

#[test]
fn the_schema_accepts_what_loads_and_refuses_what_does_not() {
    let schema = schema_of(&plugins());
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    let base = "receivers: {otlp: }\nexporters: {debug: }\n";
    for good in [
        base,
        "receivers: {otlp: {protocols: {grpc: , http: {limits: {max_request_bytes: 1MiB}}}}}",
        "processors: {drop: {config: {rule: {rate: 1}}}, x: {plugin: drop, config: {rule: {rate: \"${env:R}\"}}}}",
        "processors: {own: {plugin: ./own, config: {anything: true}}, redact: }",
        "receivers: {otlp: {protocols: {http: {tls: {cert_file: a, key_file: b, client_auth: optional}}}}}",
        "receivers: {otlp: {protocols: {http: {auth: {bearer: {tokens: [a]}}, cors: {allowed_origins: ['*']}}}}}",
        "exporters: {otlp: {queue: none}, otlphttp/a: {queue: {memory: 1MiB}, timeout: 1m30s, max_in_flight: 3}}",
        "exporters: {otlp: {queue: {durable: x}}, otlphttp/b: {queue: {durable: b, sync: {interval: 1s}, max_age: 1h}}}",
        "exporters: {otlp: {compression: zstd, compression_params: {level: 3}}}",
        "exporters: {otlphttp: {compression: {adaptive: {aim: network, max_cpu: 5ms}}}}",
        "service: {shards: \"${env:N}\", pipelines: {logs/a: {receivers: [a], exporters: [b]}}}",
    ] {
        let errors: Vec<String> = validator.iter_errors(&as_json(good)).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{good}: {errors:?}");
    }
    for bad in [
        "recievers: {}",
        "receivers: {oltp: }",
        "receivers: {otlp: {protocols: {grpc: {endpont: x}}}}",
        "processors: {drop: {config: {rules: {}}}}",
        "processors: {x: {plugin: drop, config: {rule: {rate: high}}}}",
        "processors: {drop/a: {config: {rule: {rat: 1}}}}",
        "exporters: {otlp: {queue: {disk: x}}}",
        "exporters: {otlp: {queue: {durable: x, sync: never}}}",
        "exporters: {otlp: {queue: {durable: x, memory: 1MiB}}}",
        "receivers: {otlp: {protocols: {grpc: {tls: {client_auth: maybe}}}}}",
        "receivers: {otlp: {protocols: {grpc: {cors: {allowed_origins: ['*']}}}}}",
        "exporters: {otlp: {compression: lz4}}",
        "exporters: {otlp: {compression: {adaptive: {aim: bytes}}}}",
        "exporters: {otlp: {timeout: soon}}",
        "service: {shards: many}",
        "service: {pipelines: {trace: {receivers: [a], exporters: [b]}}}",
    ] {
        assert!(!validator.is_valid(&as_json(bad)), "{bad}");
    }
}

#[test]
fn goldens_that_parse_are_refused_by_loading_whether_or_not_the_schema_sees_it() {
    let validator = jsonschema::validator_for(&schema_of(&[])).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/config");
    let seen =
        ["unknown_key_in_receiver", "unknown_top_level_key", "unknown_queue", "wrong_type_number", "unknown_signal"];
    for name in seen {
        let text = fs::read_to_string(folder.join(format!("{name}.yaml"))).unwrap();
        assert!(!validator.is_valid(&as_json(&text)), "{name}");
    }
}

/// The keys of every mapping that the schema describes.
fn keys(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                found.extend(properties.keys().cloned());
            }
            object.values().for_each(|value| keys(value, found));
        }
        _ => {}
    }
}

#[test]
fn the_operators_page_has_every_key_and_every_choice() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operators.md")).unwrap();
    let schema = schema_of(&[]);
    let mut found = Vec::new();
    keys(&schema, &mut found);
    let types = check::RECEIVER_TYPES.into_iter().chain(check::EXPORTER_TYPES).map(str::to_owned);
    found.extend(types.chain(STANDARD_PLUGINS.map(str::to_owned)));
    assert!(found.len() > 60, "{found:?}");
    for key in found {
        let told = [format!("`{key}`"), format!(".{key}`"), format!("`{key}."), format!("{{{key}:")];
        assert!(told.iter().any(|t| page.contains(t)), "`{key}` is not in docs/operators.md");
    }
}

#[test]
fn every_default_that_the_schema_shows_is_accepted() {
    let schema = schema_of(&[]);
    let mut defaults = 0;
    for (name, section, id) in [
        ("OtlpGrpc", "exporters", "otlp"),
        ("DebugExporter", "exporters", "debug"),
        ("Stage", "processors", "drop"),
        ("GrpcServer", "receivers", "otlp"),
    ] {
        let properties = schema.pointer(&format!("/$defs/{name}/properties")).unwrap().as_object().unwrap();
        let given: serde_json::Map<_, _> = properties
            .iter()
            .filter_map(|(key, s)| Some((key.clone(), s.get("default").filter(|d| !d.is_null())?.clone())))
            .collect();
        defaults += given.len();
        let component = if name == "GrpcServer" { json!({"protocols": {"grpc": given}}) } else { Value::Object(given) };
        let text = json!({section: {id: component}}).to_string();
        let problems = load_text(&text, &[]).map_or_else(|p| p.0, |_| Vec::new());
        let about: Vec<_> = problems.iter().filter(|p| p.key.starts_with(section)).collect();
        assert!(about.is_empty(), "{name}: {about:?}");
    }
    assert!(defaults >= 10, "{defaults}");
}
