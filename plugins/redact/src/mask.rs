//! Masking of one value, wherever it is.

use std::ops::Range;

use regex::Regex;
use sluicebox_plugin::{Array, Error, Inside, KvList, OwnedValue, ToCell, Value};

use crate::config::{Config, Detector};
use crate::detect::{self, Bytes};
use crate::keys::Keys;

/// What is looked for, what stands in its place, and how often it was found.
pub struct Masker {
    detect: Vec<Detector>,
    patterns: Vec<Regex>,
    deny: Keys,
    allow: Keys,
    mask: String,
    count: u64,
    /// Where something was found in the text at hand; kept for its memory.
    found: Vec<Range<usize>>,
}

/// A value after masking.
pub enum Masked {
    /// A text.
    Text(String),
    /// An encoded array.
    Array(Vec<u8>),
    /// An encoded list of keys and values.
    KvList(Vec<u8>),
}

impl ToCell for Masked {
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
        })
    }

    /// How much was masked since the last time.
    pub fn take_count(&mut self) -> u64 {
        std::mem::take(&mut self.count)
    }

    /// The value without what must not be seen; nothing if it stays as it is.
    pub fn mask(&mut self, key: Option<&str>, value: Value<'_>) -> Option<Masked> {
        match self.whole(key, value) {
            Whole::Masked(mask) => Some(Masked::Text(mask)),
            Whole::Left => None,
            Whole::Searched => match value {
                Value::Text(text) => self.mask_text(text).map(Masked::Text),
                Value::Array(_) => self.mask_inside(value).map(Masked::Array),
                Value::KvList(_) => self.mask_inside(value).map(Masked::KvList),
                _ => None,
            },
        }
    }

    /// What the key says about the value.
    fn whole(&mut self, key: Option<&str>, value: Value<'_>) -> Whole {
        let Some(key) = key else {
            return Whole::Searched;
        };
        if self.deny.contain(key) && !matches!(value, Value::Absent | Value::Empty) {
            // What was masked before is not counted again.
            if value == Value::Text(&self.mask) {
                return Whole::Left;
            }
            self.count += 1;
            return Whole::Masked(self.mask.clone());
        }
        if self.allow.contain(key) { Whole::Left } else { Whole::Searched }
    }

    /// The values inside an array or a list; a list's keys count as an attribute's.
    fn mask_inside(&mut self, value: Value<'_>) -> Option<Vec<u8>> {
        value.replace_inside(&mut |key, value| match self.whole(key, value) {
            Whole::Masked(mask) => Inside::Replaced(OwnedValue::Text(mask)),
            Whole::Left => Inside::Left,
            Whole::Searched => match value.as_text().and_then(|text| self.mask_text(text)) {
                Some(masked) => Inside::Replaced(OwnedValue::Text(masked)),
                None => Inside::Entered,
            },
        })
    }

    /// The text with everything that was found masked; nothing if nothing was.
    fn mask_text(&mut self, text: &str) -> Option<String> {
        self.found.clear();
        let bytes = Bytes::of(text);
        for detector in &self.detect {
            match detector {
                Detector::Cards => detect::cards(text, bytes, &mut self.found),
                Detector::Emails => detect::emails(text, bytes, &mut self.found),
                Detector::Ipv4 => detect::ipv4(text, bytes, &mut self.found),
                Detector::Ipv6 => detect::ipv6(text, bytes, &mut self.found),
                Detector::BearerTokens => detect::tokens(text, bytes, &mut self.found),
            }
        }
        for regex in &self.patterns {
            self.found.extend(regex.find_iter(text).map(|found| found.range()).filter(|range| !range.is_empty()));
        }
        if self.found.is_empty() {
            return None;
        }
        self.found.sort_unstable_by_key(|range| range.start);
        let mut masked = String::with_capacity(text.len() + self.mask.len());
        let mut end = 0;
        for range in &self.found {
            // What two of them found is masked once.
            if range.start >= end {
                masked.push_str(text.get(end..range.start).unwrap_or_default());
                masked.push_str(&self.mask);
                self.count += 1;
            }
            end = end.max(range.end);
        }
        masked.push_str(text.get(end..).unwrap_or_default());
        Some(masked)
    }
}

/// What a key says about its whole value.
enum Whole {
    /// It is masked.
    Masked(String),
    /// It is left as it is.
    Left,
    /// It is searched.
    Searched,
}
