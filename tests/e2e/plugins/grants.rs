//! What a plugin may use is what its stage grants.

use super::{folder, misbehaving};
use crate::harness::Sluicebox;

#[test]
fn f76_a_plugin_without_its_grants_is_refused_with_the_line_to_add() {
    let pipeline = misbehaving("keep", "pass");
    let without = pipeline.replace("    grants: [metrics, state, clock, random]\n", "");
    let (status, log, _) = Sluicebox::spawn_in(folder(&without), &["pipeline.yaml"]).wait();
    assert_eq!(status.code(), Some(1));
    insta::assert_snapshot!(log.join("\n"), @r"
    error: plugin `misbehaves` imports metrics, state, clock, random, which the stage does not grant; add `grants: [metrics, state, clock, random]` to the stage
     --> pipeline.yaml:6:5
      |
    6 |     config: { behaviour: keep, when: bad }
      |     ^^^^^^

    1 problem
    ");

    let (status, log, _) =
        Sluicebox::spawn_in(folder(&pipeline.replace("state, clock, ", "clock, ")), &["pipeline.yaml"]).wait();
    let log = log.join("\n");
    assert!(
        status.code() == Some(1) && log.contains("imports state, which") && log.contains("`grants: [state]`"),
        "{log}"
    );
}

#[test]
fn f76_a_reload_that_takes_a_grant_away_is_refused() {
    let pipeline = misbehaving("keep", "pass");
    let sluicebox = Sluicebox::run_in(folder(&pipeline), &["pipeline.yaml"]);
    sluicebox.write("pipeline.yaml", pipeline.replace("state, clock, random", "state, clock"));
    let told = sluicebox.wait_for_log("the change is not taken, generation 1 goes on");
    let expected =
        "plugin `misbehaves` imports random, which the stage does not grant; add `grants: [random]` to the stage";
    assert!(told.contains(expected), "{told}");
    sluicebox.stop();
}
