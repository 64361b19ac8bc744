//! Queues on a disk.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::raw::{self, SyncMode};
use crate::config::report::{Report, Spot};
use crate::config::spec::{DurableSpec, QueueSpec, Spec, SyncSpec};

use super::{Declared, RELATIVE, resolve, some_bytes, some_time};

/// Segments from this size on: below, more files than entries would be made.
const SEGMENT_BYTES_MIN: u64 = 1 << 20;

pub(super) fn durable(report: &mut Report, spot: &Spot, raw: &raw::DurableQueue) -> DurableSpec {
    if report.is_given(&spot.key("memory")) {
        let mend = Some("remove `memory` or `durable`".to_owned());
        report.refuse_key(&spot.key("memory"), "a queue is in memory or durable, not both", mend);
    }
    let at = spot.key("durable");
    let dir = resolve(report, spot, &raw.durable);
    if raw.durable.is_empty() {
        report.refuse(&at, "the folder is missing", Some("name it: `durable: ./var/backend`".to_owned()));
    } else if dir.is_file() {
        report.refuse(&at, format!("`{}` is a file", dir.display()), Some("name a folder".to_owned()));
    } else if dir.parent().is_some_and(|parent| !parent.is_dir()) {
        let parent = dir.parent().unwrap_or(&dir).display();
        let mend = format!("create it with `mkdir -p '{parent}'`; {RELATIVE}");
        report.refuse(&at, format!("there is no folder `{parent}`"), Some(mend));
    }
    let sync = match raw.sync {
        SyncMode::Always => SyncSpec::Always,
        SyncMode::Interval(raw::SyncInterval { interval }) => {
            SyncSpec::Interval(some_time(report, &spot.key("sync").key("interval"), interval))
        }
    };
    let max_bytes = some_bytes(report, &spot.key("max_bytes"), raw.max_bytes) as u64;
    let segment_bytes = raw.segment_bytes.0;
    if segment_bytes < SEGMENT_BYTES_MIN {
        let mend = Some("raise it to `1MiB` or more".to_owned());
        report.refuse(&spot.key("segment_bytes"), "a file of a queue holds at least 1MiB", mend);
    }
    let max_age = raw.max_age.map(|age| some_time(report, &spot.key("max_age"), age));
    DurableSpec { dir, sync, max_bytes, max_age, segment_bytes }
}

/// Refuses keys that only a durable queue has.
pub(super) fn not_durable(report: &mut Report, spot: &Spot) {
    for key in ["sync", "max_bytes", "max_age", "segment_bytes"].map(|key| spot.key(key)) {
        if report.is_given(&key) {
            let mend = Some("name the folder of the queue: `durable: ./var/backend`".to_owned());
            report.refuse_key(&key, "only a durable queue has this key", mend);
        }
    }
}

/// Refuses two exporters that have their queue in one folder.
pub(super) fn clashes(report: &mut Report, spec: &Spec, declared: &Declared) {
    let mut taken: BTreeMap<&Path, &str> = BTreeMap::new();
    for (id, exporter) in &spec.exporters {
        let (QueueSpec::Durable(queue), Some(spot)) = (&exporter.queue, declared.get(id)) else { continue };
        if let Some(other) = taken.insert(&queue.dir, id) {
            let mend = Some("give each its own folder".to_owned());
            report.refuse(&spot.key("queue").key("durable"), format!("`{other}` has its queue there"), mend);
        }
    }
}
