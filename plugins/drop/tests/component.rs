//! The module that a plugin's crate builds to is a component of its own kind, and imports what it uses.

use std::path::Path;
use std::process::Command;

use wit_component::{ComponentEncoder, DecodedWasm, decode};

/// Builds the plugin as a pipeline would run it.
fn module() -> Vec<u8> {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = crate_folder.join("../../target/wasm");
    let cargo = Command::new(env!("CARGO"))
        .args(["build", "--profile", "plugin", "--target", "wasm32-unknown-unknown", "--target-dir"])
        .arg(&target)
        .current_dir(crate_folder)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status();
    assert!(cargo.expect("cargo runs").success(), "the plugin builds");
    let file = target.join("wasm32-unknown-unknown/plugin/sluicebox_drop.wasm");
    std::fs::read(file).expect("the plugin was built")
}

#[test]
fn the_module_is_a_filter_component_and_nothing_else() {
    let module = module();
    assert!(module.len() < 512 << 10, "{} bytes: a standard plugin is small", module.len());
    let component = ComponentEncoder::default().module(&module).and_then(|mut encoder| encoder.encode());
    let decoded = decode(&component.expect("the module says what it exports and imports")).expect("a component");
    let DecodedWasm::Component(resolve, world) = decoded else { panic!("a component, not a WIT package") };
    let names = |items: &wit_parser::IndexMap<wit_parser::WorldKey, wit_parser::WorldItem>| {
        let mut names: Vec<String> = items.keys().map(|key| resolve.name_world_key(key)).collect();
        names.sort();
        names
    };
    let world = &resolve.worlds[world];
    assert_eq!(names(&world.exports), ["sluicebox:plugin/filter@0.1.0", "sluicebox:plugin/lifecycle@0.1.0"]);
    assert_eq!(names(&world.imports), ["sluicebox:plugin/log@0.1.0", "sluicebox:plugin/types@0.1.0"]);
}
