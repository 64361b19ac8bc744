//! Certificates and keys, as PEM files.

use std::path::PathBuf;

use crate::config::otel::Otel;
use crate::config::raw;
use crate::config::report::{Report, Spot};
use crate::config::spec::{TlsClientSpec, TlsVersion, Verification};

use super::{RELATIVE, resolve, some_time};

/// Reads `tls`; what is not typed comes from the environment, for an exporter's own endpoint.
pub(super) fn tls(report: &mut Report, otel: Option<&Otel<'_>>, spot: &Spot, raw: &raw::Tls) -> TlsClientSpec {
    let mut pem = |key: &str, typed: &Option<String>, option: &str| match typed {
        Some(typed) => Some(existing_file(report, &spot.key(key), typed)),
        None => otel.and_then(|otel| otel.file(report, option)),
    };
    let defaults = TlsClientSpec::default();
    let spec = TlsClientSpec {
        ca_file: pem("ca_file", &raw.ca_file, "CERTIFICATE"),
        cert_file: pem("cert_file", &raw.cert_file, "CLIENT_CERTIFICATE"),
        key_file: pem("key_file", &raw.key_file, "CLIENT_KEY"),
        server_name: raw.server_name_override.clone(),
        verification: match raw.insecure_skip_verify {
            Some(true) => Verification::Off,
            Some(false) | None => Verification::On,
        },
        min_version: match raw.min_version {
            Some(raw::MinVersion::V1_3) => TlsVersion::V1_3,
            Some(raw::MinVersion::V1_2) | None => TlsVersion::V1_2,
        },
        reload_interval: match raw.reload_interval {
            Some(typed) => some_time(report, &spot.key("reload_interval"), typed),
            None => defaults.reload_interval,
        },
    };
    if spec.verification == Verification::Off {
        let mend = Some("name the server's root in `ca_file` instead".to_owned());
        report.warn(
            &spot.key("insecure_skip_verify"),
            "any server is trusted: whoever stands between can read and change everything",
            mend,
        );
    }
    if spec.cert_file.is_some() != spec.key_file.is_some() {
        let (there, missing) =
            if spec.cert_file.is_some() { ("cert_file", "key_file") } else { ("key_file", "cert_file") };
        report.refuse(&spot.key(there), format!("`{there}` needs `{missing}`"), Some(format!("add `{missing}`")));
    }
    spec
}

/// A file as typed, which must be there.
pub(super) fn existing_file(report: &mut Report, spot: &Spot, typed: &str) -> PathBuf {
    let path = resolve(report, spot, typed);
    if !path.is_file() {
        report.refuse(spot, "there is no such file", Some(RELATIVE.to_owned()));
    }
    path
}
