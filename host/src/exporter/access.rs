//! What the clients of one exporter share on all shards: the certificates with which they connect, the credential
//! that they show, the account of what became of changed ones, and the choice of a compression.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::BuildError;
use super::auth::redact::redact;
use super::auth::{Auth, Pass, Setback};
use super::compress::adaptive::Adaptive;
use super::compress::meter::Meter as CompressionMeter;
use super::compress::{Choice, Packer};
use super::connector::Connector;
use super::outcome::{Failure, Outcome};
use super::tls::{Protocols, Tls};
use crate::config::spec::{Codec, CompressionSpec, OtlpClientSpec, Secret, TargetSpec, Verification};
use crate::telemetry::metrics::{CredentialLabels, Metrics};

/// Counts credentials that were read anew.
#[derive(Clone, Default)]
pub struct Meter {
    exporter: Arc<str>,
    reloads: Family<CredentialLabels, Counter>,
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Meter").field(&self.exporter).finish()
    }
}

impl Meter {
    /// The account of exporter `id`.
    pub fn new(id: &str, metrics: &Metrics) -> Meter {
        Meter { exporter: id.into(), reloads: metrics.exporter_credentials.clone() }
    }

    /// The exporter's id.
    pub fn exporter(&self) -> &str {
        &self.exporter
    }

    /// A new credential is in use.
    pub fn applied(&self, credential: &'static str) {
        self.count(credential, "applied");
    }

    /// A new credential cannot be used, or cannot be had; the old one, if there is one, stays.
    pub fn refused(&self, credential: &'static str) {
        self.count(credential, "refused");
    }

    fn count(&self, credential: &'static str, outcome: &'static str) {
        let labels = CredentialLabels { exporter: self.exporter.to_string(), credential, outcome };
        self.reloads.get_or_create_owned(&labels).inc();
    }

    /// How often a credential was applied and refused.
    #[cfg(test)]
    pub fn counts(&self, credential: &'static str) -> (u64, u64) {
        let count = |outcome| {
            let labels = CredentialLabels { exporter: self.exporter.to_string(), credential, outcome };
            self.reloads.get_or_create_owned(&labels).get()
        };
        (count("applied"), count("refused"))
    }
}

/// What the clients of one exporter share. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Access {
    tls: Option<Arc<Tls>>,
    auth: Option<Arc<Auth>>,
    /// Set if the compression is chosen by measuring.
    adaptive: Option<Arc<Adaptive>>,
    /// Values of the headers that are sent: what a peer could repeat.
    headers: Arc<[Secret]>,
}

impl Access {
    /// Reads the files that a target names; once for all shards. `id` is the exporter's.
    pub fn open(id: &str, target: &TargetSpec, metrics: &Metrics) -> Result<Access, BuildError> {
        let (client, protocols) = match target {
            TargetSpec::OtlpGrpc(client) => (client, Protocols::Http2),
            TargetSpec::OtlpHttp(http) => (&http.client, Protocols::Any),
            TargetSpec::File(_) | TargetSpec::Debug(_) => return Ok(Access::default()),
        };
        let meter = Meter::new(id, metrics);
        // The system's roots, slow to load, are read only where they are needed.
        let tls = match is_secure(target, client) {
            true => Some(Arc::new(Tls::open(&client.tls, protocols, &meter)?)),
            false => None,
        };
        if tls.is_some() && client.tls.verification == Verification::Off {
            tracing::warn!(
                exporter = id,
                "TLS VERIFICATION IS OFF (`tls.insecure_skip_verify`): whoever stands between can read and change \
                 everything that this exporter sends, credentials included"
            );
        }
        let auth = client.auth.as_ref().map(|spec| Auth::open(spec, &meter)).transpose()?.map(Arc::new);
        let adaptive = match client.compression {
            CompressionSpec::Fixed(_) => None,
            CompressionSpec::Adaptive(aim) => Some(Arc::new(Adaptive::new(aim, CompressionMeter::new(id, metrics)))),
        };
        Ok(Access { tls, auth, adaptive, headers: client.headers.values().cloned().collect() })
    }

    /// How its clients connect; each connection within `timeout`.
    pub fn connector(&self, timeout: Duration) -> Connector {
        Connector::new(self.tls.clone(), timeout)
    }

    /// What compresses the requests of one client.
    pub fn packer(&self, spec: &CompressionSpec) -> Packer {
        Packer::new(match (spec, &self.adaptive) {
            (CompressionSpec::Fixed(codec), _) => Choice::Fixed(*codec),
            (CompressionSpec::Adaptive(_), Some(adaptive)) => Choice::Adaptive(Arc::clone(adaptive)),
            (CompressionSpec::Adaptive(_), None) => Choice::Fixed(Codec::NONE),
        })
    }

    /// One attempt: sends with the credential that is shown now, and once more with another, if the peer refuses that
    /// one and there is another. What the peer says comes back without secrets.
    pub async fn attempt<F>(&self, send: impl Fn(Option<Pass>) -> F) -> Result<Outcome, Failure>
    where
        F: Future<Output = Result<Outcome, Setback>>,
    {
        let mut shown = Vec::new();
        match self.attempt_openly(send, &mut shown).await {
            Ok(outcome) if outcome.message.is_empty() => Ok(outcome),
            Ok(Outcome { rejected, message }) => Ok(Outcome { rejected, message: self.redacted(&message, &shown) }),
            Err(Failure::Retryable { after, why }) => {
                Err(Failure::Retryable { after, why: self.redacted(&why, &shown) })
            }
            Err(Failure::Permanent { why }) => Err(Failure::Permanent { why: self.redacted(&why, &shown) }),
        }
    }

    async fn attempt_openly<F>(
        &self,
        send: impl Fn(Option<Pass>) -> F,
        shown: &mut Vec<Pass>,
    ) -> Result<Outcome, Failure>
    where
        F: Future<Output = Result<Outcome, Setback>>,
    {
        if let Some(tls) = &self.tls {
            tls.refresh_if_due().await;
        }
        let Some(auth) = &self.auth else { return send(None).await.map_err(Setback::into_failure) };
        let pass = auth.pass().await?;
        shown.push(pass.clone());
        let refused = match send(Some(pass.clone())).await {
            Err(Setback::Unwelcome(failure)) => failure,
            result => return result.map_err(Setback::into_failure),
        };
        match auth.instead_of(&pass).await? {
            Some(pass) => {
                shown.push(pass.clone());
                send(Some(pass)).await.map_err(Setback::into_failure)
            }
            None => Err(refused),
        }
    }

    /// What others said, without what they were shown.
    fn redacted(&self, words: &str, shown: &[Pass]) -> String {
        let asked = self.auth.as_ref().map(|auth| auth.secrets()).unwrap_or_default();
        let secrets = self.headers.iter().chain(&asked).map(Secret::expose);
        redact(words, shown.iter().flat_map(Pass::secrets).chain(secrets))
    }
}

/// Whether any URL of a target says `https`.
fn is_secure(target: &TargetSpec, client: &OtlpClientSpec) -> bool {
    let is_https = |url: &str| url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
    let own = match target {
        TargetSpec::OtlpHttp(http) => http.endpoints.values().any(|url| is_https(url)),
        _ => false,
    };
    own || is_https(&client.endpoint)
}
