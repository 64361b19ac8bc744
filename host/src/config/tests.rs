//! What pipeline files promise, apart from the texts of their mistakes (see `goldens`).

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::spec::*;
use super::*;
use crate::data::Signal;

mod otel;
mod schema;
mod security;

/// A pipeline around these exporters.
const HEAD: &str = "receivers: {otlp: }\nservice: {pipelines: {traces: {receivers: [otlp], exporters: [x]}}}\n";

fn write(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

/// Loads one file in an environment.
fn load_text(text: &str, env: &[(&str, &str)]) -> Result<Loaded, Problems> {
    let folder = TempDir::new().unwrap();
    let env: BTreeMap<&str, &str> = env.iter().copied().collect();
    load(&[write(&folder, "p.yaml", text)], &|name| env.get(name).map(|value| (*value).to_owned()))
}

/// Loads one exporter, to which a traces pipeline leads.
fn exporter(id: &str, config: &str, env: &[(&str, &str)]) -> Result<(TargetSpec, Vec<Problem>), Problems> {
    let text = format!("{}exporters:\n  {id}: {config}\n", HEAD.replace("[x]", &format!("[{id}]")));
    let mut loaded = load_text(&text, env)?;
    Ok((loaded.spec.exporters.remove(id).unwrap().target, loaded.warnings))
}

fn grpc(config: &str, env: &[(&str, &str)]) -> OtlpClientSpec {
    match exporter("otlp", config, env).unwrap().0 {
        TargetSpec::OtlpGrpc(client) => client,
        other => panic!("{other:?}"),
    }
}

fn http(config: &str, env: &[(&str, &str)]) -> OtlpHttpClientSpec {
    match exporter("otlphttp", config, env).unwrap().0 {
        TargetSpec::OtlpHttp(client) => client,
        other => panic!("{other:?}"),
    }
}

fn texts(problems: &[Problem]) -> String {
    problems.iter().map(|p| format!("{p}\n")).collect()
}

#[test]
fn a_whole_file_means_what_it_says() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("crate")).unwrap();
    write(&folder, "crate/Cargo.toml", "");
    write(&folder, "own.wasm", "");
    let text = r#"
receivers:
  otlp: { protocols: { grpc: { endpoint: "127.0.0.2:4317", max_connection_age: 1m30s }, http: } }
processors:
  drop/probes: { config: { 'span.attributes["http.route"]': [/healthz, 5, true, null] }, limits: { deadline: 20ms } }
  own: { plugin: own.wasm, on_error: reject, grants: [clock, state, clock], wasi: empty }
  built: { plugin: ./crate }
exporters:
  otlp_http: { queue: none, encoding: json, headers: { X-Key: 1.10 }, batch: { max_records: 100 } }
  file/a: { path: out/a.jsonl, rotation: { max_bytes: 1MiB } }
service:
  shards: 3
  telemetry: { endpoint: none }
  pipelines:
    logs/all: { receivers: [otlp], processors: [drop/probes, own, built], exporters: [otlp_http, file/a] }
"#;
    let loaded = load(&[write(&folder, "p.yaml", text)], &|_| None).unwrap();
    assert_eq!(loaded.warnings, []);
    let spec = loaded.spec;
    let Some(ReceiverSpec::Otlp { grpc: Some(grpc), http: Some(http) }) = spec.receivers.get("otlp") else { panic!() };
    assert_eq!((grpc.endpoint.as_str(), grpc.max_connection_age), ("127.0.0.2:4317", Some(Duration::from_secs(90))));
    assert_eq!(http.paths[&Signal::Logs], "/v1/logs");
    let drop = &spec.processors["drop/probes"];
    assert_eq!(drop.plugin, PluginSource::Standard("drop".into()));
    assert_eq!(drop.config, json!({"span.attributes[\"http.route\"]": ["/healthz", 5, true, null]}));
    assert_eq!(drop.limits, StageLimits { deadline: Duration::from_millis(20), ..StageLimits::default() });
    assert_eq!((drop.place.line, drop.place.column), (5, 18));
    let own = &spec.processors["own"];
    assert_eq!(own.plugin, PluginSource::File(folder.path().join("own.wasm")));
    assert_eq!((own.on_error, own.empty_wasi, &own.config), (OnError::Reject, true, &json!({})));
    assert_eq!(own.grants, [Grant::State, Grant::Clock]);
    assert_eq!(spec.processors["built"].plugin, PluginSource::Crate(folder.path().join("crate")));
    let http = &spec.exporters["otlp_http"];
    assert_eq!((&http.queue, http.batch.min_records), (&QueueSpec::None, 100), "the default gives way to the limit");
    assert_eq!(http.batch.timeout, Duration::from_millis(5), "a client waits");
    let TargetSpec::OtlpHttp(target) = &http.target else { panic!() };
    assert_eq!((target.encoding, target.client.headers["x-key"].expose()), (Encoding::Json, "1.10"));
    let TargetSpec::File(file) = &spec.exporters["file/a"].target else { panic!() };
    assert_eq!(file.path, folder.path().join("out/a.jsonl"));
    assert_eq!((spec.service.shards.get(), &spec.service.admin_endpoint), (3, &None));
    assert_eq!(spec.pipelines["logs/all"].processors, ["drop/probes", "own", "built"]);
}

#[test]
fn defaults_are_those_of_the_spec() {
    let text = format!("{}exporters: {{debug: }}", HEAD.replace("[x]", "[debug]"));
    let spec = load_text(&text, &[]).unwrap().spec;
    assert_eq!(spec.service, ServiceSpec::default());
    let Some(ReceiverSpec::Otlp { grpc: Some(grpc), http: Some(http) }) = spec.receivers.get("otlp") else { panic!() };
    assert_eq!((&grpc.limits, &http.limits), (&RequestLimits::default(), &RequestLimits::default()));
    assert_eq!((grpc.endpoint.as_str(), http.endpoint.as_str()), ("127.0.0.1:4317", "127.0.0.1:4318"));
    assert_eq!(spec.exporters["debug"].queue, QueueSpec::Memory { max_bytes: 64 << 20 });
}

#[test]
fn variables_take_the_type_of_their_content() {
    let text = "receivers:\n  otlp:\nprocessors:\n  drop:\n    config:\n      plain: ${env:N}\n      quoted: \"${env:N}\"\n\
                exporters:\n  debug: { batch: { min_records: \"${env:N}\" } }\nservice:\n  shards: ${env:N}\n  pipelines:\n    \
                traces: { receivers: [otlp], processors: [drop], exporters: [debug] }\n";
    let spec = load_text(text, &[("N", "4")]).unwrap().spec;
    assert_eq!(spec.service.shards.get(), 4);
    assert_eq!(spec.exporters["debug"].batch.min_records, 4, "a key that wants a number gets one");
    assert_eq!(spec.processors["drop"].config, json!({"plain": 4, "quoted": "4"}));
}

#[test]
fn merge_keys_and_anchors_work() {
    let text = "exporters:\n  otlp/a: &a { timeout: 3s, compression: gzip }\n  otlp/b: { <<: *a, timeout: 4s }\n";
    let spec = load_text(&format!("{}{text}", HEAD.replace("[x]", "[otlp/a, otlp/b]")), &[]).unwrap().spec;
    let TargetSpec::OtlpGrpc(b) = &spec.exporters["otlp/b"].target else { panic!() };
    assert_eq!((b.timeout, b.compression.clone()), (Duration::from_secs(4), Compression::Gzip.into()));
}

#[test]
fn a_folder_is_read_by_name_without_hidden_entries_and_subfolders() {
    let folder = TempDir::new().unwrap();
    let real = folder.path().join("..2026_11_21");
    fs::create_dir(&real).unwrap();
    fs::write(real.join("b.yaml"), format!("{}exporters: {{debug: }}", HEAD.replace("[x]", "[debug]"))).unwrap();
    std::os::unix::fs::symlink(&real, folder.path().join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/b.yaml", folder.path().join("b.yaml")).unwrap();
    write(&folder, "a.yml", "exporters: {debug/unused: }");
    write(&folder, ".hidden.yaml", "nonsense: [");
    write(&folder, "notes.txt", "nonsense: [");
    fs::create_dir(folder.path().join("sub.yaml")).unwrap();
    let loaded = load(&[folder.path().to_owned()], &|_| None).unwrap();
    assert_eq!(loaded.files, [folder.path().join("a.yml"), folder.path().join("b.yaml")]);
    assert_eq!(loaded.warnings.len(), 1);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing.yaml");
    let large = write(&folder, "large.yaml", &"# 0123456789\n".repeat((4 << 20) / 13 + 1));
    let told = load(&[missing, large], &|_| None).unwrap_err().to_string();
    assert!(told.contains("missing.yaml") && told.contains("No such file"), "{told}");
    assert!(told.contains("large.yaml") && told.contains("larger than 4 MiB"), "{told}");
    assert!(load(&[], &|_| None).is_err_and(|p| p.to_string().contains("no pipeline file is given")));
}

#[test]
fn f86_what_is_wrong_in_one_file_hides_nothing_in_another() {
    let folder = TempDir::new().unwrap();
    let broken = write(&folder, "a.yaml", "receivers: {otlp: {\n");
    let unknown = write(&folder, "b.yaml", "exporters: {debug: {verbose: true}}\n");
    let problems = load(&[broken, unknown], &|_| None).unwrap_err().0;
    let told = texts(&problems);
    assert!(told.contains("not YAML") && told.contains("unknown key `verbose`"), "{told}");
    assert_eq!(problems.iter().filter(|p| p.what.contains("not declared")).count(), 0, "{told}");
}

#[test]
fn f86_a_file_full_of_mistakes_ends() {
    let keys: String = (0..5000).map(|n| format!("    k{n}: 1\n")).collect();
    let text = format!("{}exporters:\n  debug:\n{keys}", HEAD.replace("[x]", "[debug]"));
    let problems = load_text(&text, &[]).unwrap_err().0;
    assert_eq!(problems.len(), tree::PROBLEMS_MAX);
}

#[test]
fn f87_an_alias_bomb_is_one_clear_problem() {
    let mut text = "a0: &a0 [x, x]\n".to_owned();
    for level in 1..60 {
        text += &format!("a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1);
    }
    let problems = load_text(&text, &[]).unwrap_err().0;
    assert!(problems.len() <= 2 && problems[0].what.contains("aliases expanded"), "{}", texts(&problems));
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 1000].join(", "));
    let problems = load_text(&long, &[]).unwrap_err().0;
    assert!(problems[0].what.contains("16 MiB"), "{}", texts(&problems));
}

#[test]
fn e36_secrets_are_in_no_problem_and_no_debug_output() {
    let config = "{headers: {authorization: hunter2, api-key: [hunter2]}, timeout: x, \"password\": hunter2}";
    let told = exporter("otlp", config, &[]).unwrap_err();
    assert!(!told.to_string().contains("hunter2") && !format!("{told:?}").contains("hunter2"), "{told}");
    let spec = grpc("{headers: {authorization: hunter2}}", &[]);
    assert!(!format!("{spec:?}").contains("hunter2"));
    let variable = exporter("otlp", "{timeout: \"${env:T}\"}", &[("T", "hunter2")]).unwrap_err();
    assert!(!variable.to_string().contains("hunter2"), "{variable}");
    let broken =
        load_text("exporters:\n  otlp:\n    headers:\n      a: hunter2 : }\n      b: hunter2: x\n", &[]).unwrap_err();
    assert!(!broken.to_string().contains("hunter2"), "{broken}");
}

#[test]
fn a_problem_that_a_plugin_found_is_shown_in_the_file() {
    let folder = TempDir::new().unwrap();
    let text = format!(
        "{}exporters: {{debug: }}\nprocessors:\n  drop:\n    config:\n      any:\n        - where: [one, two]\n",
        HEAD.replace("exporters: [x]", "processors: [drop], exporters: [debug]")
    );
    let spec = load(&[write(&folder, "p.yaml", &text)], &|_| None).unwrap().spec;
    let place = &spec.processors["drop"].place;
    let problem = Problem::in_config(place, "/any/0/where/1", "unknown condition `two`", Some("remove it".into()));
    let shown = problem.to_string().replace(&format!("{}/", folder.path().display()), "");
    let expected = "error: unknown condition `two`\n --> p.yaml:8:24\n  |\n8 |         - where: [one, two]\n  |                        ^^^\nhelp: remove it";
    assert_eq!(shown, expected);
    let problem = Problem::at(place, "refused", None);
    assert_eq!((problem.place.line, problem.excerpt.map(|e| (e.indent, e.width))), (6, Some((4, 6))));
    fs::remove_file(&place.file).unwrap();
    assert_eq!(Problem::in_config(place, "/any", "refused", None).excerpt, None);
}

#[test]
fn a_reload_knows_what_stays() {
    let text =
        |exporters: &str, extra: &str| format!("{}exporters: {exporters}\n{extra}", HEAD.replace("[x]", "[debug]"));
    let old = load_text(&text("{debug: }", ""), &[]).unwrap().spec;
    let moved = load_text(&format!("# moved\n{}", text("{debug: }", "")), &[]).unwrap().spec;
    assert!(diff(&old, &moved).is_empty(), "another line, another file: the same");
    let changed = load_text(&text("{debug: {verbosity: normal}}", ""), &[]).unwrap().spec;
    let found = diff(&old, &changed);
    assert_eq!(
        (found.exporters.changed, found.receivers.unchanged),
        (vec!["debug".to_owned()], vec!["otlp".to_owned()])
    );
    assert!(found.pipelines.is_empty() && !found.service);
    let other =
        load_text(&format!("{}exporters: {{file: {{path: a}}}}", HEAD.replace("[x]", "[file]")), &[]).unwrap().spec;
    let found = diff(&old, &other);
    assert_eq!((found.exporters.added, found.exporters.removed), (vec!["file".to_owned()], vec!["debug".to_owned()]));
    assert_eq!(found.pipelines.changed, ["traces"]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    /// Whatever a file holds, loading it ends, and every problem can be shown.
    #[test]
    fn f86_no_file_breaks_the_reader(which in 0usize..1000, at in 0usize..400, cut in 0usize..8, put in "[\\PC\\n\\t]{0,6}|[&*<>{}\\[\\]:,'\"|$#%!?-]{1,4}") {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/config");
        let mut goldens: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        goldens.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
        goldens.sort();
        let text = String::from_utf8_lossy(&fs::read(&goldens[which % goldens.len()]).unwrap()).into_owned();
        let chars: Vec<char> = text.chars().collect();
        let from = at.min(chars.len());
        let rest = chars.iter().skip(from + cut);
        let mutated: String = chars.iter().take(from).copied().chain(put.chars()).chain(rest.copied()).collect();
        match load_text(&mutated, &[]) {
            Ok(loaded) => drop(texts(&loaded.warnings)),
            Err(problems) => proptest::prop_assert!(!problems.0.is_empty() && !problems.to_string().is_empty()),
        }
    }
}

#[test]
fn a_durable_queue_has_its_defaults_and_its_folder_beside_the_file() {
    let queue = |config: &str| {
        let folder = TempDir::new().unwrap();
        let text = format!("{HEAD}exporters:\n  debug: {{queue: {config}}}\n").replace("[x]", "[debug]");
        let loaded = load(&[write(&folder, "p.yaml", &text)], &|_| None).unwrap();
        let QueueSpec::Durable(queue) = loaded.spec.exporters["debug"].queue.clone() else { panic!("{config}") };
        assert_eq!(queue.dir, folder.path().canonicalize().unwrap().join("spool"));
        (queue.sync, queue.max_bytes, queue.max_age, queue.segment_bytes)
    };
    assert_eq!(queue("{durable: ./spool}"), (SyncSpec::Always, 10 << 30, None, 64 << 20));
    let typed = "{durable: spool, sync: {interval: 2s}, max_bytes: 1GiB, max_age: 1h, segment_bytes: 8MiB}";
    let (interval, age) = (Duration::from_secs(2), Duration::from_secs(3600));
    assert_eq!(queue(typed), (SyncSpec::Interval(interval), 1 << 30, Some(age), 8 << 20));
}
