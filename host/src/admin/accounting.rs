//! Totals for `/status`, summed from what `/metrics` says: one count of everything, so the two never disagree.

use std::collections::BTreeMap;

use super::status::SignalTotals;
use crate::data::Signal;

/// Sums the totals of every signal from metrics in the OpenMetrics format.
pub(super) fn totals(metrics: &str) -> BTreeMap<Signal, SignalTotals> {
    let mut totals: BTreeMap<Signal, SignalTotals> =
        Signal::ALL.into_iter().map(|signal| (signal, SignalTotals::default())).collect();
    for sample in metrics.lines().filter_map(Sample::parse) {
        sample.add_to(&mut totals);
    }
    totals
}

/// One line: `name{label="value"} 12`.
struct Sample<'a> {
    name: &'a str,
    labels: &'a str,
    value: u64,
}

impl<'a> Sample<'a> {
    /// Reads a line; `None` for comments and for values that are no whole numbers.
    fn parse(line: &'a str) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ')?;
        let value = value.parse().ok()?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        Some(Sample { name, labels: labels.strip_suffix('}').unwrap_or(labels), value })
    }

    fn add_to(&self, totals: &mut BTreeMap<Signal, SignalTotals>) {
        if self.name == "sluicebox_dropped_records_total" {
            let signal = Signal::ALL.into_iter().find(|signal| self.label("signal").as_deref() == Some(signal.name()));
            if let (Some(totals), Some(reason)) = (signal.and_then(|x| totals.get_mut(&x)), self.label("reason")) {
                if self.value > 0 {
                    let component = totals.dropped_by.entry(self.label("component").unwrap_or_default()).or_default();
                    *component.entry(reason.clone()).or_default() += self.value;
                }
                *totals.dropped.entry(reason).or_default() += self.value;
            }
            return;
        }
        for (signal, totals) in totals {
            let prefix = self.name.strip_suffix("_total").and_then(|x| x.strip_suffix(signal.records()));
            let total = match prefix {
                Some("otelcol_receiver_accepted_") => &mut totals.accepted,
                Some("otelcol_receiver_refused_") => &mut totals.refused,
                Some("sluicebox_receiver_rejected_") => &mut totals.rejected,
                Some("otelcol_exporter_sent_") => &mut totals.delivered,
                Some("otelcol_exporter_send_failed_") => &mut totals.given_up,
                Some("sluicebox_exporter_recovered_") => &mut totals.recovered,
                Some("sluicebox_exporter_kept_") => &mut totals.kept,
                Some("sluicebox_exporter_rejected_") => &mut totals.rejected_by_peers,
                _ => continue,
            };
            *total += self.value;
        }
    }

    /// The value of a label, its escapes resolved.
    fn label(&self, wanted: &str) -> Option<String> {
        let mut rest = self.labels;
        while let Some((key, quoted)) = rest.split_once("=\"") {
            let (value, after) = unquote(quoted)?;
            if key.trim_start_matches(',') == wanted {
                return Some(value);
            }
            rest = after;
        }
        None
    }
}

/// Reads up to the closing quote; gives the text and what follows.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(match chars.next()? {
                (_, 'n') => '\n',
                (_, other) => other,
            }),
            char => value.push(char),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::admin::exposition::Format;
    use crate::telemetry::metrics::{ExporterLabels, LossLabels, Metrics, ReceiverLabels};

    #[test]
    fn totals_are_the_sums_of_the_metrics() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let receiver = |id: &str| ReceiverLabels { receiver: id.to_owned(), transport: "grpc" };
        let exporter = ExporterLabels { exporter: "odd \"name\", {here}\n\\".to_owned() };
        let loss = |component: &str, reason| LossLabels { signal: Signal::Traces, component: component.into(), reason };
        metrics.receiver_accepted.counter(Signal::Traces, &receiver("a")).inc_by(70);
        metrics.receiver_accepted.counter(Signal::Traces, &receiver("b")).inc_by(30);
        metrics.receiver_rejected.counter(Signal::Traces, &receiver("b")).inc_by(4);
        metrics.receiver_refused.counter(Signal::Logs, &receiver("b")).inc_by(5);
        metrics.exporter_sent.counter(Signal::Traces, &exporter).inc_by(60);
        metrics.exporter_send_failed.counter(Signal::Metrics, &exporter).inc_by(6);
        metrics.exporter_rejected.counter(Signal::Metrics, &exporter).inc_by(7);
        metrics.dropped.get_or_create_owned(&loss("x=\"1\",reason=\"no", "filtered")).inc_by(38);
        metrics.dropped.get_or_create_owned(&loss("y", "filtered")).inc_by(1);
        metrics.dropped.get_or_create_owned(&loss("y", "sampled")).inc_by(1);

        let totals = totals(&Format::OpenMetrics.write(&registry).unwrap());

        let dropped = BTreeMap::from([("filtered".to_owned(), 39), ("sampled".to_owned(), 1)]);
        let by =
            |reasons: &[(&str, u64)]| reasons.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect();
        let dropped_by = BTreeMap::from([
            ("x=\"1\",reason=\"no".to_owned(), by(&[("filtered", 38)])),
            ("y".to_owned(), by(&[("filtered", 1), ("sampled", 1)])),
        ]);
        let traces =
            SignalTotals { accepted: 100, rejected: 4, delivered: 60, dropped, dropped_by, ..SignalTotals::default() };
        let of_metrics = SignalTotals { given_up: 6, rejected_by_peers: 7, ..SignalTotals::default() };
        let logs = SignalTotals { refused: 5, ..SignalTotals::default() };
        let all = [(Signal::Traces, traces), (Signal::Metrics, of_metrics), (Signal::Logs, logs)];
        assert_eq!(totals, BTreeMap::from(all));
    }
}
