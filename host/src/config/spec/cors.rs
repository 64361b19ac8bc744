//! Which web pages may send telemetry from a browser (the CORS protocol of the Fetch standard).

use std::time::Duration;

use http::HeaderName;

/// Which web pages may send.
#[derive(Clone, Debug, PartialEq)]
pub struct CorsSpec {
    /// Where they come from; never empty.
    pub origins: Vec<Origin>,
    /// Headers that they may send beside `content-type` and `content-encoding`.
    pub headers: AllowedHeaders,
    /// How long browsers may remember the answer; none: their own default, a few seconds.
    pub max_age: Option<Duration>,
}

/// Headers that pages may send.
#[derive(Clone, Debug, PartialEq)]
pub enum AllowedHeaders {
    /// All that they ask for.
    Any,
    /// These.
    These(Vec<HeaderName>),
}

/// Where a page comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Anywhere.
    Any,
    /// `scheme://host` or `scheme://host:port`, in lower case.
    Exact(String),
    /// Every name below a domain: `https://*.example.com`.
    Below {
        /// `https://`.
        scheme: String,
        /// `.example.com`, with the port if there is one.
        suffix: String,
    },
}

impl Origin {
    /// Reads an origin, as typed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(typed: &str) -> Result<Origin, &'static str> {
        if typed == "*" {
            return Ok(Origin::Any);
        }
        let typed = typed.to_ascii_lowercase();
        let (scheme, authority) = typed.split_once("://").ok_or("it has no scheme")?;
        let plain = authority.strip_prefix("*.").unwrap_or(authority);
        if plain.contains('*') {
            return Err("`*` stands alone, or for the first labels of a host");
        }
        if plain.contains(['/', '?', '#', '@']) {
            return Err("it has a path; browsers send scheme, host and port only");
        }
        let parsed = plain.parse::<http::uri::Authority>().map_err(|_| "its host or port is wrong")?;
        let port_is_wrong =
            plain.strip_prefix(parsed.host()).is_none_or(|port| !port.is_empty() && parsed.port().is_none());
        let scheme_is_wrong =
            scheme.is_empty() || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        if parsed.host().is_empty() || port_is_wrong || scheme_is_wrong {
            return Err("its host or port is wrong");
        }
        Ok(match authority.strip_prefix('*') {
            Some(suffix) => Origin::Below { scheme: format!("{scheme}://"), suffix: suffix.to_owned() },
            None => Origin::Exact(typed),
        })
    }

    /// Whether it is the one that a browser names.
    pub fn includes(&self, named: &str) -> bool {
        let named = named.to_ascii_lowercase();
        match self {
            Origin::Any => true,
            Origin::Exact(exact) => named == *exact,
            Origin::Below { scheme, suffix } => {
                let labels = named.strip_prefix(scheme.as_str()).and_then(|rest| rest.strip_suffix(suffix.as_str()));
                let is_label = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
                labels.is_some_and(|labels| !labels.is_empty() && labels.bytes().all(is_label))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f20_an_origin_includes_itself_and_nothing_that_only_looks_like_it() {
        let exact = Origin::parse("https://App.example.com").unwrap();
        assert!(exact.includes("https://app.example.com"));
        for other in
            ["http://app.example.com", "https://app.example.com:8443", "https://app.example.com.evil.test", "null", ""]
        {
            assert!(!exact.includes(other), "{other}");
        }
        let below = Origin::parse("https://*.example.com:8443").unwrap();
        assert!(below.includes("https://a.example.com:8443") && below.includes("https://a.b.example.com:8443"));
        for other in [
            "https://example.com:8443",
            "https://.example.com",
            "https://a.example.com",
            "https://evilexample.com:8443",
            "https://evil.test/.example.com:8443",
            "https://evil.test#.example.com:8443",
        ] {
            assert!(!below.includes(other), "{other}");
        }
        assert!(Origin::parse("*").unwrap().includes("null"));
    }

    #[test]
    fn what_is_no_origin_is_told() {
        for bad in [
            "example.com",
            "https://",
            "https://a/b",
            "https://a/",
            "https://*",
            "https://a.*.b",
            "https://u@a",
            "https://a:x",
            "https://a b",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
        for good in ["http://localhost:3000", "https://[::1]:8443", "chrome-extension://abcdef", "https://*.a.b"] {
            assert!(Origin::parse(good).is_ok(), "{good}");
        }
    }
}
