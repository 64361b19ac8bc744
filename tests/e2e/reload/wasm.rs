//! How a `.wasm` file may change.

use std::fs;

use super::*;
use crate::plugins::guests::{guest, replaced};

/// Config that `edits` takes no notice of, and `misbehaves` traps or hangs over, for the tests of new versions.
const QUIET: &str = "{}";

fn running(config: &str) -> (Sluicebox, Load) {
    let pipeline = pipeline_of_wasm(config);
    let sluicebox = Sluicebox::run_in(
        folder(&[("pipeline.yaml", pipeline.as_bytes()), ("stage.wasm", &guest("edits"))]),
        &["pipeline.yaml"],
    );
    let load = Load::on(&sluicebox);
    wait_for_spans_called(&sluicebox, "renamed");
    (sluicebox, load)
}

#[test]
fn f81_f82_f83_a_wasm_file_that_changes_is_taken_when_it_is_whole() {
    let (sluicebox, load) = running(QUIET);
    let wasm = sluicebox.path("stage.wasm");
    let keeps = guest("misbehaves");

    // F81: half of the new file is there, and stays so for longer than the quiet time.
    fs::write(&wasm, &keeps[..keeps.len() / 2]).unwrap();
    sluicebox.wait_for_log("the change is not taken, generation 1 goes on");
    let (outcome, error) = last_reload(&sluicebox);
    assert!(
        outcome == "refused" && error.contains("cannot load the plugin") && error.contains("pipeline.yaml:4:"),
        "{error}"
    );
    wait_for_spans_called(&sluicebox, "renamed");
    fs::write(&wasm, &keeps).unwrap();
    sluicebox.wait_for_log("generation 2 serves");
    wait_for_spans_called(&sluicebox, "sent");

    // F83: bytes are overwritten in the very file that the running code came from.
    use std::os::unix::fs::FileExt;
    fs::OpenOptions::new().write(true).open(&wasm).unwrap().write_all_at(&[0xff; 4096], 64).unwrap();
    sluicebox.wait_for_nth_log("the change is not taken, generation 2 goes on", 1);
    load.wait_for_more();

    // F82: it is gone.
    fs::remove_file(&wasm).unwrap();
    sluicebox.wait_for_log("stage.wasm is gone; what runs goes on");
    sluicebox.wait_for_nth_log("the change is not taken, generation 2 goes on", 2);
    load.wait_for_more();
    fs::write(&wasm, guest("edits")).unwrap();
    sluicebox.wait_for_log("generation 3 serves");
    wait_for_spans_called(&sluicebox, "renamed");
    assert_nothing_lost(sluicebox, load, &["out.jsonl"]);
}

#[test]
fn f64_f65_a_new_version_that_traps_or_hangs_in_configure_is_refused_and_a_later_one_taken() {
    let (sluicebox, load) = running("{ behaviour: configure-trap }");
    sluicebox.write("stage.wasm", guest("misbehaves"));
    let told = sluicebox.wait_for_log("the change is not taken, generation 1 goes on");
    assert!(told.contains("plugin `misbehaves` failed to start: the plugin trapped"), "{told}");
    sluicebox.write("stage.wasm", guest("edits"));
    sluicebox.wait_for_log("nothing changed: generation 1 goes on");

    sluicebox.write("pipeline.yaml", pipeline_of_wasm("{ behaviour: configure-loop }"));
    sluicebox.wait_for_log("generation 2 serves");
    sluicebox.write("stage.wasm", guest("misbehaves"));
    sluicebox.wait_for_nth_log("INFO changed: ", 4);
    // F91: while the reload hangs, records flow, and a mended version waits for its turn.
    wait_for_spans_called(&sluicebox, "renamed");
    sluicebox.write("pipeline.yaml", pipeline_of_wasm("{ behaviour: keep }"));
    let told = sluicebox.wait_for_log("the change is not taken, generation 2 goes on");
    assert!(told.contains("failed to start: the plugin ran longer than its deadline of 5s"), "{told}");
    sluicebox.wait_for_log("generation 3 serves");
    wait_for_spans_called(&sluicebox, "sent");
    assert_nothing_lost(sluicebox, load, &["out.jsonl"]);
}

#[test]
fn f66_f67_f68_files_that_are_no_plugins_of_ours_are_refused_with_the_line_that_names_them() {
    let (sluicebox, load) = running(QUIET);
    let filter = guest("misbehaves");
    let impostors = [
        (b"no wasm at all".to_vec(), "not"),                     // F68
        (filter[..200].to_vec(), "cannot load the plugin"),      // F68
        (replaced(filter.clone(), "@0.1.0", "@0.9.0"), "0.9.0"), // F66
        (b"\0asm\x01\0\0\0".to_vec(), "cannot load the plugin"), // F67: no exports
    ];
    for (turn, (bytes, told)) in impostors.into_iter().enumerate() {
        sluicebox.write("stage.wasm", bytes);
        let text = sluicebox.wait_for_nth_log("the change is not taken, generation 1 goes on", turn + 1);
        assert!(text.contains(told), "{text}");
        let (_, error) = last_reload(&sluicebox);
        assert!(error.contains("pipeline.yaml:4:") && error.contains("stage: { plugin: ./stage.wasm"), "{error}");
    }
    wait_for_spans_called(&sluicebox, "renamed");
    assert_nothing_lost(sluicebox, load, &["out.jsonl"]);
}
