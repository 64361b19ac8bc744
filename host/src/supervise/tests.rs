//! Panics are counted, and what should go on goes on.

use std::cell::Cell;

use super::*;

fn counted(panics: &Panics, task: &'static str) -> u64 {
    panics.0.get_or_create_owned(&TaskLabels { task }).get()
}

#[tokio::test]
async fn f27_what_panics_begins_again_after_longer_and_longer_pauses() {
    let panics = Panics::default();
    let begun = Cell::new(0);
    let started = Instant::now();
    let run = || async {
        begun.set(begun.get() + 1);
        assert!(begun.get() > 2, "once more");
        "through"
    };
    assert_eq!(panics.survived("task", run).await, "through");
    assert_eq!((begun.get(), counted(&panics, "task")), (3, 2));
    assert!(started.elapsed() >= Duration::from_millis(50 + 100));
}

#[tokio::test]
async fn f27_a_noted_panic_is_counted_and_still_one() {
    let panics = Panics::default();
    let shared = panics.clone();
    let task = tokio::spawn(async move { shared.noted("task", async { panic!("as the test asks") }).await });
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(counted(&panics, "task"), 1);
}

#[test]
fn f27_a_thread_begins_again() {
    let mut runs = 0;
    survived_on_thread("thread", || {
        runs += 1;
        assert!(runs > 2, "once more");
    });
    assert_eq!(runs, 3);
}
