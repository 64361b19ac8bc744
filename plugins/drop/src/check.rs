//! Checks of one field's value.

use std::cmp::Ordering;

use memchr::memmem::Finder;
use regex_lite::Regex;
use sluicebox_plugin::{Cells, Value};

use crate::operand::{Number, Operand};

/// What a value must be; all that is asked must hold. A field that is not there passes `exists: false` only.
pub struct Check {
    tests: Vec<Test>,
    memoise: bool,
}

/// One thing that is asked.
pub enum Test {
    /// Whether the field is there.
    Exists(bool),
    /// Whether it is one of these texts; sorted.
    OneOfTexts(Vec<String>),
    /// Whether it is one of these.
    OneOf(Vec<Operand>),
    /// Whether it lies between bounds.
    Range(Vec<(Bound, Number)>),
    /// Whether it is text that begins so.
    Prefix(String),
    /// Whether it is text that ends so.
    Suffix(String),
    /// Whether it is text with this in it.
    Contains(Box<Finder<'static>>),
    /// Whether it is text that the expression finds a match in.
    Matches(Regex),
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// `gt`
    Above,
    /// `gte`
    AtLeast,
    /// `lt`
    Below,
    /// `lte`
    AtMost,
}

/// Up to so many texts are compared one by one; more are searched by halves.
const LINEAR_MAX: usize = 8;

impl Test {
    /// Whether the value is one of those.
    pub fn one_of(operands: Vec<Operand>) -> Test {
        let texts = operands.iter().map(|operand| match operand {
            Operand::Text(text) => Some(text.clone()),
            _ => None,
        });
        match texts.collect::<Option<Vec<String>>>() {
            Some(mut texts) => {
                texts.sort();
                texts.dedup();
                Test::OneOfTexts(texts)
            }
            None => Test::OneOf(operands),
        }
    }

    fn cost(&self) -> u32 {
        match self {
            Test::Exists(_) | Test::Range(_) => 1,
            Test::OneOfTexts(_) | Test::Prefix(_) | Test::Suffix(_) => 2,
            Test::OneOf(_) => 3,
            Test::Contains(_) => 8,
            Test::Matches(_) => 64,
        }
    }

    #[inline]
    fn passes(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Test::Exists(wanted), value) => value.is_absent() != *wanted,
            (Test::OneOfTexts(texts), Value::Text(text)) => is_one_of(texts, text),
            (Test::OneOf(operands), value) => operands.iter().any(|operand| operand.is(value)),
            (Test::Range(bounds), value) => {
                Number::of(value).is_some_and(|number| bounds.iter().all(|&(bound, limit)| bound.holds(number, limit)))
            }
            (Test::Prefix(prefix), Value::Text(text)) => text.starts_with(prefix),
            (Test::Suffix(suffix), Value::Text(text)) => text.ends_with(suffix),
            (Test::Contains(part), Value::Text(text)) => part.find(text.as_bytes()).is_some(),
            (Test::Matches(regex), Value::Text(text)) => regex.is_match(text),
            _ => false,
        }
    }
}

/// Whether a text is one of a sorted list.
#[inline]
pub fn is_one_of(texts: &[String], text: &str) -> bool {
    if texts.len() <= LINEAR_MAX {
        texts.iter().any(|listed| listed == text)
    } else {
        texts.binary_search_by(|listed| listed.as_str().cmp(text)).is_ok()
    }
}

impl Bound {
    fn holds(self, number: Number, limit: Number) -> bool {
        number.compare(limit).is_some_and(|ordering| match self {
            Bound::Above => ordering == Ordering::Greater,
            Bound::AtLeast => ordering != Ordering::Less,
            Bound::Below => ordering == Ordering::Less,
            Bound::AtMost => ordering != Ordering::Greater,
        })
    }
}

impl Check {
    /// All of several tests, the cheapest first.
    pub fn new(mut tests: Vec<Test>) -> Self {
        tests.sort_by_key(Test::cost);
        let memoise = tests.iter().any(|test| matches!(test, Test::Matches(_)));
        Check { tests, memoise }
    }

    /// How expensive it is, by rough order.
    pub fn cost(&self) -> u32 {
        self.tests.iter().map(Test::cost).sum()
    }

    /// The texts of which the value must be one, if that is all that is asked.
    pub fn texts(&self) -> Option<&[String]> {
        match self.tests.as_slice() {
            [Test::OneOfTexts(texts)] => Some(texts),
            _ => None,
        }
    }

    /// The check on a column.
    pub fn on<'a>(&'a self, cells: Cells<'a>) -> Checked<'a> {
        let memo = if self.memoise { vec![None; MEMO_SLOTS] } else { Vec::new() };
        Checked { check: self, cells, memo }
    }

    #[inline]
    fn passes(&self, value: Value<'_>) -> bool {
        self.tests.iter().all(|test| test.passes(value))
    }
}

/// Texts of which the answer is remembered during a batch. Routes, hosts and messages repeat, and to find a text
/// again costs a twentieth of what a regular expression does.
const MEMO_SLOTS: usize = 256;

/// A check on a column, with the answers that it remembers.
pub struct Checked<'a> {
    check: &'a Check,
    cells: Cells<'a>,
    /// By hash: a text, and what came of it. Empty if nothing is worth remembering.
    memo: Vec<Option<(&'a str, bool)>>,
}

impl Checked<'_> {
    /// Whether the value of an entry passes.
    #[inline]
    pub fn passes(&mut self, entry: usize) -> bool {
        let value = self.cells.value(entry);
        let Value::Text(text) = value else {
            return self.check.passes(value);
        };
        let Some(slot) = self.memo.get_mut(slot_of(text)) else {
            return self.check.passes(value);
        };
        if let Some((known, answer)) = slot
            && *known == text
        {
            return *answer;
        }
        let answer = self.check.passes(value);
        *slot = Some((text, answer));
        answer
    }
}

/// A slot for a text, from its length and its last bytes: routes differ at their ends.
fn slot_of(text: &str) -> usize {
    let bytes = text.as_bytes();
    let tail = bytes.iter().rev().take(8).fold(bytes.len(), |hash, &byte| hash.wrapping_mul(31) ^ usize::from(byte));
    (tail ^ tail >> 7) % MEMO_SLOTS
}
