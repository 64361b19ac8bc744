//! What the export macros put between the host and a plugin: one configured plugin, and its calls.

use std::cell::RefCell;

use crate::bindings::types::{self, Description, Plan, Signal};
use crate::{Batch, BatchFilter, BatchSampler, BatchTransform, Config, Edits, Error, Reason, Setup, config, log};

/// Who the plugin is, from its `Cargo.toml`; the export macros capture it in the plugin's crate.
#[derive(Clone, Copy, Debug)]
pub struct About {
    pub package: &'static str,
    pub version: &'static str,
    pub description: &'static str,
}

/// Answers `describe`. The prefix `sluicebox-` of a package's name is not part of the plugin's.
pub fn describe<C: Config>(about: About) -> Description {
    log::report_panics();
    Description {
        name: about.package.strip_prefix("sluicebox-").unwrap_or(about.package).to_owned(),
        version: about.version.to_owned(),
        summary: about.description.to_owned(),
        config_schema: config::schema::<C>(),
    }
}

/// An instance: nothing before `configure`, one plugin after.
pub struct Guest<P> {
    configured: RefCell<Option<Configured<P>>>,
}

struct Configured<P> {
    plugin: P,
    writes: usize,
}

impl<P> Guest<P> {
    /// Not configured yet.
    pub const fn new() -> Self {
        Guest { configured: RefCell::new(None) }
    }

    /// Makes the plugin. `new` is that of its trait.
    fn make<C: Config>(
        &self,
        config: &str,
        signal: Signal,
        reasons: &[&str],
        new: impl FnOnce(C, &mut Setup) -> Result<P, Error>,
    ) -> Result<Plan, Error> {
        log::report_panics();
        let mut setup = Setup::new(signal);
        let plugin = new(config::parse(config)?, &mut setup)?;
        let plan = setup.plan(reasons);
        let mut configured = self.configured.try_borrow_mut().map_err(|_| Error::new("configured during a call"))?;
        *configured = Some(Configured { plugin, writes: plan.writes.len() });
        Ok(plan)
    }

    fn call<T>(&self, run: impl FnOnce(&mut Configured<P>) -> Result<T, Error>) -> Result<T, Error> {
        let mut configured = self.configured.try_borrow_mut().map_err(|_| Error::new("called during a call"))?;
        configured.as_mut().ok_or_else(|| Error::new("called before configure")).and_then(run)
    }
}

impl<P> Default for Guest<P> {
    fn default() -> Self {
        Guest::new()
    }
}

impl<F: BatchFilter> Guest<F> {
    /// Makes a filter.
    pub fn configure_filter(&self, config: &str, signal: Signal) -> Result<Plan, Error> {
        self.make(config, signal, &[], F::new)
    }

    /// Answers with the bitmap of the rows to keep.
    pub fn filter(&self, batch: types::Batch) -> Result<Vec<u8>, Error> {
        let batch = Batch::new(batch);
        self.call(|configured| Ok(configured.plugin.filter(&batch)?.bits))
    }
}

impl<S: BatchSampler> Guest<S> {
    /// Makes a sampler.
    pub fn configure_sampler(&self, config: &str, signal: Signal) -> Result<Plan, Error> {
        self.make(config, signal, S::Reason::NAMES, S::new)
    }

    /// Answers with a decision for each row.
    pub fn sample(&self, batch: types::Batch) -> Result<types::Decisions, Error> {
        let batch = Batch::new(batch);
        let decisions = self.call(|configured| configured.plugin.sample(&batch))?;
        Ok(types::Decisions { probabilities: decisions.probabilities, reasons: decisions.reasons })
    }
}

impl<T: BatchTransform> Guest<T> {
    /// Makes a transform.
    pub fn configure_transform(&self, config: &str, signal: Signal) -> Result<Plan, Error> {
        self.make(config, signal, &[], T::new)
    }

    /// Answers with the edits.
    pub fn transform(&self, batch: types::Batch) -> Result<Vec<types::Edit>, Error> {
        let batch = Batch::new(batch);
        self.call(|configured| {
            let edits = Edits::new(configured.writes);
            configured.plugin.transform(&batch, &edits)?;
            Ok(edits.finish())
        })
    }
}
