//! What adaptive compression shows of itself: what is chosen, why, and how often that changed.

use super::chooser::CANDIDATES;
use super::figures::Figures;
use crate::config::spec::Codec;
use crate::telemetry::metrics::{CodecLabels, ExporterLabels, Metrics, RefusedLabels};

/// The account of one destination's compression. A series for each candidate, and no more.
#[derive(Debug)]
pub struct Meter {
    exporter: String,
    metrics: Metrics,
}

impl Meter {
    /// Of exporter `id`.
    pub fn new(id: &str, metrics: &Metrics) -> Self {
        Meter { exporter: id.to_owned(), metrics: metrics.clone() }
    }

    /// The id of the exporter.
    pub fn exporter(&self) -> &str {
        &self.exporter
    }

    /// The first choice. All candidates are shown, so that it is plain what there is.
    pub fn begin(&self, chosen: Codec) {
        let labels = ExporterLabels { exporter: self.exporter.clone() };
        self.metrics.exporter_compression_switches.get_or_create_owned(&labels);
        // By difference: a destination that drains may share the series with its successor.
        CANDIDATES.into_iter().for_each(|codec| self.choose(codec, i64::from(codec == chosen)));
    }

    /// The destination is gone.
    pub fn end(&self, chosen: Codec) {
        self.choose(chosen, -1);
    }

    /// A candidate was measured.
    pub fn measured(&self, codec: Codec, figures: &Figures) {
        let labels = self.labels(codec);
        self.metrics.exporter_compression_ratio.get_or_create_owned(&labels).set(figures.ratio());
        self.metrics.exporter_compression_cost.get_or_create_owned(&labels).set(figures.cost());
    }

    /// Another one is chosen.
    pub fn switched(&self, from: Codec, to: Codec, figures: Option<&Figures>) {
        self.choose(from, -1);
        self.choose(to, 1);
        let labels = ExporterLabels { exporter: self.exporter.clone() };
        self.metrics.exporter_compression_switches.get_or_create_owned(&labels).inc();
        let (exporter, from, compression) = (&self.exporter, name(from), name(to));
        match figures {
            Some(figures) => tracing::info!(
                exporter,
                from,
                compression,
                ratio = format!("{:.3}", figures.ratio()),
                cpu_ms_per_mib = format!("{:.2}", figures.cost() * 1e3),
                "requests are compressed otherwise from now on"
            ),
            None => tracing::info!(exporter, from, compression, "requests are compressed otherwise from now on"),
        }
    }

    /// The peer does not take an encoding.
    pub fn refused(&self, codec: Codec) {
        let encoding = codec.compression.encoding().unwrap_or("none");
        let labels = RefusedLabels { exporter: self.exporter.clone(), encoding };
        self.metrics.exporter_compression_refusals.get_or_create_owned(&labels).inc();
        let exporter = &self.exporter;
        tracing::warn!(exporter, encoding, "the peer does not take this compression: not used for an hour");
    }

    fn choose(&self, codec: Codec, by: i64) {
        self.metrics.exporter_compression_chosen.get_or_create_owned(&self.labels(codec)).inc_by(by);
    }

    fn labels(&self, codec: Codec) -> CodecLabels {
        CodecLabels::new(&self.exporter, codec)
    }
}

/// As `/status` and the log have it: `zstd 3`.
pub fn name(codec: Codec) -> String {
    match codec.compression.encoding() {
        Some(encoding) => format!("{encoding} {}", codec.level),
        None => "none".to_owned(),
    }
}
