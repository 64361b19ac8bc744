//! What a request for `/audit` asks for: `pipeline`, `stage`, `reason` and `trace_id`, each optional.

use super::example::Example;

/// A filter; what is not given takes everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pipeline: Option<String>,
    stage: Option<String>,
    reason: Option<String>,
    trace_id: Option<String>,
}

/// A parameter that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no parameter `{0}`; there are pipeline, stage, reason and trace_id")]
pub struct UnknownParameter(String);

impl Query {
    /// Reads the part of a URL behind the `?`.
    ///
    /// # Errors
    /// A parameter that there is not: a filter that is silently left out would look like an answer.
    pub fn parse(query: &str) -> Result<Query, UnknownParameter> {
        let mut parsed = Query::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = Some(decoded(value));
            match name {
                "pipeline" => parsed.pipeline = value,
                "stage" => parsed.stage = value,
                "reason" => parsed.reason = value,
                "trace_id" => parsed.trace_id = value.map(|id| id.to_lowercase()),
                other => return Err(UnknownParameter(decoded(other))),
            }
        }
        Ok(parsed)
    }

    pub(super) fn takes_stage(&self, pipeline: &str, stage: &str) -> bool {
        takes(&self.pipeline, Some(pipeline)) && takes(&self.stage, Some(stage))
    }

    pub(super) fn takes(&self, example: &Example) -> bool {
        takes(&self.reason, Some(example.reason)) && takes(&self.trace_id, example.record.trace_id.as_deref())
    }
}

fn takes(wanted: &Option<String>, there: Option<&str>) -> bool {
    wanted.as_deref().is_none_or(|wanted| there == Some(wanted))
}

/// Percent-decoded text; what is no escape stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escape = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, escape.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            (byte, _) => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
