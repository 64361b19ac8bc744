//! Certificates and keys, as PEM files.

use std::path::PathBuf;

use crate::config::otel::Otel;
use crate::config::raw;
use crate::config::report::{Report, Spot};
use crate::config::spec::TlsClientSpec;

use super::{RELATIVE, resolve};

pub(super) fn tls(report: &mut Report, otel: &Otel<'_>, spot: &Spot, raw: &raw::Tls) -> TlsClientSpec {
    let mut pem = |key: &str, typed: &Option<String>, option: &str| match typed {
        Some(typed) => Some(existing_file(report, &spot.key(key), typed)),
        None => otel.file(report, option),
    };
    let spec = TlsClientSpec {
        ca_file: pem("ca_file", &raw.ca_file, "CERTIFICATE"),
        cert_file: pem("cert_file", &raw.cert_file, "CLIENT_CERTIFICATE"),
        key_file: pem("key_file", &raw.key_file, "CLIENT_KEY"),
        server_name: raw.server_name_override.clone(),
    };
    if spec.cert_file.is_some() != spec.key_file.is_some() {
        let (there, missing) =
            if spec.cert_file.is_some() { ("cert_file", "key_file") } else { ("key_file", "cert_file") };
        report.refuse(&spot.key(there), format!("`{there}` needs `{missing}`"), Some(format!("add `{missing}`")));
    }
    spec
}

fn existing_file(report: &mut Report, spot: &Spot, typed: &str) -> PathBuf {
    let path = resolve(report, spot, typed);
    if !path.is_file() {
        report.refuse(spot, "there is no such file", Some(RELATIVE.to_owned()));
    }
    path
}
