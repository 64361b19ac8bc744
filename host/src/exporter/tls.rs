//! Certificates of the clients: for tonic's transport, and for the HTTP client.

use std::path::Path;
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use super::BuildError;
use super::outcome::chain;
use crate::config::spec::TlsClientSpec;

fn file(path: &Path) -> Result<Vec<u8>, BuildError> {
    std::fs::read(path).map_err(|error| refused(path, error.to_string()))
}

fn refused(path: &Path, why: impl Into<String>) -> BuildError {
    BuildError::TlsFile { path: path.to_owned(), why: why.into() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let pem = file(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match all {
        Ok(all) if all.is_empty() => Err(refused(path, "it holds no PEM certificate")),
        Ok(all) => Ok(all),
        Err(error) => Err(refused(path, error.to_string())),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, BuildError> {
    PrivateKeyDer::from_pem_slice(&file(path)?)
        .map_err(|error| refused(path, format!("it holds no PEM private key ({error})")))
}

/// The client's own certificate and key, of which a spec has both or none.
fn identity(spec: &TlsClientSpec) -> Option<(&Path, &Path)> {
    spec.cert_file.as_deref().zip(spec.key_file.as_deref())
}

/// TLS of tonic's transport. Verification is always on (E35).
pub fn for_tonic(spec: &TlsClientSpec) -> Result<ClientTlsConfig, BuildError> {
    let mut tls = match &spec.ca_file {
        Some(path) => {
            certificates(path)?;
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(file(path)?))
        }
        None => ClientTlsConfig::new().with_native_roots(),
    };
    if let Some((cert_file, key_file)) = identity(spec) {
        certificates(cert_file)?;
        key(key_file)?;
        tls = tls.identity(Identity::from_pem(file(cert_file)?, file(key_file)?));
    }
    if let Some(name) = &spec.server_name {
        tls = tls.domain_name(name);
    }
    Ok(tls)
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;

fn failed(error: &(dyn std::error::Error + 'static)) -> BuildError {
    BuildError::Tls { why: chain(error) }
}

fn builder() -> Result<Builder, BuildError> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))
}

/// TLS of an HTTP client that uses none: it trusts nobody.
pub fn without_roots() -> Result<ClientConfig, BuildError> {
    Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// TLS of the HTTP client. Verification is always on (E35).
pub fn for_http(spec: &TlsClientSpec) -> Result<ClientConfig, BuildError> {
    let builder = match &spec.ca_file {
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| refused(path, error.to_string()))?;
            }
            builder()?.with_root_certificates(roots)
        }
        None => builder()?.with_native_roots().map_err(|error| failed(&error))?,
    };
    match identity(spec) {
        Some((cert_file, key_file)) => builder
            .with_client_auth_cert(certificates(cert_file)?, key(key_file)?)
            .map_err(|error| refused(key_file, error.to_string())),
        None => Ok(builder.with_no_client_auth()),
    }
}
