//! Which sequence numbers are done with: delivered, expired, unreadable, or never taken.
//!
//! Deliveries end out of order, so that this is a low-water mark below which everything is done, and ranges beyond
//! it. There are at most as many ranges as entries are out for delivery at a time, since whatever lies between two of
//! them is on its way.

use std::collections::BTreeMap;
use std::ops::Range;

/// A set of sequence numbers that fills up from below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    low: u64,
    /// Start to end, neither touching another nor `low`.
    beyond: BTreeMap<u64, u64>,
}

impl Done {
    /// Everything below `low`.
    pub fn below(low: u64) -> Self {
        Done { low, beyond: BTreeMap::new() }
    }

    /// The lowest number that is not done.
    pub fn low(&self) -> u64 {
        self.low
    }

    /// The ranges above, in order.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.beyond.iter().map(|(start, end)| *start..*end)
    }

    /// How many ranges there are.
    pub fn range_count(&self) -> usize {
        self.beyond.len()
    }

    /// The end of the highest number that is done.
    pub fn end(&self) -> u64 {
        self.beyond.last_key_value().map_or(self.low, |(_, end)| *end)
    }

    /// Whether this one is done.
    pub fn contains(&self, number: u64) -> bool {
        number < self.low || self.beyond.range(..=number).next_back().is_some_and(|(_, end)| number < *end)
    }

    /// Whether all of these are done.
    pub fn covers(&self, range: Range<u64>) -> bool {
        let start = range.start.max(self.low);
        start >= range.end || self.beyond.range(..=start).next_back().is_some_and(|(_, end)| range.end <= *end)
    }

    /// Adds a range; whether it was not all there before.
    pub fn add(&mut self, range: Range<u64>) -> bool {
        let (mut start, mut end) = (range.start.max(self.low), range.end);
        if self.covers(start..end) {
            return false;
        }
        if let Some((&before, &until)) = self.beyond.range(..=start).next_back()
            && until >= start
        {
            start = before;
        }
        while let Some((&next, &until)) = self.beyond.range(start..=end).next() {
            self.beyond.remove(&next);
            end = end.max(until);
        }
        if start <= self.low {
            self.low = end;
        } else {
            self.beyond.insert(start, end);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn gaps_close() {
        let mut done = Done::below(5);
        assert!(done.add(7..9) && done.add(10..11) && !done.add(3..5));
        assert_eq!(done.ranges().collect::<Vec<_>>(), [7..9, 10..11]);
        assert!(done.add(5..6));
        assert_eq!((done.low(), done.end()), (6, 11));
        assert!(done.add(6..7));
        assert_eq!((done.low(), done.range_count()), (9, 1));
        assert!(done.add(8..12));
        assert_eq!((done.low(), done.range_count()), (12, 0));
    }

    proptest! {
        #[test]
        fn it_is_the_set_of_what_was_added(ranges in prop::collection::vec((0u64..60, 0u64..8), 0..40)) {
            let (mut done, mut model) = (Done::default(), BTreeSet::new());
            for (start, len) in ranges {
                let new = (start..start + len).filter(|number| model.insert(*number)).count() > 0;
                prop_assert_eq!(done.add(start..start + len), new);
                for number in 0..80 {
                    prop_assert_eq!(done.contains(number), model.contains(&number));
                    prop_assert_eq!(done.covers(number..number + 3), (number..number + 3).all(|n| model.contains(&n)));
                }
                let touching: Vec<_> = done.ranges().collect();
                prop_assert!(touching.windows(2).all(|pair| pair[0].end < pair[1].start));
                prop_assert!(touching.iter().all(|range| range.start > done.low()));
            }
        }
    }
}
