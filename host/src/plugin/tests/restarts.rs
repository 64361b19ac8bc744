//! The slot: new instances after faults, and none when they are in vain.

use std::time::Duration;

use tokio::time::Instant;

use crate::plugin::breaker::{FAULTS_IN_A_ROW, OPEN_MIN};
use crate::plugin::testing::{context, stage, texts, view};
use crate::plugin::{Fault, Slot};

#[tokio::test]
async fn a_new_instance_takes_the_place_of_one_that_trapped() {
    let mut slot = Slot::start(&stage("misbehaves", context("keep")).unwrap()).await.unwrap();
    let (fine, poison) = (texts(["fine"]), texts(["poison"]));
    for _ in 0..3 {
        assert_eq!(slot.filter(&view(&poison)).await.unwrap_err().kind(), "trap");
        assert_eq!(slot.filter(&view(&fine)).await.unwrap(), [0xff]);
    }
}

#[tokio::test]
async fn f63_a_plugin_that_always_traps_is_soon_not_called() {
    let mut slot = Slot::start(&stage("misbehaves", context("unreachable")).unwrap()).await.unwrap();
    let column = texts(["a"]);
    let view = view(&column);
    let (mut traps, mut skips) = (0, 0);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(450) || skips < 1_000 {
        match slot.filter(&view).await.unwrap_err() {
            Fault::Trap { .. } => traps += 1,
            Fault::Open(wait) => {
                assert!(wait <= OPEN_MIN * (1 << (traps - FAULTS_IN_A_ROW)), "{wait:?} after {traps} traps");
                skips += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    // Twelve until it opens, one when 100 ms are over, one after 200 ms more, and so on.
    let openings = (begun.elapsed().as_millis() / OPEN_MIN.as_millis() + 1).ilog2();
    assert!((FAULTS_IN_A_ROW..=FAULTS_IN_A_ROW + openings + 1).contains(&traps), "{traps} traps");
}

#[tokio::test]
async fn f63_one_answer_and_the_plugin_is_trusted_again() {
    let mut slot = Slot::start(&stage("misbehaves", context("keep")).unwrap()).await.unwrap();
    let (fine, poison) = (texts(["fine"]), texts(["poison"]));
    loop {
        let asked = Instant::now();
        let Err(Fault::Open(wait)) = slot.filter(&view(&poison)).await else { continue };
        let answer = slot.filter(&view(&fine)).await;
        // If the machine stood still for so long that it may be tried again, it is another try here too.
        if asked.elapsed() < wait {
            assert!(matches!(answer, Err(Fault::Open(_))));
            break;
        }
    }
    tokio::time::sleep(Duration::from_millis(110)).await;
    assert_eq!(slot.filter(&view(&fine)).await.unwrap(), [0xff]);
    assert_eq!(slot.filter(&view(&poison)).await.unwrap_err().kind(), "trap");
    assert_eq!(slot.filter(&view(&fine)).await.unwrap(), [0xff]);
}

#[tokio::test]
async fn f70_condemned_answers_open_the_breaker_too() {
    let mut slot = Slot::start(&stage("misbehaves", context("short")).unwrap()).await.unwrap();
    let column = texts(["a"]);
    let mut answers = 0;
    while slot.filter(&view(&column)).await.is_ok() {
        answers += 1;
        slot.condemn();
        assert!(answers < 100);
    }
    assert_eq!(answers, 12);
}

#[tokio::test]
async fn a_cancelled_call_costs_the_instance_but_is_no_fault() {
    let mut context = context("loop");
    context.limits.deadline = Duration::from_secs(5);
    let mut slot = Slot::start(&stage("misbehaves", context).unwrap()).await.unwrap();
    let column = texts(["a"]);
    let view = view(&column);
    for _ in 0..20 {
        let call = tokio::time::timeout(Duration::from_millis(1), slot.filter(&view));
        assert!(call.await.is_err(), "cancelled, not skipped");
    }
}
