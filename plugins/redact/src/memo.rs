//! What is known of texts of the batch at hand, by where they lie. The host writes a text that repeats from record to
//! record once, so that the same place means the same text; and to look at the place costs less than at the text.

/// Texts that are remembered at once: a few more than a record has attributes.
const SLOTS: usize = 64;

/// Answers about texts; a later one takes the place of an earlier one that fell into its slot.
#[derive(Debug)]
pub struct Memo<T> {
    slots: Vec<Slot<T>>,
    /// Counts batches, so that a new one forgets everything without touching the slots.
    batch: u32,
}

#[derive(Clone, Debug)]
struct Slot<T> {
    at: usize,
    length: usize,
    batch: u32,
    answer: Option<T>,
}

impl<T: Copy> Default for Memo<T> {
    fn default() -> Self {
        Memo { slots: vec![Slot { at: 0, length: 0, batch: 0, answer: None }; SLOTS], batch: 0 }
    }
}

impl<T: Copy> Memo<T> {
    /// Forgets all texts: the next batch lies where this one did.
    pub fn begin(&mut self) {
        self.batch = self.batch.wrapping_add(1);
        if self.batch == 0 {
            self.slots.iter_mut().for_each(|slot| slot.answer = None);
        }
    }

    /// What was learnt of a text.
    #[inline]
    pub fn recall(&self, text: &str) -> Option<T> {
        let (at, length) = (text.as_ptr().addr(), text.len());
        let slot = self.slots.get(slot_of(at))?;
        if slot.at == at && slot.length == length && slot.batch == self.batch { slot.answer } else { None }
    }

    /// Remembers something of a text that stays where it is as long as the batch.
    #[inline]
    pub fn learn(&mut self, text: &str, answer: T) {
        let (at, length) = (text.as_ptr().addr(), text.len());
        if let Some(slot) = self.slots.get_mut(slot_of(at)) {
            *slot = Slot { at, length, batch: self.batch, answer: Some(answer) };
        }
    }
}

/// Texts lie one behind the other, so that their places differ in all bits.
#[inline]
const fn slot_of(at: usize) -> usize {
    (at ^ at >> 6 ^ at >> 12) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_known_by_its_place_and_for_one_batch() {
        let text = "one, two".to_owned();
        let (one, two) = text.split_at(4);
        let mut memo = Memo::default();
        memo.begin();
        assert_eq!(memo.recall(one), None);
        memo.learn(one, 1);
        memo.learn(two, 2);
        assert_eq!((memo.recall(one), memo.recall(two), memo.recall(&text)), (Some(1), Some(2), None));
        memo.begin();
        assert_eq!((memo.recall(one), memo.recall(two)), (None, None));
    }
}
