//! TLS, credentials and origins of listeners.

use std::path::PathBuf;

use http::HeaderName;

use crate::config::address;
use crate::config::raw::{self, Hidden};
use crate::config::report::{Report, Spot};
use crate::config::spec::{
    AllowedHeaders, ApiKeySpec, AuthSpec, BasicSpec, ClientCertificatesSpec, CorsSpec, Demand, Origin, PasswordEntry,
    Secret, SecretsSpec, SecuritySpec, TlsServerSpec, TlsVersion,
};

use super::{RELATIVE, resolve, some_time};

/// Reads `tls` and `auth` below a spot.
pub(super) fn security(
    report: &mut Report,
    spot: &Spot,
    tls: Option<&raw::ServerTls>,
    auth: Option<&raw::Auth>,
) -> SecuritySpec {
    SecuritySpec {
        tls: tls.and_then(|raw| server_tls(report, &spot.key("tls"), raw)).map(Box::new),
        auth: auth.map(|raw| Box::new(credentials(report, &spot.key("auth"), raw))),
    }
}

/// Warns of a listener that other machines reach and that asks nobody for anything.
pub(super) fn warn_of_open(report: &mut Report, spot: &Spot, endpoint: &str, security: &SecuritySpec) {
    let is_open = security.is_open() && address::listen(endpoint).is_ok_and(|(host, _)| !address::is_loopback(&host));
    if is_open {
        let mend = Some("add `tls` or `auth` beside it, or listen on 127.0.0.1".to_owned());
        report.warn_key(
            &spot.key("endpoint"),
            "whoever reaches this address may use it: it has no TLS and asks for no credential",
            mend,
        );
    }
}

fn server_tls(report: &mut Report, spot: &Spot, raw: &raw::ServerTls) -> Option<TlsServerSpec> {
    let min_version = match raw.min_version {
        raw::TlsVersion::V1_2 => TlsVersion::V1_2,
        raw::TlsVersion::V1_3 => TlsVersion::V1_3,
    };
    let clients = raw.client_ca_file.as_deref().map(|typed| ClientCertificatesSpec {
        ca_file: existing(report, &spot.key("client_ca_file"), typed),
        demand: match raw.client_auth {
            Some(raw::ClientAuth::Optional) => Demand::Optional,
            Some(raw::ClientAuth::Require) | None => Demand::Required,
        },
    });
    if clients.is_none() && raw.client_auth.is_some() {
        let mend = Some("add `client_ca_file`: the roots of the clients' certificates".to_owned());
        report.refuse(&spot.key("client_auth"), "`client_auth` needs `client_ca_file`", mend);
    }
    let reload_interval = some_time(report, &spot.key("reload_interval"), raw.reload_interval);
    let (Some(cert), Some(key)) = (&raw.cert_file, &raw.key_file) else {
        let (there, missing) = match (&raw.cert_file, &raw.key_file) {
            (Some(_), _) => (Some("cert_file"), "`cert_file` needs `key_file`"),
            (_, Some(_)) => (Some("key_file"), "`key_file` needs `cert_file`"),
            _ => (None, "TLS needs `cert_file` and `key_file`"),
        };
        let at = there.map_or_else(|| spot.clone(), |key| spot.key(key));
        report.refuse(&at, missing, Some("name the PEM files of both".to_owned()));
        return None;
    };
    let cert_file = existing(report, &spot.key("cert_file"), cert);
    let key_file = existing(report, &spot.key("key_file"), key);
    Some(TlsServerSpec { cert_file, key_file, clients, min_version, reload_interval })
}

fn credentials(report: &mut Report, spot: &Spot, raw: &raw::Auth) -> AuthSpec {
    if raw.bearer.is_none() && raw.api_key.is_none() && raw.basic.is_none() {
        let mend =
            Some("name `bearer`, `api_key` or `basic`; client certificates alone are `tls.client_ca_file`".to_owned());
        report.refuse(spot, "`auth` names no kind of credential, so nobody could come in", mend);
    }
    AuthSpec {
        bearer: raw.bearer.as_ref().map(|raw| {
            let spot = spot.key("bearer");
            secrets(report, &spot, "tokens", &raw.tokens, raw.file.as_deref())
        }),
        api_key: raw.api_key.as_ref().map(|raw| {
            let spot = spot.key("api_key");
            let keys = secrets(report, &spot, "keys", &raw.keys, raw.file.as_deref());
            ApiKeySpec { header: header(report, &spot.key("header"), &raw.header), keys }
        }),
        basic: raw.basic.as_ref().map(|raw| users(report, &spot.key("basic"), raw)),
        reload_interval: some_time(report, &spot.key("reload_interval"), raw.reload_interval),
    }
}

fn secrets(report: &mut Report, spot: &Spot, key: &str, typed: &[Hidden], file: Option<&str>) -> SecretsSpec {
    nobody(report, spot, key, typed, file);
    for (index, Hidden(secret)) in typed.iter().enumerate() {
        let at = spot.key(key).item(index);
        if secret.expose().trim().is_empty() {
            report.refuse(&at, "this is empty, which would let in whoever sends nothing", None);
        } else if http::HeaderValue::try_from(secret.expose()).is_err() || secret.expose().trim() != secret.expose() {
            let mend = Some("remove blanks around it, line ends and control characters".to_owned());
            report.refuse(&at, "no client can send this in a header", mend);
        }
    }
    let values: Vec<Secret> = typed.iter().map(|Hidden(secret)| secret.clone()).collect();
    SecretsSpec { values, file: file.map(|typed| existing(report, &spot.key("file"), typed)) }
}

fn users(report: &mut Report, spot: &Spot, raw: &raw::Basic) -> BasicSpec {
    nobody(report, spot, "htpasswd", &raw.htpasswd, raw.file.as_deref());
    let mut users = Vec::with_capacity(raw.htpasswd.len());
    for (index, Hidden(line)) in raw.htpasswd.iter().enumerate() {
        match PasswordEntry::parse(line.expose()) {
            Ok(entry) => users.push(entry),
            Err(why) => {
                let mend = Some("write what `htpasswd -nB USER` prints: `user:$2y$…`".to_owned());
                report.refuse(&spot.key("htpasswd").item(index), format!("this is no line of htpasswd: {why}"), mend);
            }
        }
    }
    BasicSpec { users, file: raw.file.as_deref().map(|typed| existing(report, &spot.key("file"), typed)) }
}

/// Refuses a kind of credential of which there is none.
fn nobody(report: &mut Report, spot: &Spot, key: &str, typed: &[Hidden], file: Option<&str>) {
    if typed.is_empty() && file.is_none() {
        let mend = Some(format!("list them under `{key}`, or name a `file` with one a line"));
        report.refuse(spot, format!("neither `{key}` nor `file` is given, so nobody could come in"), mend);
    }
}

fn header(report: &mut Report, spot: &Spot, typed: &str) -> HeaderName {
    HeaderName::try_from(typed).unwrap_or_else(|_| {
        report.refuse(spot, "this is not the name of a header", None);
        HeaderName::from_static("x-api-key")
    })
}

/// Reads `cors`.
pub(super) fn cors(report: &mut Report, spot: &Spot, raw: &raw::Cors) -> CorsSpec {
    if raw.allowed_origins.is_empty() {
        let mend = Some("list them, as in `allowed_origins: [https://app.example.com]`, or remove `cors`".to_owned());
        report.refuse(&spot.key("allowed_origins"), "`cors` allows no origin", mend);
    }
    let mut origins = Vec::with_capacity(raw.allowed_origins.len());
    for (index, typed) in raw.allowed_origins.iter().enumerate() {
        match Origin::parse(typed) {
            Ok(origin) => origins.push(origin),
            Err(why) => {
                let mend = Some("write `https://app.example.com`, `https://*.example.com` or `*`".to_owned());
                report.refuse(&spot.key("allowed_origins").item(index), format!("this is no origin: {why}"), mend);
            }
        }
    }
    let headers = if raw.allowed_headers.iter().any(|typed| typed == "*") {
        AllowedHeaders::Any
    } else {
        let named = raw.allowed_headers.iter().enumerate();
        AllowedHeaders::These(
            named.map(|(index, typed)| header(report, &spot.key("allowed_headers").item(index), typed)).collect(),
        )
    };
    CorsSpec { origins, headers, max_age: raw.max_age.map(|age| age.0) }
}

fn existing(report: &mut Report, spot: &Spot, typed: &str) -> PathBuf {
    let path = resolve(report, spot, typed);
    if !path.is_file() {
        report.refuse(spot, "there is no such file", Some(RELATIVE.to_owned()));
    }
    path
}
