//! Writing nested messages whose length is known only at their end.
//!
//! One byte is left for each length, which is enough for most messages. Of a longer one the place is noted, and
//! all those lengths are put in at the end, in one pass from the back: each byte moves at most once, however deep
//! messages nest.

use super::sheet::Sheet;
use crate::data::wire::{put_varint, varint_len};

/// Protobuf bytes, under construction.
#[derive(Debug, Default)]
pub struct Frames {
    /// What is written so far; lengths in `long` have one byte here, whatever they need.
    pub sheet: Sheet,
    long: Vec<Length>,
    /// How many bytes the lengths in `long` need beyond the one that they have.
    growth: usize,
}

#[derive(Debug)]
struct Length {
    /// Where its one byte is.
    at: usize,
    value: usize,
}

/// A message that was begun and not ended.
#[derive(Debug)]
#[must_use]
pub struct Open {
    at: usize,
    growth: usize,
}

impl Frames {
    /// With room for that many bytes.
    pub fn with_capacity(bytes: usize) -> Frames {
        Frames { sheet: Sheet::with_capacity(bytes), ..Frames::default() }
    }

    /// How many bytes the result would have.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.sheet.len() + self.growth
    }

    /// Writes the tag of a field.
    #[inline(always)]
    pub fn put_tag(&mut self, number: u32, wire_type: u8) {
        self.sheet.put_varint(u64::from(number) << 3 | u64::from(wire_type));
    }

    /// Writes the tag and the length of a length-delimited field of so many bytes.
    #[inline(always)]
    pub fn put_head(&mut self, number: u32, length: usize) {
        self.put_tag(number, 2);
        self.sheet.put_varint(length as u64);
    }

    /// Begins a length-delimited field.
    #[inline(always)]
    pub fn open(&mut self, number: u32) -> Open {
        self.put_tag(number, 2);
        let at = self.sheet.len();
        self.sheet.put(&[0]);
        Open { at, growth: self.growth }
    }

    /// Ends the length-delimited field that was begun last.
    #[inline(always)]
    pub fn close(&mut self, open: Open) {
        let value = (self.sheet.len() - open.at - 1) + (self.growth - open.growth);
        if value >= 0x80 {
            self.growth += varint_len(value as u64) - 1;
            self.long.push(Length { at: open.at, value });
        } else {
            self.sheet.set(open.at, value as u8);
        }
    }

    /// The finished bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.long.sort_unstable_by_key(|length| length.at);
        let mut bytes = self.sheet.finish();
        let mut from_end = bytes.len();
        bytes.resize(from_end + self.growth, 0);
        let mut to_end = bytes.len();
        let mut varint = Vec::with_capacity(10);
        for length in self.long.iter().rev() {
            let content = length.at + 1..from_end;
            to_end -= content.len();
            bytes.copy_within(content, to_end);
            varint.clear();
            put_varint(&mut varint, length.value as u64);
            to_end -= varint.len();
            if let Some(place) = bytes.get_mut(to_end..to_end + varint.len()) {
                place.copy_from_slice(&varint);
            }
            from_end = length.at;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::wire::put_bytes_field;

    #[derive(Clone, Debug)]
    enum Tree {
        Leaf(usize),
        Node(Vec<Tree>),
    }

    fn tree() -> impl Strategy<Value = Tree> {
        let leaf = prop_oneof![0..200usize, 16_000..17_000usize].prop_map(Tree::Leaf);
        leaf.prop_recursive(6, 40, 5, |inner| prop::collection::vec(inner, 0..5).prop_map(Tree::Node))
    }

    fn write(frames: &mut Frames, tree: &Tree) {
        let open = frames.open(3);
        match tree {
            Tree::Leaf(size) => frames.sheet.put_slice(&vec![7; *size]),
            Tree::Node(inner) => inner.iter().for_each(|tree| write(frames, tree)),
        }
        frames.close(open);
    }

    fn model(out: &mut Vec<u8>, tree: &Tree) {
        let mut body = Vec::new();
        match tree {
            Tree::Leaf(size) => body.resize(*size, 7),
            Tree::Node(inner) => inner.iter().for_each(|tree| model(&mut body, tree)),
        }
        put_bytes_field(out, 3, &body);
    }

    proptest! {
        #[test]
        fn lengths_are_those_of_the_contents(tree in tree()) {
            let (mut frames, mut expected) = (Frames::default(), Vec::new());
            write(&mut frames, &tree);
            model(&mut expected, &tree);
            prop_assert_eq!(frames.len(), expected.len());
            prop_assert_eq!(frames.finish(), expected);
        }
    }
}
