//! How a pipeline file may change: in place, through a rename, behind symbolic links, or not at all.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::plugins::guests::guest;

const STAGE: &str = "  stage: { plugin: ./stage.wasm, limits: { deadline: 10s } }";

#[test]
fn a_pipeline_file_that_changes_in_place_or_through_a_rename_is_taken_without_a_lost_span() {
    let plain = pipeline("", "");
    let files = folder(&[("pipeline.yaml", plain.as_bytes()), ("stage.wasm", &guest("edits"))]);
    let sluicebox = Sluicebox::run_in(files, &["pipeline.yaml"]);
    let load = Load::on(&sluicebox);
    wait_for_spans_called(&sluicebox, "sent");

    fs::write(sluicebox.path("pipeline.yaml"), pipeline(STAGE, "stage")).unwrap();
    sluicebox.wait_for_log("generation 2 serves");
    wait_for_spans_called(&sluicebox, "renamed");

    sluicebox.write("pipeline.yaml", &plain);
    sluicebox.wait_for_log("generation 3 serves");
    wait_for_spans_called(&sluicebox, "sent");

    // Another rename over what a rename put there: the watch is on the folder, not on a file that is gone.
    sluicebox.write("pipeline.yaml", pipeline(STAGE, "stage"));
    sluicebox.wait_for_log("generation 4 serves");

    sluicebox.signal("HUP");
    sluicebox.wait_for_log("nothing changed: generation 4 goes on");
    assert_eq!(last_reload(&sluicebox), ("unchanged".to_owned(), String::new()));
    load.wait_for_more();
    assert_nothing_lost(sluicebox, load, &["out.jsonl"]);
}

#[test]
fn f84_a_config_map_that_is_swapped_is_taken() {
    let files = tempfile::tempdir().unwrap();
    let conf = files.path().join("conf");
    let mounted = |version: &str, pipeline: &str| {
        let folder = conf.join(version);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("pipeline.yaml"), pipeline.replace("out.jsonl", "../out.jsonl")).unwrap();
        fs::write(folder.join("stage.wasm"), guest("edits")).unwrap();
        // As the kubelet does it.
        symlink(version, conf.join("..data_tmp")).unwrap();
        fs::rename(conf.join("..data_tmp"), conf.join("..data")).unwrap();
    };
    mounted("..2026_01", &pipeline("", ""));
    for name in ["pipeline.yaml", "stage.wasm"] {
        symlink(format!("..data/{name}"), conf.join(name)).unwrap();
    }
    let sluicebox = Sluicebox::run_in(files, &["conf"]);
    let load = Load::on(&sluicebox);
    mounted("..2026_02", &pipeline(STAGE, "stage"));
    fs::remove_dir_all(conf.join("..2026_01")).unwrap();
    sluicebox.wait_for_log("generation 2 serves");
    wait_for_spans_called(&sluicebox, "renamed");

    mounted("..2026_03", &pipeline("", ""));
    sluicebox.wait_for_log("generation 3 serves");
    wait_for_spans_called(&sluicebox, "sent");
    assert_nothing_lost(sluicebox, load, &["out.jsonl"]);
}

#[test]
fn f91_changes_in_quick_succession_end_with_the_last_one() {
    let files = folder(&[("pipeline.yaml", pipeline("", "").as_bytes()), ("stage.wasm", &guest("edits"))]);
    let sluicebox = Sluicebox::run_in(files, &["pipeline.yaml"]);
    let load = Load::on(&sluicebox);
    for turn in 0..40 {
        let stages = if turn % 2 == 0 { "stage" } else { "" };
        sluicebox.write("pipeline.yaml", pipeline(STAGE, stages));
        load.wait_for_more();
    }
    sluicebox.write("pipeline.yaml", pipeline(STAGE, "stage"));
    harness::wait_for(
        "the last change",
        || (stages(&sluicebox) == ["stage"]).then_some(()),
        || sluicebox.log().join("\n"),
    );
    wait_for_spans_called(&sluicebox, "renamed");
    assert_nothing_lost(sluicebox, load, &["out.jsonl"]);
}

/// The stages that serve, as `/status` tells.
fn stages(sluicebox: &Sluicebox) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = runtime.block_on(sluicebox.status());
    let stages = status["pipelines"][0]["stages"].as_array().unwrap().clone();
    stages.iter().map(|stage| stage["id"].as_str().unwrap().to_owned()).collect()
}
