//! Names of endpoints, resolved anew from time to time: a peer that moves is followed before its old place is gone.
//!
//! Connections resolve names by themselves when they are made; this is for those that are open and work. When the
//! addresses of a name differ from those of the last time, the endpoint has moved: new attempts connect anew, those
//! under way end where they are. A name that does not resolve now changes nothing.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::ends::Ends;
use super::stop::Stop;
use crate::config::spec::TargetSpec;

/// How long one look-up may take; a resolver that does not answer is asked again the next time.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// The addresses of a name and a port.
pub type Addresses = BTreeSet<SocketAddr>;

/// Asks the system's resolver.
pub async fn system(host: String, port: u16) -> io::Result<Addresses> {
    Ok(tokio::net::lookup_host((host, port)).await?.collect())
}

/// One name, and where it led the last time.
#[derive(Debug)]
struct Name {
    end: usize,
    host: String,
    port: u16,
    known: Option<Addresses>,
}

/// The names of a destination's endpoints.
#[derive(Debug)]
pub struct Names {
    names: Vec<Name>,
    every: Duration,
    ends: Arc<Ends>,
}

impl Names {
    /// Those of a target; none if it has only addresses, or they are not to be looked at.
    pub fn of(target: &TargetSpec, ends: &Arc<Ends>) -> Option<Names> {
        let every = target.spread()?.dns_refresh?;
        let mut names = Vec::new();
        for (end, (one, _)) in target.each().iter().enumerate() {
            for (host, port) in one.urls().into_iter().filter_map(named) {
                names.push(Name { end, host, port, known: None });
            }
        }
        (!names.is_empty()).then(|| Names { names, every, ends: Arc::clone(ends) })
    }

    /// Looks them up, again and again, until the destination comes to its end.
    pub async fn watch<F>(mut self, stop: Stop, lookup: impl Fn(String, u16) -> F)
    where
        F: Future<Output = io::Result<Addresses>>,
    {
        let looking = async {
            loop {
                for name in &mut self.names {
                    let found = timeout(LOOKUP_TIMEOUT, lookup(name.host.clone(), name.port)).await;
                    if name.leads_elsewhere(found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))) {
                        self.ends.moved(name.end);
                    }
                }
                sleep(self.every).await;
            }
        };
        tokio::select! {
            _ = stop.asked() => {}
            () = looking => {}
        }
    }
}

impl Name {
    fn leads_elsewhere(&mut self, found: io::Result<Addresses>) -> bool {
        match found {
            Ok(found) if !found.is_empty() => {
                let before = self.known.replace(found);
                before.is_some() && before != self.known
            }
            Ok(_) => false,
            Err(error) => {
                tracing::debug!(host = self.host, "it does not resolve, and the last addresses are kept: {error}");
                false
            }
        }
    }
}

/// Host and port of a URL whose host is a name.
fn named(url: &str) -> Option<(String, u16)> {
    let uri: http::Uri = url.parse().ok()?;
    let host = uri.host()?;
    let is_address = host.starts_with('[') || host.parse::<IpAddr>().is_ok();
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    (!is_address).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use parking_lot::Mutex;

    use super::*;
    use crate::destination::stop::{End, Manner, Phase};
    use crate::exporter::testing::{client, eventually};
    use crate::telemetry::metrics::Metrics;

    fn addresses(last: &[u8]) -> io::Result<Addresses> {
        Ok(last.iter().map(|last| SocketAddr::from(([127, 0, 0, *last], 4317))).collect())
    }

    #[test]
    fn only_names_are_resolved() {
        for url in ["http://127.0.0.1:4317", "http://[::1]:4317"] {
            assert_eq!(named(url), None);
        }
        assert_eq!(named("http://backend:4317"), Some(("backend".to_owned(), 4317)));
        assert_eq!(named("https://backend/base"), Some(("backend".to_owned(), 443)));
    }

    #[tokio::test]
    async fn f37_an_endpoint_moves_when_its_addresses_change_and_only_then() {
        let mut client = client("http://backend:4317");
        client.spread.dns_refresh = Some(Duration::from_millis(1));
        let target = TargetSpec::OtlpGrpc(client);
        let ends = Arc::new(Ends::new("otlp", &target, &Metrics::default()));
        let gone = || Err(io::ErrorKind::NotFound.into());
        // In another order, not at all, with one more, and elsewhere.
        let script = [addresses(&[1, 2]), addresses(&[2, 1]), gone(), addresses(&[]), addresses(&[1, 2])];
        let moves = [addresses(&[1, 2, 3]), addresses(&[4])];
        let script: Mutex<VecDeque<_>> = Mutex::new(script.into_iter().chain(moves).collect());
        let seen = Mutex::new(Vec::new());
        let (stop_tx, stop) = Stop::channel();
        let lookup = |host: String, port| {
            assert_eq!((host.as_str(), port), ("backend", 4317));
            seen.lock().push(ends.moves(0));
            let next = script.lock().pop_front();
            async move { next.unwrap_or_else(|| addresses(&[4])) }
        };
        let ended = async {
            eventually(|| seen.lock().len() >= 10).await;
            let end = End { deadline: tokio::time::Instant::now(), manner: Manner::Deliver };
            stop_tx.send_replace(Phase::Ending(end));
        };
        tokio::join!(Names::of(&target, &ends).unwrap().watch(stop, lookup), ended);
        assert_eq!(seen.lock()[..10], [0, 0, 0, 0, 0, 0, 1, 2, 2, 2]);
    }
}
