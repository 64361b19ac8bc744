//! Attributes as almost all of them come: `{"key":"…","value":{"stringValue":"…"}}`, or with an `intValue`, without
//! white space and escapes.
//!
//! They are most of what telemetry consists of. To take them in one look, without what a message in general may be,
//! halves what a span costs.

use super::Decoder;
use crate::data::wire::varint_len;

/// Tags of common.proto.
const KEY: u8 = 1 << 3 | 2;
const VALUE: u8 = 2 << 3 | 2;
const STRING_VALUE: u8 = 1 << 3 | 2;
const INT_VALUE: u8 = 3 << 3;

/// Longer attributes have lengths of more than a byte: their form is the least of what they cost.
const LENGTH_MAX: usize = 127;

impl Decoder<'_> {
    /// Consumes an element of the list of `KeyValue`s that has that field number, if it is of that form; else nothing is
    /// consumed.
    pub(super) fn attribute(&mut self, number: u32, depth: usize) -> bool {
        let start = self.parser.offset();
        // No list of attributes has a number above 15, for which the tag would be longer.
        let tag = u8::try_from(number << 3 | 2).ok().filter(|tag| *tag < 0x80 && depth <= self.depth_max);
        let taken = tag.and_then(|tag| self.try_attribute(tag)).is_some();
        if !taken {
            self.parser.back_to(start);
        }
        taken
    }

    #[inline(always)]
    fn try_attribute(&mut self, tag: u8) -> Option<()> {
        self.parser.literal(b"{\"key\":")?;
        let key = self.parser.plain_string()?;
        // An empty key is left out.
        let key_len = Some(key.len()).filter(|&length| length > 0)?;
        if self.parser.literal(b",\"value\":{\"stringValue\":").is_some() {
            let text = self.parser.plain_string()?;
            self.parser.literal(b"}}")?;
            let value_len = 2 + text.len();
            let length = Some(4 + key_len + value_len).filter(|&length| length <= LENGTH_MAX)?;
            self.out.sheet.put(&[tag, length as u8, KEY, key_len as u8]);
            self.out.sheet.put_range(self.parser.json(), key);
            self.out.sheet.put(&[VALUE, value_len as u8, STRING_VALUE, text.len() as u8]);
            self.out.sheet.put_range(self.parser.json(), text);
        } else {
            self.parser.literal(b",\"value\":{\"intValue\":")?;
            let int = self.parser.plain_integer(i64::MAX as u64)?;
            self.parser.literal(b"}}")?;
            let value_len = 1 + varint_len(int);
            let length = Some(4 + key_len + value_len).filter(|&length| length <= LENGTH_MAX)?;
            self.out.sheet.put(&[tag, length as u8, KEY, key_len as u8]);
            self.out.sheet.put_range(self.parser.json(), key);
            self.out.sheet.put(&[VALUE, value_len as u8, INT_VALUE]);
            self.out.sheet.put_varint(int);
        }
        Some(())
    }
}
