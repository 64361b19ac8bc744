//! What is to be sent, where to, how fast, and until when.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderMap, Uri};

use crate::bench::magazine::Transport;
use crate::bench::requests::Recipe;
use crate::config::spec::Compression;

/// A run of the generator, checked.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// Scheme, host and port; the path of each signal is added.
    pub target: Uri,
    /// How requests travel.
    pub transport: Transport,
    /// How they are compressed.
    pub compression: Compression,
    /// Headers that go with each.
    pub headers: HeaderMap,
    /// What the requests consist of, in turn; at least one.
    pub recipes: Vec<Recipe>,
    /// Connections. Over HTTP/1.1, where one carries one request at a time, each has as many as it needs.
    pub connections: NonZeroUsize,
    /// Requests that each has in flight.
    pub in_flight: NonZeroUsize,
    /// Closed or open loop.
    pub rate: Rate,
    /// When it is over.
    pub until: Until,
    /// The beginning, which is not measured.
    pub warm_up: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Threads that send.
    pub threads: NonZeroUsize,
    /// The roots that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// A process whose CPU time and memory are reported.
    pub pid: Option<u32>,
}

/// How requests are paced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// The next is sent when one is answered.
    Closed,
    /// They are due at a fixed rate.
    Open {
        /// A second; above 0.
        requests_per_s: f64,
    },
}

/// When a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// After so long, counted from the end of the warm-up.
    Elapsed(Duration),
    /// After so many requests, those of the warm-up included.
    Requests(u64),
}

impl Until {
    /// After so many requests.
    pub const fn requests(count: NonZeroU64) -> Until {
        Until::Requests(count.get())
    }
}
