//! From pipeline files to generations, in one process: what is told, what is kept, and what is given back.

use std::net::TcpListener;
use std::path::Path;

use tempfile::TempDir;

use super::build::Workshop;
use super::running::Running;
use crate::admin::Board;
use crate::config::{self, Loaded, Problems};
use crate::memory::Memory;
use crate::plugin::testing::guest;
use crate::plugin::{Compiler, PluginMetrics};
use crate::report;
use crate::telemetry::metrics::Metrics;

/// A folder with the guests, and pipeline files to come.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["misbehaves", "edits", "samples"] {
        std::fs::write(folder.path().join(format!("{name}.wasm")), guest(name)).unwrap();
    }
    folder
}

fn load(folder: &Path, pipeline: &str) -> Loaded {
    let path = folder.join("pipeline.yaml");
    std::fs::write(&path, pipeline).unwrap();
    config::load(&[path], &|_| None).unwrap_or_else(|problems| panic!("{problems}"))
}

fn pipeline(processors: &str, pipelines: &str) -> String {
    format!(
        "receivers:
  otlp: {{ protocols: {{ grpc: {{ endpoint: '127.0.0.1:0' }} }} }}
processors:
{processors}exporters:
  file: {{ path: out.jsonl }}
service:
  shards: 1
  pipelines:
{pipelines}"
    )
}

fn workshop() -> Workshop {
    Workshop::new(Metrics::default(), PluginMetrics::default(), crate::audit::Audit::default(), Compiler::Here).unwrap()
}

/// What is wrong with a pipeline file, with paths that do not depend on the run.
async fn problems(folder: &TempDir, pipeline: &str) -> String {
    let loaded = load(folder.path(), pipeline);
    match workshop().generation(&loaded.spec, 1, 1).await {
        Ok(_) => panic!("it was built"),
        Err(problems) => problems.to_string().replace(folder.path().to_str().unwrap(), "…"),
    }
}

#[tokio::test]
async fn every_problem_of_every_stage_is_told_in_one_run_with_its_line_and_mend() {
    let folder = folder();
    std::fs::write(folder.path().join("broken.wasm"), "\0asm?").unwrap();
    let processors = "  ungranted: { plugin: ./misbehaves.wasm }
  refuses: { plugin: ./misbehaves.wasm, config: { behaviour: configure-refuse }, grants: [metrics, state, clock, random] }
  field: { plugin: ./edits.wasm, config: { behaviour: plan-unknown } }
  trapping: { plugin: ./misbehaves.wasm, config: { behaviour: unreachable }, grants: [metrics, state, clock, random] }
  sampled: { plugin: ./samples.wasm }
  broken: { plugin: ./broken.wasm }
";
    let pipelines = "    traces/1: { receivers: [otlp], processors: [ungranted], exporters: [file] }
    traces/2: { receivers: [otlp], processors: [refuses], exporters: [file] }
    traces/3: { receivers: [otlp], processors: [field], exporters: [file] }
    traces/4: { receivers: [otlp], processors: [trapping], exporters: [file] }
    metrics: { receivers: [otlp], processors: [sampled], exporters: [file] }
    traces/5: { receivers: [otlp], processors: [broken], exporters: [file] }
";
    insta::assert_snapshot!(problems(&folder, &pipeline(processors, pipelines)).await, @r"
    error: plugin `misbehaves` imports metrics, state, clock, random, which the stage does not grant; add `grants: [metrics, state, clock, random]` to the stage
     --> …/pipeline.yaml:4:3
      |
    4 |   ungranted: { plugin: ./misbehaves.wasm }
      |   ^^^^^^^^^

    error: plugin `misbehaves` refuses its config: no Signal::Traces today
     --> …/pipeline.yaml:5:41
      |
    5 |   refuses: { plugin: ./misbehaves.wasm, config: { behaviour: configure-refuse }, grants: [metrics, state, clock, random]…
      |                                         ^^^^^^
    help: `sluicebox plugin inspect` shows the config that the plugin takes

    error: plugin `edits` asks for a field that it cannot have: there is no field `span.nmae`: did you mean `span.name`?
     --> …/pipeline.yaml:6:34
      |
    6 |   field: { plugin: ./edits.wasm, config: { behaviour: plan-unknown } }
      |                                  ^^^^^^

    error: plugin `misbehaves` failed on a sample batch: the plugin trapped: wasm `unreachable` instruction executed; in sluicebox:plugin/filter@0.1.0#filter
     --> …/pipeline.yaml:7:42
      |
    7 |   trapping: { plugin: ./misbehaves.wasm, config: { behaviour: unreachable }, grants: [metrics, state, clock, random] }
      |                                          ^^^^^^

    error: plugin `samples` is a sampler, and metrics cannot be sampled: use a filter plugin
     --> …/pipeline.yaml:8:3
      |
    8 |   sampled: { plugin: ./samples.wasm }
      |   ^^^^^^^

    error: cannot load the plugin: the WebAssembly is truncated or broken: it ends after 5 bytes; build or copy the file again
     --> …/pipeline.yaml:9:3
      |
    9 |   broken: { plugin: ./broken.wasm }
      |   ^^^^^^

    6 problems
    ");
}

#[tokio::test]
async fn a_problem_of_a_stage_that_two_pipelines_share_is_told_once() {
    let folder = folder();
    let processors = "  field: { plugin: ./edits.wasm, config: { behaviour: plan-read-only } }\n";
    let pipelines = "    traces/1: { receivers: [otlp], processors: [field], exporters: [file] }
    traces/2: { receivers: [otlp], processors: [field], exporters: [file] }
";
    let told = problems(&folder, &pipeline(processors, pipelines)).await;
    assert!(told.ends_with("\n1 problem"), "{told}");
}

const EDITS: &str = "  edits: { plugin: ./edits.wasm }\n";
const TRACES: &str = "    traces: { receivers: [otlp], processors: [edits], exporters: [file] }\n";

async fn running(folder: &TempDir, loaded: Loaded) -> Running {
    let board = Board::new(Metrics::default(), Memory::unlimited(), crate::audit::Audit::default());
    let paths = vec![folder.path().join("pipeline.yaml")];
    Running::start(paths, loaded, workshop(), board, Memory::unlimited()).await.unwrap()
}

#[tokio::test]
async fn what_means_the_same_is_no_new_generation_and_other_code_is() {
    let folder = folder();
    let text = pipeline(EDITS, TRACES);
    let running = running(&folder, load(folder.path(), &text)).await;
    let moved = format!("# A line more, and another order.\n{text}");
    assert!(running.prepare(&load(folder.path(), &moved)).await.unwrap().is_none());

    // Other code with the same name under the same stage.
    let wasm = folder.path().join("edits.wasm");
    std::fs::write(&wasm, guest("samples")).unwrap();
    let prepared = running.prepare(&load(folder.path(), &text)).await.unwrap().unwrap();
    assert_eq!(prepared.number(), 2);
    std::fs::write(&wasm, guest("edits")).unwrap();
    assert!(running.prepare(&load(folder.path(), &text)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_generation_that_cannot_take_over_gives_back_what_it_had() {
    let folder = folder();
    let text = pipeline(EDITS, TRACES);
    let running = running(&folder, load(folder.path(), &text)).await;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    // The listener can be bound; the file cannot be made.
    let wrong = text.replace("127.0.0.1:0", &port).replace("path: out.jsonl", "path: /proc/version/out.jsonl");
    let obstacle = running.prepare(&load(folder.path(), &wrong)).await.err().unwrap();
    let told = report::chain(&obstacle);
    assert!(
        told.starts_with("exporter `file` cannot be built: ") && told.contains("/proc/version/out.jsonl"),
        "{told}"
    );
    assert!(TcpListener::bind(&port).is_ok(), "the port is free again");
    assert_eq!(running.generation().number, 1);
}

#[tokio::test]
async fn a_plugin_file_that_is_gone_between_the_check_and_the_load_is_named() {
    let folder = folder();
    let loaded = load(folder.path(), &pipeline(EDITS, TRACES));
    std::fs::remove_file(folder.path().join("edits.wasm")).unwrap();
    let Err(Problems(problems)) = workshop().generation(&loaded.spec, 1, 1).await else { panic!("it was built") };
    assert_eq!(problems.len(), 1);
    assert!(problems[0].what.starts_with("cannot read plugin file ") && problems[0].place.line == 4, "{problems:?}");
}
