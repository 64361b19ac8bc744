//! What later stages see of the work of earlier ones.

use super::*;

#[tokio::test]
async fn a_later_stage_sees_the_edits_of_an_earlier_one() {
    let short = || step("misbehaves", json!({ "behaviour": "drop-short-names" }));
    let batch = named(["a", "a long name"]);
    let rig = Rig::new(vec![step("edits", json!({})), short()]).await;
    assert_eq!(rig.names(&batch).await, ["renamed", "renamed"]);
    let rig = Rig::new(vec![short(), step("edits", json!({}))]).await;
    assert_eq!(rig.names(&batch).await, ["renamed"]);
}

#[tokio::test]
async fn rows_that_an_earlier_stage_dropped_are_not_alive_for_a_later_one() {
    let short = step("misbehaves", json!({ "behaviour": "drop-short-names" }));
    let count = step_with("misbehaves", OnError::Reject, json!({ "behaviour": "count-alive" }), |_| ());
    let rig = Rig::new(vec![short, count]).await;
    let reason = rig.refusal(&named(["a", "a long name", "b", "c", "another one"])).await;
    assert!(reason.ends_with("2 of 5 alive"), "{reason}");
}

#[tokio::test]
async fn what_a_later_filter_says_of_dropped_rows_does_not_matter() {
    let short = || step("misbehaves", json!({ "behaviour": "drop-short-names" }));
    let keep_all = || step("misbehaves", json!({ "behaviour": "keep" }));
    let rig =
        Rig::new(vec![short(), keep_all(), step("samples", json!({ "behaviour": "none", "when": "never" }))]).await;
    let outcome = rig.run(&named(["a", "a long name"])).await.unwrap();
    // Row 1 is a coin's toss for the sampler; row 0 is not its business any more.
    assert_eq!(outcome.drops[0], crate::chain::Drops { step: 0, reason: DropReason::Filtered, records: 1 });
    rig.chain.settle(&outcome);
    let decisions = rig.metric("sluicebox_sampler_decisions_total", &[]);
    assert_eq!((decisions, rig.dropped("filtered")), (1, 1));
    assert_eq!(rig.metric("otelcol_processor_incoming_items_total", &["processor=\"samples\""]), 1);
}

#[tokio::test]
async fn a_chain_without_stages_and_one_that_changes_nothing_hand_on_the_very_bytes() {
    let batch = named(["a", "b"]);
    let chains = [vec![], vec![step("misbehaves", json!({ "behaviour": "keep" }))]];
    for steps in chains {
        let rig = Rig::new(steps).await;
        assert!(is_untouched(&rig.run(&batch).await.unwrap(), &batch));
    }
}
