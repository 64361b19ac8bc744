//! Answers that do not fit their batch or their plan.

use super::*;

/// Guest, what it does, and what is said of it.
const MALFORMED: [(&str, &str, &str); 16] = [
    ("misbehaves", "short", "the bitmap has 0 bytes where 3 rows need 1"),
    ("samples", "row-count", "there are 1 decisions for 3 rows"),
    ("samples", "reason-count", "there are 4 decisions for 3 rows"),
    ("samples", "impossible", "the probability of row 0 is not a number from 0 to 1"),
    ("samples", "too-likely", "the probability of row 0 is not a number from 0 to 1"),
    ("samples", "unlikely", "the probability of row 0 is not a number from 0 to 1"),
    ("samples", "unreasonable", "row 0 names reason 200, but the plan has 2"),
    ("edits", "undeclared", "an edit names field 7, but the plan writes 2 fields"),
    ("edits", "twice", "two edits name field 0"),
    ("edits", "row-count", "the edit of field 0 has 13 entries, 0 keys, 3 kinds and 3 words"),
    ("edits", "keyless", "the edit of field 1 has 3 entries, 0 keys, 3 kinds and 3 words"),
    ("edits", "unordered", "the edit of field 0 names entry 1, which is not in the batch or out of order"),
    ("edits", "wrong-type", "the edit of field 0 has a value of kind 9, which that field cannot have"),
    ("edits", "out-of-data", "the edit of field 0 has a value that lies outside its data"),
    ("edits", "not-utf8", "the edit of field 0 has text that is not valid UTF-8"),
    ("edits", "nested", "the edit of field 1 has a nested value that is malformed or too deep"),
];

#[tokio::test]
async fn f70_a_malformed_answer_is_a_fault_and_the_input_is_retained() {
    let batch = named(["a", "bad", "c"]);
    for (guest, behaviour, told) in MALFORMED {
        let config = json!({ "behaviour": behaviour, "when": "bad" });
        let whole = |context: &mut StageContext| context.limits.search_time = Duration::ZERO;
        let rig = Rig::new(vec![step_with(guest, OnError::Pass, config, whole)]).await;
        let outcome = rig.run(&batch).await.unwrap();
        assert!(is_untouched(&outcome, &batch), "{behaviour}");
        assert_eq!((outcome.drops, rig.faults("answer")), (vec![], 1), "{behaviour}");

        let rig = Rig::new(vec![bad(guest, behaviour, OnError::Reject)]).await;
        let expected = format!("plugin of `{guest}` failed: the plugin's answer is not usable: {told}");
        assert_eq!(rig.refusal(&batch).await, expected);
    }
}

#[tokio::test]
async fn f70_an_answer_that_is_half_right_is_not_applied_at_all() {
    // The first edit of `twice` fits: it must not stay.
    let rig = Rig::new(vec![step("edits", json!({})), bad("edits", "twice", OnError::Pass)]).await;
    assert_eq!(rig.names(&named(["a", "b"])).await, ["renamed", "renamed"]);
    let rig = Rig::new(vec![bad("edits", "twice", OnError::Pass)]).await;
    assert_eq!(rig.names(&named(["a", "bad"])).await, ["renamed", "bad"]);
}

#[tokio::test]
async fn f70_the_next_batch_meets_a_new_instance() {
    let rig = Rig::new(vec![bad("edits", "undeclared", OnError::Pass)]).await;
    for _ in 0..3 {
        assert_eq!(rig.names(&named(["bad"])).await, ["bad"]);
        assert_eq!(rig.names(&named(["good"])).await, ["renamed"]);
    }
    assert_eq!(rig.faults("answer"), 3);
}

#[tokio::test]
async fn f71_a_huge_answer_is_capped() {
    for guest in ["misbehaves", "samples", "edits"] {
        let step = step_with(guest, OnError::Pass, json!({ "behaviour": "huge", "when": "bad" }), |context| {
            context.limits.memory = 512 << 20;
        });
        let rig = Rig::new(vec![step]).await;
        let batch = named(["bad"]);
        assert!(is_untouched(&rig.run(&batch).await.unwrap(), &batch), "{guest}");
        assert_eq!(rig.faults("answer"), 1, "{guest}");
    }
}
