//! The modules that the standard plugins' crates build to are components of their own kind, and import what they use.

use std::path::Path;
use std::process::Command;

use wit_component::{ComponentEncoder, DecodedWasm, decode};

/// A standard plugin: its name, its kind, what it imports besides, and bytes that it must not outgrow.
const PLUGINS: [(&str, &str, &[&str], usize); 4] = [
    ("drop", "filter", &[], 512 << 10),
    ("sample", "sampler", &[], 512 << 10),
    ("attributes", "transform", &[], 512 << 10),
    // With regular expressions that run over every text, so with the code to make them fast.
    ("redact", "transform", &["metrics"], 1152 << 10),
];

/// Builds the plugins as pipelines run them.
fn build() -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = folder.join("../../target/wasm");
    let packages = PLUGINS.iter().flat_map(|(name, ..)| ["-p".to_owned(), format!("sluicebox-{name}")]);
    let cargo = Command::new(env!("CARGO"))
        .args(["build", "--profile", "plugin", "--target", "wasm32-unknown-unknown", "--target-dir"])
        .arg(&target)
        .args(packages)
        .current_dir(folder)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status();
    assert!(cargo.expect("cargo runs").success(), "the plugins build");
    target.join("wasm32-unknown-unknown/plugin")
}

#[test]
fn each_module_is_a_component_of_its_kind_and_nothing_else() {
    let folder = build();
    for (name, kind, imports, bytes_max) in PLUGINS {
        let module = std::fs::read(folder.join(format!("sluicebox_{name}.wasm"))).expect("the plugin was built");
        assert!(module.len() < bytes_max, "{name}: {} bytes", module.len());
        let component = ComponentEncoder::default().module(&module).and_then(|mut encoder| encoder.encode());
        let decoded = decode(&component.expect("the module says what it exports and imports")).expect("a component");
        let DecodedWasm::Component(resolve, world) = decoded else { panic!("a component, not a WIT package") };
        let names = |items: &wit_parser::IndexMap<wit_parser::WorldKey, wit_parser::WorldItem>| {
            let mut names: Vec<String> = items.keys().map(|key| resolve.name_world_key(key)).collect();
            names.sort();
            names
        };
        let expected = |interfaces: &[&str]| {
            let mut names: Vec<String> =
                interfaces.iter().map(|name| format!("sluicebox:plugin/{name}@0.1.0")).collect();
            names.sort();
            names
        };
        let world = &resolve.worlds[world];
        assert_eq!(names(&world.exports), expected(&[kind, "lifecycle"]), "{name}");
        assert_eq!(names(&world.imports), expected(&[&["log", "types"], imports].concat()), "{name}");
    }
}
