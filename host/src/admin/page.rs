//! Holds `docs/metrics.md` to the metrics that there are.

use std::collections::BTreeSet;

use prometheus_client::registry::Registry;

use super::process;
use crate::data::Signal;
use crate::telemetry::metrics::{
    AttemptLabels, CodecLabels, CredentialLabels, DeadLetterLabels, DecisionLabels, EndpointLabels, ExporterLabels,
    FaultLabels, GateLabels, LimitLabels, LossLabels, MemoryKindLabels, MemoryLimitLabels, Metrics, PipelineLabels,
    QueueFailureLabels, ReceiverLabels, RefusedLabels, ReloadLabels, RenewalLabels, RequestLabels, RotationLabels,
    SearchLabels, StageLabels, TaskLabels,
};

/// Names and types that the page lists, as in `# TYPE` lines of OpenMetrics.
fn documented() -> BTreeSet<(String, String)> {
    let page = include_str!("../../../docs/metrics.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let pairs = rows.map(|row| {
        let (name, rest) = row.split_once("` | ").expect("a row begins with name and type");
        let (kind, _) = rest.split_once(" |").expect("a row begins with name and type");
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        (name.strip_suffix(suffix).expect("a name has its type's suffix").to_owned(), kind.to_owned())
    });
    pairs.collect()
}

/// Names and types in `# TYPE` lines.
fn exposed(registry: &Registry) -> BTreeSet<(String, String)> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn the_page_lists_the_metrics_that_there_are_and_no_others() {
    let mut registry = Registry::default();
    let _metrics = Metrics::register(&mut registry);
    // A family without samples is not written, but the registry shows its name.
    let shown = format!("{registry:?}");
    let name = regex::Regex::new(r#"Descriptor \{ name: "([^"]+)""#).unwrap();
    let mut names: BTreeSet<String> = name.captures_iter(&shown).map(|found| found[1].to_owned()).collect();
    assert!(names.contains("sluicebox_reloads"), "{shown}");
    process::register(&mut registry);
    names.extend(exposed(&registry).into_iter().map(|(name, _)| name));

    let listed: BTreeSet<String> = documented().into_iter().map(|(name, _)| name).collect();
    let missing: Vec<_> = names.difference(&listed).collect();
    let unknown: Vec<_> = listed.difference(&names).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "not on the page: {missing:?}; only there: {unknown:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_page_tells_the_types_of_the_metrics() {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    process::register(&mut registry);
    touch(&metrics);
    let (documented, exposed) = (documented(), exposed(&registry));
    let wrong: Vec<_> = documented.symmetric_difference(&exposed).collect();
    assert!(wrong.is_empty(), "page and metrics differ (or a family is not touched here): {wrong:?}");
}

/// Makes a sample in every family.
fn touch(metrics: &Metrics) {
    let text = || String::from("x");
    let exporter = ExporterLabels { exporter: text() };
    let stage = StageLabels { pipeline: text(), processor: text(), plugin: text(), plugin_version: text() };
    for signal in Signal::ALL {
        let receiver = ReceiverLabels { receiver: text(), transport: "grpc" };
        metrics.certificate_expiry.get_or_create_owned(&receiver);
        for family in [&metrics.receiver_accepted, &metrics.receiver_refused, &metrics.receiver_rejected] {
            family.counter(signal, &receiver);
        }
        let (sent, failed) = (&metrics.exporter_sent, &metrics.exporter_send_failed);
        for family in [sent, failed, &metrics.exporter_enqueue_failed, &metrics.exporter_rejected] {
            family.counter(signal, &exporter);
        }
        for family in [&metrics.exporter_recovered, &metrics.exporter_kept] {
            family.counter(signal, &exporter);
        }
        let loss = LossLabels { signal, component: text(), reason: "filtered" };
        metrics.dropped.get_or_create_owned(&loss);
        let dead = DeadLetterLabels { signal, component: text(), outcome: "written" };
        metrics.dead_letter_records.get_or_create_owned(&dead);
    }
    let counters = [&metrics.stage_incoming, &metrics.stage_outgoing, &metrics.stage_edits, &metrics.plugin_calls];
    for family in counters.into_iter().chain([&metrics.plugin_log_lines_dropped]) {
        family.get_or_create_owned(&stage);
    }
    let gauges = [&metrics.exporter_queue_size, &metrics.exporter_queue_records, &metrics.exporter_queue_capacity];
    for family in gauges.into_iter().chain([&metrics.exporter_batch_records]) {
        family.get_or_create_owned(&exporter);
    }
    touch_queue(metrics, &exporter);
    touch_compression(metrics, &exporter);
    metrics.plugin_call_seconds.get_or_create_owned(&stage).observe(0.1);
    metrics.exporter_attempt_seconds.get_or_create_owned(&exporter).observe(0.1);
    metrics.receiver_limits.get_or_create_owned(&LimitLabels { receiver: text(), transport: "grpc", limit: "x" });
    metrics.memory_held.get_or_create_owned(&MemoryKindLabels { kind: "reading" });
    metrics.memory_limit.get_or_create_owned(&MemoryLimitLabels { limit: "soft" });
    metrics.task_panics.get_or_create_owned(&TaskLabels { task: "x" });
    let request = RequestLabels { receiver: text(), transport: "grpc", outcome: "ok" };
    metrics.receiver_requests.get_or_create_owned(&request);
    metrics.exporter_attempts.get_or_create_owned(&AttemptLabels { exporter: text(), outcome: "ok" });
    let credential = CredentialLabels { exporter: text(), credential: "tls", outcome: "applied" };
    metrics.exporter_credentials.get_or_create_owned(&credential);
    metrics.reloads.get_or_create_owned(&ReloadLabels { outcome: "applied" });
    metrics.generation.get_or_create_owned(&PipelineLabels { pipeline: text() });
    metrics.exporter_circuit.get_or_create_owned(&EndpointLabels { exporter: text(), endpoint: text() });
    let (pipeline, processor, plugin, plugin_version) = (text(), text(), text(), text());
    let fault = FaultLabels { pipeline, processor, plugin, plugin_version, fault: "trap" };
    metrics.plugin_faults.get_or_create_owned(&fault);
    let (pipeline, processor, plugin, plugin_version) = (text(), text(), text(), text());
    let renewal = RenewalLabels { pipeline, processor, plugin, plugin_version, cause: "fault" };
    metrics.plugin_instances_renewed.get_or_create_owned(&renewal);
    let (pipeline, processor, plugin, plugin_version) = (text(), text(), text(), text());
    let search = SearchLabels { pipeline, processor, plugin, plugin_version, outcome: "found" };
    metrics.plugin_searches.get_or_create_owned(&search);
    let (pipeline, processor, plugin, plugin_version) = (text(), text(), text(), text());
    let decision = DecisionLabels { pipeline, processor, plugin, plugin_version, reason: text(), decision: "kept" };
    metrics.sampler_decisions.get_or_create_owned(&decision);
    let refused = GateLabels { receiver: text(), transport: "grpc", reason: "missing" };
    metrics.authentication_failures.get_or_create_owned(&refused);
    metrics.handshakes_failed.get_or_create_owned(&refused);
    let rotation = RotationLabels { receiver: text(), transport: "grpc", key: "tls", outcome: "applied" };
    metrics.rotations.get_or_create_owned(&rotation);
}

fn touch_compression(metrics: &Metrics, exporter: &ExporterLabels) {
    let labels = CodecLabels { exporter: exporter.exporter.clone(), encoding: "zstd", level: 3 };
    metrics.exporter_compression_chosen.get_or_create_owned(&labels);
    metrics.exporter_compression_ratio.get_or_create_owned(&labels);
    metrics.exporter_compression_cost.get_or_create_owned(&labels);
    metrics.exporter_compression_switches.get_or_create_owned(exporter);
    let refused = RefusedLabels { exporter: exporter.exporter.clone(), encoding: "zstd" };
    metrics.exporter_compression_refusals.get_or_create_owned(&refused);
}

fn touch_queue(metrics: &Metrics, exporter: &ExporterLabels) {
    let gauges = [&metrics.queue_entries, &metrics.queue_disk_bytes, &metrics.queue_segments];
    for family in gauges.into_iter().chain([&metrics.queue_oldest_seconds]) {
        family.get_or_create_owned(exporter);
    }
    for family in [&metrics.queue_syncs, &metrics.queue_quarantined, &metrics.queue_quarantined_bytes] {
        family.get_or_create_owned(exporter);
    }
    metrics.queue_commit_seconds.get_or_create_owned(exporter).observe(0.1);
    let failure = QueueFailureLabels { exporter: String::from("x"), act: "write" };
    metrics.queue_failures.get_or_create_owned(&failure);
}
