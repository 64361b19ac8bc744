//! Adaptive compression of one destination: measures on live data, and has the chooser choose.
//!
//! Every so often an excerpt of a body is set aside, and each of the next bodies has one candidate compress it: so all
//! are measured on the same bytes, and no body waits for more than one. Measuring takes at most a hundredth of a core.
//! All lanes of a destination share this; on its way a body reads one number, and where two lanes are at the figures
//! at once, the second goes on without.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::chooser::{CANDIDATES, Chooser};
use super::contexts::Contexts;
use super::figures::Sample;
use super::meter::Meter;
use crate::config::spec::{Aim, Codec, Compression};

/// Bytes of an excerpt: as much as the largest window among the cheap candidates makes use of.
const EXCERPT_BYTES: usize = 128 << 10;
/// The share of one core's time that measuring may take.
const SHARE: f64 = 0.01;
/// Time that it may take at once: the first rounds, so that a new destination soon has figures.
const BURST: f64 = 0.1;

/// The compression of one destination.
#[derive(Debug)]
pub struct Adaptive {
    /// Where the chosen one is among the candidates.
    chosen: AtomicUsize,
    state: Mutex<State>,
    meter: Meter,
}

#[derive(Debug)]
struct State {
    chooser: Chooser,
    round: Option<Round>,
    budget: Budget,
}

/// One excerpt on its way through the candidates.
#[derive(Debug)]
struct Round {
    excerpt: Bytes,
    left: SmallVec<[Codec; CANDIDATES.len()]>,
    samples: SmallVec<[(Codec, Sample); CANDIDATES.len()]>,
}

/// Time that measuring may take; below nothing, it has to wait.
#[derive(Debug)]
struct Budget {
    seconds: f64,
    at: Instant,
}

impl Adaptive {
    /// Nothing is measured yet.
    pub fn new(aim: Aim, meter: Meter) -> Self {
        let chooser = Chooser::new(aim);
        let chosen = AtomicUsize::new(place(chooser.chosen()));
        meter.begin(chooser.chosen());
        let budget = Budget { seconds: BURST, at: Instant::now() };
        Adaptive { chosen, state: Mutex::new(State { chooser, round: None, budget }), meter }
    }

    /// How the next body is compressed.
    pub fn codec(&self) -> Codec {
        CANDIDATES.get(self.chosen.load(Ordering::Relaxed)).copied().unwrap_or(Codec::NONE)
    }

    /// Measures one candidate, if it is time to.
    pub async fn sample(&self, contexts: &tokio::sync::Mutex<Contexts>, body: &[Bytes]) {
        let Some((codec, excerpt)) = self.trial(body) else { return };
        let work = contexts.lock().await.compress(codec, 0, std::slice::from_ref(&excerpt)).await;
        match work {
            Ok(work) => self.measured(codec, &excerpt, work.bytes.len(), work.took),
            Err(error) => {
                tracing::warn!(exporter = self.meter.exporter(), "compression could not be measured: {error}");
                self.state.lock().round = None;
            }
        }
    }

    /// What is to be measured now.
    fn trial(&self, body: &[Bytes]) -> Option<(Codec, Bytes)> {
        let mut state = self.state.try_lock()?;
        let now = Instant::now();
        if !state.budget.allows(now) {
            return None;
        }
        let State { chooser, round, .. } = &mut *state;
        let round = match round {
            Some(round) => round,
            None => round.insert(Round::begin(excerpt(body)?, chooser.open(now))),
        };
        Some((round.left.pop()?, round.excerpt.clone()))
    }

    /// Takes in what a trial came to; the last one of a round ends it.
    fn measured(&self, codec: Codec, excerpt: &Bytes, output: usize, took: Duration) {
        let mut state = self.state.lock();
        state.budget.seconds -= took.as_secs_f64();
        // A trial that was dropped with its delivery leaves its round one short; the next round makes up for it.
        let Some(round) = state.round.as_mut().filter(|round| round.excerpt.as_ptr() == excerpt.as_ptr()) else {
            return;
        };
        round.samples.push((codec, Sample { input: excerpt.len(), output, took }));
        if !round.left.is_empty() {
            return;
        }
        let Some(round) = state.round.take() else { return };
        state.chooser.learn(&round.samples, Instant::now());
        for (codec, figures) in CANDIDATES.iter().filter_map(|codec| Some((*codec, state.chooser.figures(*codec)?))) {
            self.meter.measured(codec, &figures);
        }
        self.adopt(&state.chooser);
    }

    /// The peer does not take an encoding.
    pub fn refused(&self, codec: Codec) {
        let mut state = self.state.lock();
        if state.chooser.bar(codec, Instant::now()) {
            state.round = None;
            self.meter.refused(codec);
            self.adopt(&state.chooser);
        }
    }

    fn adopt(&self, chooser: &Chooser) {
        let (before, now) = (self.codec(), chooser.chosen());
        if before != now {
            self.chosen.store(place(now), Ordering::Relaxed);
            self.meter.switched(before, now, chooser.figures(now).as_ref());
        }
    }
}

impl Drop for Adaptive {
    fn drop(&mut self) {
        self.meter.end(self.codec());
    }
}

impl Round {
    fn begin(excerpt: Bytes, open: impl Iterator<Item = Codec>) -> Self {
        let input = excerpt.len();
        // What is not compressed needs no trial.
        let plain = Sample { input, output: input, took: Duration::ZERO };
        let left = open.filter(|codec| codec.compression != Compression::None).collect();
        Round { excerpt, left, samples: SmallVec::from_iter([(Codec::NONE, plain)]) }
    }
}

impl Budget {
    fn allows(&mut self, now: Instant) -> bool {
        let earned = now.saturating_duration_since(self.at).as_secs_f64() * SHARE;
        self.at = now;
        self.seconds = (self.seconds + earned).min(BURST);
        self.seconds > 0.0
    }
}

/// The first bytes of a body, copied, so that nothing large is held for their sake.
fn excerpt(body: &[Bytes]) -> Option<Bytes> {
    let len = body.iter().map(Bytes::len).sum::<usize>().min(EXCERPT_BYTES);
    let mut out = BytesMut::with_capacity(len);
    for chunk in body {
        let take = chunk.len().min(len - out.len());
        out.extend_from_slice(chunk.get(..take).unwrap_or_default());
    }
    Some(out.freeze()).filter(|excerpt| !excerpt.is_empty())
}

fn place(codec: Codec) -> usize {
    CANDIDATES.iter().position(|candidate| *candidate == codec).unwrap_or(0)
}

#[cfg(test)]
mod tests;
