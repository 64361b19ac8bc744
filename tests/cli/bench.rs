//! `bench load` and `bench sink`, alone and with `run` between them: what the one sends is what the other counts.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use crate::sluicebox::{Ran, command, sluicebox};

/// A process of the binary that tells on standard error where it listens. Killed when it is dropped.
struct Server {
    child: Child,
    address: String,
    out: BufReader<ChildStdout>,
    /// Kept, so that what it logs later finds a reader.
    _err: BufReader<std::process::ChildStderr>,
}

impl Server {
    /// Waits for a line with `told`, which ends with the address.
    fn start(folder: &Path, arguments: &[&str], told: &str) -> Server {
        let mut command = command(folder, arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains(told) {
            line.clear();
            assert!(err.read_line(&mut line).unwrap() > 0, "it ended without `{told}`");
        }
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        Server { child, address, out, _err: err }
    }

    fn sink(arguments: &[&str]) -> Server {
        let all = [&["bench", "sink", "--listen", "127.0.0.1:0", "--json"], arguments].concat();
        Server::start(Path::new("."), &all, "sink listens on ")
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it with a signal; the rest of what it printed.
    fn stop(mut self) -> String {
        let signalled = std::process::Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(signalled.success());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {rest}");
        rest
    }

    fn totals(self) -> Value {
        let out = self.stop();
        serde_json::from_str(out.lines().last().unwrap()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already if the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn load(url: &str, arguments: &[&str]) -> (Ran, Value) {
    let ran = sluicebox(Path::new("."), &[&["bench", "load", url, "--json"], arguments].concat());
    let report = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    (ran, report)
}

#[test]
fn what_is_sent_in_any_form_is_what_is_counted() {
    let forms: [&[&str]; 6] = [
        &["--signal", "traces,metrics,logs"],
        &["--compression", "gzip"],
        &["--compression", "zstd", "--signal", "logs", "--record-bytes", "1000"],
        &["--protocol", "http"],
        &["--protocol", "http", "--encoding", "json", "--signal", "metrics"],
        &["--protocol", "http", "--encoding", "json", "--compression", "gzip", "--signal", "traces,logs"],
    ];
    for form in forms {
        let sink = Server::sink(&[]);
        let (ran, report) = load(&sink.url(), &[&["--requests", "60", "--batch", "20"], form].concat());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{form:?}");
        let totals = sink.totals();
        assert_eq!((&totals["requests"], &totals["records"]), (&60.into(), &1200.into()), "{form:?}: {totals}");
        assert_eq!(totals["malformed_requests"], 0, "{form:?}");
        assert_eq!(report["total"]["accepted_records"], 1200, "{form:?}: {report}");
        assert_eq!(report["total"]["sent_bytes"], totals["bytes"], "{form:?}");
        assert_eq!(report["errors"], serde_json::json!({}), "{form:?}");
    }
}

#[test]
fn signals_take_turns() {
    let sink = Server::sink(&[]);
    load(&sink.url(), &["--requests", "30", "--batch", "10", "--signal", "traces,metrics,logs"]);
    let totals = sink.totals();
    for records in ["spans", "metric_points", "log_records"] {
        assert_eq!(totals[records], 100, "{totals}");
    }
}

#[test]
fn a_filter_between_them_drops_the_share_that_was_asked_for() {
    let sink = Server::sink(&[]);
    let folder = tempfile::tempdir().unwrap();
    let pipeline = format!(
        "
receivers: {{ otlp: {{ protocols: {{ grpc: {{ endpoint: '127.0.0.1:0' }} }} }} }}
processors: {{ drop: {{ limits: {{ deadline: 10s }}, config: {{ 'span.attributes[\"http.route\"]': /healthz }} }} }}
exporters: {{ otlp: {{ endpoint: '{}' }} }}
service:
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  pipelines: {{ traces: {{ receivers: [otlp], processors: [drop], exporters: [otlp] }} }}
",
        sink.url()
    );
    std::fs::write(folder.path().join("pipeline.yaml"), pipeline).unwrap();
    let between = Server::start(folder.path(), &["run", "pipeline.yaml"], "receiver otlp listens for grpc on ");
    let pid = between.child.id().to_string();
    let arguments = ["--requests", "200", "--batch", "50", "--probes", "0.4", "--pid", &pid];
    let (_, report) = load(&between.url(), &arguments);
    assert_eq!(report["total"]["accepted_records"], 10_000, "{report}");
    assert!(report["process"]["resident_bytes"].as_f64().unwrap() > 1e6, "{report}");
    between.stop();
    assert_eq!(sink.totals()["records"], 6000);
}

#[test]
fn refusals_are_counted_apart_and_not_sent_again() {
    let sink = Server::sink(&["--fail", "0.25", "--status", "RESOURCE_EXHAUSTED", "--retry-after", "1s"]);
    let (ran, report) = load(&sink.url(), &["--requests", "40", "--batch", "10"]);
    assert_eq!((ran.code, &report["errors"]["RESOURCE_EXHAUSTED"]), (0, &10.into()), "{report}");
    let measured = &report["measured"];
    assert_eq!((&measured["refused_requests"], &measured["failed_requests"]), (&10.into(), &0.into()), "{report}");
    let totals = sink.totals();
    assert_eq!((&totals["refused_requests"], &totals["records"]), (&10.into(), &300.into()), "{totals}");

    let sink = Server::sink(&["--fail", "1", "--status", "400"]);
    let (ran, report) = load(&sink.url(), &["--requests", "5", "--protocol", "http"]);
    assert_eq!((ran.code, &report["errors"]["HTTP 400"]), (1, &5.into()), "{report}");
    assert_eq!(report["measured"]["failed_requests"], 5);
    sink.stop();
}

#[test]
fn an_open_loop_charges_requests_with_the_time_that_they_waited() {
    // One request at a time, each of 50 ms: 20 a second of the 100 that are due.
    let sink = Server::sink(&["--latency", "50ms"]);
    let slow = ["--connections", "1", "--in-flight", "1", "--requests", "20", "--batch", "1"];
    let (_, closed) = load(&sink.url(), &slow);
    let (_, open) = load(&sink.url(), &[&slow[..], &["--rate", "100"]].concat());
    let p50 = |report: &Value| report["latency_ms"]["p50"].as_f64().unwrap();
    assert!(p50(&closed) >= 50.0 && p50(&open) >= 400.0, "{closed}\n{open}");
    assert_eq!(open["asked_requests_per_s"], 100.0);
    sink.stop();
}

#[test]
fn a_rate_is_kept() {
    let sink = Server::sink(&["--no-records"]);
    let (_, report) = load(&sink.url(), &["--rate", "500", "--batch", "10", "--duration", "2s", "--warm-up", "200ms"]);
    // A machine that stands still for a moment owes some at the end, and says so; what it owes in between it sends later.
    let (measured, unsent) = (&report["measured"]["requests"], &report["unsent_requests"]);
    let (measured, unsent) = (measured.as_u64().unwrap(), unsent.as_u64().unwrap());
    assert!((95..=101).contains(&(measured + unsent)) && unsent < measured, "{report}");
    let totals = sink.totals();
    assert_eq!((&totals["requests"], &totals["records"]), (&report["total"]["requests"], &0.into()));
}

#[test]
fn load_ends_with_a_report_when_it_is_told_to() {
    let sink = Server::sink(&["--interval", "20ms"]);
    let arguments = ["bench", "load", &sink.url(), "--duration", "1h", "--warm-up", "0", "--json"];
    let child = command(Path::new("."), &arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut sink = sink;
    let mut line = String::new();
    loop {
        line.clear();
        sink.out.read_line(&mut line).unwrap();
        let report: Value = serde_json::from_str(&line).unwrap();
        if report["records"].as_u64().unwrap() > 1000 {
            assert!(report["records_per_s"].is_number(), "{report}");
            break;
        }
    }
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert!(ended.status.success(), "{report}");
    let accepted = report["total"]["accepted_records"].as_u64().unwrap();
    assert_eq!(sink.totals()["records"], accepted);
}

#[test]
fn what_cannot_begin_says_why() {
    let nobody = sluicebox(Path::new("."), &["bench", "load", "http://127.0.0.1:1"]);
    assert_eq!((nobody.code, nobody.out.as_str()), (1, ""));
    assert!(nobody.err.contains("cannot connect to 127.0.0.1:1") && nobody.err.contains("is it running?"));
    let json = sluicebox(Path::new("."), &["bench", "load", "--encoding", "json"]);
    assert!(json.code == 1 && json.err.contains("--protocol http"), "{}", json.err);
    let scheme = sluicebox(Path::new("."), &["bench", "load", "ftp://a"]);
    assert!(scheme.code == 1 && scheme.err.contains("http://host:port"), "{}", scheme.err);
    let sink = Server::sink(&[]);
    let taken = sluicebox(Path::new("."), &["bench", "sink", "--listen", &sink.address]);
    assert!(taken.code == 1 && taken.err.contains("name another with --listen"), "{}", taken.err);
    for wrong in [["--probes", "2"], ["--batch", "0"], ["--rate", "-1"], ["--duration", "soon"], ["-H", "a"]] {
        let ran = sluicebox(Path::new("."), &[&["bench", "load"], &wrong[..]].concat());
        assert_eq!(ran.code, 2, "{wrong:?}: {}", ran.err);
    }
    sink.stop();
}
