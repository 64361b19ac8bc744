//! The data threads: one a core, each with a single-threaded runtime of its own.
//!
//! A connection, the plugin instances that its requests meet and the batchers they end in live on one shard, so that
//! nothing is locked and no batch is handed to another thread on its way (DESIGN, section 2). Whoever has work for a
//! shard spawns a named task on it; the shard knows which of them are alive, and a shutdown waits for them.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::supervise::{Panics, ROUND, faults};

/// A handle to all shards; cheap to clone. They run until [`shutdown`](Shards::shutdown).
#[derive(Clone, Debug)]
pub struct Shards {
    shards: Arc<[Shard]>,
    panics: Panics,
}

/// Tasks that a shutdown had to cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Where they ran.
    pub shard: usize,
    /// The name that they were spawned with.
    pub task: &'static str,
    /// How many of that name.
    pub count: usize,
}

impl Shards {
    /// Starts `count` threads, named `shard-0` and so on.
    pub fn start(count: NonZeroUsize) -> io::Result<Shards> {
        Shards::counting(count, Panics::default())
    }

    /// The same, with a count of what panics on them.
    pub fn counting(count: NonZeroUsize, panics: Panics) -> io::Result<Shards> {
        let shards = (0..count.get()).map(Shard::start).collect::<io::Result<_>>()?;
        Ok(Shards { shards, panics })
    }

    /// The count of what panics on them.
    pub fn panics(&self) -> &Panics {
        &self.panics
    }

    /// Shards whose thread has ended, although it was not told to.
    pub fn dead(&self) -> Vec<usize> {
        self.which(|shard| shard.running.lock().as_ref().is_some_and(|running| running.thread.is_finished()))
    }

    /// Shards that have not come to anything for so long.
    pub fn silent(&self, silence: Duration) -> Vec<usize> {
        self.which(|shard| shard.tasks.beat.lock().elapsed() >= silence)
    }

    fn which(&self, is_so: impl Fn(&Shard) -> bool) -> Vec<usize> {
        self.shards.iter().enumerate().filter(|(_, shard)| is_so(shard)).map(|(index, _)| index).collect()
    }

    /// How many there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.shards.len()
    }

    /// The runtime of each, for what keeps track of its own tasks.
    pub fn handles(&self) -> Vec<Handle> {
        self.shards.iter().map(|shard| shard.runtime.clone()).collect()
    }

    /// Runs `future` on a shard, counted from 0 (and round and round, so that any number will do).
    ///
    /// The task is known by `name` until it ends; after a shutdown it does not run at all, and joining it fails.
    pub fn spawn_on<F>(&self, shard: usize, name: &'static str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        // `start` made at least one shard, so the remainder is an index.
        let shard = &self.shards[shard % self.shards.len()];
        let alive = Alive::enter(&shard.tasks, name);
        let panics = self.panics.clone();
        shard.runtime.spawn(async move {
            let _alive = alive;
            panics.noted(name, future).await
        })
    }

    /// Waits until the tasks of all shards have ended, at most until `deadline`, then stops the threads one after
    /// the other. What was cut off is reported.
    pub async fn shutdown(&self, deadline: Instant) -> Vec<Unfinished> {
        for shard in self.shards.iter() {
            // At the deadline the rest is cut off below.
            let _ = timeout_at(deadline, shard.tasks.ended()).await;
        }
        let mut unfinished = Vec::new();
        for (index, shard) in self.shards.iter().enumerate() {
            let left = shard.tasks.alive.lock().clone();
            unfinished.extend(left.into_iter().map(|(task, count)| Unfinished { shard: index, task, count }));
            shard.stop().await;
        }
        unfinished
    }
}

/// One thread and its runtime.
#[derive(Debug)]
struct Shard {
    runtime: Handle,
    tasks: Arc<Tasks>,
    /// None once it was stopped.
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<()>,
    stopped: oneshot::Receiver<()>,
    thread: thread::JoinHandle<()>,
}

impl Shard {
    fn start(index: usize) -> io::Result<Shard> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let tasks = Arc::new(Tasks::new());
        // Not one of the tasks that a shutdown waits for; it ends with the runtime.
        drop(handle.spawn(Arc::clone(&tasks).beat()));
        let (stop, told_to_stop) = oneshot::channel();
        let (has_stopped, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name(format!("shard-{index}"))
            .spawn(move || run(runtime, told_to_stop, has_stopped))?;
        let running = Mutex::new(Some(Running { stop, stopped, thread }));
        Ok(Shard { runtime: handle, tasks, running })
    }

    async fn stop(&self) {
        let Some(Running { stop, stopped, thread }) = self.running.lock().take() else { return };
        drop(stop);
        // Either way the thread has nothing left to do, so that joining it does not block.
        let _ = stopped.await;
        if thread.join().is_err() {
            tracing::error!("a shard's thread panicked");
        }
    }
}

/// The life of a shard's thread: until it is told to stop, or nobody is left who could tell it.
fn run(runtime: Runtime, told_to_stop: oneshot::Receiver<()>, has_stopped: oneshot::Sender<()>) {
    // An error means that the handle was dropped, which says the same.
    runtime.block_on(async {
        tokio::select! {
            _ = told_to_stop => {}
            _ = faults("shard") => {}
        }
    });
    runtime.shutdown_background();
    // Nobody may be waiting.
    let _ = has_stopped.send(());
}

/// The tasks of a shard that have not ended, by name.
#[derive(Debug)]
struct Tasks {
    alive: Mutex<BTreeMap<&'static str, usize>>,
    one_ended: Notify,
    /// When the shard last came to something.
    beat: Mutex<Instant>,
}

impl Tasks {
    fn new() -> Tasks {
        Tasks { alive: Mutex::default(), one_ended: Notify::new(), beat: Mutex::new(Instant::now()) }
    }

    async fn beat(self: Arc<Self>) {
        loop {
            *self.beat.lock() = Instant::now();
            sleep(ROUND).await;
        }
    }

    async fn ended(&self) {
        loop {
            let one_ended = self.one_ended.notified();
            if self.alive.lock().is_empty() {
                return;
            }
            one_ended.await;
        }
    }
}

/// Held by a task as long as it lives, however it ends.
struct Alive {
    tasks: Arc<Tasks>,
    name: &'static str,
}

impl Alive {
    fn enter(tasks: &Arc<Tasks>, name: &'static str) -> Alive {
        *tasks.alive.lock().entry(name).or_default() += 1;
        Alive { tasks: Arc::clone(tasks), name }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        let mut alive = self.tasks.alive.lock();
        match alive.get_mut(self.name) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(alive.remove(self.name)),
        }
        drop(alive);
        self.tasks.one_ended.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Shards {
        Shards::start(NonZeroUsize::new(2).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn tasks_run_on_the_thread_of_their_shard() {
        let shards = two();
        for index in 0..4 {
            let name = shards.spawn_on(index, "name", async { thread::current().name().map(str::to_owned) });
            assert_eq!(name.await.unwrap(), Some(format!("shard-{}", index % 2)));
        }
        assert_eq!(shards.shutdown(Instant::now() + Duration::from_secs(5)).await, []);
    }

    #[tokio::test]
    async fn shutdown_waits_for_tasks_and_reports_those_it_cuts_off() {
        let shards = two();
        let (go, wait) = oneshot::channel::<()>();
        let finishes = shards.spawn_on(0, "finishes", wait);
        let endless: Vec<_> = (0..2).map(|_| shards.spawn_on(1, "endless", std::future::pending::<()>())).collect();
        let deadline = Instant::now() + Duration::from_millis(200);
        let (unfinished, ()) = tokio::join!(shards.shutdown(deadline), async { go.send(()).unwrap() });
        assert_eq!(unfinished, [Unfinished { shard: 1, task: "endless", count: 2 }]);
        assert_eq!(finishes.await.unwrap(), Ok(()));
        for task in endless {
            assert!(task.await.unwrap_err().is_cancelled());
        }
        assert!(shards.spawn_on(0, "too late", async {}).await.unwrap_err().is_cancelled());
    }

    #[tokio::test]
    async fn a_task_that_panics_is_not_alive_any_more() {
        let shards = two();
        assert!(shards.spawn_on(0, "panics", async { panic!("as the test asks") }).await.unwrap_err().is_panic());
        assert_eq!(shards.shutdown(Instant::now() + Duration::from_secs(5)).await, []);
    }
}
