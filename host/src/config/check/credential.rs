//! Credentials of exporters.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::address;
use crate::config::raw;
use crate::config::report::{Report, Spot};
use crate::config::spec::{AuthStyle, BasicLoginSpec, CredentialSpec, OAuth2Spec, SchemeSpec, Secret, SecretSource};

use super::some_time;
use super::tls::{existing_file, tls};

/// Reads `auth` of an exporter that sends to these URLs.
pub(super) fn credential(report: &mut Report, spot: &Spot, raw: &raw::Credential, urls: &[&str]) -> CredentialSpec {
    let given = [raw.bearer.is_some(), raw.basic.is_some(), raw.oauth2.is_some()];
    if given.iter().filter(|given| **given).count() != 1 {
        let mend = Some("name one of `bearer`, `basic`, `oauth2`, or remove `auth`".to_owned());
        report.refuse(spot, "`auth` needs one kind of credential, and no more", mend);
    }
    let scheme = match (&raw.bearer, &raw.basic, &raw.oauth2) {
        (Some(raw), _, _) => SchemeSpec::Bearer(bearer(report, &spot.key("bearer"), raw)),
        (_, Some(raw), _) => SchemeSpec::Basic(basic(report, &spot.key("basic"), raw)),
        (_, _, Some(raw)) => SchemeSpec::OAuth2(Box::new(oauth2(report, &spot.key("oauth2"), raw))),
        _ => SchemeSpec::Bearer(SecretSource::Value(Secret::new(String::new()))),
    };
    if urls.iter().any(|url| is_in_the_clear(url)) {
        let mend = Some("send to an `https` endpoint".to_owned());
        report.warn_key(spot, "the endpoint is `http`: whoever stands between can read the credentials", mend);
    }
    let reload_interval = match raw.reload_interval {
        Some(typed) => some_time(report, &spot.key("reload_interval"), typed),
        None => Duration::from_secs(30),
    };
    CredentialSpec { scheme, reload_interval }
}

fn bearer(report: &mut Report, spot: &Spot, raw: &raw::BearerToken) -> SecretSource {
    let token = secret(report, spot, ("token", raw.token.as_ref()), ("file", raw.file.as_deref()));
    if let SecretSource::Value(token) = &token
        && http::HeaderValue::try_from(token.expose()).is_err()
    {
        let mend = Some("remove line ends and control characters".to_owned());
        report.refuse(&spot.key("token"), "this cannot be sent in a header", mend);
    }
    token
}

fn basic(report: &mut Report, spot: &Spot, raw: &raw::BasicLogin) -> BasicLoginSpec {
    let username = required(report, spot, "username", raw.username.as_deref());
    if username.contains(':') {
        report.refuse(&spot.key("username"), "a name with a colon cannot be sent (RFC 7617)", None);
    }
    let password =
        secret(report, spot, ("password", raw.password.as_ref()), ("password_file", raw.password_file.as_deref()));
    BasicLoginSpec { username, password }
}

fn oauth2(report: &mut Report, spot: &Spot, raw: &raw::OAuth2) -> OAuth2Spec {
    let token_url = required(report, spot, "token_url", raw.token_url.as_deref());
    if !token_url.is_empty()
        && let Err((what, mend)) = address::url(&token_url, None)
    {
        report.refuse(&spot.key("token_url"), what, mend);
    }
    if is_in_the_clear(&token_url) {
        let mend = Some("use an `https` token server".to_owned());
        let what = "the token server is asked by `http`: whoever stands between can read the client's secret";
        report.warn(&spot.key("token_url"), what, mend);
    }
    OAuth2Spec {
        token_url,
        client_id: required(report, spot, "client_id", raw.client_id.as_deref()),
        client_secret: secret(
            report,
            spot,
            ("client_secret", raw.client_secret.as_ref()),
            ("client_secret_file", raw.client_secret_file.as_deref()),
        ),
        scopes: raw.scopes.clone(),
        params: params(report, &spot.key("params"), &raw.params),
        auth_style: match raw.auth_style {
            raw::AuthStyle::Header => AuthStyle::Header,
            raw::AuthStyle::Params => AuthStyle::Params,
        },
        timeout: match raw.timeout {
            Some(typed) => some_time(report, &spot.key("timeout"), typed),
            None => Duration::from_secs(10),
        },
        tls: tls(report, None, &spot.key("tls"), &raw.tls),
    }
}

/// Further parameters; those of the protocol have keys of their own.
fn params(report: &mut Report, spot: &Spot, raw: &BTreeMap<String, raw::Hidden>) -> BTreeMap<String, Secret> {
    for name in ["grant_type", "client_id", "client_secret", "scope"] {
        if raw.contains_key(name) {
            let mend = Some("use `client_id`, `client_secret` and `scopes` beside `params`".to_owned());
            report.refuse_key(&spot.key(name), "this parameter is part of the protocol", mend);
        }
    }
    raw.iter().map(|(name, raw::Hidden(value))| (name.clone(), value.clone())).collect()
}

fn required(report: &mut Report, spot: &Spot, key: &str, typed: Option<&str>) -> String {
    let typed = typed.unwrap_or_default();
    if typed.is_empty() {
        report.refuse(&spot.key(key), format!("`{key}` is missing"), Some(format!("add `{key}`")));
    }
    typed.to_owned()
}

/// One of two: the secret itself, or its file.
fn secret(
    report: &mut Report,
    spot: &Spot,
    (value_key, value): (&str, Option<&raw::Hidden>),
    (file_key, file): (&str, Option<&str>),
) -> SecretSource {
    match (value, file) {
        (None, Some(file)) => return SecretSource::File(existing_file(report, &spot.key(file_key), file)),
        (Some(raw::Hidden(value)), None) if !value.expose().is_empty() => return SecretSource::Value(value.clone()),
        (Some(_), None) => report.refuse(&spot.key(value_key), "the secret is empty", None),
        (None, None) => {
            let mend = Some(format!("add `{value_key}`, best as `${{env:NAME}}`, or `{file_key}`"));
            report.refuse(spot, format!("neither `{value_key}` nor `{file_key}` is given"), mend);
        }
        (Some(_), Some(_)) => {
            let mend = Some("remove one of the two".to_owned());
            report.refuse(&spot.key(file_key), format!("`{value_key}` is given too"), mend);
        }
    }
    SecretSource::Value(Secret::new(String::new()))
}

/// Whether what is sent to a URL crosses a network unencrypted.
fn is_in_the_clear(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    uri.scheme_str() == Some("http") && !is_here
}
