//! When requests are due.
//!
//! In an open loop a thread of its own says so: a timer of the runtime is a millisecond coarse, and every request would
//! be charged with that. The thread hands the moments over through a channel that is as long as there are workers; when
//! nobody is free it waits, and the moments that follow keep the times that they were due at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::Instant;

use super::plan::{LoadPlan, Rate, Until};

/// Moments that are told when they are due; a clone tells of the same.
#[derive(Clone)]
pub struct Pace(Option<Arc<Open>>);

struct Open {
    moments: Mutex<mpsc::Receiver<Instant>>,
    clock: Arc<Clock>,
}

struct Clock {
    begin: Instant,
    between: Duration,
    told: AtomicU64,
    /// Requests that are due in all, at most.
    due_max: u64,
}

impl Clock {
    /// How many moments lie before one.
    fn due_by(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.begin).as_secs_f64();
        ((elapsed / self.between.as_secs_f64()) as u64).min(self.due_max)
    }

    fn moment(&self, number: u64) -> Instant {
        self.begin + Duration::from_secs_f64(self.between.as_secs_f64() * number as f64)
    }
}

impl Pace {
    /// Begins to tell moments, until `ended` is true.
    pub fn start(plan: &LoadPlan, begin: Instant, ended: watch::Receiver<bool>) -> Pace {
        let Rate::Open { requests_per_s } = plan.rate else { return Pace(None) };
        let due_max = match plan.until {
            Until::Elapsed(duration) => ((plan.warm_up + duration).as_secs_f64() * requests_per_s).ceil() as u64,
            Until::Requests(requests) => requests,
        };
        let between = Duration::from_secs_f64(1.0 / requests_per_s);
        let clock = Arc::new(Clock { begin, between, told: AtomicU64::new(0), due_max });
        let workers = plan.connections.get().saturating_mul(plan.in_flight.get());
        let (tell, moments) = mpsc::channel(workers);
        let teller = Arc::clone(&clock);
        // Ends by itself when it was told to, or when nobody listens.
        let spawned = thread::Builder::new().name("pace".to_owned()).spawn(move || teller.tell(&tell, &ended));
        if let Err(error) = spawned {
            tracing::error!(%error, "cannot start the thread that paces requests");
        }
        Pace(Some(Arc::new(Open { moments: Mutex::new(moments), clock })))
    }

    /// Waits for the next moment. In a closed loop that is now.
    pub async fn next(&self) -> Option<Instant> {
        match &self.0 {
            None => Some(Instant::now()),
            Some(open) => open.moments.lock().await.recv().await,
        }
    }

    /// Requests that were due by now but had no worker to send them.
    pub fn unsent(&self) -> u64 {
        let Some(open) = &self.0 else { return 0 };
        let told = open.clock.told.load(Ordering::Relaxed);
        open.clock.due_by(Instant::now()).saturating_sub(told)
    }
}

impl Clock {
    fn tell(&self, tell: &mpsc::Sender<Instant>, ended: &watch::Receiver<bool>) {
        for number in 0..self.due_max {
            let moment = self.moment(number);
            let early = moment.saturating_duration_since(Instant::now());
            if !early.is_zero() {
                thread::sleep(early);
            }
            if *ended.borrow() || tell.blocking_send(moment).is_err() {
                return;
            }
            self.told.store(number + 1, Ordering::Relaxed);
        }
    }
}
