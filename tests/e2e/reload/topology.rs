//! Receivers and exporters that come, change and go.

use std::net::{TcpListener, TcpStream};

use super::*;

/// One pipeline from each of these receivers (lines of YAML) to a file each.
fn receivers(receivers: &[(&str, &str)], out: &str) -> String {
    let listening = receivers
        .iter()
        .map(|(id, endpoint)| format!("  {id}: {{ protocols: {{ grpc: {{ endpoint: '{endpoint}' }} }} }}\n"));
    let listening: String = listening.collect();
    let ids: Vec<&str> = receivers.iter().map(|(id, _)| *id).collect();
    format!(
        "receivers:
{listening}exporters:
  file: {{ path: {out}, batch: {{ timeout: 20ms }} }}
service:
  pipelines:
    traces: {{ receivers: [{}], exporters: [file] }}
  telemetry: {{ endpoint: '127.0.0.1:0' }}
  shards: 2
",
        ids.join(", ")
    )
}

#[test]
fn f88_a_port_that_is_taken_rolls_the_change_back_and_no_listener_closes() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let right = pipeline("", "");
    let sluicebox = Sluicebox::run(&right);
    let load = Load::on(&sluicebox);
    // The exporter changes too: nothing of a change is taken if a part of it cannot be.
    let wrong = right.replacen("127.0.0.1:0", &taken, 1).replace("out.jsonl", "other.jsonl");
    sluicebox.write("pipeline.yaml", wrong);
    let told = sluicebox.wait_for_log("the change is not taken, generation 1 goes on");
    let expected = format!("receiver `otlp` cannot listen: {taken} is in use");
    assert!(told.contains(&expected), "{told}");
    load.wait_for_more();
    sluicebox.write("pipeline.yaml", &right);
    sluicebox.wait_for_log("nothing changed: generation 1 goes on");
    assert!(!sluicebox.path("other.jsonl").exists());
    assert_nothing_lost(sluicebox, load, &["out.jsonl"]);
}

#[test]
fn a_changed_exporter_is_drained_and_the_new_one_takes_over() {
    let sluicebox = Sluicebox::run(&pipeline("", ""));
    let load = Load::on(&sluicebox);
    // The old exporter would wait for a minute until it sends: what it holds must not be lost with it.
    sluicebox.write("pipeline.yaml", pipeline("", "").replace("20ms", "60s").replace("out.", "slow."));
    sluicebox.wait_for_log("generation 2 serves");
    load.wait_for_more();
    sluicebox.write("pipeline.yaml", pipeline("", "").replace("out.", "new."));
    sluicebox.wait_for_log("generation 3 serves");
    sluicebox.wait_for_lines("slow.jsonl", |lines| !lines.is_empty());
    sluicebox.wait_for_lines("new.jsonl", |lines| !lines.is_empty());
    // And one that keeps its file, but not its batching.
    sluicebox.write("pipeline.yaml", pipeline("", "").replace("out.", "new.").replace("20ms", "40ms"));
    sluicebox.wait_for_log("generation 4 serves");
    load.wait_for_more();
    assert_nothing_lost(sluicebox, load, &["out.jsonl", "slow.jsonl", "new.jsonl"]);
}

#[test]
fn a_removed_receiver_closes_an_added_one_opens_and_the_rest_keep_their_connections() {
    let any = "127.0.0.1:0";
    let before = receivers(&[("otlp/a", any), ("otlp/b", any)], "out.jsonl");
    let sluicebox = Sluicebox::run(&before);
    let (a, b) = (sluicebox.address("otlp/a", "grpc"), sluicebox.address("otlp/b", "grpc"));
    let load = Load::of(&[&b, &b], None);
    load.wait_for_more();

    sluicebox.write("pipeline.yaml", receivers(&[("otlp/b", any), ("otlp/c", any)], "out.jsonl"));
    sluicebox.wait_for_log("generation 2 serves");
    let c = sluicebox.address("otlp/c", "grpc");
    harness::wait_for("the listener to close", || TcpStream::connect(&a).is_err().then_some(()), String::new);
    let second = Load::of(&[&c], None);
    second.wait_for_more();
    load.wait_for_more();
    assert!(TcpStream::connect(&b).is_ok());
    let acknowledged = [load.stop(), second.stop()].concat();
    let (_, folder) = sluicebox.stop();
    assert_exactly_once(folder.path(), &["out.jsonl"], &acknowledged);
}

#[test]
fn a_listener_that_moves_to_another_receiver_keeps_its_connections() {
    let free = harness::free_address();
    let sluicebox = Sluicebox::run(&receivers(&[("otlp/old", &free)], "out.jsonl"));
    let load = Load::of(&[&free, &free], None);
    load.wait_for_more();
    sluicebox.write("pipeline.yaml", receivers(&[("otlp/new", &free)], "out.jsonl"));
    sluicebox.wait_for_log("generation 2 serves");
    load.wait_for_more();
    assert_nothing_lost(sluicebox, load, &["out.jsonl"]);
}
