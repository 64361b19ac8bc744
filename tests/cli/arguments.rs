//! Exit codes: 0 done, 1 something is wrong with what was named, 2 the command line is wrong.

use std::path::Path;

use crate::sluicebox::{command, run, sluicebox};

const SOUND: &str = "
receivers: { otlp: }
exporters: { debug: }
service: { pipelines: { traces: { receivers: [otlp], exporters: [debug] } } }
";

fn here() -> &'static Path {
    Path::new(".")
}

#[test]
fn a_wrong_command_line_exits_with_2_and_says_how_it_goes() {
    let wrong: [&[&str]; 14] = [
        &[],
        &["dance"],
        &["run"],
        &["validate"],
        &["validate", "--fast", "a.yaml"],
        &["-v", "-q", "schema"],
        &["--log-format", "xml", "schema"],
        &["plugin", "new"],
        &["plugin", "new", "Not A Name"],
        &["plugin", "new", "a", "--kind", "router"],
        &["plugin", "inspect", "drop", "--signal", "profiles"],
        &["queue", "export", "q"],
        &["queue", "drain", "q"],
        &["queue", "drain", "q", "--endpoint", "http://a:1", "--config", "p.yaml", "--exporter", "otlp"],
    ];
    for arguments in wrong {
        let ran = sluicebox(here(), arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("--help") || ran.err.contains("Usage:"), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn validate_exits_with_0_if_the_files_can_run() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.yaml"), SOUND).unwrap();
    for path in ["a.yaml", "."] {
        let ran = sluicebox(folder.path(), &["validate", path]);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "ok: 1 file, 1 pipeline\n", ""));
    }
}

#[test]
fn validate_exits_with_1_and_prints_every_problem() {
    let folder = tempfile::tempdir().unwrap();
    let broken = SOUND.replace("exporters: [debug]", "exporters: [debgu]").replace("otlp: }", "otlp: { port: 1 } }");
    std::fs::write(folder.path().join("a.yaml"), broken).unwrap();
    for verb in ["validate", "run"] {
        let ran = sluicebox(folder.path(), &[verb, "a.yaml"]);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{}", ran.err);
        for part in ["debgu", "port", "a.yaml:2:", "a.yaml:4:", "2 problems"] {
            assert!(ran.err.contains(part), "{part} is not in: {}", ran.err);
        }
    }
}

#[test]
fn a_file_that_is_not_there_is_a_problem_and_named() {
    let ran = sluicebox(here(), &["validate", "no-such.yaml"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("no-such.yaml"), "{}", ran.err);
}

#[test]
fn a_log_filter_that_is_none_is_told_before_anything_is_done() {
    let mut command = command(here(), &["plugin", "inspect", "no-such-plugin"]);
    command.env("SLUICEBOX_LOG", "sluicebox=loud");
    let ran = run(command);
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("error: the variable SLUICEBOX_LOG holds no log filter"), "{}", ran.err);
}
