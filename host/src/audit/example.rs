//! One example, as `/audit` shows it. Fields are added, never renamed: people's scripts read them.

use serde::Serialize;

use crate::data::Signal;

/// A record that a stage dropped.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Example {
    /// When: RFC 3339, UTC, to the millisecond.
    pub at: String,
    /// The pipeline.
    pub pipeline: String,
    /// The stage; `receiver` if the record was rejected before the first one.
    pub stage: String,
    /// The stage's plugin.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub plugin: String,
    /// The plugin's version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// As in `sluicebox_dropped_records_total`: `filtered`, `sampled`, `quarantined`, `plugin_fault`; or `rejected`.
    pub reason: &'static str,
    /// A sampler's reason and probability; the fault; what is wrong with the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The record.
    pub record: Record,
    /// What the plugin saw of it.
    pub fields: Vec<Field>,
}

/// Which record it was, as it came.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// Its signal.
    pub signal: Signal,
    /// In hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// In hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// Of a span, a metric, or a log record's event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of a log record, as text or number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
}

/// A field that the plugin read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Field {
    /// Its path.
    pub field: String,
    /// What kind of value it had: `absent`, `text`, `integer`, …
    pub kind: &'static str,
    /// The value, shortened, if it may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<serde_json::Value>,
}
