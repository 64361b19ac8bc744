//! The server side of TLS, made from PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};

use super::Alpn;
use super::expiry::not_after;
use super::files::FileFault;
use super::meter::ExpiryMeter;
use super::rotating::Source;
use crate::config::spec::{ClientCertificatesSpec, Demand, TlsServerSpec, TlsVersion};

/// Makes the whole of rustls's configuration anew with every change: sessions that were resumable under the old
/// certificates, above all those of clients, are not resumable under the new ones.
pub(super) struct Certificates {
    spec: TlsServerSpec,
    alpn: Alpn,
    expiry: ExpiryMeter,
}

/// What a listener shows, and what it asks for.
pub(super) struct Terms {
    pub config: Arc<ServerConfig>,
    /// Until when the certificate is valid, in seconds since the Unix epoch, where that can be read.
    not_after: Option<i64>,
}

impl Certificates {
    pub fn new(spec: TlsServerSpec, alpn: Alpn, expiry: ExpiryMeter) -> Certificates {
        Certificates { spec, alpn, expiry }
    }

    pub fn spec(&self) -> &TlsServerSpec {
        &self.spec
    }

    fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        match self.spec.min_version {
            TlsVersion::V1_2 => rustls::ALL_VERSIONS,
            TlsVersion::V1_3 => NEW_VERSIONS,
        }
    }
}

static NEW_VERSIONS: &[&SupportedProtocolVersion] = &[&version::TLS13];

impl Source for Certificates {
    type Made = Terms;

    fn files(&self) -> Vec<PathBuf> {
        let TlsServerSpec { cert_file, key_file, clients, .. } = &self.spec;
        let mut files = vec![cert_file.clone(), key_file.clone()];
        files.extend(clients.as_ref().map(|clients| clients.ca_file.clone()));
        files
    }

    fn make(&self, contents: &[Vec<u8>]) -> Result<Terms, FileFault> {
        let TlsServerSpec { cert_file, key_file, clients, .. } = &self.spec;
        let content = |index: usize| contents.get(index).map(Vec::as_slice).unwrap_or_default();
        let chain = certificates(cert_file, content(0))?;
        let key = key(key_file, content(1))?;
        let not_after = chain.first().and_then(|certificate| not_after(certificate));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(self.versions())
            .map_err(|error| FileFault::new(cert_file, error.to_string()))?;
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(verifier(clients, content(2), provider)?),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| mismatch(cert_file, key_file, &error))?;
        config.alpn_protocols = match self.alpn {
            Alpn::H2 => vec![b"h2".to_vec()],
            Alpn::H2AndHttp1 => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            Alpn::Http1 => vec![b"http/1.1".to_vec()],
        };
        Ok(Terms { config: Arc::new(config), not_after })
    }

    fn tell(&self, terms: &Terms) {
        if let Some(not_after) = terms.not_after {
            self.expiry.set(not_after);
        }
    }
}

fn mismatch(cert_file: &Path, key_file: &Path, error: &rustls::Error) -> FileFault {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            let why = format!(
                "the key is not that of the certificate in {}; name two that belong together",
                cert_file.display()
            );
            FileFault::new(key_file, why)
        }
        rustls::Error::InvalidCertificate(_) => FileFault::new(cert_file, format!("it cannot be used: {error}")),
        _ => FileFault::new(key_file, format!("it cannot be used: {error}; ECDSA, Ed25519 and RSA keys can be")),
    }
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, FileFault> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if all.is_empty() => {
            Err(FileFault::new(path, "it holds no PEM certificate; one begins with -----BEGIN CERTIFICATE-----"))
        }
        Ok(all) => Ok(all),
        Err(error) => Err(FileFault::new(path, format!("it is not valid PEM: {error}"))),
    }
}

fn key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, FileFault> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        FileFault::new(path, "it holds no PEM private key that can be used; one begins with -----BEGIN PRIVATE KEY----- (PKCS #8, without a password)")
    })
}

fn verifier(
    clients: &ClientCertificatesSpec,
    pem: &[u8],
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, FileFault> {
    let ClientCertificatesSpec { ca_file, demand } = clients;
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca_file, pem)? {
        roots.add(certificate).map_err(|error| FileFault::new(ca_file, format!("it is no root: {error}")))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match demand {
        Demand::Required => builder,
        Demand::Optional => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|error| FileFault::new(ca_file, error.to_string()))
}
