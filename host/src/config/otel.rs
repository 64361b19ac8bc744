//! `OTEL_EXPORTER_OTLP_*`: what an exporter does where its file does not say (OpenTelemetry specification, protocol
//! exporter, configuration options). Empty means unset; a per-signal form wins over the general one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::data::Signal;

use super::address;
use super::env::Env;
use super::problem::Problem;
use super::report::Report;
use super::spec::{Compression, Encoding, Place, Secret};

/// The variables for one exporter.
pub(super) struct Otel<'a> {
    pub env: Env<'a>,
    /// The signal of every pipeline that leads to the exporter, if it is the same: whose per-signal forms apply.
    pub signal: Option<Signal>,
}

impl Otel<'_> {
    /// A variable that is set, and its name.
    fn variable(&self, option: &str) -> Option<(String, String)> {
        let of_signal = self.signal.map(|signal| name(option, Some(signal)));
        of_signal.into_iter().chain([name(option, None)]).find_map(|name| {
            let value = (self.env)(&name).filter(|value| !value.trim().is_empty())?;
            Some((name, value.trim().to_owned()))
        })
    }

    /// E20: the endpoint: for gRPC the whole, for HTTP the base of all signals.
    pub fn endpoint(&self, report: &mut Report, assumed: &str) -> Option<String> {
        let (name, value) = self.variable("ENDPOINT")?;
        checked_url(report, &name, &value, assumed)
    }

    /// E21: the whole URL of one signal over HTTP, used as it is.
    pub fn endpoint_of(&self, report: &mut Report, signal: Signal, assumed: &str) -> Option<String> {
        let name = name("ENDPOINT", Some(signal));
        let value = (self.env)(&name).filter(|value| !value.trim().is_empty())?;
        checked_url(report, &name, value.trim(), assumed)
    }

    /// E22: headers, as `key=value` pairs with commas between, percent-encoded.
    pub fn headers(&self, report: &mut Report) -> Option<BTreeMap<String, Secret>> {
        let (name, value) = self.variable("HEADERS")?;
        let mut headers = BTreeMap::new();
        for pair in value.split(',').filter(|pair| !pair.trim().is_empty()) {
            let Some((key, value)) = pair.split_once('=').and_then(|(k, v)| Some((k.trim(), decoded(v.trim())?)))
            else {
                let mend = Some("write `key=value,key=value`, percent-encoded".to_owned());
                report.warn_outside(format!("`{name}` has a part that is not `key=value`; the part is ignored"), mend);
                continue;
            };
            if http::HeaderName::try_from(key).is_ok() && http::HeaderValue::try_from(&value).is_ok() {
                headers.insert(key.to_ascii_lowercase(), Secret::new(value));
            } else {
                report.warn_outside(format!("`{name}` has a part that is not a header; the part is ignored"), None);
            }
        }
        Some(headers)
    }

    /// E23: compression.
    pub fn compression(&self, report: &mut Report) -> Option<Compression> {
        let (name, value) = self.variable("COMPRESSION")?;
        let all = [("gzip", Compression::Gzip), ("none", Compression::None), ("zstd", Compression::Zstd)];
        choice(report, &name, &value, &all)
    }

    /// E24: time of one attempt, in milliseconds.
    pub fn timeout(&self, report: &mut Report) -> Option<Duration> {
        let (name, value) = self.variable("TIMEOUT")?;
        let millis = value.parse::<u32>().ok().filter(|ms| *ms > 0);
        if millis.is_none() {
            let mend = Some("write milliseconds, such as `10000`".to_owned());
            report.warn_outside(format!("`{name}` is not a number of milliseconds; it is ignored"), mend);
        }
        millis.map(|ms| Duration::from_millis(ms.into()))
    }

    /// E25: the encoding of OTLP/HTTP. `grpc` says nothing about it: the exporter's type decides.
    pub fn encoding(&self, report: &mut Report) -> Option<Encoding> {
        let (name, value) = self.variable("PROTOCOL")?;
        let (proto, json) = (Some(Encoding::Protobuf), Some(Encoding::Json));
        choice(report, &name, &value, &[("http/protobuf", proto), ("http/json", json), ("grpc", None)]).flatten()
    }

    /// E26: one of `CERTIFICATE`, `CLIENT_CERTIFICATE`, `CLIENT_KEY`.
    pub fn file(&self, report: &mut Report, option: &str) -> Option<PathBuf> {
        let (name, value) = self.variable(option)?;
        let path = std::path::absolute(&value).ok().filter(|path| path.is_file());
        if path.is_none() {
            report.add(Problem::new(Place::default(), format!("the file that `{name}` names does not exist"), None));
        }
        path
    }

    /// E27: whether an endpoint without a scheme is plaintext.
    pub fn insecure(&self, report: &mut Report) -> Option<bool> {
        let (name, value) = self.variable("INSECURE")?;
        choice(report, &name, &value.to_ascii_lowercase(), &[("true", true), ("false", false)])
    }
}

fn name(option: &str, signal: Option<Signal>) -> String {
    let signal = signal.map(|s| format!("{}_", s.name().to_ascii_uppercase())).unwrap_or_default();
    format!("OTEL_EXPORTER_OTLP_{signal}{option}")
}

fn choice<T: Copy>(report: &mut Report, name: &str, value: &str, all: &[(&str, T)]) -> Option<T> {
    let found = all.iter().find(|(typed, _)| *typed == value).map(|(_, choice)| *choice);
    if found.is_none() {
        let known: Vec<String> = all.iter().map(|(typed, _)| format!("`{typed}`")).collect();
        let mend = Some(format!("expected one of {}", known.join(", ")));
        report.warn_outside(format!("`{name}` has a value that is not known; it is ignored"), mend);
    }
    found
}

fn checked_url(report: &mut Report, name: &str, value: &str, assumed: &str) -> Option<String> {
    match address::url(value, Some(assumed)) {
        Ok(url) => Some(url),
        Err((what, mend)) => {
            report.add(Problem::new(Place::default(), format!("`{name}`: {what}"), mend));
            None
        }
    }
}

/// Percent-decoded text; none if it is not.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (hex, tail) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}
