//! OTLP JSON: a request a line, as the collector's file exporter writes them, or one document as the whole file.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::ops::ControlFlow;
use std::path::Path;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::{Item, Sink};
use crate::config::spec::RequestLimits;
use crate::data::Signal;
use crate::data::intake::Refusal;
use crate::receiver::json;

/// Gives every request of the file to the sink. A line of more bytes than a request may have is left out.
pub(super) fn read(
    path: &Path,
    mut file: Box<dyn BufRead>,
    limits: &RequestLimits,
    sink: &mut Sink<'_>,
) -> io::Result<ControlFlow<()>> {
    let mut line = Vec::new();
    let mut number = 0u64;
    while next_line(&mut file, &mut line, limits.max_request_bytes)? {
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        if number == 1 && is_unfinished(&line) {
            let rest = (limits.max_request_bytes + 1).saturating_sub(line.len());
            file.by_ref().take(rest as u64).read_to_end(&mut line)?;
            return Ok(sink(Item { place: path.display().to_string(), content: request(&line, limits) }));
        }
        let item = Item { place: format!("{}:{number}", path.display()), content: request(&line, limits) };
        if sink(item).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Reads the next line, or of a longer one `max` bytes and one more; false at the end of the file.
fn next_line(file: &mut Box<dyn BufRead>, line: &mut Vec<u8>, max: usize) -> io::Result<bool> {
    line.clear();
    file.by_ref().take(max as u64 + 1).read_until(b'\n', line)?;
    if line.len() > max && line.last() != Some(&b'\n') {
        file.skip_until(b'\n')?;
    }
    Ok(!line.is_empty())
}

/// Whether the line is the beginning of a document that goes on.
fn is_unfinished(line: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(line).is_err_and(|error| error.is_eof())
}

fn request(line: &[u8], limits: &RequestLimits) -> Result<(Signal, bytes::Bytes), Refusal> {
    let limit = limits.max_request_bytes;
    if line.trim_ascii_end().len() > limit {
        return Err(Refusal::TooLarge(format!("the request is larger than {limit} bytes")));
    }
    let signal = signal(line).ok_or_else(|| {
        Refusal::Malformed("neither resourceSpans, resourceMetrics nor resourceLogs is in it".to_owned())
    })?;
    Ok((signal, json::request(signal, line, limits)?))
}

/// Which signal a request holds: the first of its keys that names one.
fn signal(json: &[u8]) -> Option<Signal> {
    let mut found = None;
    // The visitor stops with an error when it knows; what is wrong with the document shows when it is decoded.
    let _ = serde_json::Deserializer::from_slice(json).deserialize_map(Keys { found: &mut found });
    found
}

struct Keys<'a> {
    found: &'a mut Option<Signal>,
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an OTLP request")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            *self.found = match key.as_ref() {
                "resourceSpans" => Some(Signal::Traces),
                "resourceMetrics" => Some(Signal::Metrics),
                "resourceLogs" => Some(Signal::Logs),
                _ => None,
            };
            if self.found.is_some() {
                return Err(M::Error::custom("the rest need not be read"));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}
