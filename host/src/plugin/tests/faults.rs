//! What a call can come to when a plugin misbehaves in it.

use std::process::Command;
use std::time::Duration;

use tokio::time::Instant;

use crate::plugin::testing::{context, instance, stage, texts, view};
use crate::plugin::{Fault, TICK};

/// The fault of one call, after which the instance must be gone.
async fn fault_of(behaviour: &str) -> Fault {
    let mut instance = instance(behaviour).await;
    let column = texts(["a", "b", "c"]);
    let fault = instance.filter(&view(&column)).await.expect_err(behaviour);
    assert!(instance.is_gone());
    assert!(matches!(instance.filter(&view(&column)).await, Err(Fault::Gone)));
    fault
}

#[tokio::test]
async fn f56_a_trap_is_a_fault_that_says_what_trapped() {
    for (behaviour, expected) in [
        ("unreachable", "wasm `unreachable` instruction executed"),
        ("out-of-bounds", "out of bounds memory access"),
        ("divide", "integer divide by zero"),
    ] {
        match fault_of(behaviour).await {
            Fault::Trap { message, .. } => assert_eq!(message, expected),
            other => panic!("{behaviour}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn f56_the_batch_is_intact_and_a_new_instance_works() {
    let stage = stage("misbehaves", context("keep")).unwrap();
    let column = texts(["fine", "poison"]);
    let before = column.clone();
    assert_eq!(stage.start().await.unwrap().filter(&view(&column)).await.unwrap_err().kind(), "trap");
    assert_eq!(column, before);
    let healthy = texts(["fine"]);
    assert_eq!(stage.start().await.unwrap().filter(&view(&healthy)).await.unwrap(), [0xff]);
}

#[tokio::test]
async fn f57_a_panic_brings_its_message_bounded_and_escaped() {
    let fault = fault_of("panic").await;
    let Fault::Trap { words: Some(words), .. } = &fault else { panic!("{fault:?}") };
    assert!(words.contains("row 3 was \\u{1b}[31mred\\nxxx"), "{words}");
    assert!(words.len() < 5_000, "{}", words.len());
    assert!(fault.to_string().contains("its last words: "));
    assert_eq!(fault.kind(), "trap");
}

#[tokio::test]
async fn f58_an_endless_loop_is_killed_at_its_deadline() {
    let deadline = Duration::from_millis(40);
    let mut context = context("loop");
    context.limits.deadline = deadline;
    let mut instance = stage("misbehaves", context).unwrap().start().await.unwrap();
    let column = texts(["a"]);
    let begun = Instant::now();
    let fault = instance.filter(&view(&column)).await.unwrap_err();
    let took = begun.elapsed();
    assert!(matches!(fault, Fault::Deadline(time) if time == deadline), "{fault:?}");
    assert!(took >= deadline, "{took:?}");
    // One tick to be rounded up, one to be noticed; the rest is for a busy machine, which may stand still for long.
    assert!(took <= deadline + 2 * TICK + Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn f58_a_runaway_call_shares_its_thread() {
    let mut instance = instance("loop").await;
    let column = texts(["a"]);
    let view = view(&column);
    let call = instance.filter(&view);
    tokio::pin!(call);
    // Other work of the same thread has its turns while the call still runs, and I/O and timers with it.
    for _ in 0..20 {
        tokio::select! {
            biased;
            answer = &mut call => panic!("{answer:?}"),
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

#[tokio::test]
async fn f60_a_memory_bomb_stops_at_its_cap() {
    let mut context = context("hog");
    context.limits.memory = 16 << 20;
    let mut instance = stage("misbehaves", context).unwrap().start().await.unwrap();
    let column = texts(["a"]);
    let fault = instance.filter(&view(&column)).await.unwrap_err();
    assert!(matches!(fault, Fault::Memory { max } if max == 16 << 20), "{fault:?}");
    assert!(instance.is_gone());
}

#[tokio::test]
async fn f60_a_batch_that_does_not_fit_is_a_memory_fault_too() {
    let mut context = context("keep");
    context.limits.memory = 4 << 20;
    let mut instance = stage("misbehaves", context).unwrap().start().await.unwrap();
    let column = texts([&*"x".repeat(8 << 20)]);
    assert_eq!(instance.filter(&view(&column)).await.unwrap_err().kind(), "memory");
}

#[tokio::test]
async fn f61_endless_recursion_traps() {
    match fault_of("recurse").await {
        Fault::Trap { message, .. } => assert_eq!(message, "call stack exhausted"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refusal_is_the_plugins_own_and_keeps_the_instance() {
    let mut instance = instance("refuse").await;
    let column = texts(["a", "b"]);
    let fault = instance.filter(&view(&column)).await.unwrap_err();
    assert_eq!(fault.to_string(), "the plugin refused the batch: no batch of 2 today");
    assert!(!instance.is_gone());
}

#[tokio::test]
async fn a_cancelled_call_leaves_no_instance() {
    let mut instance = instance("loop").await;
    let column = texts(["a"]);
    let view = view(&column);
    tokio::select! {
        biased;
        _ = instance.filter(&view) => panic!("a loop ended"),
        () = tokio::time::sleep(5 * TICK) => {}
    }
    assert!(instance.is_gone());
}

/// Set in the process that runs nothing but the test of leaks.
const ALONE: &str = "SLUICEBOX_TEST_ALONE";

#[test]
fn f80_many_calls_leave_nothing_behind() {
    // In a process of its own, because resident memory is the process's, and other tests move it.
    if std::env::var_os(ALONE).is_none() {
        let name = "plugin::tests::faults::f80_many_calls_leave_nothing_behind";
        let mut alone = Command::new(std::env::current_exe().unwrap());
        let output = alone.args(["--exact", name, "--nocapture"]).env(ALONE, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(call_many_times());
}

async fn call_many_times() {
    let mut instance = instance("drop-short-names").await;
    let column = texts(["a name", "b", "another name", "c"]);
    let view = view(&column);
    for _ in 0..10_000 {
        instance.filter(&view).await.unwrap();
    }
    let (guest, host) = (instance.memory(), resident_bytes());
    for _ in 0..200_000 {
        instance.filter(&view).await.unwrap();
    }
    assert_eq!(instance.memory(), guest);
    // Ten bytes a call would be 2 MB.
    if let (Some(before), Some(after)) = (host, resident_bytes()) {
        assert!(after < before + (1 << 20), "{before} → {after}");
    }
}

fn resident_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(status.split_whitespace().nth(1)?.parse::<usize>().ok()? * 4096)
}
