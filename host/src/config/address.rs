//! Where a receiver listens and an exporter sends to.

use super::did_you_mean;

/// What is wrong with an address, and the mend.
pub(super) type Wrong = (String, Option<String>);

/// Checks `host:port`; gives the host (without brackets) and the port.
pub(super) fn listen(endpoint: &str) -> Result<(String, u16), Wrong> {
    let wrong = |what: &str, mend: String| (format!("this is not an address to listen on: {what}"), Some(mend));
    if endpoint.contains("://") {
        return Err(wrong("it has a scheme", "write `host:port`, such as `127.0.0.1:4317`".to_owned()));
    }
    let Some((host, port)) = endpoint.rsplit_once(':') else {
        return Err(wrong("it has no port", "write `host:port`, such as `127.0.0.1:4317`".to_owned()));
    };
    let Ok(port) = port.parse() else {
        return Err(wrong("the port is no number from 0 to 65535", format!("write a port: `{host}:4317`")));
    };
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let is_v6 = bare.parse::<std::net::Ipv6Addr>().is_ok();
    if host.is_empty() {
        Err(wrong("it has no host", format!("write `0.0.0.0:{port}` to listen on every address")))
    } else if is_v6 && bare == host {
        Err(wrong("an IPv6 address needs brackets", format!("write `[{host}]:{port}`")))
    } else if is_v6 || is_host(host) {
        Ok((bare.to_ascii_lowercase(), port))
    } else {
        Err(wrong(
            "the host is neither an address nor a name",
            "write `host:port`, such as `127.0.0.1:4317`".to_owned(),
        ))
    }
}

/// Whether two addresses cannot be listened on at the same time.
pub(super) fn clash(a: &(String, u16), b: &(String, u16)) -> bool {
    let loopback = |host: &str| if host == "localhost" { "127.0.0.1".to_owned() } else { host.to_owned() };
    let any = |host: &str| host == "0.0.0.0" || host == "::";
    a.1 == b.1 && a.1 != 0 && (any(&a.0) || any(&b.0) || loopback(&a.0) == loopback(&b.0))
}

/// Whether only this machine reaches an address; a name is one of other machines unless it is `localhost`.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Checks `http://host:port/path` or `https://…`; with a scheme to assume, also without one.
pub(super) fn url(endpoint: &str, assumed: Option<&str>) -> Result<String, Wrong> {
    let example = || Some("write a URL, such as `http://backend:4317` or `https://backend:4317`".to_owned());
    let whole = match (endpoint.split_once("://"), assumed) {
        (Some(("http" | "https", _)), _) => endpoint.to_owned(),
        (Some((scheme, _)), _) => {
            let mend = did_you_mean(scheme, ["http", "https"]);
            return Err((format!("`{scheme}` is not a scheme that can be sent to"), mend));
        }
        (None, Some(scheme)) => format!("{scheme}://{endpoint}"),
        (None, None) => return Err(("this URL has no scheme".to_owned(), example())),
    };
    let Ok(uri) = whole.parse::<http::Uri>() else { return Err(("this is not a URL".to_owned(), example())) };
    let authority = uri.authority().map(|a| a.as_str()).unwrap_or_default();
    if authority.contains('@') {
        let mend = Some("put the credentials in `headers`, as `authorization`".to_owned());
        return Err(("this URL holds credentials".to_owned(), mend));
    }
    let port_is_wrong = authority.rsplit_once(':').is_some_and(|(_, p)| !p.ends_with(']') && p.parse::<u16>().is_err());
    let host = uri.host().unwrap_or_default();
    if port_is_wrong || !(is_host(host) || host.starts_with('[')) {
        return Err(("this is not a URL: its host or port is wrong".to_owned(), example()));
    }
    Ok(whole)
}

fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 253
        && host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_host_and_port() {
        for good in ["127.0.0.1:4317", "localhost:0", "[::1]:4318", "0.0.0.0:65535", "gateway.example:4317"] {
            assert!(listen(good).is_ok(), "{good}");
        }
        for bad in ["4317", ":4317", "127.0.0.1", "127.0.0.1:70000", "http://127.0.0.1:4317", "::1:4317", "a b:1"] {
            assert!(listen(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn wildcards_clash_with_every_address_of_the_port() {
        let at = |host: &str, port| (host.to_owned(), port);
        assert!(clash(&at("0.0.0.0", 1), &at("127.0.0.1", 1)));
        assert!(clash(&at("localhost", 1), &at("127.0.0.1", 1)));
        assert!(!clash(&at("127.0.0.1", 0), &at("127.0.0.1", 0)));
        assert!(!clash(&at("127.0.0.1", 1), &at("127.0.0.1", 2)));
        assert!(!clash(&at("127.0.0.1", 1), &at("127.0.0.2", 1)));
    }

    #[test]
    fn e35_urls_say_whether_tls_is_used() {
        assert_eq!(url("http://a:1", None).as_deref(), Ok("http://a:1"));
        assert_eq!(url("a:1", Some("https")).as_deref(), Ok("https://a:1"));
        assert_eq!(url("https://[::1]:4317/x", None).as_deref(), Ok("https://[::1]:4317/x"));
        for bad in ["a:1", "grpc://a:1", "http://", "http://a:b", "http://u:p@a:1", "http://a b", "http://a:99999"] {
            assert!(url(bad, None).is_err(), "{bad}");
        }
    }
}
