//! Files that are plugins, and files that are not.

use crate::plugin::testing::{engine, guest, plugin};
use crate::plugin::{Digest, Kind, LoadError, Mismatch, Plugin};

fn refusal(bytes: &[u8]) -> String {
    Plugin::load(engine(), bytes).err().expect("not a plugin").to_string()
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// The bytes, with each occurrence of a text replaced by one of the same length.
fn replaced(mut bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut at = 0;
    while let Some(found) = memchr::memmem::find(&bytes[at..], from.as_bytes()) {
        bytes[at + found..at + found + to.len()].copy_from_slice(to.as_bytes());
        at += found + to.len();
    }
    bytes
}

#[test]
fn a_plugin_says_who_it_is() {
    for (guest, kind) in [("misbehaves", Kind::Filter), ("edits", Kind::Transform), ("samples", Kind::Sampler)] {
        let plugin = plugin(guest);
        assert_eq!(plugin.kind(), kind);
        assert_eq!(plugin.describe().name, guest);
        assert_eq!(plugin.describe().version, env!("CARGO_PKG_VERSION"));
        assert_eq!(plugin.describe().config_schema, r#"{"type":"object"}"#);
    }
}

#[test]
fn a_plugin_knows_its_file() {
    let bytes = guest("edits");
    let plugin = plugin("edits");
    assert_eq!(plugin.file_bytes(), bytes.len());
    assert_eq!(plugin.digest(), Digest::of(&bytes));
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(Digest::of(b"").to_string(), empty);
    assert_eq!(format!("{:.8}", Digest::of(b"")), "e3b0c442");
}

#[test]
fn a_component_loads_as_it_is() {
    let module = guest("edits");
    let component =
        wit_component::ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap();
    assert_eq!(Plugin::load(engine(), &component).unwrap().kind(), Kind::Transform);
}

#[test]
fn f66_another_version_of_the_interface_is_named_beside_ours() {
    for version in ["0.2.0", "0.0.9", "1.0.0"] {
        let old = replaced(guest("edits"), "@0.1.0", &format!("@{version}"));
        assert_eq!(
            refusal(&old),
            format!(
                "built for sluicebox:plugin@{version}, this host speaks sluicebox:plugin@0.1.0; \
                 rebuild the plugin with sluicebox-plugin 0.1"
            )
        );
    }
}

#[test]
fn f66_another_patch_of_the_same_version_runs() {
    let patched = replaced(guest("edits"), "@0.1.0", "@0.1.7");
    assert_eq!(Plugin::load(engine(), &patched).unwrap().describe().name, "edits");
}

#[test]
fn f67_everything_that_is_missing_is_listed() {
    let component = wat(r#"(component
            (import "acme:db/store@1.0.0" (instance))
            (import "acme:db/query@1.0.0" (instance))
            (instance $empty)
            (export "sluicebox:plugin/types@0.1.0" (instance $empty)))"#);
    assert_eq!(
        refusal(&component),
        "not a plugin for this host: it does not export sluicebox:plugin/lifecycle@0.1.0, \
         one of sluicebox:plugin/filter@0.1.0, sluicebox:plugin/sampler@0.1.0, sluicebox:plugin/transform@0.1.0; \
         it imports acme:db/store@1.0.0, acme:db/query@1.0.0, which the host does not have"
    );
}

#[test]
fn f67_core_imports_that_nobody_could_link_are_listed() {
    let module = wat(r#"(module
            (import "env" "now" (func))
            (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))))"#);
    assert_eq!(
        refusal(&module),
        "not a plugin for this host: it imports env.now, wasi_snapshot_preview1.fd_write, which the host does not have"
    );
}

#[test]
fn f67_a_module_that_is_no_plugin_at_all() {
    assert!(refusal(&wat("(module)")).starts_with("not a plugin for this host: it does not export"));
}

#[test]
fn f67_an_export_of_another_type_is_no_export() {
    let component = wat(r#"(component
            (core module $m (func (export "f")))
            (core instance $m (instantiate $m))
            (func $f (canon lift (core func $m "f")))
            (instance $lifecycle (export "describe" (func $f)) (export "configure" (func $f)))
            (instance $filter (export "filter" (func $f)))
            (export "sluicebox:plugin/lifecycle@0.1.0" (instance $lifecycle))
            (export "sluicebox:plugin/filter@0.1.0" (instance $filter)))"#);
    let error = Plugin::load(engine(), &component).unwrap_err();
    assert!(matches!(error, LoadError::Mismatch(Mismatch::Types(_))), "{error:?}");
    assert!(error.to_string().starts_with("the plugin's interface is not that of sluicebox:plugin@0.1.0: "));
}

#[test]
fn f67_a_plugin_is_of_one_kind() {
    let component = wat(r#"(component
            (instance $empty)
            (export "sluicebox:plugin/lifecycle@0.1.0" (instance $empty))
            (export "sluicebox:plugin/filter@0.1.0" (instance $empty))
            (export "sluicebox:plugin/sampler@0.1.0" (instance $empty)))"#);
    assert_eq!(refusal(&component), "the plugin exports filter and sampler: a plugin is of one kind");
}

#[test]
fn f68_not_wasm() {
    assert_eq!(
        refusal(b"#!/bin/sh\n"),
        "not a WebAssembly file: it begins with \"#!/bin/s\"; \
         build the plugin for wasm32-unknown-unknown and name the .wasm file"
    );
    assert!(refusal(b"").contains("the file is empty"));
    assert!(refusal(b"\0asm\x09\0\0\0").contains("unknown binary version"));
}

#[test]
fn f68_truncated_at_any_place() {
    let bytes = guest("edits");
    // Every place would take minutes; these are spread over headers, code and custom sections.
    for cut in (1..bytes.len()).step_by(bytes.len() / 50).chain([2, 4, 7, bytes.len() - 1]) {
        let error = refusal(&bytes[..cut]);
        assert!(
            error.starts_with("the WebAssembly is truncated or broken")
                || error.starts_with("not a plugin for this host"),
            "{cut}: {error}"
        );
    }
}

#[test]
fn f68_flipped_bits_do_not_bring_the_host_down() {
    let bytes = guest("edits");
    for at in (8..bytes.len()).step_by(bytes.len() / 20) {
        let mut bent = bytes.clone();
        bent[at] ^= 0x55;
        // Some flips only change a constant: what matters is that none panics.
        drop(Plugin::load(engine(), &bent));
    }
}

#[test]
fn a_file_that_is_too_large_is_not_even_parsed() {
    let error = refusal(&vec![0; (64 << 20) + 1]);
    assert_eq!(error, "the file has 67108865 bytes, more than the 67108864 that a plugin may have");
}
