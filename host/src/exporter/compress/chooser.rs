//! Which compression serves an aim best, by what was measured.
//!
//! `aim: network`: of the candidates that take no more CPU than allowed, the one that leaves the fewest bytes; where
//! some leave about as few, the cheapest of them. `aim: cpu`: the one for which compressing and sending together take
//! the least CPU.
//!
//! What is chosen must be best within a narrow margin, what stays only within a wide one: figures that swing a little
//! do not make the choice swing. Nothing is chosen on figures that were not measured on the same bytes.

use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use super::figures::{Figures, Sample};
use crate::config::spec::{Aim, Codec, Compression};

/// What there is to choose from: cheap to hard. Beyond zstd 9, costs grow several times faster than bytes shrink.
pub const CANDIDATES: [Codec; 7] = [
    Codec::NONE,
    codec(Compression::Gzip, 1),
    codec(Compression::Gzip, 6),
    codec(Compression::Zstd, 1),
    codec(Compression::Zstd, 3),
    codec(Compression::Zstd, 6),
    codec(Compression::Zstd, 9),
];

/// With `aim: network`, before anything is measured.
const FIRST: Codec = codec(Compression::Zstd, 1);
/// How long an encoding that the peer refused is left alone: it may learn it with its next version.
const BARRED: Duration = Duration::from_secs(3600);

/// `aim: network`: shares of the fewest bytes that count as as few, when choosing and when staying.
const AS_FEW: (f64, f64) = (1.01, 1.03);
/// The same for the CPU that is allowed.
const AS_ALLOWED: (f64, f64) = (1.0, 1.2);
/// `aim: network`: what stays is no dearer than so many times what would be chosen.
const DEARER: f64 = 1.5;
/// `aim: cpu`: what stays is no dearer, all in all, than so many times what would be chosen.
const DEARER_IN_ALL: f64 = 1.1;

const fn codec(compression: Compression, level: u8) -> Codec {
    Codec { compression, level }
}

/// One that may be chosen.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    codec: Codec,
    figures: Option<Figures>,
    barred_until: Option<Instant>,
}

/// The choice for one destination.
#[derive(Debug)]
pub struct Chooser {
    aim: Aim,
    candidates: [Candidate; CANDIDATES.len()],
    chosen: Codec,
}

impl Chooser {
    /// Begins with what is least likely to be wrong, until everything was measured.
    pub fn new(aim: Aim) -> Self {
        let chosen = match aim {
            Aim::Network { .. } => FIRST,
            Aim::Cpu { .. } => Codec::NONE,
        };
        let candidates = CANDIDATES.map(|codec| Candidate { codec, figures: None, barred_until: None });
        Chooser { aim, candidates, chosen }
    }

    /// What is chosen.
    pub fn chosen(&self) -> Codec {
        self.chosen
    }

    /// What was measured of a codec.
    pub fn figures(&self, codec: Codec) -> Option<Figures> {
        self.candidates.iter().find(|candidate| candidate.codec == codec)?.figures
    }

    /// What may be chosen now, and so is worth measuring.
    pub fn open(&self, now: Instant) -> impl Iterator<Item = Codec> {
        self.candidates.iter().filter(move |candidate| candidate.is_open(now)).map(|candidate| candidate.codec)
    }

    /// Takes in what was measured on one excerpt, and chooses anew.
    pub fn learn(&mut self, round: &[(Codec, Sample)], now: Instant) {
        for candidate in &mut self.candidates {
            // What was not in this round is not comparable with what was.
            let sample = round.iter().find(|(codec, _)| *codec == candidate.codec).map(|(_, sample)| *sample);
            candidate.figures = sample.map(|sample| match candidate.figures {
                Some(figures) => figures.and(sample),
                None => Figures::of(sample),
            });
        }
        self.choose(now);
    }

    /// Leaves an encoding alone for a while, since the peer does not take it. Says whether that is news.
    pub fn bar(&mut self, codec: Codec, now: Instant) -> bool {
        let mut is_news = false;
        let same = |candidate: &&mut Candidate| candidate.codec.compression == codec.compression;
        for candidate in self.candidates.iter_mut().filter(same) {
            is_news |= candidate.is_open(now);
            candidate.barred_until = Some(now + BARRED);
            candidate.figures = None;
        }
        self.choose(now);
        is_news
    }

    fn choose(&mut self, now: Instant) {
        let open = self.candidates.iter().filter(|candidate| candidate.is_open(now));
        let measured: SmallVec<[Measured; CANDIDATES.len()]> =
            open.filter_map(|candidate| Some((candidate.codec, candidate.figures?))).collect();
        let best = match self.aim {
            Aim::Network { max_cpu } => fewest_bytes(&measured, self.chosen, max_cpu.as_secs_f64()),
            Aim::Cpu { sending } => least_cpu(&measured, self.chosen, sending.as_secs_f64()),
        };
        self.chosen = best.unwrap_or_else(|| self.unmeasured(now));
    }

    /// What is chosen while nothing is measured: what it is, unless the peer refused that.
    fn unmeasured(&self, now: Instant) -> Codec {
        let mut fast = self.open(now).filter(|codec| codec.level == FIRST.level);
        match self.open(now).any(|codec| codec == self.chosen) {
            true => self.chosen,
            false => fast.next().unwrap_or(Codec::NONE),
        }
    }
}

type Measured = (Codec, Figures);

/// `aim: network`: what is chosen, if it is good, or else what is best.
fn fewest_bytes(measured: &[Measured], chosen: Codec, max: f64) -> Option<Codec> {
    let allowed = |slack: f64| measured.iter().filter(move |(_, figures)| figures.cost() <= max * slack);
    let (_, fewest) = least(allowed(AS_ALLOWED.0), Figures::ratio)?;
    let few = |share: f64| move |(_, figures): &&Measured| figures.ratio() <= fewest.ratio() * share;
    let (best, cheapest) = least(allowed(AS_ALLOWED.0).filter(few(AS_FEW.0)), Figures::cost)?;
    let mut good = allowed(AS_ALLOWED.1).filter(few(AS_FEW.1)).filter(|(_, it)| it.cost() <= cheapest.cost() * DEARER);
    Some(if good.any(|(codec, _)| *codec == chosen) { chosen } else { best })
}

/// `aim: cpu`: the same.
fn least_cpu(measured: &[Measured], chosen: Codec, sending: f64) -> Option<Codec> {
    let in_all = |figures: &Figures| figures.cost() + figures.ratio() * sending;
    let (best, cheapest) = least(measured.iter(), in_all)?;
    let mut good = measured.iter().filter(|(_, figures)| in_all(figures) <= in_all(&cheapest) * DEARER_IN_ALL);
    Some(if good.any(|(codec, _)| *codec == chosen) { chosen } else { best })
}

fn least<'a>(candidates: impl Iterator<Item = &'a Measured>, by: impl Fn(&Figures) -> f64) -> Option<Measured> {
    candidates.min_by(|(_, a), (_, b)| by(a).total_cmp(&by(b))).copied()
}

impl Candidate {
    fn is_open(&self, now: Instant) -> bool {
        self.barred_until.is_none_or(|until| until <= now)
    }
}

#[cfg(test)]
mod tests;
