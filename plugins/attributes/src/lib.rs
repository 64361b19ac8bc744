//! The standard plugin `attributes`: a transform that changes attributes by a list of actions, in order; later ones
//! see what earlier ones did.
//!
//! Each path that the actions name is a register (`registers`). A batch is worked on action by action, each over
//! all entries of its level; what changed in the registers in the end is the answer.

mod action;
mod config;
mod registers;

use sluicebox_plugin::prelude::*;

use crate::action::Action;
pub use crate::config::{Config, Written};
use crate::registers::{Register, Registers};

/// The plugin, made for one stage.
pub struct ChangeAttributes {
    registers: Vec<Register>,
    actions: Vec<Action>,
}

impl BatchTransform for ChangeAttributes {
    type Config = Config;

    fn new(config: Config, setup: &mut Setup) -> Result<Self, Error> {
        let (registers, actions) = config::compile(config, setup)?;
        Ok(ChangeAttributes { registers, actions })
    }

    fn transform(&mut self, batch: &Batch, edits: &Edits) -> Result<(), Error> {
        let mut registers = Registers::new(&self.registers, batch);
        self.actions.iter().for_each(|action| action.run(&mut registers));
        registers.write(edits);
        Ok(())
    }
}

export_batch_transform!(ChangeAttributes);
