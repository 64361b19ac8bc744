//! What plugins do with what they are granted, and without.

use std::io::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use crate::config::spec::Grant;
use crate::plugin::testing::{context, guest, instance, stage, texts, view};
use crate::plugin::{Import, Plugin, SharedState, StartFault};
use crate::telemetry::metrics::StageLabels;

/// What the log of the present thread was given.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn listen() -> (Lines, tracing::subscriber::DefaultGuard) {
        let lines = Lines::default();
        let to = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || to.clone())
            .with_ansi(false)
            .without_time()
            .with_max_level(tracing::Level::INFO)
            .finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn f77_a_log_line_says_whose_it_is_and_forges_none() {
    let (lines, _listening) = Lines::listen();
    instance("log").await.filter(&view(&texts(["a", "b"]))).await.unwrap();
    let text = lines.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("batch of 2\\nforged line\\u{7}"), "{text}");
    assert!(text.contains(r#"pipeline="traces" processor="guest" plugin="misbehaves""#), "{text}");
}

#[tokio::test]
async fn f77_log_spam_is_cut_and_counted() {
    let (lines, _listening) = Lines::listen();
    let context = context("spam");
    let metrics = context.metrics.clone();
    let mut instance = stage("misbehaves", context).unwrap().start().await.unwrap();
    instance.filter(&view(&texts(["a"]))).await.unwrap();
    let text = lines.text();
    let written = text.lines().count();
    assert!((100..200).contains(&written), "{written}");
    assert!(text.lines().all(|line| line.len() < 4_500));
    let labels = StageLabels {
        pipeline: "traces".to_owned(),
        processor: "guest".to_owned(),
        plugin: "misbehaves".to_owned(),
        plugin_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let dropped = metrics.plugin_log_lines_dropped.get_or_create_owned(&labels).get();
    assert_eq!(dropped, 1_000 - written as u64);
}

#[tokio::test]
async fn f76_nothing_is_there_without_a_grant() {
    let mut context = context("keep");
    context.grants = vec![Grant::Metrics];
    let fault = stage("misbehaves", context).err().unwrap();
    assert!(matches!(fault, StartFault::NotGranted { .. }));
    assert_eq!(
        fault.to_string(),
        "plugin `misbehaves` imports state, clock, random, which the stage does not grant; \
         add `grants: [state, clock, random]` to the stage"
    );
}

#[tokio::test]
async fn f76_a_plugin_imports_what_its_code_uses_and_no_more() {
    let engine = crate::plugin::testing::engine();
    let edits = Plugin::load(engine, &guest("edits")).unwrap();
    assert_eq!(edits.imports(), []);
    let misbehaves = crate::plugin::testing::plugin("misbehaves");
    let mut imports = misbehaves.imports().to_vec();
    imports.sort_by_key(ToString::to_string);
    let granted = |grant| Import::Granted(grant);
    let expected =
        [granted(Grant::Clock), Import::Log, granted(Grant::Metrics), granted(Grant::Random), granted(Grant::State)];
    assert_eq!(imports, expected);
}

#[tokio::test]
async fn clock_and_random_answer_when_granted() {
    let (lines, _listening) = Lines::listen();
    let mut instance = instance("look").await;
    for _ in 0..2 {
        instance.filter(&view(&texts(["a"]))).await.unwrap();
    }
    let text = lines.text();
    let numbers: Vec<Vec<u64>> =
        text.lines().map(|line| line.split_whitespace().filter_map(|word| word.parse().ok()).collect()).collect();
    let [first, second] = &numbers[..] else { panic!("{text}") };
    assert!(first[0] > 1_700_000_000_000_000_000, "{text}");
    assert!(second[0] >= first[0] && second[1] > first[1] && second[2] != first[2], "{text}");
    // Nobody listens to traces.
    assert!(text.lines().next().is_some_and(|line| line.contains("false")), "{text}");
}

#[tokio::test]
async fn own_metrics_appear_with_the_stages_labels() {
    let context = context("count");
    let (own, state) = (context.own_metrics.clone(), Arc::clone(&context.state));
    let stage = stage("misbehaves", context).unwrap();
    for _ in 0..2 {
        let mut instance = stage.start().await.unwrap();
        for _ in 0..3 {
            instance.filter(&view(&texts(["a", "b"]))).await.unwrap();
        }
    }
    let mut registry = Registry::default();
    registry.register_collector(Box::new(own));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let labels = r#"{pipeline="traces",processor="guest",plugin="misbehaves"}"#;
    assert!(text.contains(&format!("sluicebox_plugin_batches_total{labels} 6")), "{text}");
    assert!(text.contains(&format!("sluicebox_plugin_rows_sum{labels} 12")), "{text}");
    assert!(!text.contains("Not A Name"), "{text}");
    // The state is the stage's, not the instance's.
    assert_eq!(state.compare_and_add(Instant::now(), "batches", 0, None, None), Ok(Some(6)));
}

#[tokio::test]
async fn own_metrics_are_bounded_in_number() {
    let context = context("many-names");
    let own = context.own_metrics.clone();
    stage("misbehaves", context).unwrap().start().await.unwrap().filter(&view(&texts(["a"]))).await.unwrap();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(own));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("sluicebox_plugin_name_")).count(), 64);
}

#[tokio::test]
async fn state_is_bounded_by_the_stages_quota() {
    let mut context = context("fill-state");
    context.state = Arc::new(SharedState::new(100_000));
    let state = Arc::clone(&context.state);
    let fault = stage("misbehaves", context).unwrap().start().await.unwrap().filter(&view(&texts(["a"]))).await;
    assert!(fault.unwrap_err().to_string().ends_with("88 values fit"));
    assert!(state.bytes_used(Instant::now()) <= 100_000);
}
