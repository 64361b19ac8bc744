//! A model of the queue, which has no threads and no files, against the real one.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::disk::FakeDisk;
use super::*;

const DIR: &str = "/queue";

#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Next,
    Deliver(usize),
    PutBack(usize),
    Reopen,
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (8usize..1500).prop_map(Step::Append),
        1 => (8000usize..20_000).prop_map(Step::Append),
        5 => Just(Step::Next),
        4 => (0usize..8).prop_map(Step::Deliver),
        1 => (0usize..8).prop_map(Step::PutBack),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
    ]
}

/// What should be so.
#[derive(Debug, Default)]
struct Model {
    appended: u64,
    /// Neither delivered nor out, with their sizes.
    waiting: BTreeMap<u64, usize>,
    /// Delivered since the last entry was handed out: a kill may bring these back.
    fresh: BTreeMap<u64, usize>,
}

struct Run {
    disk: FakeDisk,
    queue: Queue,
    model: Model,
    out: Vec<(u64, usize, Stored)>,
}

impl Run {
    fn open(disk: FakeDisk, model: Model) -> Self {
        let options = Options { segment_bytes: 4 << 10, ..Options::default() };
        let (queue, _) = open_with(Arc::new(disk.clone()), Path::new(DIR), &options);
        Run { disk, queue, model, out: Vec::new() }
    }

    async fn take(mut self, step: Step) -> Self {
        match step {
            Step::Append(size) => {
                let number = self.model.appended;
                append(&self.queue, payload(number, size)).await.unwrap();
                self.model.appended += 1;
                self.model.waiting.insert(number, size.max(8));
            }
            Step::Next => {
                let Some((&lowest, _)) = self.model.waiting.first_key_value() else { return self };
                let stored = next(&self.queue).await;
                let number = number(&stored.payload);
                let size = self.model.waiting.remove(&number).expect("it was waiting");
                assert_eq!(stored.payload, payload(number, size));
                // One that has just come back is read again, and may be overtaken.
                assert!(number == lowest || stored.ticket.sequence() > lowest);
                self.model.fresh.clear();
                self.out.push((number, size, stored));
            }
            Step::Deliver(index) if index < self.out.len() => {
                let (number, size, stored) = self.out.remove(index);
                stored.delivered();
                self.model.fresh.insert(number, size);
            }
            Step::PutBack(index) if index < self.out.len() => {
                let (number, size, stored) = self.out.remove(index);
                drop(stored);
                self.model.waiting.insert(number, size);
            }
            Step::Deliver(_) | Step::PutBack(_) => {}
            Step::Reopen => {
                let out = std::mem::take(&mut self.out);
                self.model.waiting.extend(out.into_iter().map(|(number, size, _)| (number, size)));
                self.model.fresh.clear();
                within(self.queue.finish()).await;
                self = Run::open(self.disk, self.model);
            }
            Step::Kill => {
                let disk = self.disk.kill();
                let out = std::mem::take(&mut self.out);
                self.model.waiting.extend(out.into_iter().map(|(number, size, _)| (number, size)));
                self = Run::open(disk, self.model);
                self.judge_again();
            }
        }
        self.check();
        self
    }

    /// What was delivered last before a kill is either known as delivered or not; nothing else is open.
    fn judge_again(&mut self) {
        let held = self.queue.held().entries as usize;
        let sure: BTreeSet<u64> = self.model.waiting.keys().copied().collect();
        let fresh = std::mem::take(&mut self.model.fresh);
        assert!(held >= sure.len() && held <= sure.len() + fresh.len(), "{held} of {sure:?} and {fresh:?}");
        let state = self.queue.handle.shared.state.lock();
        // Numbers are sequence numbers here, since every append succeeds.
        self.model.waiting.extend(fresh.into_iter().filter(|(number, _)| !state.done.contains(*number)));
    }

    fn check(&self) {
        let all = self.model.waiting.iter().map(|(number, size)| (*number, *size));
        let all: Vec<_> = all.chain(self.out.iter().map(|(number, size, _)| (*number, *size))).collect();
        let held = Tally {
            entries: all.len() as u64,
            records: all.iter().map(|(number, _)| number % 5 + 1).sum(),
            bytes: all.iter().map(|(_, size)| *size as u64).sum(),
        };
        assert_eq!(self.queue.held(), held);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_does_what_its_model_does(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::open(FakeDisk::new(Path::new(DIR)), Model::default());
            for step in steps {
                run = run.take(step).await;
            }
            let left: BTreeSet<u64> = run.model.waiting.keys().copied().collect();
            run.out.into_iter().for_each(|(_, _, stored)| stored.delivered());
            let drained: BTreeSet<u64> = drain(&run.queue).await.into_iter().collect();
            assert_eq!(drained, left);
        });
    }
}
