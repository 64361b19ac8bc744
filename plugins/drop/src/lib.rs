//! The standard plugin `drop`: a filter that drops the records for which the conditions of its config are true.
//!
//! The config is read into a tree of conditions (`condition`) whose leaves are checks of one field (`check`).
//! A batch is answered leaf by leaf, column by column: each leaf narrows a set of rows, the cheap ones first.

mod check;
mod condition;
mod config;
mod operand;

use sluicebox_plugin::prelude::*;

use crate::condition::Condition;
use crate::config::Config;

/// The plugin, made for one stage.
pub struct Drop {
    condition: Condition,
}

impl BatchFilter for Drop {
    type Config = Config;

    fn new(config: Config, setup: &mut Setup) -> Result<Self, Error> {
        Ok(Drop { condition: config::condition(&config, setup)? })
    }

    fn filter(&mut self, batch: &Batch) -> Result<Rows, Error> {
        let mut rows = Rows::live(batch);
        let dropped = self.condition.matches(batch, &rows);
        rows.remove(&dropped);
        Ok(rows)
    }
}

export_batch_filter!(Drop);
