//! The two text formats of `/metrics`: OpenMetrics 1.0 for who asks for it, Prometheus 0.0.4 for everybody else.

use std::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// A text format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `application/openmetrics-text`, version 1.0.0.
    OpenMetrics,
    /// `text/plain`, version 0.0.4.
    Prometheus,
}

impl Format {
    /// What an `Accept` header asks for: OpenMetrics only if it is named, and liked at least as much as plain text.
    pub fn negotiate(accept: &str) -> Format {
        let quality = |wanted: &str| {
            let ranges = accept.split(',').filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let matches = parts.next()?.eq_ignore_ascii_case(wanted);
                let quality = parts.find_map(|x| x.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok());
                matches.then_some(quality?)
            });
            ranges.fold(0.0, f32::max)
        };
        let open = quality("application/openmetrics-text");
        if open > 0.0 && open >= quality("text/plain") { Format::OpenMetrics } else { Format::Prometheus }
    }

    /// The `Content-Type` of an answer.
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// Writes all metrics.
    pub fn write(self, registry: &Registry) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, registry)?;
        Ok(match self {
            Format::OpenMetrics => text,
            Format::Prometheus => plain(&text),
        })
    }
}

/// Turns OpenMetrics into the older format. Samples are the same in both; the older one names a family as its
/// samples are named (`x_total` for counters, `x_info`), knows other types, and has neither units nor an end mark.
fn plain(open: &str) -> String {
    let mut out = String::with_capacity(open.len());
    let mut help = None;
    for line in open.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|x| x.split_once(' ')) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            if let Some((_, text)) = help.take() {
                out.push_str(&format!("# HELP {name}{suffix} {text}\n"));
            }
            out.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with('#') {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::gauge::Gauge;
    use prometheus_client::metrics::histogram::Histogram;
    use prometheus_client::metrics::info::Info;

    use super::*;

    fn registry() -> Registry {
        let mut registry = Registry::default();
        let (counter, gauge, histogram) = (Counter::<u64>::default(), Gauge::<i64>::default(), Histogram::new([0.1]));
        counter.inc_by(3);
        gauge.set(-2);
        histogram.observe(0.05);
        registry.register("spans", "Spans", counter);
        registry.register("queue", "Queue", gauge);
        registry.register("call_seconds", "Calls", histogram);
        registry.register("build", "Build", Info::new([("version", "1")]));
        registry
    }

    #[test]
    fn who_does_not_ask_for_openmetrics_gets_the_older_format() {
        insta::assert_snapshot!(Format::Prometheus.write(&registry()).unwrap(), @r##"
        # HELP spans_total Spans.
        # TYPE spans_total counter
        spans_total 3
        # HELP queue Queue.
        # TYPE queue gauge
        queue -2
        # HELP call_seconds Calls.
        # TYPE call_seconds histogram
        call_seconds_sum 0.05
        call_seconds_count 1
        call_seconds_bucket{le="0.1"} 1
        call_seconds_bucket{le="+Inf"} 1
        # HELP build_info Build.
        # TYPE build_info gauge
        build_info{version="1"} 1
        "##);
    }

    #[test]
    fn who_asks_for_openmetrics_gets_it_with_its_end_mark() {
        let text = Format::OpenMetrics.write(&registry()).unwrap();
        assert!(text.contains("# TYPE spans counter\nspans_total 3\n"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn the_accept_header_decides() {
        let cases = [
            ("", Format::Prometheus),
            ("*/*", Format::Prometheus),
            ("text/plain", Format::Prometheus),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5", Format::OpenMetrics),
            ("application/openmetrics-text;q=0.2, text/plain;q=0.9", Format::Prometheus),
            ("application/openmetrics-text;q=0", Format::Prometheus),
            ("application/openmetrics-text;q=much", Format::Prometheus),
        ];
        for (accept, format) in cases {
            assert_eq!(Format::negotiate(accept), format, "{accept}");
        }
    }
}
