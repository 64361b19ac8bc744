//! Components whose runtime asks for WASI.

use super::by_hand::{DESCRIBES, module};
use crate::plugin::testing::{context, engine};
use crate::plugin::{Import, Plugin, Stage};

const PACKAGES: [&str; 4] = [
    "package wasi:io@0.2.0;
     interface error { resource error; }
     interface streams {
        use error.{error};
        variant stream-error { last-operation-failed(error), closed }
        resource output-stream {
            blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
        }
     }",
    "package wasi:cli@0.2.0;
     interface environment { get-environment: func() -> list<tuple<string, string>>; }
     interface stdout { use wasi:io/streams@0.2.0.{output-stream}; get-stdout: func() -> output-stream; }",
    "package wasi:random@0.2.0;
     interface random { get-random-bytes: func(len: u64) -> list<u8>; }",
    "package wasi:clocks@0.2.0;
     interface wall-clock { record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; }",
];

const WORLD: &str = "include sluicebox:plugin/filter-plugin@0.1.0;
     import wasi:cli/environment@0.2.0; import wasi:cli/stdout@0.2.0; import wasi:io/streams@0.2.0;
     import wasi:random/random@0.2.0; import wasi:clocks/wall-clock@0.2.0;";

/// Asks for everything in `configure`, and traps if anything is there.
const ASKS: &str = r#"
    (import "wasi:cli/environment@0.2.0" "get-environment" (func $environment (param i32)))
    (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
    (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
        (func $write (param i32 i32 i32 i32)))
    (import "wasi:io/streams@0.2.0" "[resource-drop]output-stream" (func $close (param i32)))
    (import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))
    (import "wasi:clocks/wall-clock@0.2.0" "now" (func $now (param i32)))
    (func $want (param i32 i32) (if (i32.ne (local.get 0) (local.get 1)) (then unreachable)))
    (func (export "sluicebox:plugin/lifecycle@0.1.0#configure") (param i32 i32 i32) (result i32)
        (local $stream i32)
        ;; No variable.
        (call $environment (i32.const 128))
        (call $want (i32.load (i32.const 132)) (i32.const 0))
        ;; A stream that is closed: err(closed).
        (local.set $stream (call $stdout))
        (call $write (local.get $stream) (i32.const 0) (i32.const 8) (i32.const 144))
        (call $want (i32.load8_u (i32.const 144)) (i32.const 1))
        (call $want (i32.load8_u (i32.const 148)) (i32.const 1))
        (call $close (local.get $stream))
        ;; As many bytes as asked for, all zero.
        (call $random (i64.const 16) (i32.const 160))
        (call $want (i32.load (i32.const 164)) (i32.const 16))
        (call $want (i32.load (i32.load (i32.const 160))) (i32.const 0))
        ;; The beginning of time.
        (call $now (i32.const 176))
        (call $want (i32.load (i32.const 176)) (i32.const 0))
        (i32.const 256))"#;

fn asking() -> Plugin {
    let module = module(&PACKAGES, WORLD, &format!("{ASKS} {DESCRIBES}"));
    Plugin::load(engine(), &module).unwrap_or_else(|error| panic!("{error:?}"))
}

#[test]
fn f76_wasi_is_not_there_unless_the_stage_says_so() {
    let plugin = asking();
    assert!(plugin.imports().contains(&Import::Wasi("wasi:cli/environment@0.2.0".to_owned())));
    let fault = Stage::new(&plugin, context("")).err().unwrap().to_string();
    assert!(fault.contains("imports wasi:") && fault.contains("wasi:clocks/wall-clock@0.2.0"), "{fault}");
    assert!(fault.ends_with("which the stage does not grant; add `wasi: empty` to the stage"), "{fault}");
}

#[tokio::test]
async fn f76_the_wasi_that_is_there_is_empty() {
    let mut context = context("");
    context.empty_wasi = true;
    let instance = Stage::new(&asking(), context).unwrap().start().await.unwrap();
    assert!(instance.plan().reads.is_empty());
}
