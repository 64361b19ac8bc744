//! The end of the process while it reloads.

use std::time::{Duration, SystemTime};

use super::*;
use crate::plugins::guests::guest;

/// Well below what the build would take that is given up.
const PROMPT: Duration = Duration::from_secs(60);

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
    let (log, folder) = sluicebox.stop();
    assert!(log.iter().any(|line| line.contains("the reload is given up")), "{log:?}");
    assert_exactly_once(folder.path(), &["out.jsonl"], &acknowledged);
}

/// Writes a plugin crate whose build says that it runs (`begun`), and then does so until it is told (`enough`), or for
/// two minutes.
fn write_slow_crate(folder: &Path) {
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("src/lib.rs"), "").unwrap();
    let manifest = "[package]
name = \"slow\"
version = \"0.1.0\"
edition = \"2024\"
[lib]
crate-type = [\"cdylib\"]
[workspace]
";
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    let script = "fn main() {
    std::fs::write(\"begun\", \"\").unwrap();
    let begun = std::time::Instant::now();
    while begun.elapsed().as_secs() < 120 && !std::path::Path::new(\"enough\").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
";
    fs::write(folder.join("build.rs"), script).unwrap();
}

/// Ends the process once the build runs, which it must not wait for.
fn assert_ends_promptly(sluicebox: Sluicebox) -> Vec<String> {
    let begun = sluicebox.path("slow/begun");
    harness::wait_for("the build", || begun.exists().then_some(()), || sluicebox.log().join("\n"));
    let told = SystemTime::now();
    let (log, folder) = sluicebox.stop();
    let took = told.elapsed().unwrap();
    fs::write(folder.path().join("slow/enough"), "").unwrap();
    assert!(took < PROMPT, "{took:?} {log:?}");
    log
}

#[test]
fn f91_sigterm_while_a_plugin_crate_is_built_does_not_wait_for_the_compiler() {
    let sluicebox = Sluicebox::run(&pipeline("", ""));
    write_slow_crate(&sluicebox.path("slow"));
    sluicebox.write("pipeline.yaml", pipeline("  slow: { plugin: ./slow }", "slow"));
    assert_ends_promptly(sluicebox);
}

#[test]
fn f91_sigterm_before_the_first_generation_is_built_ends_at_once() {
    let files = folder(&[("pipeline.yaml", pipeline("  slow: { plugin: ./slow }", "slow").as_bytes())]);
    write_slow_crate(&files.path().join("slow"));
    let log = assert_ends_promptly(Sluicebox::spawn_in(files, &["pipeline.yaml"]));
    assert!(log.iter().any(|line| line.contains("told to end before anything ran")), "{log:?}");
}
