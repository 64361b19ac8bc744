//! How every client connects: TCP, and TLS where the URL says `https`.
//!
//! A connection is made from scratch each time: the name is resolved anew, and certificates that have changed on
//! disk are read, so that neither a move of the peer nor a rotation needs a restart (F17, F37). Both count against
//! one time limit. An open connection keeps what it was made with.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Uri;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower::{BoxError, Service};

use super::TCP_KEEP_ALIVE;
use super::tls::Tls;

/// A connection of a client: plain, or TLS.
pub type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Makes connections to any URL. Cheap to clone; clones share the certificates.
#[derive(Clone, Debug)]
pub struct Connector {
    tcp: HttpConnector,
    tls: Option<Arc<Tls>>,
    timeout: Duration,
}

/// There is no connection. Each is a failure that may pass: peers come back, certificates are mended.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name does not resolve, or nobody listens there.
    #[error("no connection to `{to}`")]
    Tcp {
        /// Host and port.
        to: String,
        /// What the system says.
        source: BoxError,
    },
    /// The two could not agree, or one does not trust the other.
    #[error("no TLS with `{to}`")]
    Tls {
        /// Host and port.
        to: String,
        /// What the TLS library says.
        source: io::Error,
    },
    /// It took too long.
    #[error("no connection to `{to}` within {timeout:?}")]
    Timeout {
        /// Host and port.
        to: String,
        /// How long.
        timeout: Duration,
    },
    /// The URL says `https`, but no TLS was prepared.
    #[error("no TLS was prepared for `{to}`")]
    NoTls {
        /// Host and port.
        to: String,
    },
    /// The host cannot be the name of a server.
    #[error("`{to}` has no name that a certificate could be for")]
    Name {
        /// Host and port.
        to: String,
    },
}

impl Connector {
    /// A connector; `tls` is needed for `https`. `timeout` is for TCP and TLS together.
    pub fn new(tls: Option<Arc<Tls>>, timeout: Duration) -> Connector {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEP_ALIVE));
        tcp.set_connect_timeout(Some(timeout));
        Connector { tcp, tls, timeout }
    }

    /// The same for one address: connects to `target`, whatever URL it is called with. tonic's own TLS must not come
    /// on top of this one, so its endpoint has an `http` URL, and this the true one.
    pub fn towards(self, target: Uri) -> Towards {
        Towards { connector: self, target }
    }

    /// Connects.
    pub async fn connect(mut self, target: Uri) -> Result<Connection, ConnectError> {
        let to = target.authority().map(ToString::to_string).unwrap_or_default();
        let timeout = self.timeout;
        match tokio::time::timeout(timeout, self.handshakes(target, &to)).await {
            Ok(result) => result,
            Err(_) => Err(ConnectError::Timeout { to, timeout }),
        }
    }

    async fn handshakes(&mut self, target: Uri, to: &str) -> Result<Connection, ConnectError> {
        let secure = target.scheme_str() == Some("https");
        let name = server_name(&target);
        let tcp = self.tcp.call(target).await;
        let tcp = tcp.map_err(|source| ConnectError::Tcp { to: to.to_owned(), source: source.into() })?;
        if !secure {
            return Ok(MaybeHttpsStream::Http(tcp));
        }
        let tls = self.tls.as_deref().ok_or_else(|| ConnectError::NoTls { to: to.to_owned() })?;
        let name = tls.server_name().or(name).ok_or_else(|| ConnectError::Name { to: to.to_owned() })?;
        let stream = TlsConnector::from(tls.fresh().await).connect(name, TokioIo::new(tcp)).await;
        let stream = stream.map_err(|source| ConnectError::Tls { to: to.to_owned(), source })?;
        Ok(MaybeHttpsStream::Https(TokioIo::new(stream)))
    }
}

/// The name that the certificate of a URL's server must have.
fn server_name(target: &Uri) -> Option<ServerName<'static>> {
    let host = target.host()?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match bare.parse::<IpAddr>() {
        Ok(address) => Some(address.into()),
        Err(_) => ServerName::try_from(bare.to_owned()).ok(),
    }
}

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = ConnectError;
    type Future = BoxFuture<'static, Result<Connection, ConnectError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        Box::pin(self.clone().connect(target))
    }
}

/// Makes connections to one address.
#[derive(Clone, Debug)]
pub struct Towards {
    connector: Connector,
    target: Uri,
}

impl Service<Uri> for Towards {
    type Response = Connection;
    type Error = ConnectError;
    type Future = BoxFuture<'static, Result<Connection, ConnectError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.connector.clone().connect(self.target.clone()))
    }
}
