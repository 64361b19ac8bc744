//! Plugins written in WebAssembly text, for what no compiler would make.

use wit_component::StringEncoding;

/// A core module of a filter with that text in it, beside exports of the right names and types but `describe`,
/// which the text has to bring (as [`DESCRIBES`] or otherwise).
pub fn filter(text: &str) -> Vec<u8> {
    module(&[], "include sluicebox:plugin/filter-plugin@0.1.0;", &format!("{text} {CONFIGURES}"))
}

/// A `describe` that leaves everything empty.
pub const DESCRIBES: &str = r#"(func (export "sluicebox:plugin/lifecycle@0.1.0#describe") (result i32) (i32.const 0))"#;

/// A `configure` that traps.
const CONFIGURES: &str =
    r#"(func (export "sluicebox:plugin/lifecycle@0.1.0#configure") (param i32 i32 i32) (result i32) unreachable)"#;

/// A core module of a filter that asks for WASI: packages to know, the world to be of, and its text.
pub fn module(packages: &[&str], world: &str, text: &str) -> Vec<u8> {
    let batch = " i32".repeat(8);
    let mut module = wat::parse_str(format!(
        r#"(module
            {text}
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "sluicebox:plugin/filter@0.1.0#filter") (param{batch}) (result i32) unreachable))"#
    ))
    .unwrap();
    let mut resolve = wit_parser::Resolve::default();
    resolve.push_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/v0.1")).unwrap();
    for package in packages {
        resolve.push_str("package.wit", package).unwrap();
    }
    let package = resolve.push_str("world.wit", &format!("package test:worlds; world by-hand {{ {world} }}")).unwrap();
    let world = resolve.select_world(&[package], Some("by-hand")).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    module
}
