//! Consistent probability sampling: thresholds, randomness, and the `ot` member of `tracestate`.
//!
//! Source: the OpenTelemetry specification, "TraceState: Probability Sampling". A record is kept if its randomness,
//! 56 bits of the trace id or of `rv`, is not below the threshold, so that every sampler that sees the same trace
//! with the same probability decides alike, and a kept span says by its `th` how many it stands for.

use smallvec::SmallVec;

/// One past the greatest randomness and threshold.
const RANGE: u64 = 1 << 56;
/// Hexadecimal digits of a threshold in full.
const DIGITS: u32 = 14;
/// Digits that are kept after the leading `f`s, as the specification recommends: 4.
const PRECISION: u32 = 4;
/// Members that a `tracestate` may have (W3C Trace Context, 3.3.1.1).
const MEMBERS_MAX: usize = 32;

/// How many of 2⁵⁶ traces are dropped: 0 keeps all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold(u64);

impl Threshold {
    /// Keeps everything.
    pub const ALL: Threshold = Threshold(0);

    /// The threshold that keeps with a probability, rounded to the precision that is written; none if nothing is
    /// kept.
    pub fn from_probability(probability: f64) -> Option<Threshold> {
        if probability >= 1.0 {
            return Some(Threshold::ALL);
        }
        let dropped = ((1.0 - probability) * RANGE as f64).round() as u64;
        if probability.is_nan() || probability <= 0.0 || dropped >= RANGE {
            return None;
        }
        // Digits that are `f` carry no precision: 1 − p is close to 1.
        let leading = (!dropped << 8).leading_zeros() / 4;
        let unit = 1u64 << (4 * DIGITS.saturating_sub(leading + PRECISION));
        let rounded = (dropped + unit / 2) / unit * unit;
        Some(Threshold(if rounded < RANGE { rounded } else { dropped }))
    }

    /// Whether a record of that randomness is kept.
    pub const fn keeps(self, randomness: u64) -> bool {
        randomness >= self.0
    }

    fn parse(digits: &str) -> Option<Threshold> {
        let value = parse_digits(digits)?;
        Some(Threshold(value << (4 * (DIGITS as usize - digits.len()))))
    }

    /// As in `th:…`: hexadecimal digits without trailing zeros.
    fn digits(self) -> String {
        let full = format!("{:014x}", self.0);
        match full.trim_end_matches('0') {
            "" => "0".to_owned(),
            digits => digits.to_owned(),
        }
    }
}

fn parse_digits(digits: &str) -> Option<u64> {
    let fits = !digits.is_empty() && digits.len() <= DIGITS as usize;
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if fits && digits.bytes().all(lower) { u64::from_str_radix(digits, 16).ok() } else { None }
}

/// The randomness of a trace: the last 56 bits of its id (W3C Trace Context level 2, 3.2.2.3.1).
pub fn randomness_of(trace_id: &[u8]) -> Option<u64> {
    let last: &[u8; 7] = trace_id.last_chunk()?;
    Some(last.iter().fold(0, |randomness, byte| randomness << 8 | u64::from(*byte)))
}

/// A `tracestate`, as far as sampling is concerned.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TraceState<'a> {
    /// `th`: the threshold that the span was sampled by already.
    pub threshold: Option<Threshold>,
    /// `rv`: randomness that is not the trace id's.
    pub randomness: Option<u64>,
    /// Sub-keys of `ot` other than `th`, as they came.
    others: SmallVec<[&'a str; 4]>,
    /// Members other than `ot`, as they came.
    members: SmallVec<[&'a str; 4]>,
}

impl<'a> TraceState<'a> {
    /// Reads a header; what is not well-formed is kept as it is, or counts as not there.
    pub fn parse(header: &'a str) -> TraceState<'a> {
        let mut state = TraceState::default();
        for member in header.split(',').map(str::trim).filter(|member| !member.is_empty()) {
            let Some(value) = member.strip_prefix("ot=") else {
                state.members.push(member);
                continue;
            };
            for pair in value.split(';') {
                match pair.split_once(':') {
                    Some(("th", digits)) => state.threshold = Threshold::parse(digits),
                    Some(("rv", digits)) if digits.len() == DIGITS as usize => {
                        state.randomness = parse_digits(digits);
                        state.others.push(pair);
                    }
                    _ => state.others.push(pair),
                }
            }
        }
        state
    }

    /// The header with that threshold. The changed member stands first, and the last one goes if there are too many.
    pub fn with_threshold(&self, threshold: Threshold) -> String {
        let mut header = format!("ot=th:{}", threshold.digits());
        self.append_rest(&mut header);
        header
    }

    /// Everything but the threshold, behind the member that has it.
    pub(super) fn append_rest(&self, header: &mut String) {
        for other in &self.others {
            header.push(';');
            header.push_str(other);
        }
        for member in self.members.iter().take(MEMBERS_MAX - 1) {
            header.push(',');
            header.push_str(member);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn th(probability: f64) -> String {
        Threshold::from_probability(probability).unwrap().digits()
    }

    /// The examples of the specification's table and of the collector's documentation.
    #[test]
    fn probabilities_have_the_thresholds_of_the_specification() {
        assert_eq!(th(1.0), "0");
        assert_eq!(th(0.5), "8");
        assert_eq!(th(0.25), "c");
        assert_eq!(th(0.1), "e666");
        assert_eq!(th(1.0 / 3.0), "aaab");
        assert_eq!(th(0.01), "fd70a");
        assert_eq!(th(0.001), "ffbe77");
        assert_eq!(Threshold::from_probability(0.0), None);
        assert_eq!(Threshold::from_probability(f64::NAN), None);
    }

    #[test]
    fn about_as_many_are_kept_as_the_probability_says() {
        let threshold = Threshold::from_probability(0.1).unwrap();
        let kept = (0..100_000u64)
            .filter(|i| threshold.keeps(i.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17) & (RANGE - 1)))
            .count();
        assert!((9_500..10_500).contains(&kept), "{kept}");
    }

    #[test]
    fn other_members_and_sub_keys_survive() {
        let state = TraceState::parse("vendor=a:b, ot=rv:00000000000abc;th:8;x:y,other=1");
        assert_eq!(state.randomness, Some(0xabc));
        assert_eq!(state.threshold, Threshold::from_probability(0.5));
        let header = state.with_threshold(Threshold::from_probability(0.25).unwrap());
        assert_eq!(header, "ot=th:c;rv:00000000000abc;x:y,vendor=a:b,other=1");
        assert_eq!(TraceState::parse("").with_threshold(Threshold::ALL), "ot=th:0");
    }

    #[test]
    fn the_randomness_is_the_end_of_the_trace_id() {
        assert_eq!(randomness_of(&[9, 9, 9, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0, 0, 1, 2]), Some(0x102));
        assert_eq!(randomness_of(&[1]), None);
    }
}
