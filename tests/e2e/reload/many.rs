//! Many reloads: nothing grows.

use std::fs;

use super::*;
use crate::plugins::guests::guest;

/// How many; enough that a leak of a thread, a listener, an instance or compiled code a reload would show.
const RELOADS: usize = 50;
/// Reloads after which everything that is allocated once has been.
const WARM: usize = 15;

#[test]
fn f90_fifty_reloads_under_load_lose_nothing_refuse_nothing_and_leave_nothing_behind() {
    let guests = [guest("edits"), guest("misbehaves")];
    let text = |turn: usize| pipeline_of_wasm("{}").replace("20ms", &format!("{}ms", 20 + turn % 3));
    let files = folder(&[("pipeline.yaml", text(0).as_bytes()), ("stage.wasm", &guests[0])]);
    let sluicebox = Sluicebox::run_in(files, &["pipeline.yaml"]);
    let load = Load::on(&sluicebox);
    let mut warm = None;
    for turn in 1..=RELOADS {
        // Other code each time, and another exporter: compiled anew, drained and started anew.
        sluicebox.write("stage.wasm", &guests[turn % 2]);
        sluicebox.write("pipeline.yaml", text(turn));
        sluicebox.wait_for_log(&format!("generation {} serves", turn + 1));
        if turn == WARM {
            warm = Some(usage(sluicebox.id()));
        }
    }
    load.wait_for_more();
    let warm = warm.unwrap();
    // The generation before may still be on its way out; what leaks never goes.
    let nothing_left = || {
        let end = usage(sluicebox.id());
        (end.descriptors <= warm.descriptors + 4
            && end.threads <= warm.threads + 4
            && end.resident_kib <= warm.resident_kib + 12 * 1024)
            .then_some(())
    };
    harness::wait_for("what fifty reloads leave", nothing_left, || format!("{warm:?} {:?}", usage(sluicebox.id())));
    assert_nothing_lost(sluicebox, load, &["out.jsonl"]);
}

/// What a process holds.
#[derive(Debug)]
struct Usage {
    descriptors: usize,
    threads: usize,
    resident_kib: usize,
}

fn usage(id: u32) -> Usage {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let number = |key: &str| -> usize {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.trim().split(' ').next().unwrap().parse().unwrap()
    };
    let descriptors = fs::read_dir(format!("/proc/{id}/fd")).unwrap().count();
    Usage { descriptors, threads: number("Threads:"), resident_kib: number("VmRSS:") }
}
