//! The guests of `tests/guests`, built once a test run, and stages around them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use super::{Engine, Instance, Plugin, PluginMetrics, SharedState, Stage, StageContext, StartFault};
use crate::config::spec::{Grant, StageLimits};
use crate::data::Signal;
use crate::data::column::{Cells, Column, Links, Value, View};
use crate::telemetry::metrics::Metrics;

/// The engine of all tests of a process.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new().expect("an engine"))
}

/// The core module of a guest: `misbehaves`, `edits` or `samples`.
pub fn guest(name: &str) -> Vec<u8> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(build);
    let file = folder.join(format!("guest_{name}.wasm"));
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The same, loaded once a process.
pub fn plugin(name: &'static str) -> Plugin {
    static MISBEHAVES: OnceLock<Plugin> = OnceLock::new();
    static EDITS: OnceLock<Plugin> = OnceLock::new();
    static SAMPLES: OnceLock<Plugin> = OnceLock::new();
    let loaded = match name {
        "misbehaves" => &MISBEHAVES,
        "edits" => &EDITS,
        "samples" => &SAMPLES,
        other => panic!("no guest {other}"),
    };
    loaded.get_or_init(|| Plugin::load(engine(), &guest(name)).unwrap_or_else(|error| panic!("{error:?}"))).clone()
}

fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    bring_target();
    let mut cargo = Command::new(env!("CARGO"));
    // Its own target directory, or it would wait for the lock that its parent holds; and not the parent's flags,
    // which are for another target.
    cargo
        .current_dir(root)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .args(["build", "--quiet", "--profile", "plugin", "--target", "wasm32-unknown-unknown"])
        .args(["--target-dir", "target/wasm"]);
    for guest in ["misbehaves", "edits", "samples"] {
        cargo.args(["-p", &format!("guest-{guest}")]);
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "the guests in tests/guests do not build");
    root.join("target/wasm/wasm32-unknown-unknown/plugin")
}

/// Where rustup does not install a toolchain's targets by itself, it has to be told.
fn bring_target() {
    let Ok(installed) = Command::new("rustup").args(["target", "list", "--installed"]).output() else { return };
    if !String::from_utf8_lossy(&installed.stdout).contains("wasm32-unknown-unknown") {
        eprintln!("installing the Rust target wasm32-unknown-unknown, which plugins are built for");
        let _ = Command::new("rustup").args(["target", "add", "wasm32-unknown-unknown"]).status();
    }
}

/// A context with every grant.
pub fn context(behaviour: &str) -> StageContext {
    StageContext {
        pipeline: "traces".to_owned(),
        processor: "guest".to_owned(),
        signal: Signal::Traces,
        config: serde_json::json!({ "behaviour": behaviour }),
        limits: StageLimits::default(),
        grants: Grant::ALL.to_vec(),
        empty_wasi: false,
        state: Arc::new(SharedState::new(1 << 20)),
        own_metrics: PluginMetrics::default(),
        metrics: Metrics::default(),
    }
}

/// A stage of a guest.
pub fn stage(name: &'static str, context: StageContext) -> Result<Stage, StartFault> {
    Stage::new(&plugin(name), context)
}

/// An instance of `misbehaves`.
pub async fn instance(behaviour: &str) -> Instance {
    stage("misbehaves", context(behaviour)).unwrap().start().await.unwrap()
}

/// A column of texts.
pub fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Cells {
    let mut cells = Cells::default();
    texts.into_iter().for_each(|text| cells.push(Value::Text(text.as_bytes())));
    cells
}

/// What a plugin is given of a batch whose only column is that one.
pub fn view(column: &Cells) -> View<'_> {
    View { rows: column.len() as u32, live: &[], links: Links::default(), columns: vec![Column::Cells(column)] }
}
