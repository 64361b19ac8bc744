//! A plugin's own counters and histograms, as they appear on `/metrics`.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

/// Names that one stage may have.
pub const NAMES_MAX: usize = 64;
/// Names over all stages that the process ever had.
const FAMILIES_MAX: usize = 1_024;
/// Bytes of one name.
const NAME_BYTES_MAX: usize = 64;
/// Names that, after `sluicebox_plugin_`, are the host's own.
const RESERVED: [&str; 4] = ["calls", "call_duration_seconds", "faults", "log_lines_dropped"];

/// Labels of a plugin's own metrics.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub struct OwnLabels {
    /// The pipeline's id.
    pub pipeline: String,
    /// The stage's id.
    pub processor: String,
    /// The plugin's name. Not its version: what it counts goes on when it is replaced.
    pub plugin: String,
}

/// The own metrics of all plugins of the process. Cheap to clone; register one with the registry of `/metrics`.
#[derive(Clone, Debug, Default)]
pub struct PluginMetrics {
    families: Arc<RwLock<BTreeMap<String, Family>>>,
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A sum.
    Counter,
    /// A distribution.
    Histogram,
}

#[derive(Debug)]
struct Family {
    shape: Shape,
    series: BTreeMap<OwnLabels, Own>,
}

/// One metric of one stage.
#[derive(Clone, Debug)]
pub enum Own {
    /// A sum.
    Counter(Counter),
    /// A distribution.
    Histogram(Histogram),
}

impl Own {
    fn new(shape: Shape) -> Own {
        match shape {
            Shape::Counter => Own::Counter(Counter::default()),
            Shape::Histogram => Own::Histogram(Histogram::new(bounds())),
        }
    }

    fn shape(&self) -> Shape {
        match self {
            Own::Counter(_) => Shape::Counter,
            Own::Histogram(_) => Shape::Histogram,
        }
    }

    /// Adds to a counter.
    pub fn count(&self, value: u64) {
        if let Own::Counter(counter) = self {
            counter.inc_by(value);
        }
    }

    /// Adds to a histogram; what is not a number is not counted.
    pub fn observe(&self, value: f64) {
        if let Own::Histogram(histogram) = self
            && value.is_finite()
        {
            histogram.observe(value);
        }
    }
}

/// Bounds for values of unknown unit: 1, 2.5 and 5 of each power of ten from a thousandth to a million.
fn bounds() -> impl Iterator<Item = f64> {
    (-3..=6).flat_map(|power| [1.0, 2.5, 5.0].map(|step| step * 10_f64.powi(power)))
}

impl PluginMetrics {
    /// The own metrics of one stage.
    pub fn stage(&self, labels: OwnLabels) -> StageMetrics {
        StageMetrics { all: self.clone(), labels, names: Mutex::default() }
    }

    /// The series of a name, made if need be; none if the name has another shape elsewhere, or there are too many.
    fn series(&self, name: &str, shape: Shape, labels: &OwnLabels) -> Option<Own> {
        let mut families = self.families.write();
        if !families.contains_key(name) && families.len() >= FAMILIES_MAX {
            return None;
        }
        let family = families.entry(name.to_owned()).or_insert_with(|| Family { shape, series: BTreeMap::new() });
        (family.shape == shape).then(|| family.series.entry(labels.clone()).or_insert_with(|| Own::new(shape)).clone())
    }
}

impl Collector for PluginMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, family) in &*self.families.read() {
            let name = format!("sluicebox_plugin_{name}");
            let shape = match family.shape {
                Shape::Counter => MetricType::Counter,
                Shape::Histogram => MetricType::Histogram,
            };
            let mut encoder = encoder.encode_descriptor(&name, "Own metric of a plugin", None, shape)?;
            for (labels, own) in &family.series {
                let encoder = encoder.encode_family(labels)?;
                match own {
                    Own::Counter(counter) => counter.encode(encoder)?,
                    Own::Histogram(histogram) => histogram.encode(encoder)?,
                }
            }
        }
        Ok(())
    }
}

/// The own metrics of one stage, shared by its instances.
#[derive(Debug)]
pub struct StageMetrics {
    all: PluginMetrics,
    labels: OwnLabels,
    names: Mutex<HashMap<String, Own>>,
}

impl StageMetrics {
    /// The metric of a name, made at its first use; none if it is not a name, or one too many, or of another shape.
    pub fn own(&self, name: &str, shape: Shape) -> Option<Own> {
        let mut names = self.names.lock();
        if let Some(own) = names.get(name) {
            return (own.shape() == shape).then(|| own.clone());
        }
        if names.len() >= NAMES_MAX || !is_name(name) {
            return None;
        }
        let own = self.all.series(name, shape, &self.labels)?;
        names.insert(name.to_owned(), own.clone());
        Some(own)
    }
}

/// Whether it is `[a-z][a-z0-9_]*`, short enough, and not the host's.
fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !RESERVED.contains(&name)
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;

    fn labels(processor: &str) -> OwnLabels {
        OwnLabels { pipeline: "traces".to_owned(), processor: processor.to_owned(), plugin: "count".to_owned() }
    }

    fn written(metrics: &PluginMetrics) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(metrics.clone()));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn series_of_a_stage_go_on_when_it_is_built_again() {
        let metrics = PluginMetrics::default();
        for _ in 0..2 {
            metrics.stage(labels("a")).own("seen", Shape::Counter).unwrap().count(2);
        }
        metrics.stage(labels("b")).own("size", Shape::Histogram).unwrap().observe(7.0);
        let text = written(&metrics);
        let series = r#"sluicebox_plugin_seen_total{pipeline="traces",processor="a",plugin="count"} 4"#;
        assert!(text.contains(series), "{text}");
        let bucket = r#"sluicebox_plugin_size_bucket{le="10.0",pipeline="traces",processor="b",plugin="count"} 1"#;
        assert!(text.contains(bucket), "{text}");
    }

    #[test]
    fn names_are_checked_and_bounded() {
        let stage = PluginMetrics::default().stage(labels("a"));
        for bad in ["", "9a", "A", "a-b", "a\n", "calls", &"x".repeat(65)] {
            assert!(stage.own(bad, Shape::Counter).is_none(), "{bad}");
        }
        let kept = (0..100).filter(|n| stage.own(&format!("n{n}"), Shape::Counter).is_some()).count();
        assert_eq!(kept, NAMES_MAX);
    }

    #[test]
    fn a_name_has_one_shape_in_the_whole_process() {
        let metrics = PluginMetrics::default();
        assert!(metrics.stage(labels("a")).own("x", Shape::Counter).is_some());
        assert!(metrics.stage(labels("a")).own("x", Shape::Histogram).is_none());
        assert!(metrics.stage(labels("b")).own("x", Shape::Histogram).is_none());
    }
}
