//! Chains that are not built: the position of the stage, and the words.

use super::*;

async fn fault(signal: Signal, steps: Vec<StepSpec>) -> (usize, String) {
    match Rig::try_new(signal, steps).await {
        Ok(_) => panic!("it was built"),
        Err((index, fault)) => (index, crate::report::chain(&fault)),
    }
}

#[tokio::test]
async fn metrics_are_not_sampled() {
    let sampler = step_with("samples", OnError::Pass, json!({}), |context| context.signal = Signal::Metrics);
    let keep = step_with("misbehaves", OnError::Pass, json!({}), |context| context.signal = Signal::Metrics);
    let (index, told) = fault(Signal::Metrics, vec![keep, sampler]).await;
    assert_eq!(
        (index, told.as_str()),
        (1, "plugin `samples` is a sampler, and metrics cannot be sampled: use a filter plugin")
    );
}

#[tokio::test]
async fn a_field_that_a_plugin_cannot_have_is_told_with_its_mend() {
    let mut texts = Vec::new();
    for behaviour in ["plan-unknown", "plan-other-signal", "plan-read-only"] {
        let steps = vec![step("misbehaves", json!({})), step("edits", json!({ "behaviour": behaviour }))];
        let (index, told) = fault(Signal::Traces, steps).await;
        assert_eq!(index, 1);
        texts.push(told);
    }
    insta::assert_snapshot!(texts.join("\n"), @r"
    plugin `edits` asks for a field that it cannot have: there is no field `span.nmae`: did you mean `span.name`?
    plugin `edits` asks for a field that it cannot have: `log.body` is a field of logs, but the pipeline carries traces
    plugin `edits` asks for a field that it cannot have: `span.duration` can be read, but not written
    ");
}

#[tokio::test]
async fn a_plugin_that_faults_on_the_sample_batch_never_serves() {
    for (guest, behaviour, told) in [
        ("misbehaves", "unreachable", "plugin `misbehaves` failed on a sample batch: the plugin trapped"),
        ("misbehaves", "short", "plugin `misbehaves` failed on a sample batch: the plugin's answer is not usable"),
        ("samples", "impossible", "plugin `samples` failed on a sample batch: the plugin's answer is not usable"),
        ("edits", "undeclared", "plugin `edits` failed on a sample batch: the plugin's answer is not usable"),
    ] {
        let steps = vec![step("misbehaves", json!({})), step(guest, json!({ "behaviour": behaviour }))];
        let (index, text) = fault(Signal::Traces, steps).await;
        assert!(index == 1 && text.starts_with(told), "{index}: {text}");
    }
}

#[tokio::test]
async fn f64_f65_a_plugin_that_traps_or_hangs_in_configure_never_serves() {
    for (behaviour, told) in [
        ("configure-trap", "plugin `misbehaves` failed to start: the plugin trapped: "),
        ("configure-panic", "plugin `misbehaves` failed to start: the plugin trapped: "),
        ("configure-loop", "plugin `misbehaves` failed to start: the plugin ran longer than its deadline of "),
        ("configure-refuse", "plugin `misbehaves` refuses its config: no Signal::Traces today"),
    ] {
        let (index, text) = fault(Signal::Traces, vec![step("misbehaves", json!({ "behaviour": behaviour }))]).await;
        assert!(index == 0 && text.starts_with(told), "{index}: {text}");
    }
}

#[tokio::test]
async fn a_plugin_that_refuses_the_sample_batch_may_serve() {
    let rig = Rig::new(vec![step("misbehaves", json!({ "behaviour": "refuse" }))]).await;
    let batch = named(["a"]);
    assert!(is_untouched(&rig.run(&batch).await.unwrap(), &batch));
}
