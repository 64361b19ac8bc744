//! Plugins that fail before their first batch.

use std::error::Error;

use crate::data::Signal;
use crate::plugin::testing::{context, engine, stage};
use crate::plugin::{Fault, LoadError, Plugin, StartFault};

async fn start_fault(behaviour: &str) -> StartFault {
    stage("misbehaves", context(behaviour)).unwrap().start().await.err().expect("it does not start")
}

/// The core of a filter, with that text in it, whose exports have the right names and types.
fn filter_with(text: &str) -> Vec<u8> {
    let module = format!(
        r#"(module
            (memory (export "memory") 1)
            {text}
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "sluicebox:plugin/lifecycle@0.1.0#configure") (param i32 i32 i32) (result i32) unreachable)
            (func (export "sluicebox:plugin/filter@0.1.0#filter") (param{}) (result i32) unreachable))"#,
        " i32".repeat(15)
    );
    let mut module = wat::parse_str(module).unwrap();
    let mut resolve = wit_parser::Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/v0.1");
    let (package, _) = resolve.push_path(wit).unwrap();
    let world = resolve.select_world(&[package], Some("filter-plugin")).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, world, wit_component::StringEncoding::UTF8).unwrap();
    module
}

const DESCRIBES: &str = r#"(func (export "sluicebox:plugin/lifecycle@0.1.0#describe") (result i32) (i32.const 0))"#;

#[tokio::test]
async fn f64_a_trap_in_configure_names_the_plugin() {
    for behaviour in ["configure-trap", "configure-panic"] {
        let fault = start_fault(behaviour).await;
        assert_eq!(fault.to_string(), "plugin `misbehaves` failed to start");
        let source = fault.source().unwrap().to_string();
        assert!(source.starts_with("the plugin trapped: wasm `unreachable` instruction executed"), "{source}");
        assert_eq!(source.contains("no beginning without an end"), behaviour == "configure-panic", "{source}");
    }
}

#[test]
fn f64_a_trap_in_a_start_function_or_in_describe_is_a_load_error() {
    let traps = "(func $start unreachable) (start $start)";
    for module in [format!("{traps} {DESCRIBES}"), DESCRIBES.replace("(i32.const 0)", "unreachable")] {
        let error = Plugin::load(engine(), &filter_with(&module)).unwrap_err();
        assert!(matches!(error, LoadError::Describe(Fault::Trap { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn f65_a_hang_in_configure_is_ended() {
    let fault = start_fault("configure-loop").await;
    assert!(matches!(&fault, StartFault::Fault { plugin, fault: Fault::Deadline(_) } if plugin == "misbehaves"));
}

#[test]
fn f65_a_hang_in_a_start_function_is_ended() {
    let module = filter_with(&format!("(func $start (loop br 0)) (start $start) {DESCRIBES}"));
    let error = Plugin::load(engine(), &module).unwrap_err();
    assert!(matches!(error, LoadError::Describe(Fault::Deadline(_))), "{error:?}");
}

#[test]
fn a_plugin_that_wants_too_much_memory_from_the_start_is_told() {
    let module = filter_with(DESCRIBES);
    let described = Plugin::load(engine(), &module).unwrap();
    assert_eq!(described.describe().name, "");
    let mut small = context("keep");
    small.limits.memory = 1 << 10;
    let stage = crate::plugin::Stage::new(&described, small).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fault = runtime.block_on(stage.start()).err().unwrap();
    assert!(matches!(fault, StartFault::Fault { fault: Fault::Memory { max: 1024 }, .. }), "{fault:?}");
}

#[tokio::test]
async fn a_config_that_the_plugin_refuses_is_told_in_its_words() {
    let mut context = context("configure-refuse");
    context.signal = Signal::Logs;
    let fault = stage("misbehaves", context).unwrap().start().await.err().unwrap();
    assert_eq!(fault.to_string(), "plugin `misbehaves` refuses its config: no Signal::Logs today");
}

#[tokio::test]
async fn a_plan_is_bounded() {
    let fault = start_fault("configure-plan").await;
    assert_eq!(
        fault.to_string(),
        "plugin `misbehaves` answers `configure` with an impossible plan: 5000 reads, more than 256"
    );
}

#[tokio::test]
async fn the_signal_reaches_the_plugin() {
    for (signal, field) in [(Signal::Traces, "span.name"), (Signal::Metrics, "metric.name"), (Signal::Logs, "log.body")]
    {
        let mut context = context("keep");
        context.signal = signal;
        let instance = stage("misbehaves", context).unwrap().start().await.unwrap();
        assert_eq!(instance.plan().reads, [field]);
    }
}
