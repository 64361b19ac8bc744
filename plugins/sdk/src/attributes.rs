//! Columns of all attributes: `….attributes[*]`.

use crate::bindings::types;
use crate::cells::Cells;
use crate::text::text_of;
use crate::value::Value;

/// All attributes of each entry of a level.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttributeLists<'a> {
    starts: &'a [u32],
    keys: &'a [u64],
    values: Cells<'a>,
}

impl<'a> AttributeLists<'a> {
    pub(crate) fn new(attributes: &'a types::Attributes) -> Self {
        AttributeLists { starts: &attributes.starts, keys: &attributes.keys, values: Cells::new(&attributes.values) }
    }

    /// How many entries the level has.
    pub const fn len(self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Whether the level has no entry.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The attributes of an entry; none beyond the end.
    #[inline]
    pub fn of(self, entry: usize) -> Attributes<'a> {
        let bounds = (self.starts.get(entry), self.starts.get(entry.saturating_add(1)));
        let (at, end) = match bounds {
            (Some(&at), Some(&end)) => (at as usize, (end as usize).min(self.keys.len())),
            _ => (0, 0),
        };
        Attributes { lists: self, at, end }
    }
}

/// The attributes of one entry, in their order: an iterator over keys and values.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes<'a> {
    lists: AttributeLists<'a>,
    at: usize,
    end: usize,
}

impl<'a> Attributes<'a> {
    /// The value under a key, the first if it is there more than once; absent if it is not there.
    pub fn value(mut self, key: &str) -> Value<'a> {
        self.find(|(found, _)| *found == key).map_or(Value::Absent, |(_, value)| value)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let at = self.at;
        self.at += 1;
        let key = *self.lists.keys.get(at)?;
        Some((text_of(self.lists.values.slice(key)), self.lists.values.value(at)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end.saturating_sub(self.at);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Attributes<'_> {}
