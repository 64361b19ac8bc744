//! The gate of a listener: TLS before the first byte of a request, a credential before the first byte of its body.
//!
//! ```text
//!  connection ─► handshake (certificates of both sides) ─► request ─► admit (bearer, API key, basic) ─► protocol
//!                    ▲                                                   ▲
//!                Rotating<Certificates>                          Rotating<Credentials>   ◄── Rounds: files looked at
//! ```
//!
//! A gate is built from a spec when a generation is prepared, so that a file that cannot be used keeps a generation
//! from serving. From then on [`Rounds`] look at its files: what changed is used for the next handshake or request;
//! what cannot be used is told once, counted, and the old stays. Open connections live on.
//!
//! Receivers and the admin endpoint have the same gate. It never tells what was shown to it: neither in logs, nor in
//! answers, nor in metrics.

mod certificates;
mod complaint;
mod credentials;
mod denial;
mod digest;
mod expiry;
mod files;
mod handshake;
mod meter;
mod passwords;
mod rotating;
mod rounds;

use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;

use self::certificates::Certificates;
use self::credentials::CredentialSource;
pub use self::denial::{Denial, Denied};
pub use self::files::FileFault;
pub use self::handshake::HandshakeError;
use self::meter::GateMeter;
use self::rotating::Rotating;
pub use self::rounds::Rounds;
use crate::config::spec::{SecuritySpec, TlsServerSpec};
use crate::telemetry::metrics::Metrics;

/// What a listener speaks above TLS, in the order of its liking (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    /// HTTP/2: gRPC.
    H2,
    /// HTTP/2 and HTTP/1.1.
    H2AndHttp1,
    /// HTTP/1.1.
    Http1,
}

/// A gate that cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("a file of its `{key}` cannot be used")]
pub struct GateError {
    /// `tls` or `auth`.
    pub key: &'static str,
    /// The file, what is wrong with it, and the mend.
    #[source]
    pub source: FileFault,
}

/// The gate of one listener; cheap to clone. The default is open.
#[derive(Clone, Default)]
pub struct Gate {
    tls: Option<Arc<Rotating<Certificates>>>,
    auth: Option<Arc<Rotating<CredentialSource>>>,
    meter: Option<Arc<GateMeter>>,
}

impl Gate {
    /// One that asks for nothing.
    pub fn open() -> Gate {
        Gate::default()
    }

    /// Builds the gate of `listener` (a receiver's id, or `admin`) and its transport (`grpc`, `http`).
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn build(
        listener: &str,
        transport: &'static str,
        spec: &SecuritySpec,
        alpn: Alpn,
        metrics: &Metrics,
    ) -> Result<Gate, GateError> {
        if spec.is_open() {
            return Ok(Gate::open());
        }
        let meter = GateMeter::new(metrics, listener, transport);
        let at = |key| move |source| GateError { key, source };
        let tls = spec.tls.as_ref().map(|spec| {
            let expiry = meter.expiry();
            Rotating::start(
                Certificates::new((**spec).clone(), alpn, expiry),
                spec.reload_interval,
                meter.rotation("tls"),
            )
        });
        let auth = spec.auth.as_ref().map(|spec| {
            Rotating::start(CredentialSource::new((**spec).clone()), spec.reload_interval, meter.rotation("auth"))
        });
        Ok(Gate {
            tls: tls.transpose().map_err(at("tls"))?.map(Arc::new),
            auth: auth.transpose().map_err(at("auth"))?.map(Arc::new),
            meter: Some(Arc::new(meter)),
        })
    }

    /// Whether connections begin with a handshake.
    pub fn speaks_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// How connections are secured: where that differs, a connection is of another time.
    pub fn transport(&self) -> Option<TlsServerSpec> {
        self.tls.as_ref().map(|tls| tls.source().spec().clone())
    }

    /// Shakes hands with a client that has just connected; the caller bounds the time. None: there is no TLS.
    ///
    /// # Errors
    /// The client does not speak TLS, or shows nothing that is trusted. Counted already.
    pub async fn shake_hands<S>(&self, stream: S, peer: SocketAddr) -> Result<TlsStream<S>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(tls) = &self.tls else { return Err(HandshakeError::NoTls) };
        let shaken = handshake::accept(Arc::clone(&tls.load().config), stream).await;
        shaken.inspect_err(|error| self.note_handshake(peer, error))
    }

    /// Counts a handshake that came to nothing.
    pub fn note_handshake(&self, peer: SocketAddr, error: &HandshakeError) {
        if let Some(meter) = &self.meter {
            meter.failed(peer, error);
        }
    }

    /// Lets a request in, or not, by its headers alone.
    ///
    /// # Errors
    /// No credential that is known. Counted and told already.
    pub async fn admit(&self, headers: &HeaderMap, peer: SocketAddr) -> Result<(), Denied> {
        let Some(auth) = &self.auth else { return Ok(()) };
        let credentials = auth.load();
        match credentials.check(headers).await {
            Ok(()) => Ok(()),
            Err(denial) => {
                if let Some(meter) = &self.meter {
                    meter.denied(peer, denial);
                }
                Err(Denied { denial, challenges: credentials.challenges() })
            }
        }
    }

    /// Tells what is in use, now that it is.
    fn tell(&self) {
        if let Some(tls) = &self.tls {
            tls.tell();
        }
    }

    /// Looks at its files now.
    pub async fn look(&self) {
        if let Some(tls) = &self.tls {
            tls.look().await;
        }
        if let Some(auth) = &self.auth {
            auth.look().await;
        }
    }
}
