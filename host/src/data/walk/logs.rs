//! The walk over log records.

use std::ops::Range;

use super::shape::LOG;
use super::traces::is_id;
use super::value::{Fields, any_value};
use super::{Counted, Walker, once, place};
use crate::data::batch::At;
use crate::data::field::Level;
use crate::data::wire::{Malformed, Payload};

/// The tag of `LogRecord.attributes`.
const ATTRIBUTE_TAG: u8 = 6 << 3 | 2;

impl Walker<'_> {
    pub(super) fn log(&mut self, at: At, content: Range<usize>) -> Result<(), Malformed> {
        self.sink.open(Level::Record);
        let row = self.sink.layout.records.len() as u32;
        let bytes = self.bytes;
        let mut body = At::NOWHERE;
        let mut ids = [At::NOWHERE; 2];
        let mut ids_ok = true;
        let mut attributes = Counted::default();
        let mut fields = Fields::new(bytes, content, &LOG);
        loop {
            while let Some((at, content)) = fields.next_short(ATTRIBUTE_TAG) {
                self.attribute(Level::Record, at, content, &mut attributes)?;
            }
            let Some(field) = fields.next()? else { break };
            match (field.number, field.payload) {
                (6, Payload::Bytes { from, to }) => {
                    self.attribute(Level::Record, place(&field), from..to, &mut attributes)?;
                    continue;
                }
                (5, Payload::Bytes { from, to }) => {
                    once(&mut body, &field)?;
                    let value = any_value(bytes, from..to, self.limits.value_depth)?;
                    self.sink.value(Level::Record, &field, value);
                    continue;
                }
                (9, Payload::Bytes { from, to }) if from < to => {
                    once(&mut ids[0], &field)?;
                    ids_ok &= is_id::<16>(bytes, from..to);
                }
                (10, Payload::Bytes { from, to }) if from < to => {
                    once(&mut ids[1], &field)?;
                    ids_ok &= is_id::<8>(bytes, from..to);
                }
                _ => {}
            }
            self.sink.field(Level::Record, &field);
        }
        if !ids_ok {
            self.dissociate(row, ids);
        }
        self.sink.layout.records.push(at);
        self.reject_row(row, attributes.fault);
        Ok(())
    }

    /// A record with an invalid id is kept as not associated with a trace (R39): its ids are taken out.
    fn dissociate(&mut self, row: u32, ids: [At; 2]) {
        let mut places = ids;
        places.sort_by_key(|at| at.start);
        self.strips.extend(places.into_iter().filter(|at| at.is_somewhere()).map(|at| (row, at)));
        self.sink.forget_ids();
    }
}
