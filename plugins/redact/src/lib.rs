//! The standard plugin `redact`: a transform that masks what should not leave: card numbers, e-mail and IP addresses,
//! tokens, whatever own patterns find, and whole values by their keys; in every attribute, nested ones too, in span
//! names and status messages, and in log bodies.

mod config;
mod detect;
mod keys;
mod marks;
mod mask;
mod memo;

use sluicebox_plugin::prelude::*;

pub use crate::config::{Config, Detector};
use crate::mask::Masker;

/// The plugin, made for one stage.
pub struct Redact {
    masker: Masker,
    fields: Vec<(Field, EditField)>,
    attributes: Vec<(AttributesField, EditAttributesField)>,
}

impl BatchTransform for Redact {
    type Config = Config;

    fn new(config: Config, setup: &mut Setup) -> Result<Self, Error> {
        let (fields, lists): (&[&str], &[&str]) = match setup.signal() {
            Signal::Traces => (
                &["span.name", "span.status.message"],
                &["span.attributes[*]", "span.events.attributes[*]", "span.links.attributes[*]"],
            ),
            Signal::Metrics => (&[], &["datapoint.attributes[*]", "metric.metadata[*]"]),
            Signal::Logs => (&["log.body"], &["log.attributes[*]"]),
        };
        let fields = fields.iter().map(|path| Ok((setup.read(path)?, setup.write(path)?)));
        let fields = fields.collect::<Result<_, Error>>()?;
        let lists = lists.iter().chain(&["scope.attributes[*]", "resource.attributes[*]"]);
        let attributes = lists.map(|path| Ok((setup.read_attributes(path)?, setup.write_attributes(path)?)));
        let attributes = attributes.collect::<Result<_, Error>>()?;
        Ok(Redact { masker: Masker::new(config)?, fields, attributes })
    }

    fn transform(&mut self, batch: &Batch, edits: &Edits) -> Result<(), Error> {
        self.masker.begin();
        let live = Rows::live(batch);
        for &(field, edited) in &self.fields {
            let cells = batch.cells(field);
            for row in live.iter() {
                if let Some(masked) = self.masker.mask(None, cells.value(row)) {
                    edits.set(edited, row, masked);
                }
            }
        }
        for &(field, edited) in &self.attributes {
            let lists = batch.attributes(field);
            let record = field.level() == Level::Record;
            for entry in (0..lists.len()).filter(|&entry| !record || live.contains(entry)) {
                for (key, value) in lists.of(entry) {
                    if let Some(masked) = self.masker.mask(Some(key), value) {
                        edits.set_attribute(edited, entry, key, masked);
                    }
                }
            }
        }
        match self.masker.take_count() {
            0 => {}
            masked => metrics::count("redacted", masked),
        }
        Ok(())
    }
}

export_batch_transform!(Redact);
