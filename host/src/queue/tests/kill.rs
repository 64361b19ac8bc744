//! F41 with real processes and real files: this test binary runs itself as a child, reads what it says it has
//! acknowledged and handed out, and kills it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::disk::Dice;
use super::*;
use crate::queue::view::{Sight, View};

const DIR: &str = "SLUICEBOX_TEST_QUEUE";
const CONSUMERS: usize = 3;

fn options() -> Options {
    Options { segment_bytes: 64 << 10, ..Options::default() }
}

/// One line, in one call: what is not out when the process is killed was not said.
fn say(what: &str, number: u64) {
    let line = format!("\n@ {what} {number}\n");
    io::stdout().lock().write_all(line.as_bytes()).expect("the parent listens");
}

/// Not a test by itself: what the parent runs and kills.
#[test]
#[ignore = "run by the test below"]
fn the_child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (queue, _) = open_with(Arc::new(Disk), Path::new(&dir), &options());
        let first: u64 = std::env::var("FIRST").unwrap().parse().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for producer in 0..4 {
            let queue = queue.clone();
            tasks.spawn(async move {
                for number in (first + producer..).step_by(4) {
                    let size = 50 + (number as usize * 37) % 3000;
                    if append(&queue, payload(number, size)).await.is_ok() {
                        say("acked", number);
                    }
                }
            });
        }
        for _ in 0..CONSUMERS {
            let queue = queue.clone();
            tasks.spawn(async move {
                while let Some(stored) = queue.next().await {
                    say("out", number(&stored.payload));
                    tokio::task::yield_now().await;
                    stored.delivered();
                }
            });
        }
        tasks.join_next().await;
    });
}

/// Runs a child and kills it after so many lines; what it said.
fn live_and_die(dir: &Path, first: u64, lines: usize) -> BTreeMap<String, BTreeSet<u64>> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "queue::tests::kill::the_child", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .env("FIRST", first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut count = 0;
    // After the kill, what is in the pipe was said before it.
    while let Some(Ok(line)) = out.next() {
        let Some(words) = line.strip_prefix("@ ") else { continue };
        let (what, number) = words.split_once(' ').unwrap();
        said.entry(what.to_owned()).or_default().insert(number.parse().unwrap());
        count += 1;
        if count == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(count >= lines, "the child ended by itself");
    said
}

#[test]
fn f41_kill_9_loses_nothing_and_repeats_only_what_was_out() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut dice = Dice::new(std::process::id().into());
    let (mut waiting, mut first) = (BTreeSet::new(), 0);
    for round in 0..12 {
        let said = live_and_die(dir.path(), first, 1 + dice.below(400) as usize);
        let nothing = BTreeSet::new();
        let (acked, out) = (said.get("acked").unwrap_or(&nothing), said.get("out").unwrap_or(&nothing));
        waiting.extend(acked);
        first = first.max(waiting.last().map_or(0, |last| last + 1)) + 1000;
        let view = View::open(dir.path()).unwrap();
        let mut there = BTreeSet::new();
        view.visit(|sight| {
            if let Sight::Entry(seen) = sight
                && !seen.done
            {
                there.insert(number(&seen.payload));
            }
            Ok(())
        })
        .unwrap();
        let lost: Vec<_> = waiting.iter().filter(|number| !there.contains(number) && !out.contains(number)).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?}");
        let again: Vec<_> = there.intersection(out).collect();
        assert!(again.len() <= CONSUMERS, "round {round}: {again:?}");
        waiting = there;
    }
    runtime.block_on(async {
        let (queue, _) = open_with(Arc::new(Disk), dir.path(), &options());
        assert_eq!(drain(&queue).await.into_iter().collect::<BTreeSet<_>>(), waiting);
    });
}
