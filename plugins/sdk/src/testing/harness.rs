//! Plugins under test.

use crate::bindings::types::{self, Plan, Signal};
use crate::guest::Guest;
use crate::testing::paths::{self, Use};
use crate::testing::{Telemetry, answer, project};
use crate::{BatchFilter, BatchSampler, BatchTransform, EachFilter, EachSampler, EachTransform, Error};
use crate::{Filter, Sampler, Transform};

/// A configured plugin, and what it declared.
struct Stage<P> {
    guest: Guest<P>,
    plan: Plan,
    signal: Signal,
}

impl<P> Stage<P> {
    fn new(
        signal: Signal,
        config: &serde_json::Value,
        configure: impl FnOnce(&Guest<P>, &str, Signal) -> Result<Plan, Error>,
    ) -> Result<Self, Error> {
        let guest = Guest::new();
        let plan = configure(&guest, &config.to_string(), signal)?;
        plan.reads.iter().try_for_each(|path| paths::check(path, signal, Use::Read))?;
        plan.writes.iter().try_for_each(|path| paths::check(path, signal, Use::Write))?;
        Ok(Stage { guest, plan, signal })
    }

    /// The batch that the host would give.
    fn batch(&self, telemetry: &Telemetry) -> types::Batch {
        assert_eq!(telemetry.signal, self.signal, "the plugin was configured for another signal");
        project::project(telemetry, &self.plan)
    }
}

/// A filter under test.
pub struct FilterTest<F>(Stage<F>);

impl<F: BatchFilter> FilterTest<F> {
    /// The rows that it keeps.
    pub fn run(&mut self, telemetry: &Telemetry) -> Result<Vec<usize>, Error> {
        let bits = self.0.guest.filter(self.0.batch(telemetry))?;
        let rows = telemetry.records.len();
        if bits.len() != rows.div_ceil(8) {
            return Err(Error::new(format!("{} bytes of bitmap for {rows} rows", bits.len())));
        }
        Ok((0..rows).filter(|row| bits[row / 8] & 1 << (row % 8) != 0).collect())
    }

    /// The paths of the fields that it reads.
    pub fn reads(&self) -> &[String] {
        &self.0.plan.reads
    }
}

/// A sampler under test.
pub struct SamplerTest<S>(Stage<S>);

impl<S: BatchSampler> SamplerTest<S> {
    /// For each row, the probability with which it is kept, and the reason.
    pub fn run(&mut self, telemetry: &Telemetry) -> Result<Vec<(f64, String)>, Error> {
        let decisions = self.0.guest.sample(self.0.batch(telemetry))?;
        let rows = telemetry.records.len();
        if decisions.probabilities.len() != rows || decisions.reasons.len() != rows {
            return Err(Error::new(format!("not one decision for each of {rows} rows")));
        }
        let named = decisions.probabilities.iter().zip(&decisions.reasons).map(|(&probability, &reason)| {
            let name = self.0.plan.reasons.get(usize::from(reason));
            if !(0.0..=1.0).contains(&probability) {
                return Err(Error::new(format!("{probability} is not a probability")));
            }
            Ok((probability, name.ok_or_else(|| Error::new("a reason that was not declared"))?.clone()))
        });
        named.collect()
    }

    /// The paths of the fields that it reads.
    pub fn reads(&self) -> &[String] {
        &self.0.plan.reads
    }
}

/// A transform under test.
pub struct TransformTest<T>(Stage<T>);

impl<T: BatchTransform> TransformTest<T> {
    /// The telemetry as it is after the stage.
    pub fn run(&mut self, telemetry: &Telemetry) -> Result<Telemetry, Error> {
        let edits = self.0.guest.transform(self.0.batch(telemetry))?;
        answer::apply(telemetry, &self.0.plan, &edits)
    }

    /// The paths of the fields that it reads.
    pub fn reads(&self) -> &[String] {
        &self.0.plan.reads
    }

    /// The paths of the fields that it writes.
    pub fn writes(&self) -> &[String] {
        &self.0.plan.writes
    }
}

/// A [`Filter`], configured as the host would.
pub fn filter<F: Filter>(signal: Signal, config: serde_json::Value) -> Result<FilterTest<EachFilter<F>>, Error> {
    batch_filter(signal, config)
}

/// A [`Sampler`], configured as the host would.
pub fn sampler<S: Sampler>(signal: Signal, config: serde_json::Value) -> Result<SamplerTest<EachSampler<S>>, Error> {
    batch_sampler(signal, config)
}

/// A [`Transform`], configured as the host would.
pub fn transform<T: Transform>(
    signal: Signal,
    config: serde_json::Value,
) -> Result<TransformTest<EachTransform<T>>, Error> {
    batch_transform(signal, config)
}

/// A [`BatchFilter`], configured as the host would.
pub fn batch_filter<F: BatchFilter>(signal: Signal, config: serde_json::Value) -> Result<FilterTest<F>, Error> {
    Stage::new(signal, &config, Guest::<F>::configure_filter).map(FilterTest)
}

/// A [`BatchSampler`], configured as the host would.
pub fn batch_sampler<S: BatchSampler>(signal: Signal, config: serde_json::Value) -> Result<SamplerTest<S>, Error> {
    Stage::new(signal, &config, Guest::<S>::configure_sampler).map(SamplerTest)
}

/// A [`BatchTransform`], configured as the host would.
pub fn batch_transform<T: BatchTransform>(
    signal: Signal,
    config: serde_json::Value,
) -> Result<TransformTest<T>, Error> {
    Stage::new(signal, &config, Guest::<T>::configure_transform).map(TransformTest)
}
