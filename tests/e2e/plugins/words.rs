//! What a plugin says: its panics and its log, bounded and escaped.

use std::time::SystemTime;

use super::{Client, folder, misbehaving};
use crate::harness::Sluicebox;

#[tokio::test]
async fn f57_a_panic_s_message_is_in_the_log_and_its_fault_in_the_metrics() {
    let sluicebox = Sluicebox::run_in(folder(&misbehaving("panic", "pass")), &["pipeline.yaml"]);
    assert_eq!(Client::of(&sluicebox, "otlp").send(&["bad"]).await, 200);
    let line = sluicebox.wait_for_log("the batch goes on as if the stage were not there");
    let parts =
        ["WARN", "processor=\"guest\"", "plugin=\"misbehaves\"", "fault=\"trap\"", "the plugin trapped", "row 1 was "];
    for part in parts {
        assert!(line.contains(part), "no {part:?} in {}", line.chars().take(2_000).collect::<String>());
    }
    // The message is 100 kB, with colours and a line break.
    assert!(line.len() < 8 << 10, "{} bytes", line.len());
    assert!(!line.contains('\u{1b}'));
    let labels = ["processor=\"guest\"", "plugin=\"misbehaves\"", "plugin_version=\"0.1.0\"", "fault=\"trap\""];
    assert_eq!(sluicebox.metric("sluicebox_plugin_faults_total", &labels).await, 1.0);
    sluicebox.stop();
}

#[tokio::test]
async fn f77_a_plugin_that_fills_the_log_is_cut_off_and_its_lines_are_counted() {
    let sluicebox = Sluicebox::run_in(folder(&misbehaving("spam", "pass")), &["pipeline.yaml"]);
    let client = Client::of(&sluicebox, "otlp");
    let begun = SystemTime::now();
    for _ in 0..3 {
        assert_eq!(client.send(&["bad"]).await, 200);
    }
    let seconds = begun.elapsed().unwrap().as_secs() as usize + 1;
    let dropped = sluicebox.metric("sluicebox_plugin_log_lines_dropped_total", &["processor=\"guest\""]).await;
    let (log, _) = sluicebox.stop();
    let lines: Vec<_> = log.iter().filter(|line| line.contains("yyyy")).collect();
    // 3000 lines of 10 kB were written; 100 may come at once, and 50 more a second.
    assert!((100..=100 + 50 * seconds).contains(&lines.len()), "{} lines in {seconds} s", lines.len());
    assert_eq!(dropped as usize + lines.len(), 3_000);
    let longest = lines.iter().map(|line| line.len()).max().unwrap();
    assert!(longest < 5 << 10, "{longest} bytes");
}

#[tokio::test]
async fn f77_a_forged_line_is_one_line() {
    let sluicebox = Sluicebox::run_in(folder(&misbehaving("log", "pass")), &["pipeline.yaml"]);
    assert_eq!(Client::of(&sluicebox, "otlp").send(&["bad"]).await, 200);
    let line = sluicebox.wait_for_log("forged line");
    assert!(line.contains("batch of 1\\nforged line\\u{7}") && line.contains("INFO"), "{line}");
    sluicebox.stop();
}
