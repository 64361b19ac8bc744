//! TLS of the clients: which servers they trust, and the certificate that they show.
//!
//! Verification is on unless `insecure_skip_verify` turns it off (E35). The files are read again when they change, so
//! that certificates rotate without a restart; a file that cannot be used leaves the old in force (F17).

mod unverified;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt;
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, SupportedProtocolVersion};

use super::BuildError;
use super::access::Meter;
use super::outcome::chain;
use super::reread::Reread;
use crate::config::spec::{TlsClientSpec, TlsVersion, Verification};

/// What a client and its server may agree on to speak, by ALPN (E15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocols {
    /// HTTP/2 only: gRPC.
    Http2,
    /// HTTP/2, or HTTP/1.1 with a server that has nothing better.
    Any,
    /// HTTP/1.1 only: short conversations.
    Http1,
}

impl Protocols {
    fn names(self) -> Vec<Vec<u8>> {
        let names: &[&[u8]] = match self {
            Protocols::Http2 => &[b"h2"],
            Protocols::Any => &[b"h2", b"http/1.1"],
            Protocols::Http1 => &[b"http/1.1"],
        };
        names.iter().map(|name| name.to_vec()).collect()
    }
}

/// The TLS of one client. Shared by its connections on all shards.
#[derive(Debug)]
pub struct Tls {
    server_name: Option<ServerName<'static>>,
    config: Reread<Arc<ClientConfig>>,
}

impl Tls {
    /// Reads the files that the spec names.
    pub fn open(spec: &TlsClientSpec, protocols: Protocols, meter: &Meter) -> Result<Tls, BuildError> {
        let server_name = spec.server_name.clone().map(named).transpose()?;
        let spec = spec.clone();
        let (files, interval) = (files(&spec), spec.reload_interval);
        let make = move |content: &[Vec<u8>]| configured(&spec, protocols, content).map(Arc::new);
        let config = Reread::open("tls", files, interval, meter.clone(), make)?;
        Ok(Tls { server_name, config })
    }

    /// The name in the server's certificate, if it is not the URL's.
    pub fn server_name(&self) -> Option<ServerName<'static>> {
        self.server_name.clone()
    }

    /// What a connection begins with: as the files are now, or the last that could be used.
    pub async fn fresh(&self) -> Arc<ClientConfig> {
        self.config.refresh().await;
        Arc::clone(&self.config.current())
    }

    /// Looks at the files if it is time, so that a bad one is told of before a connection needs it.
    pub async fn refresh_if_due(&self) {
        self.config.refresh_if_due().await;
    }
}

fn named(name: String) -> Result<ServerName<'static>, BuildError> {
    ServerName::try_from(name.clone())
        .map_err(|error| BuildError::Tls { why: format!("`{name}` is not a server's name: {error}") })
}

/// The files of a spec: roots, certificate, key, in this order, those that there are.
fn files(spec: &TlsClientSpec) -> Vec<PathBuf> {
    [&spec.ca_file, &spec.cert_file, &spec.key_file].into_iter().flatten().cloned().collect()
}

fn configured(spec: &TlsClientSpec, protocols: Protocols, content: &[Vec<u8>]) -> Result<ClientConfig, BuildError> {
    let mut content = content.iter().map(Vec::as_slice);
    let roots = spec.ca_file.as_deref().zip(spec.ca_file.as_ref().and_then(|_| content.next()));
    let own = spec.cert_file.as_deref().zip(spec.cert_file.as_ref().and_then(|_| content.next()));
    let key = spec.key_file.as_deref().zip(spec.key_file.as_ref().and_then(|_| content.next()));
    let builder = trusting(spec, roots)?;
    let mut config = match own.zip(key) {
        Some(((cert_file, cert), (key_file, key))) => builder
            .with_client_auth_cert(certificates(cert_file, cert)?, private_key(key_file, key)?)
            .map_err(|error| refused(key_file, error.to_string()))?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = protocols.names();
    Ok(config)
}

/// The versions, and whom to trust.
fn trusting(
    spec: &TlsClientSpec,
    roots: Option<(&Path, &[u8])>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, BuildError> {
    let versions: &[&'static SupportedProtocolVersion] = match spec.min_version {
        TlsVersion::V1_2 => &[&TLS12, &TLS13],
        TlsVersion::V1_3 => &[&TLS13],
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| failed(&error))?;
    match (spec.verification, roots) {
        (Verification::Off, _) => Ok(unverified::trust_everybody(builder, provider)),
        (Verification::On, Some((path, pem))) => {
            let mut store = RootCertStore::empty();
            for certificate in certificates(path, pem)? {
                store.add(certificate).map_err(|error| refused(path, error.to_string()))?;
            }
            Ok(builder.with_root_certificates(store))
        }
        (Verification::On, None) => builder.with_native_roots().map_err(|error| failed(&error)),
    }
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if all.is_empty() => Err(refused(path, "it holds no PEM certificate")),
        Ok(all) => Ok(all),
        Err(error) => Err(refused(path, error.to_string())),
    }
}

fn private_key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, BuildError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| refused(path, format!("it holds no PEM private key ({error})")))
}

fn refused(path: &Path, why: impl Into<String>) -> BuildError {
    BuildError::TlsFile { path: path.to_owned(), why: why.into() }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> BuildError {
    BuildError::Tls { why: chain(error) }
}

#[cfg(test)]
mod tests;
