//! The source of a plugin crate: a plugin of one's own from `new` to a running pipeline, and its changes.

use std::path::Path;
use std::process::Command;

use super::*;

/// One folder for what cargo makes of all runs of this test, so that the SDK is compiled once.
fn share_target(crate_folder: &Path) {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/e2e-plugins");
    fs::create_dir_all(crate_folder.join(".cargo")).unwrap();
    let config = format!("[build]\ntarget-dir = {:?}\n", target);
    fs::write(crate_folder.join(".cargo/config.toml"), config).unwrap();
}

/// Runs a command of the binary to its end.
fn sluicebox(folder: &Path, arguments: &[&str]) {
    let ran = Command::new(env!("CARGO_BIN_EXE_sluicebox")).args(arguments).current_dir(folder).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
}

#[test]
fn a_plugin_is_made_run_edited_saved_and_reloaded_without_a_lost_span() {
    let files = tempfile::tempdir().unwrap();
    sluicebox(files.path(), &["plugin", "new", "mine", "--kind", "filter"]);
    share_target(&files.path().join("mine"));
    // The first build of all compiles the SDK, for which no wait of the harness is long enough on a slow machine.
    sluicebox(files.path(), &["plugin", "build", "mine"]);
    let written = fs::read_to_string(files.path().join("mine/src/lib.rs")).unwrap();
    let stage = "  mine: { plugin: ./mine, limits: { deadline: 10s }, config: { routes: [/healthz] } }";
    fs::write(files.path().join("pipeline.yaml"), pipeline(stage, "mine")).unwrap();

    let sluicebox = Sluicebox::run_in(files, &["pipeline.yaml"]);
    let library = sluicebox.path("mine/src/lib.rs");
    let load = Load::on(&sluicebox);
    wait_for_spans_called(&sluicebox, "sent");

    // A mistake: the compiler's words, with file and line, and all goes on.
    fs::write(&library, written.replace("!is_probe ||", "is_prob ||")).unwrap();
    let told = sluicebox.wait_for_log("the change is not taken, generation 1 goes on");
    assert!(told.contains("the plugin in"), "{told}");
    let (_, error) = last_reload(&sluicebox);
    let line = written.lines().position(|line| line.contains("!is_probe ||")).unwrap() + 1;
    assert!(error.contains("error[E0425]") && error.contains(&format!("src/lib.rs:{line}:")), "{error}");
    load.wait_for_more();
    let acknowledged = load.stop();

    // From now on it drops everything, so that the change shows; only then are spans sent that are not to arrive.
    fs::write(&library, written.replace("!is_probe ||", "request.route.is_some() &&")).unwrap();
    sluicebox.wait_for_log("generation 2 serves");
    let dropped = Load::on(&sluicebox);
    dropped.wait_for_more();
    let dropped = dropped.stop();
    assert!(!dropped.is_empty());
    let (_, folder) = sluicebox.stop();
    assert_exactly_once(folder.path(), &["out.jsonl"], &acknowledged);
}
