//! A growable bitmap in the layout of the plugin interface: bit `i % 8` of byte `i / 8`.

/// Bits, all clear beyond what was set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bitmap {
    bytes: Vec<u8>,
}

impl Bitmap {
    /// `len` bits that are set; the rest of the last byte is clear.
    pub fn ones(len: usize) -> Self {
        let mut bytes = vec![0xff; len.div_ceil(8)];
        if let (Some(last), 1..) = (bytes.last_mut(), len % 8) {
            *last = (1 << (len % 8)) - 1;
        }
        Bitmap { bytes }
    }

    /// No bit set, and room for none.
    pub const fn empty() -> Self {
        Bitmap { bytes: Vec::new() }
    }

    /// Whether bit `index` is set.
    #[inline]
    pub fn contains(&self, index: usize) -> bool {
        self.bytes.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
    }

    /// Whether there is no room for any bit: nothing was ever set.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Sets bit `index`, growing as needed.
    #[inline]
    pub fn insert(&mut self, index: usize) {
        if self.bytes.len() <= index / 8 {
            self.bytes.resize(index / 8 + 1, 0);
        }
        if let Some(byte) = self.bytes.get_mut(index / 8) {
            *byte |= 1 << (index % 8);
        }
    }

    /// Clears bit `index`.
    #[inline]
    pub fn remove(&mut self, index: usize) {
        if let Some(byte) = self.bytes.get_mut(index / 8) {
            *byte &= !(1 << (index % 8));
        }
    }

    /// Clears every bit that is clear in `other`.
    pub fn intersect(&mut self, other: &[u8]) {
        for (byte, other) in self.bytes.iter_mut().zip(other.iter().chain(std::iter::repeat(&0))) {
            *byte &= other;
        }
    }

    /// Sets every bit that is set in `other`, growing as needed.
    pub fn union(&mut self, other: &Bitmap) {
        if self.bytes.len() < other.bytes.len() {
            self.bytes.resize(other.bytes.len(), 0);
        }
        for (byte, other) in self.bytes.iter_mut().zip(&other.bytes) {
            *byte |= other;
        }
    }

    /// How many bits are set.
    pub fn count(&self) -> usize {
        self.bytes.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    /// How many bits are set from `from` up to `to`.
    pub fn count_within(&self, from: usize, to: usize) -> usize {
        let mut at = from;
        let mut count = 0;
        while at < to {
            if at.is_multiple_of(8) && to - at >= 8 {
                count += self.bytes.get(at / 8).map_or(0, |byte| byte.count_ones() as usize);
                at += 8;
            } else {
                count += usize::from(self.contains(at));
                at += 1;
            }
        }
        count
    }

    /// The bytes, for a plugin.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The positions of the bits that are set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.bytes.iter().enumerate().filter(|(_, byte)| **byte != 0).flat_map(|(index, byte)| {
            let byte = *byte;
            (0..8).filter(move |bit| byte >> bit & 1 == 1).map(move |bit| index * 8 + bit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_agree_with_single_bits() {
        let mut bits = Bitmap::ones(37);
        assert_eq!(bits.count(), 37);
        bits.remove(3);
        bits.remove(30);
        for from in 0..40 {
            for to in from..40 {
                let expected = (from..to).filter(|bit| bits.contains(*bit)).count();
                assert_eq!(bits.count_within(from, to), expected, "{from}..{to}");
            }
        }
        assert_eq!(bits.iter().count(), 35);
    }

    #[test]
    fn a_short_answer_clears_what_it_does_not_reach() {
        let mut bits = Bitmap::ones(20);
        bits.intersect(&[0xff]);
        assert_eq!(bits.count(), 8);
    }
}
