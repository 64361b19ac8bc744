//! What becomes of a batch on which a plugin faults, and of the plugin.

use tokio::time::Instant;

use super::*;
use crate::chain::Drops;

/// What a guest does, and the fault that it is.
const FAULTS: [(&str, &str); 7] = [
    ("unreachable", "trap"), // F56
    ("out-of-bounds", "trap"),
    ("divide", "trap"),
    ("panic", "trap"),    // F57
    ("recurse", "trap"),  // F61
    ("loop", "deadline"), // F58
    ("hog", "memory"),    // F60
];

fn faulty(behaviour: &str, on_error: OnError) -> StepSpec {
    step_with("misbehaves", on_error, json!({ "behaviour": behaviour, "when": "bad" }), |context| {
        if behaviour == "loop" {
            context.limits.deadline = Duration::from_millis(50);
        }
    })
}

#[tokio::test]
async fn f56_f58_f60_pass_lets_the_batch_go_on_as_if_the_stage_were_not_there() {
    let batch = named(["a", "bad", "c"]);
    for (behaviour, fault) in FAULTS {
        let rig = Rig::new(vec![faulty(behaviour, OnError::Pass)]).await;
        let outcome = rig.run(&batch).await.unwrap();
        let names: Vec<String> = spans_of(&outcome).into_iter().map(|span| span.name).collect();
        assert_eq!(names, ["a", "bad", "c"], "{behaviour}");
        assert_eq!(outcome.drops, [], "{behaviour}");
        rig.chain.settle(&outcome);
        // On the batch, and on the record.
        assert_eq!((rig.faults(fault), rig.dropped("plugin_fault")), (2, 0), "{behaviour}");
    }
}

#[tokio::test]
async fn f56_f58_f60_drop_loses_the_batch_and_counts_it() {
    for names in [vec!["bad"], vec!["bad"; 8], vec!["bad"; 1001]] {
        let batch = named(names.iter().copied());
        for (behaviour, fault) in FAULTS {
            let rig = Rig::new(vec![faulty(behaviour, OnError::Drop)]).await;
            let outcome = rig.run(&batch).await.unwrap();
            assert!(outcome.payload.is_none(), "{behaviour}");
            let records = names.len() as u64;
            assert_eq!(outcome.drops, [Drops { step: 0, reason: DropReason::Fault, records }], "{behaviour}");
            assert_eq!(rig.dropped("plugin_fault"), 0, "nothing counts before the request is taken");
            rig.chain.settle(&outcome);
            assert_eq!(rig.dropped("plugin_fault"), records, "{behaviour}");
            assert!((1..=60).contains(&rig.faults(fault)), "{behaviour}: {}", rig.faults(fault));
        }
    }
}

#[tokio::test]
async fn f56_f58_f60_reject_tells_the_client_to_come_again_and_counts_nothing_as_dropped() {
    let batch = named(["a", "bad", "c"]);
    // `divide` traps only while every row is alive.
    for (behaviour, fault) in FAULTS.into_iter().filter(|(behaviour, _)| *behaviour != "divide") {
        let filter = step("misbehaves", json!({ "behaviour": "drop-short-names", "when": "bad" }));
        let rig = Rig::new(vec![filter, faulty(behaviour, OnError::Reject)]).await;
        // The filter keeps nothing but names of five bytes and more: none is left, so the plugin is not even called.
        assert!(rig.run(&batch).await.unwrap().payload.is_none());
        assert_eq!(rig.faults(fault), 0);

        let long = named(["bad", "a long name"]);
        let reason = rig.refusal(&long).await;
        assert!(reason.starts_with("plugin of `misbehaves` failed: the plugin "), "{reason}");
        assert_eq!((rig.faults(fault), rig.dropped("plugin_fault"), rig.dropped("filtered")), (1, 0, 0), "{behaviour}");
    }
}

#[tokio::test]
async fn f57_the_client_of_a_rejecting_stage_hears_the_panic_bounded_and_escaped() {
    let rig = Rig::new(vec![faulty("panic", OnError::Reject)]).await;
    let reason = rig.refusal(&named(["bad"])).await;
    assert!(reason.contains("its last words: ") && reason.contains("row 1 was "), "{reason}");
    assert!(reason.len() < 6_000 && !reason.contains(['\n', '\u{1b}']), "{} bytes", reason.len());
}

#[tokio::test]
async fn an_earlier_stage_s_work_stays_when_a_later_one_faults() {
    let rig = Rig::new(vec![
        step("edits", json!({})),
        step("misbehaves", json!({ "behaviour": "unreachable", "when": "renamed" })),
    ])
    .await;
    assert_eq!(rig.names(&named(["a", "b"])).await, ["renamed", "renamed"]);
    assert_eq!(rig.faults("trap"), 3, "on the batch, and on each of its records");
}

#[tokio::test]
async fn f63_a_plugin_that_traps_on_every_batch_is_soon_only_passed_by() {
    let rig = Rig::new(vec![bad("misbehaves", "unreachable", OnError::Pass)]).await;
    let batch = named(["bad"]);
    let begun = Instant::now();
    let mut batches = 0;
    while begun.elapsed() < Duration::from_millis(450) || batches < 1_000 {
        assert!(is_untouched(&rig.run(&batch).await.unwrap(), &batch));
        batches += 1;
    }
    // Twelve until the breaker opens, one when 100 ms are over, one after 200 ms more, and so on.
    let openings = u64::from((begun.elapsed().as_millis() / 100 + 1).ilog2());
    let (traps, passed_by) = (rig.faults("trap"), rig.faults("open"));
    assert!((12..=12 + openings + 1).contains(&traps), "{traps} traps");
    assert_eq!(traps + passed_by, batches);
    assert_eq!(rig.metric("sluicebox_plugin_calls_total", &[]), traps, "what is passed by is no call");
}

#[tokio::test]
async fn f56_a_plugin_s_own_refusal_follows_on_error_but_never_opens_the_breaker() {
    let rig = Rig::new(vec![bad("misbehaves", "refuse", OnError::Reject)]).await;
    for _ in 0..50 {
        let reason = rig.refusal(&named(["bad"])).await;
        assert_eq!(reason, "plugin of `misbehaves` failed: the plugin refused the batch: no batch of 1 today");
    }
    assert_eq!(rig.faults("refused"), 50);
}
