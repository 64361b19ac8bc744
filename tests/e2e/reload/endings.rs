//! The end of the process while it reloads.

use std::time::{Duration, SystemTime};

use super::*;
use crate::plugins::guests::guest;

/// Well below what the reload would take that is given up.
const PROMPT: Duration = Duration::from_secs(4);

#[test]
fn f91_sigterm_during_a_reload_gives_it_up_and_drains() {
    let pipeline = pipeline_of_wasm("{ behaviour: configure-loop }");
    let files = folder(&[("pipeline.yaml", pipeline.as_bytes()), ("stage.wasm", &guest("edits"))]);
    let sluicebox = Sluicebox::run_in(files, &["pipeline.yaml"]);
    let load = Load::on(&sluicebox);
    sluicebox.write("stage.wasm", guest("misbehaves"));
    sluicebox.wait_for_log("changed: ");
    load.wait_for_more();
    let acknowledged = load.stop();
    let told = SystemTime::now();
    let (log, folder) = sluicebox.stop();
    assert!(told.elapsed().unwrap() < PROMPT, "{log:?}");
    assert!(log.iter().any(|line| line.contains("the reload is given up")), "{log:?}");
    assert_exactly_once(folder.path(), &["out.jsonl"], &acknowledged);
}

#[test]
fn f91_sigterm_while_a_plugin_crate_is_built_does_not_wait_for_the_compiler() {
    let sluicebox = Sluicebox::run(&pipeline("", ""));
    let at = |name: &str| sluicebox.path(name);
    fs::create_dir_all(at("slow/src")).unwrap();
    fs::write(at("slow/src/lib.rs"), "").unwrap();
    let manifest = "[package]\nname = \"slow\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n";
    fs::write(at("slow/Cargo.toml"), manifest).unwrap();
    // Says that it runs, and then does so until it is told, or for half a minute.
    let script = "fn main() {\n    std::fs::write(\"begun\", \"\").unwrap();\n    let begun = std::time::Instant::now();\n    while begun.elapsed().as_secs() < 30 && !std::path::Path::new(\"enough\").exists() {\n        std::thread::sleep(std::time::Duration::from_millis(20));\n    }\n}\n";
    fs::write(at("slow/build.rs"), script).unwrap();
    sluicebox.write("pipeline.yaml", pipeline("  slow: { plugin: ./slow }", "slow"));
    harness::wait_for("the build", || at("slow/begun").exists().then_some(()), || sluicebox.log().join("\n"));
    let told = SystemTime::now();
    let (log, folder) = sluicebox.stop();
    let took = told.elapsed().unwrap();
    fs::write(folder.path().join("slow/enough"), "").unwrap();
    assert!(took < PROMPT, "{took:?} {log:?}");
}
