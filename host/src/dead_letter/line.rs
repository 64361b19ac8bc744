//! One line of a dead-letter file.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::Serialize;

use crate::data::wire::Malformed;
use crate::data::{Signal, json};
use crate::exporter::calendar::{Separator, stamp};
use crate::plugin::imports::log::printable;

/// Bytes of the error that a line tells.
const ERROR_BYTES_MAX: usize = 4 << 10;

/// Why a request was given up, and by whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Why {
    /// The id of the stage or exporter.
    pub component: String,
    /// The name of the stage's plugin.
    pub plugin: Option<String>,
    /// The version of the plugin.
    pub version: Option<String>,
    /// As in `sluicebox_dropped_records_total`.
    pub reason: &'static str,
    /// For people: what happened. What is beyond 4 KiB is cut off.
    pub error: String,
}

/// The member `sluicebox` of a line.
#[derive(Serialize)]
struct Note<'a> {
    time: String,
    component: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    reason: &'a str,
    error: String,
    records: u64,
}

/// The request as a line of OTLP JSON, with the note as its last member.
pub(super) fn line(signal: Signal, request: &[u8], records: u64, why: &Why) -> Result<Bytes, Malformed> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let note = Note {
        time: format!("{}Z", stamp(now, Separator::Colon)),
        component: &why.component,
        plugin: why.plugin.as_deref(),
        version: why.version.as_deref(),
        reason: why.reason,
        error: printable(&why.error, ERROR_BYTES_MAX),
        records,
    };
    let mut line = Vec::with_capacity(request.len() * 3 + 512);
    json::encode(signal, request, &mut line)?;
    // The document is an object: its closing brace comes after the note.
    line.pop();
    if line.len() > 1 {
        line.push(b',');
    }
    line.extend_from_slice(br#""sluicebox":"#);
    // Cannot fail: the note is text and numbers, and a Vec takes any number of bytes.
    let _ = serde_json::to_writer(&mut line, &note);
    line.extend_from_slice(b"}\n");
    Ok(line.into())
}
