//! The traits of plugins: one record at a time, and a batch at a time.

use crate::record::{Frame, Slot};
use crate::{Batch, Config, Decision, Decisions, Edits, Error, Reason, Record, Rows, Setup};

/// Keeps or drops each record. Export it with `export_filter!`.
pub trait Filter: Sized + 'static {
    /// What the pipeline file says under `config`: a type with `#[config]`, or [`crate::NoConfig`].
    type Config: Config;
    /// The fields that it wants: a struct with `#[derive(Record)]`.
    type Record<'a>: Record<'a>;

    /// Makes the plugin for one stage. An error refuses the config, beside its place in the pipeline file.
    fn new(config: Self::Config) -> Result<Self, Error>;

    /// Whether the record stays.
    fn keep(&mut self, record: Self::Record<'_>) -> bool;
}

/// Keeps each record with a probability. Export it with `export_sampler!`.
pub trait Sampler: Sized + 'static {
    /// What the pipeline file says under `config`: a type with `#[config]`, or [`crate::NoConfig`].
    type Config: Config;
    /// The fields that it wants: a struct with `#[derive(Record)]`.
    type Record<'a>: Record<'a>;
    /// Why it decides: an enum with `#[derive(Reason)]`.
    type Reason: Reason;

    /// Makes the plugin for one stage. An error refuses the config, beside its place in the pipeline file.
    fn new(config: Self::Config) -> Result<Self, Error>;

    /// With what probability the record stays, and why.
    fn sample(&mut self, record: Self::Record<'_>) -> Decision<Self::Reason>;
}

/// Changes records. Export it with `export_transform!`.
pub trait Transform: Sized + 'static {
    /// What the pipeline file says under `config`: a type with `#[config]`, or [`crate::NoConfig`].
    type Config: Config;
    /// The fields that it wants: a struct with `#[derive(Record)]`, with an [`crate::Edit`] for each that it sets.
    type Record<'a>: Record<'a>;

    /// Makes the plugin for one stage. An error refuses the config, beside its place in the pipeline file.
    fn new(config: Self::Config) -> Result<Self, Error>;

    /// Sets what should change.
    fn edit(&mut self, record: Self::Record<'_>);
}

/// A filter that is given whole batches. Export it with `export_batch_filter!`.
pub trait BatchFilter: Sized + 'static {
    /// What the pipeline file says under `config`.
    type Config: Config;

    /// Makes the plugin for one stage, and declares its fields.
    fn new(config: Self::Config, setup: &mut Setup) -> Result<Self, Error>;

    /// Which rows stay. An error is a fault of the plugin: the stage's `on_error` decides about the batch.
    fn filter(&mut self, batch: &Batch) -> Result<Rows, Error>;
}

/// A sampler that is given whole batches. Export it with `export_batch_sampler!`.
pub trait BatchSampler: Sized + 'static {
    /// What the pipeline file says under `config`.
    type Config: Config;
    /// Why it decides: an enum with `#[derive(Reason)]`.
    type Reason: Reason;

    /// Makes the plugin for one stage, and declares its fields.
    fn new(config: Self::Config, setup: &mut Setup) -> Result<Self, Error>;

    /// A decision for every row; [`Decisions::ask`] makes them. An error is a fault of the plugin.
    fn sample(&mut self, batch: &Batch) -> Result<Decisions, Error>;
}

/// A transform that is given whole batches. Export it with `export_batch_transform!`.
pub trait BatchTransform: Sized + 'static {
    /// What the pipeline file says under `config`.
    type Config: Config;

    /// Makes the plugin for one stage, and declares its fields.
    fn new(config: Self::Config, setup: &mut Setup) -> Result<Self, Error>;

    /// Sets what should change. An error is a fault of the plugin: nothing is changed.
    fn transform(&mut self, batch: &Batch, edits: &Edits) -> Result<(), Error>;
}

/// A [`Filter`] as a [`BatchFilter`].
pub struct EachFilter<F> {
    plugin: F,
    slots: Vec<Slot>,
}

impl<F: Filter> BatchFilter for EachFilter<F> {
    type Config = F::Config;

    fn new(config: F::Config, setup: &mut Setup) -> Result<Self, Error> {
        const {
            assert!(
                !<F::Record<'static> as Record>::WRITES,
                "a filter's record has no Edit: only transforms set fields"
            )
        };
        Ok(EachFilter { plugin: F::new(config)?, slots: F::Record::declare(setup)? })
    }

    fn filter(&mut self, batch: &Batch) -> Result<Rows, Error> {
        let edits = Edits::default();
        let columns = F::Record::bind(Frame { batch, edits: &edits }, &self.slots);
        Ok(batch.rows_where(|row| self.plugin.keep(F::Record::read(&columns, row))))
    }
}

/// A [`Sampler`] as a [`BatchSampler`].
pub struct EachSampler<S> {
    plugin: S,
    slots: Vec<Slot>,
}

impl<S: Sampler> BatchSampler for EachSampler<S> {
    type Config = S::Config;
    type Reason = S::Reason;

    fn new(config: S::Config, setup: &mut Setup) -> Result<Self, Error> {
        const {
            assert!(
                !<S::Record<'static> as Record>::WRITES,
                "a sampler's record has no Edit: only transforms set fields"
            )
        };
        Ok(EachSampler { plugin: S::new(config)?, slots: S::Record::declare(setup)? })
    }

    fn sample(&mut self, batch: &Batch) -> Result<Decisions, Error> {
        let edits = Edits::default();
        let columns = S::Record::bind(Frame { batch, edits: &edits }, &self.slots);
        Ok(Decisions::ask(batch, |row| self.plugin.sample(S::Record::read(&columns, row))))
    }
}

/// A [`Transform`] as a [`BatchTransform`].
pub struct EachTransform<T> {
    plugin: T,
    slots: Vec<Slot>,
}

impl<T: Transform> BatchTransform for EachTransform<T> {
    type Config = T::Config;

    fn new(config: T::Config, setup: &mut Setup) -> Result<Self, Error> {
        Ok(EachTransform { plugin: T::new(config)?, slots: T::Record::declare(setup)? })
    }

    fn transform(&mut self, batch: &Batch, edits: &Edits) -> Result<(), Error> {
        let columns = T::Record::bind(Frame { batch, edits }, &self.slots);
        batch.live_rows().for_each(|row| self.plugin.edit(T::Record::read(&columns, row)));
        Ok(())
    }
}
