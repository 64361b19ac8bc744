//! The host as one instance sees it: what is behind its imports.
//!
//! Nothing here panics, and nothing takes long: an epoch does not interrupt a host call.

pub mod log;
pub mod metrics;
pub mod state;

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use self::log::{Level, Logbook};
use self::metrics::{Own, OwnLabels, PluginMetrics, Shape, StageMetrics};
use self::state::SharedState;
use super::limits::Limiter;

/// What an instance can reach: the data of its store.
#[derive(Debug)]
pub(super) struct Host {
    /// What it may take.
    pub limiter: Limiter,
    /// The tick at which the present call is killed.
    pub deadline: u64,
    /// State of the stage; reached only if it is granted.
    pub state: Arc<SharedState>,
    log: Arc<Logbook>,
    metrics: Arc<StageMetrics>,
    /// Handles of its own metrics that this instance has used, so that the stage's lock is taken once a name.
    owns: HashMap<String, Option<Own>>,
    words: Option<String>,
    born: Instant,
    random: u64,
}

impl Host {
    /// The host for a new instance of a stage.
    pub fn new(limiter: Limiter, log: Arc<Logbook>, metrics: Arc<StageMetrics>, state: Arc<SharedState>) -> Host {
        let random = std::hash::RandomState::new().build_hasher().finish();
        Host {
            limiter,
            deadline: 0,
            state,
            log,
            metrics,
            owns: HashMap::new(),
            words: None,
            born: Instant::now(),
            random,
        }
    }

    /// A host of which nothing can be reached, and that hears nothing: for asking a plugin who it is.
    pub fn alone(memory_max: usize) -> Host {
        let log = Logbook::new(String::new(), String::new(), String::new(), Default::default());
        let labels = OwnLabels { pipeline: String::new(), processor: String::new(), plugin: String::new() };
        let metrics = PluginMetrics::default().stage(labels);
        Host::new(Limiter::new(memory_max), Arc::new(log), Arc::new(metrics), Arc::new(SharedState::new(0)))
    }

    /// Forgets what an earlier call left.
    pub fn begin_call(&mut self) {
        self.words = None;
        self.limiter.take_refused();
    }

    /// Writes a line to the log; remembers an error line, which may be a panic's message.
    pub fn log(&mut self, level: Level, message: &str) {
        if level == Level::Error {
            self.words = Some(log::printable(message, log::LINE_BYTES_MAX));
        }
        self.log.write(level, message);
    }

    /// Whether a line of that level would be written.
    pub fn log_enabled(&self, level: Level) -> bool {
        self.log.enabled(level)
    }

    /// The last error line since this was last asked.
    pub fn take_words(&mut self) -> Option<String> {
        self.words.take()
    }

    /// Adds to an own counter.
    pub fn count(&mut self, name: String, value: u64) {
        if let Some(own) = self.own(name, Shape::Counter) {
            own.count(value);
        }
    }

    /// Adds an observation to an own histogram.
    pub fn observe(&mut self, name: String, value: f64) {
        if let Some(own) = self.own(name, Shape::Histogram) {
            own.observe(value);
        }
    }

    fn own(&mut self, name: String, shape: Shape) -> Option<&Own> {
        if !self.owns.contains_key(&name) {
            // As many as a stage may have, and some that were refused: more are looked up each time.
            if self.owns.len() >= 2 * metrics::NAMES_MAX {
                return None;
            }
            let own = self.metrics.own(&name, shape);
            if own.is_none() {
                let why = "has a bad name, or there are too many";
                self.log.write(Level::Warn, &format!("a metric of the plugin is not kept: `{name}` {why}"));
            }
            self.owns.insert(name.clone(), own);
        }
        self.owns.get(&name)?.as_ref()
    }

    /// Nanoseconds since the Unix epoch.
    pub fn now(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Nanoseconds since the instance was made.
    pub fn monotonic(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The next random number (splitmix64, seeded from the operating system's randomness).
    pub fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
