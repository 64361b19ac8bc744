//! Masking of one value, wherever it is.

use std::ops::Range;

use regex::Regex;
use sluicebox_plugin::{Array, Error, Inside, KvList, OwnedValue, ToCell, Value};

use crate::config::{Config, Detector};
use crate::detect;
use crate::keys::Keys;
use crate::marks::Marks;
use crate::memo::Memo;

/// What is looked for, what stands in its place, and how often it was found.
pub struct Masker {
    detect: Vec<Detector>,
    patterns: Vec<Regex>,
    deny: Keys,
    allow: Keys,
    mask: String,
    count: u64,
    /// Where something was found in the text at hand, and what has become of it; kept for their memory.
    found: Vec<Range<usize>>,
    masked: String,
    /// Texts of the batch in which nothing was found, and what is known of its keys.
    clean: Memo<()>,
    verdicts: Memo<Verdict>,
}

/// A value after masking.
pub enum Masked<'a> {
    /// A text.
    Text(&'a str),
    /// An encoded array.
    Array(Vec<u8>),
    /// An encoded list of keys and values.
    KvList(Vec<u8>),
}

impl ToCell for Masked<'_> {
    fn store(self, data: &mut Vec<u8>) -> (u8, u64) {
        match self {
            Masked::Text(text) => text.store(data),
            Masked::Array(bytes) => Value::Array(Array::encoded(&bytes)).store(data),
            Masked::KvList(bytes) => Value::KvList(KvList::encoded(&bytes)).store(data),
        }
    }
}

impl Masker {
    /// Reads the config.
    pub fn new(config: Config) -> Result<Self, Error> {
        let patterns = config.patterns.iter().map(|(name, pattern)| {
            let regex = Regex::new(pattern).map_err(|problem| Error::at(format!("patterns.{name}"), problem))?;
            if regex.is_match("") {
                return Err(Error::at(format!("patterns.{name}"), "this finds the empty text; ask for one character"));
            }
            Ok(regex)
        });
        Ok(Masker {
            patterns: patterns.collect::<Result<_, _>>()?,
            detect: config.detect,
            deny: Keys::new(&config.deny_keys, "deny_keys")?,
            allow: Keys::new(&config.allow_keys, "allow_keys")?,
            mask: config.mask,
            count: 0,
            found: Vec::new(),
            masked: String::new(),
            clean: Memo::default(),
            verdicts: Memo::default(),
        })
    }

    /// Begins a batch: texts of an earlier one may have lain where others lie now.
    pub fn begin(&mut self) {
        self.clean.begin();
        self.verdicts.begin();
    }

    /// How much was masked since the last time.
    pub fn take_count(&mut self) -> u64 {
        std::mem::take(&mut self.count)
    }

    /// The value without what must not be seen; nothing if it stays as it is. Key and value are the batch's.
    #[inline]
    pub fn mask(&mut self, key: Option<&str>, value: Value<'_>) -> Option<Masked<'_>> {
        match key.map_or(Verdict::Searched, |key| self.remembered_verdict(key)) {
            Verdict::Denied => self.whole(value).then_some(Masked::Text(&self.mask)),
            Verdict::Allowed => None,
            Verdict::Searched => match value {
                Value::Text(text) => {
                    if self.clean.recall(text).is_some() {
                        return None;
                    }
                    if self.mask_text(text) {
                        return Some(Masked::Text(&self.masked));
                    }
                    self.clean.learn(text, ());
                    None
                }
                Value::Array(_) => self.mask_inside(value).map(Masked::Array),
                Value::KvList(_) => self.mask_inside(value).map(Masked::KvList),
                _ => None,
            },
        }
    }

    /// What the lists say about a key of the batch.
    fn remembered_verdict(&mut self, key: &str) -> Verdict {
        if self.deny.is_empty() && self.allow.is_empty() {
            return Verdict::Searched;
        }
        if let Some(verdict) = self.verdicts.recall(key) {
            return verdict;
        }
        let verdict = self.verdict(key);
        self.verdicts.learn(key, verdict);
        verdict
    }

    /// What the lists say about a key.
    fn verdict(&self, key: &str) -> Verdict {
        if self.deny.contain(key) {
            Verdict::Denied
        } else if self.allow.contain(key) {
            Verdict::Allowed
        } else {
            Verdict::Searched
        }
    }

    /// Whether a value is there that is to be masked as a whole; what was masked before is not counted again.
    fn whole(&mut self, value: Value<'_>) -> bool {
        let unseen = !matches!(value, Value::Absent | Value::Empty) && value != Value::Text(&self.mask);
        self.count += u64::from(unseen);
        unseen
    }

    /// The values inside an array or a list; a list's keys count as an attribute's.
    fn mask_inside(&mut self, value: Value<'_>) -> Option<Vec<u8>> {
        value.replace_inside(&mut |key, value| match key.map_or(Verdict::Searched, |key| self.verdict(key)) {
            Verdict::Denied if self.whole(value) => Inside::Replaced(OwnedValue::Text(self.mask.clone())),
            Verdict::Denied | Verdict::Allowed => Inside::Left,
            Verdict::Searched => match value.as_text() {
                Some(text) if self.mask_text(text) => Inside::Replaced(OwnedValue::Text(self.masked.clone())),
                _ => Inside::Entered,
            },
        })
    }

    /// Whether anything was found in a text; then it is in `masked`, with all of that masked.
    fn mask_text(&mut self, text: &str) -> bool {
        self.found.clear();
        let marks = Marks::of(text);
        if !marks.is_none() {
            self.detect(text, marks);
        }
        for regex in &self.patterns {
            self.found.extend(regex.find_iter(text).map(|found| found.range()).filter(|range| !range.is_empty()));
        }
        if self.found.is_empty() {
            return false;
        }
        self.found.sort_unstable_by_key(|range| range.start);
        self.masked.clear();
        let mut end = 0;
        for range in &self.found {
            // What two of them found is masked once.
            if range.start >= end {
                self.masked.push_str(text.get(end..range.start).unwrap_or_default());
                self.masked.push_str(&self.mask);
                self.count += 1;
            }
            end = end.max(range.end);
        }
        self.masked.push_str(text.get(end..).unwrap_or_default());
        true
    }

    /// What the detectors find of which the marks say that they may.
    fn detect(&mut self, text: &str, marks: Marks) {
        for detector in &self.detect {
            match detector {
                Detector::Cards if marks.card => detect::cards(text, &mut self.found),
                Detector::Emails if marks.email => detect::emails(text, &mut self.found),
                Detector::Ipv4 if marks.ipv4 => detect::ipv4(text, &mut self.found),
                Detector::Ipv6 if marks.ipv6 => detect::ipv6(text, &mut self.found),
                Detector::BearerTokens if marks.token => detect::tokens(text, &mut self.found),
                _ => {}
            }
        }
    }
}

/// What a key says about its whole value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is masked.
    Denied,
    /// It is left as it is.
    Allowed,
    /// It is searched.
    Searched,
}
