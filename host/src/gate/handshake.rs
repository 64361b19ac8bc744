//! The handshake of TLS, and why it fails.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::{CertificateError, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A handshake that came to nothing. Display is for the log: it holds no secret, and nothing that the peer wrote.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The listener has no TLS.
    #[error("this listener does not speak TLS")]
    NoTls,
    /// What came is not TLS, such as a request in plain text.
    #[error("the client does not speak TLS here; its endpoint needs https")]
    Plaintext,
    /// The client showed no certificate.
    #[error("the client shows no certificate")]
    NoCertificate,
    /// The client's certificate is expired, or not yet valid.
    #[error("the client's certificate is expired or not yet valid")]
    Expired,
    /// The client's certificate was not issued by a root that is trusted.
    #[error("the client's certificate is not trusted: {0}")]
    Untrusted(rustls::Error),
    /// Both have no version, cipher or protocol in common.
    #[error("the client and this listener have nothing in common: {0}")]
    Incompatible(rustls::Error),
    /// The client does not like what it was shown.
    #[error("the client refuses this listener's certificate: {0}")]
    Refused(rustls::Error),
    /// It took too long.
    #[error("the client did not finish the handshake within {0:?}")]
    Timeout(Duration),
    /// The connection ended, or another breach of the protocol.
    #[error("{0}")]
    Broken(io::Error),
}

impl HandshakeError {
    /// As a label.
    pub fn reason(&self) -> &'static str {
        match self {
            HandshakeError::NoTls | HandshakeError::Broken(_) => "broken",
            HandshakeError::Plaintext => "plaintext",
            HandshakeError::NoCertificate => "no_certificate",
            HandshakeError::Expired => "expired",
            HandshakeError::Untrusted(_) => "untrusted",
            HandshakeError::Incompatible(_) => "incompatible",
            HandshakeError::Refused(_) => "refused_by_client",
            HandshakeError::Timeout(_) => "timeout",
        }
    }
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        use rustls::Error as Tls;
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Tls>()).cloned() {
            Some(Tls::InvalidMessage(_)) => HandshakeError::Plaintext,
            Some(Tls::NoCertificatesPresented) => HandshakeError::NoCertificate,
            Some(Tls::InvalidCertificate(reason)) if is_of_time(&reason) => HandshakeError::Expired,
            Some(error @ Tls::InvalidCertificate(_)) => HandshakeError::Untrusted(error),
            Some(error @ (Tls::PeerIncompatible(_) | Tls::NoApplicationProtocol)) => {
                HandshakeError::Incompatible(error)
            }
            Some(error @ Tls::AlertReceived(_)) => HandshakeError::Refused(error),
            _ => HandshakeError::Broken(error),
        }
    }
}

fn is_of_time(reason: &CertificateError) -> bool {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    matches!(reason, Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. })
}

/// Shakes hands. On failure the client was sent the alert that says why.
pub(super) async fn accept<S>(config: Arc<ServerConfig>, stream: S) -> Result<TlsStream<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    Ok(TlsAcceptor::from(config).accept(stream).await?)
}
