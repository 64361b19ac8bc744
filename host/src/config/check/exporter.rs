//! Exporters: what they write to, and what lies between them and the pipeline.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::env::Env;
use crate::config::otel::Otel;
use crate::config::raw::{self, Delivered};
use crate::config::report::{Report, Spot};
use crate::config::spec::{
    Compression, DebugSpec, Encoding, ExporterSpec, FileSpec, OtlpClientSpec, OtlpHttpClientSpec, RotationSpec, Secret,
    Spec, SpreadSpec, TargetSpec, Verbosity,
};
use crate::config::{address, value::Time};
use crate::data::Signal;

use super::compression::compression;
use super::credential::credential;
use super::spread::Spread;
use super::tls::tls;
use super::{Declared, at_least_one, delivery, exhausted, resolve, some_bytes, some_time, type_of, unknown_type};

/// The types of exporters; `otlp` and `otlphttp` in the spellings of older and newer collectors.
pub(in crate::config) const TYPES: [&str; 6] = ["otlp", "otlp_grpc", "otlphttp", "otlp_http", "file", "debug"];

/// Reads one exporter, to which pipelines of these signals lead.
pub(super) fn exporter(
    report: &mut Report,
    env: Env<'_>,
    spot: &Spot,
    id: &str,
    signals: &BTreeSet<Signal>,
) -> Option<ExporterSpec> {
    let otel = Otel { env, signal: signals.first().copied().filter(|_| signals.len() == 1) };
    match type_of(id) {
        "otlp" | "otlp_grpc" => with(report, spot, |report, raw: &raw::OtlpGrpc| {
            let (endpoint, spread) = grpc_endpoints(report, &otel, spot, raw);
            TargetSpec::OtlpGrpc(Client::of_grpc(raw, spread).spec(report, &otel, spot, endpoint, &BTreeMap::new()))
        }),
        "otlphttp" | "otlp_http" => {
            with(report, spot, |report, raw: &raw::OtlpHttp| TargetSpec::OtlpHttp(http(report, &otel, spot, raw)))
        }
        "file" => with(report, spot, |report, raw| TargetSpec::File(file(report, spot, raw))),
        "debug" => with(report, spot, |_, raw| TargetSpec::Debug(debug(raw))),
        _ => {
            unknown_type(report, spot, "exporter", &TYPES);
            None
        }
    }
}

fn with<T: Delivered + serde::de::DeserializeOwned>(
    report: &mut Report,
    spot: &Spot,
    target: impl FnOnce(&mut Report, &T) -> TargetSpec,
) -> Option<ExporterSpec> {
    let raw: T = report.read(spot)?;
    let target = target(report, &raw);
    let (queue, batch, retry) = raw.delivery();
    let queue = delivery::queue(report, &spot.key("queue"), queue.clone());
    let dead_letter = exhausted::dead_letter(report, spot, raw.dead_letter());
    let on_exhausted = exhausted::on_exhausted(report, spot, retry.on_exhausted, &queue, dead_letter.is_some());
    Some(ExporterSpec {
        target,
        batch: delivery::batch(report, &spot.key("batch"), batch, &queue),
        queue,
        retry: delivery::retry(report, &spot.key("retry_on_failure"), retry, on_exhausted),
        dead_letter,
    })
}

/// What the two clients have in common, as typed.
struct Client<'a> {
    compression: Option<&'a raw::Compression>,
    compression_params: &'a raw::CompressionParams,
    headers: Option<&'a BTreeMap<String, raw::Header>>,
    timeout: Option<Time>,
    tls: &'a raw::Tls,
    auth: Option<&'a raw::Credential>,
    max_in_flight: Option<u64>,
    spread: SpreadSpec,
}

impl<'a> Client<'a> {
    fn of_grpc(raw: &'a raw::OtlpGrpc, spread: SpreadSpec) -> Self {
        let raw::OtlpGrpc { compression, compression_params, headers, timeout, tls, auth, max_in_flight, .. } = raw;
        let (compression, headers, auth) = (compression.as_ref(), headers.as_ref(), auth.as_ref());
        let (timeout, max_in_flight) = (*timeout, *max_in_flight);
        Client { compression, compression_params, headers, timeout, tls, auth, max_in_flight, spread }
    }

    fn of_http(raw: &'a raw::OtlpHttp, spread: SpreadSpec) -> Self {
        let raw::OtlpHttp { compression, compression_params, headers, timeout, tls, auth, max_in_flight, .. } = raw;
        let (compression, headers, auth) = (compression.as_ref(), headers.as_ref(), auth.as_ref());
        let (timeout, max_in_flight) = (*timeout, *max_in_flight);
        Client { compression, compression_params, headers, timeout, tls, auth, max_in_flight, spread }
    }

    fn spec(
        self,
        report: &mut Report,
        otel: &Otel<'_>,
        spot: &Spot,
        endpoint: String,
        others: &BTreeMap<Signal, String>,
    ) -> OtlpClientSpec {
        let compression = compression(report, otel, spot, self.compression, self.compression_params);
        let timeout = match self.timeout {
            Some(time) => Some(some_time(report, &spot.key("timeout"), time)),
            None => otel.timeout(report),
        };
        let headers = match self.headers {
            Some(typed) => Some(headers(report, &spot.key("headers"), typed)),
            None => otel.headers(report),
        };
        let several = self.spread.endpoints.iter().map(|endpoint| &endpoint.url);
        let urls: Vec<&str> = others.values().chain([&endpoint]).chain(several).map(String::as_str).collect();
        let auth = self.auth.map(|raw| credential(report, &spot.key("auth"), raw, &urls));
        if auth.is_some() && headers.as_ref().is_some_and(|headers| headers.contains_key("authorization")) {
            let mend = Some("remove one of the two".to_owned());
            report.refuse_key(&spot.key("auth"), "the headers hold `authorization` too", mend);
        }
        let in_flight = at_least_one(report, &spot.key("max_in_flight"), self.max_in_flight.unwrap_or(4));
        OtlpClientSpec {
            tls: tls(report, Some(otel), &spot.key("tls"), self.tls),
            auth,
            endpoint,
            compression,
            headers: headers.unwrap_or_default(),
            timeout: timeout.unwrap_or(Duration::from_secs(10)),
            max_in_flight: NonZeroUsize::new(in_flight).unwrap_or(NonZeroUsize::MIN),
            spread: self.spread,
        }
    }
}

fn grpc_endpoints(report: &mut Report, otel: &Otel<'_>, spot: &Spot, raw: &raw::OtlpGrpc) -> (String, SpreadSpec) {
    let from_env = if raw.tls.insecure.is_none() { otel.insecure(report) } else { None };
    let assumed = match raw.tls.insecure.or(from_env) {
        Some(true) => Some("http"),
        Some(false) => Some("https"),
        None => None,
    };
    let raw::OtlpGrpc { endpoint, endpoints, balance, connections, dns_refresh, circuit_breaker, .. } = raw;
    let typed = Spread {
        endpoint: endpoint.as_ref(),
        endpoints: endpoints.as_deref(),
        balance: *balance,
        connections: *connections,
        dns_refresh: *dns_refresh,
        circuit: circuit_breaker,
    };
    let spread = typed.spec(report, spot, assumed, &raw.retry_on_failure);
    for (index, endpoint) in spread.endpoints.iter().enumerate() {
        without_path(report, &spot.key("endpoints").item(index), &endpoint.url);
    }
    if let Some(first) = spread.endpoints.first() {
        return (first.url.clone(), spread);
    }
    let Some(typed) = &raw.endpoint else {
        let from_env = otel.endpoint(report, assumed.unwrap_or("https"));
        return (from_env.unwrap_or_else(|| "http://localhost:4317".to_owned()), spread);
    };
    let at = spot.key("endpoint");
    let endpoint = url(report, &at, typed, assumed);
    without_path(report, &at, &endpoint);
    (endpoint, spread)
}

fn without_path(report: &mut Report, at: &Spot, endpoint: &str) {
    if endpoint.parse::<http::Uri>().is_ok_and(|uri| !matches!(uri.path(), "" | "/")) {
        let mend = Some("remove the path, or use an `otlphttp` exporter".to_owned());
        report.refuse(at, "an endpoint of OTLP/gRPC has no path", mend);
    }
}

fn http(report: &mut Report, otel: &Otel<'_>, spot: &Spot, raw: &raw::OtlpHttp) -> OtlpHttpClientSpec {
    let assumed = raw.tls.insecure.map(|insecure| if insecure { "http" } else { "https" });
    let typed = [
        (Signal::Traces, "traces_endpoint", &raw.traces_endpoint),
        (Signal::Metrics, "metrics_endpoint", &raw.metrics_endpoint),
        (Signal::Logs, "logs_endpoint", &raw.logs_endpoint),
    ];
    let spread = http_spread(raw).spec(report, spot, assumed, &raw.retry_on_failure);
    let mut endpoints = BTreeMap::new();
    for (signal, key, whole) in typed {
        let whole = match whole {
            Some(_) if raw.endpoints.is_some() => {
                let mend = Some("list the bases to which the paths of the signals are added".to_owned());
                report.refuse_key(&spot.key(key), format!("`{key}` and `endpoints` exclude each other"), mend);
                None
            }
            Some(whole) => Some(url(report, &spot.key(key), whole, assumed)),
            // A base that was typed says where every signal goes.
            None if raw.endpoint.is_some() || raw.endpoints.is_some() => None,
            None => otel.endpoint_of(report, signal, "https"),
        };
        endpoints.extend(whole.map(|whole| (signal, whole)));
    }
    let base = match (spread.endpoints.first(), &raw.endpoint) {
        (Some(first), _) => Some(first.url.clone()),
        (None, Some(base)) => Some(url(report, &spot.key("endpoint"), base, assumed)),
        (None, None) => Otel { signal: None, ..*otel }.endpoint(report, "https"),
    };
    let encoding = match raw.encoding {
        Some(raw::Encoding::Proto) => Some(Encoding::Protobuf),
        Some(raw::Encoding::Json) => Some(Encoding::Json),
        None => otel.encoding(report),
    };
    let base = base.unwrap_or_else(|| "http://localhost:4318".to_owned());
    let client = Client::of_http(raw, spread).spec(report, otel, spot, base, &endpoints);
    OtlpHttpClientSpec { client, encoding: encoding.unwrap_or(Encoding::Protobuf), endpoints }
}

fn http_spread(raw: &raw::OtlpHttp) -> Spread<'_> {
    let raw::OtlpHttp { endpoint, endpoints, balance, dns_refresh, circuit_breaker, .. } = raw;
    Spread {
        endpoint: endpoint.as_ref(),
        endpoints: endpoints.as_deref(),
        balance: *balance,
        connections: None,
        dns_refresh: *dns_refresh,
        circuit: circuit_breaker,
    }
}

fn url(report: &mut Report, spot: &Spot, typed: &str, assumed: Option<&str>) -> String {
    address::url(typed, assumed).unwrap_or_else(|(what, mend)| {
        report.refuse(spot, what, mend);
        typed.to_owned()
    })
}

fn headers(report: &mut Report, spot: &Spot, typed: &BTreeMap<String, raw::Header>) -> BTreeMap<String, Secret> {
    for (name, raw::Header(value)) in typed {
        if http::HeaderName::try_from(name).is_err() {
            report.refuse_key(&spot.key(name), "this is not the name of a header", None);
        } else if http::HeaderValue::try_from(value.expose()).is_err() {
            let mend = Some("remove line ends and control characters".to_owned());
            report.refuse(&spot.key(name), "this is not the value of a header", mend);
        }
    }
    typed.iter().map(|(name, raw::Header(value))| (name.to_ascii_lowercase(), value.clone())).collect()
}

fn file(report: &mut Report, spot: &Spot, raw: &raw::FileExporter) -> FileSpec {
    let at = spot.key("path");
    let typed = raw.path.as_deref().unwrap_or_default();
    if typed.is_empty() {
        report.refuse(&at, "`path` is missing", Some("name the file: `path: ./telemetry.jsonl`".to_owned()));
    }
    let path = resolve(report, spot, typed);
    if !typed.is_empty() && path.is_dir() {
        report.refuse(&at, "this is a folder", Some("name a file in it".to_owned()));
    }
    let compression = match raw.compression {
        raw::FileCompression::None => Compression::None,
        raw::FileCompression::Gzip => Compression::Gzip,
        raw::FileCompression::Zstd => Compression::Zstd,
    };
    let rotation = raw.rotation.as_ref().map(|raw| {
        let spot = spot.key("rotation");
        RotationSpec {
            max_bytes: some_bytes(report, &spot.key("max_bytes"), raw.max_bytes) as u64,
            max_age: raw.max_age.map(|age| some_time(report, &spot.key("max_age"), age)),
            max_backups: usize::try_from(raw.max_backups).unwrap_or(usize::MAX),
        }
    });
    FileSpec { path, compression, rotation }
}

fn debug(raw: &raw::DebugExporter) -> DebugSpec {
    let verbosity = match raw.verbosity {
        raw::Verbosity::Basic => Verbosity::Summary,
        raw::Verbosity::Normal => Verbosity::Records,
        raw::Verbosity::Detailed => Verbosity::Detailed,
    };
    DebugSpec { verbosity }
}

/// Refuses two exporters that write to one file.
pub(super) fn clashes(report: &mut Report, spec: &Spec, declared: &Declared) {
    let mut taken: BTreeMap<&PathBuf, &str> = BTreeMap::new();
    for (id, exporter) in &spec.exporters {
        let (TargetSpec::File(file), Some(spot)) = (&exporter.target, declared.get(id)) else { continue };
        if let Some(other) = taken.insert(&file.path, id) {
            let mend = Some("give each its own file".to_owned());
            report.refuse(&spot.key("path"), format!("`{other}` writes to the same file"), mend);
        }
    }
}
