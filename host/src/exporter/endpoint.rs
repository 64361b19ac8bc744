//! What all network targets have in common: the address and the headers that a pipeline file names.

use std::collections::BTreeMap;

use http::Uri;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::BuildError;
use crate::config::spec::Secret;

/// Reads `http://host…` or `https://host…`.
pub fn parse(text: &str) -> Result<Uri, BuildError> {
    let uri: Uri = text.parse().map_err(|error: http::uri::InvalidUri| refused(text, error.to_string()))?;
    match uri.scheme_str() {
        Some("http" | "https") if uri.host().is_some_and(|host| !host.is_empty()) => Ok(uri),
        _ => Err(refused(text, "it does not begin with http:// or https:// and a host")),
    }
}

/// The same address with `http`, for a library that would add TLS of its own to an `https` one.
pub fn without_tls(uri: &Uri) -> Result<Uri, BuildError> {
    let mut parts = uri.clone().into_parts();
    parts.scheme = Some(http::uri::Scheme::HTTP);
    Uri::from_parts(parts).map_err(|error| refused(&uri.to_string(), error.to_string()))
}

/// A URL as it is shown and counted: without credentials and query.
pub fn name(url: &str) -> String {
    let url = url.split_once('?').map_or(url, |(url, _)| url);
    match url.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host)),
        None => url.to_owned(),
    }
}

/// The error of an endpoint that cannot be used; a user and password in it are not shown (E36).
pub fn refused(text: &str, why: impl Into<String>) -> BuildError {
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let shown = match rest.split_once('@') {
        Some((_, host)) if scheme.is_empty() => host.to_owned(),
        Some((_, host)) => format!("{scheme}://{host}"),
        None => text.to_owned(),
    };
    BuildError::Endpoint { endpoint: shown, why: why.into() }
}

/// The headers that are sent with each request; their values are marked as secrets.
pub fn headers(spec: &BTreeMap<String, Secret>) -> Result<HeaderMap, BuildError> {
    let mut headers = HeaderMap::with_capacity(spec.len() + 8);
    for (name, value) in spec {
        let refused = |why| BuildError::Header { name: name.clone(), why };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused("that is not a header's name"))?;
        let mut value = HeaderValue::from_str(value.expose())
            .map_err(|_| refused("its value holds characters that a header must not have"))?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_scheme_or_host_is_refused_with_the_mend() {
        for text in ["127.0.0.1:4317", "grpc://host:4317", "http://", "", "http:// host"] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")) && error.contains("http://host:port"), "{error}");
        }
        assert_eq!(parse("https://host:4317/base").unwrap().path(), "/base");
    }

    #[test]
    fn e36_secrets_are_not_in_errors() {
        let error = parse("ftp://me:s3cret@host").unwrap_err().to_string();
        assert!(error.contains("`ftp://host`") && !error.contains("s3cret"), "{error}");
        let spec = BTreeMap::from([("x-token".to_owned(), Secret::new("s3cret\n".to_owned()))]);
        let error = headers(&spec).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"));
        let spec = BTreeMap::from([("x-token".to_owned(), Secret::new("s3cret".to_owned()))]);
        assert!(!format!("{:?}", headers(&spec).unwrap()).contains("s3cret"));
    }
}
