//! Plugins that fail before their first batch.

use std::error::Error;

use super::by_hand::{self, DESCRIBES};
use crate::data::Signal;
use crate::plugin::testing::{context, engine, stage};
use crate::plugin::{Fault, LoadError, Plugin, StartFault};

async fn start_fault(behaviour: &str) -> StartFault {
    stage("misbehaves", context(behaviour)).unwrap().start().await.err().expect("it does not start")
}

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
        let error = Plugin::load(engine(), &by_hand::filter(&module)).unwrap_err();
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
    let module = by_hand::filter(&format!("(func $start (loop br 0)) (start $start) {DESCRIBES}"));
    let error = Plugin::load(engine(), &module).unwrap_err();
    assert!(matches!(error, LoadError::Describe(Fault::Deadline(_))), "{error:?}");
}

#[test]
fn a_plugin_that_wants_too_much_memory_from_the_start_is_told() {
    let module = by_hand::filter(DESCRIBES);
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
