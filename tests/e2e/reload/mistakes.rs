//! Pipeline files with mistakes: the old generation goes on, and says what is wrong.

use super::*;

#[test]
fn f86_f87_a_file_with_a_mistake_changes_nothing_and_is_told_exactly() {
    let right = pipeline("", "");
    let sluicebox = Sluicebox::run(&right);
    let load = Load::on(&sluicebox);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let list = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", list.trim_end_matches(", ")));
    }
    let mistakes = [
        (right.replace("receivers: [otlp]", "receivers: [otlp"), "pipeline.yaml:"),
        (right.replace("timeout: 20ms", "timeuot: 20ms"), "timeuot"),
        (right.replace("exporters: [file]", "exporters: [flie]"), "flie"),
        (format!("{right}{bomb}"), "pipeline.yaml"),
        (String::new(), "pipeline.yaml"),
        ("\u{0}\u{1}".to_owned(), "pipeline.yaml"),
    ];
    for (turn, (wrong, told)) in mistakes.into_iter().enumerate() {
        sluicebox.write("pipeline.yaml", wrong);
        sluicebox.wait_for_nth_log("the change is not taken, generation 1 goes on", turn + 1);
        let (outcome, error) = last_reload(&sluicebox);
        assert!(outcome == "refused" && error.contains(told), "{turn}: {error}");
        load.wait_for_more();
    }
    sluicebox.write("pipeline.yaml", right.replace("20ms", "30ms"));
    sluicebox.wait_for_log("generation 2 serves");
    assert_eq!(last_reload(&sluicebox), ("applied".to_owned(), String::new()));
    assert_nothing_lost(sluicebox, load, &["out.jsonl"]);
}

#[test]
fn f82_a_pipeline_file_that_is_deleted_goes_on_until_it_is_back() {
    let right = pipeline("", "");
    let sluicebox = Sluicebox::run(&right);
    let load = Load::on(&sluicebox);
    fs::remove_file(sluicebox.path("pipeline.yaml")).unwrap();
    sluicebox.wait_for_log("pipeline.yaml is gone; what runs goes on");
    sluicebox.wait_for_log("the change is not taken, generation 1 goes on");
    load.wait_for_more();
    sluicebox.write("pipeline.yaml", right.replace("20ms", "30ms"));
    sluicebox.wait_for_log("generation 2 serves");
    assert_nothing_lost(sluicebox, load, &["out.jsonl"]);
}
