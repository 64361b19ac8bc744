//! Receivers: `otlp` and `replay`.

use crate::config::address;
use crate::config::raw;
use crate::config::report::{Report, Spot};
use crate::config::spec::{
    GrpcServerSpec, HttpServerSpec, Place, ReceiverSpec, ReplayMode, ReplaySpec, RequestLimits, Spec,
};
use crate::data::Signal;
use crate::data::json::DEPTH_MAX;

use super::admission::{admission, rate_limit, timeouts};
use super::security::{cors, security, warn_of_open};
use super::{Declared, RELATIVE, at_least_one, resolve, some_bytes, some_time, type_of, unknown_type};

/// The types of receivers.
pub(in crate::config) const TYPES: [&str; 2] = ["otlp", "replay"];

/// Reads one receiver.
pub(super) fn receiver(report: &mut Report, spot: &Spot, id: &str) -> Option<ReceiverSpec> {
    match type_of(id) {
        "otlp" => report.read(spot).map(|raw| otlp(report, spot, raw)),
        "replay" => report.read(spot).map(|raw| replay(report, spot, raw)),
        _ => {
            unknown_type(report, spot, "receiver", &TYPES);
            None
        }
    }
}

fn otlp(report: &mut Report, spot: &Spot, raw: raw::OtlpReceiver) -> ReceiverSpec {
    let spot = spot.key("protocols");
    let both = || raw::Protocols {
        grpc: raw::Named(Some(raw::GrpcServer::default())),
        http: raw::Named(Some(raw::HttpServer::default())),
    };
    let protocols = raw.protocols.unwrap_or_else(both);
    if protocols.grpc.0.is_none() && protocols.http.0.is_none() {
        let mend = Some("name `grpc`, `http` or both; without `protocols` it is both".to_owned());
        report.refuse(&spot, "the receiver has no protocol", mend);
    }
    let grpc = protocols.grpc.0.map(|raw| grpc(report, &spot.key("grpc"), raw));
    let http = protocols.http.0.map(|raw| http(report, &spot.key("http"), raw));
    ReceiverSpec::Otlp { grpc, http }
}

fn grpc(report: &mut Report, spot: &Spot, raw: raw::GrpcServer) -> GrpcServerSpec {
    let streams = at_least_one(report, &spot.key("max_concurrent_streams"), raw.max_concurrent_streams);
    let age = raw.max_connection_age.map(|age| some_time(report, &spot.key("max_connection_age"), age));
    let security = security(report, spot, raw.tls.as_ref(), raw.auth.as_ref());
    warn_of_open(report, spot, &raw.endpoint, &security);
    GrpcServerSpec {
        endpoint: endpoint(report, spot, raw.endpoint),
        limits: limits(report, &spot.key("limits"), &raw.limits),
        max_concurrent_streams: u32::try_from(streams).unwrap_or(u32::MAX),
        max_connection_age: age,
        admission: admission(report, &spot.key("admission"), &raw.admission),
        timeouts: timeouts(report, &spot.key("timeouts"), &raw.timeouts),
        rate_limit: raw.rate_limit.map(|raw| rate_limit(report, &spot.key("rate_limit"), raw)),
        security,
    }
}

fn http(report: &mut Report, spot: &Spot, raw: raw::HttpServer) -> HttpServerSpec {
    let paths = [
        (Signal::Traces, "traces_url_path", raw.traces_url_path),
        (Signal::Metrics, "metrics_url_path", raw.metrics_url_path),
        (Signal::Logs, "logs_url_path", raw.logs_url_path),
    ];
    for (at, (_, key, path)) in paths.iter().enumerate() {
        let is_path =
            path.starts_with('/') && path.parse::<http::uri::PathAndQuery>().is_ok_and(|p| p.query().is_none());
        if !is_path {
            report.refuse(&spot.key(key), "this is not the path of a URL", Some("begin it with `/`".to_owned()));
        } else if let Some((_, other, _)) = paths.iter().take(at).find(|(_, _, earlier)| earlier == path) {
            report.refuse(
                &spot.key(key),
                format!("the path is also `{other}`"),
                Some("give each signal its own".to_owned()),
            );
        }
    }
    let streams = at_least_one(report, &spot.key("max_concurrent_streams"), raw.max_concurrent_streams);
    let security = security(report, spot, raw.tls.as_ref(), raw.auth.as_ref());
    warn_of_open(report, spot, &raw.endpoint, &security);
    let cors = raw.cors.as_ref().map(|raw| cors(report, &spot.key("cors"), raw));
    HttpServerSpec {
        endpoint: endpoint(report, spot, raw.endpoint),
        limits: limits(report, &spot.key("limits"), &raw.limits),
        paths: paths.into_iter().map(|(signal, _, path)| (signal, path)).collect(),
        max_concurrent_streams: u32::try_from(streams).unwrap_or(u32::MAX),
        admission: admission(report, &spot.key("admission"), &raw.admission),
        timeouts: timeouts(report, &spot.key("timeouts"), &raw.timeouts),
        rate_limit: raw.rate_limit.map(|raw| rate_limit(report, &spot.key("rate_limit"), raw)),
        security,
        cors,
    }
}

fn endpoint(report: &mut Report, spot: &Spot, endpoint: String) -> String {
    if let Err((what, mend)) = address::listen(&endpoint) {
        report.refuse(&spot.key("endpoint"), what, mend);
    }
    endpoint
}

fn limits(report: &mut Report, spot: &Spot, raw: &raw::Limits) -> RequestLimits {
    RequestLimits {
        max_request_bytes: some_bytes(report, &spot.key("max_request_bytes"), raw.max_request_bytes),
        max_value_depth: value_depth(report, &spot.key("max_value_depth"), raw.max_value_depth),
        max_attributes: at_least_one(report, &spot.key("max_attributes"), raw.max_attributes),
        max_attribute_bytes: some_bytes(report, &spot.key("max_attribute_bytes"), raw.max_attribute_bytes),
    }
}

/// Values are walked recursively, so the stack bounds their depth, whatever anybody wants.
fn value_depth(report: &mut Report, spot: &Spot, levels: u64) -> usize {
    if levels > DEPTH_MAX as u64 {
        report.refuse(spot, format!("attribute values may have at most {DEPTH_MAX} levels"), None);
    }
    at_least_one(report, spot, levels)
}

fn replay(report: &mut Report, spot: &Spot, raw: raw::Replay) -> ReceiverSpec {
    let at = spot.key("paths");
    if raw.paths.is_empty() {
        report.refuse(&at, "`paths` is missing", Some("name files or folders: `paths: [./input.jsonl]`".to_owned()));
    }
    let mut paths = Vec::with_capacity(raw.paths.len());
    for (index, typed) in raw.paths.iter().enumerate() {
        let path = resolve(report, spot, typed);
        if !path.exists() {
            report.refuse(&at.item(index), "there is no such file or folder", Some(RELATIVE.to_owned()));
        }
        paths.push(path);
    }
    if raw.rate.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())) {
        let mend = Some("write requests a second, or leave it out: as fast as they are taken".to_owned());
        report.refuse(&spot.key("rate"), "the rate must be more than 0", mend);
    }
    let mode = match raw.mode {
        raw::ReplayMode::Once => ReplayMode::Once,
        raw::ReplayMode::Loop => ReplayMode::Loop,
    };
    ReceiverSpec::Replay(ReplaySpec {
        paths,
        rate: raw.rate,
        mode,
        limits: limits(report, &spot.key("limits"), &raw.limits),
    })
}

/// Refuses two listeners on one address, that of the metrics included.
pub(super) fn clashes(report: &mut Report, spec: &Spec, declared: &Declared) {
    let mut taken: Vec<((String, u16), String)> = Vec::new();
    let admin = spec.service.admin_endpoint.as_deref().and_then(|e| address::listen(e).ok());
    taken.extend(admin.map(|address| (address, "`service.telemetry.endpoint`".to_owned())));
    for (id, receiver) in &spec.receivers {
        let (ReceiverSpec::Otlp { grpc, http }, Some(spot)) = (receiver, declared.get(id)) else { continue };
        let endpoints = [("grpc", grpc.as_ref().map(|g| &g.endpoint)), ("http", http.as_ref().map(|h| &h.endpoint))];
        for (protocol, endpoint) in endpoints {
            let Some(address) = endpoint.and_then(|e| address::listen(e).ok()) else { continue };
            let at = spot.key("protocols").key(protocol).key("endpoint");
            let Place { file, line, column } = report.place(&at);
            if let Some((_, other)) = taken.iter().find(|(other, _)| address::clash(&address, other)) {
                let what = format!("port {} is also taken by {other}", address.1);
                report.refuse(&at, what, Some("give each its own port".to_owned()));
            }
            taken.push((address, format!("`{id}` ({protocol}) in {}:{line}:{column}", file.display())));
        }
    }
}
