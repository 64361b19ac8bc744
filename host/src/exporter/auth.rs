//! Credentials that an exporter shows to its peer, as the `authorization` of each attempt.
//!
//! ```text
//!  attempt ─► pass ─► send ─► 401, 403, UNAUTHENTICATED, PERMISSION_DENIED ─► another pass? ─► send once more
//!               │                                                               └─► no: refused for good (E8, E11)
//!               └─► no token to be had: the attempt fails, and the data waits
//! ```
//!
//! A peer that refuses a credential refuses it for good, as OTLP has it; but a credential that can be had anew (a file
//! that changed, a token server) is had anew first, and the same bytes are sent once more within the same attempt.

pub mod basic;
pub mod bearer;
pub mod oauth2;
pub mod redact;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use http::HeaderValue;

use super::BuildError;
use super::access::Meter;
use super::outcome::Failure;
use super::reread::Reread;
use crate::config::spec::{CredentialSpec, SchemeSpec, Secret, SecretSource};

/// The credential of one exporter. Shared by its clients on all shards.
#[derive(Debug)]
pub enum Auth {
    /// What the operator gave, here or in a file.
    Given(Reread<Pass>),
    /// What a token server gives.
    OAuth2(Box<oauth2::OAuth2>),
}

/// What is shown to the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The value of `authorization`; marked, so that nobody prints it.
    pub header: HeaderValue,
    /// The secret in it: of a name and a password, the password.
    pub secret: Secret,
}

impl Pass {
    /// What a peer could repeat: what was sent, and the secret in it.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let sent = self.header.to_str().unwrap_or_default().split_once(' ').map(|(_, sent)| sent);
        sent.into_iter().chain([self.secret.expose()])
    }
}

/// An attempt that failed, told apart by whether the credential or the compression may be the reason.
#[derive(Debug)]
pub enum Setback {
    /// The peer refused the credential.
    Unwelcome(Failure),
    /// The peer refused the request; perhaps only because it does not know how it is compressed.
    Unread(Failure),
    /// Anything else.
    Other(Failure),
}

impl From<Failure> for Setback {
    fn from(failure: Failure) -> Self {
        Setback::Other(failure)
    }
}

impl Setback {
    /// The failure, whatever the reason.
    pub fn into_failure(self) -> Failure {
        match self {
            Setback::Unwelcome(failure) | Setback::Unread(failure) | Setback::Other(failure) => failure,
        }
    }
}

impl Auth {
    /// Reads the files that the spec names; asks no token server yet.
    pub fn open(spec: &CredentialSpec, meter: &Meter) -> Result<Auth, BuildError> {
        let interval = spec.reload_interval;
        Ok(match &spec.scheme {
            SchemeSpec::Bearer(token) => Auth::Given(bearer::open(token, interval, meter)?),
            SchemeSpec::Basic(login) => Auth::Given(basic::open(login, interval, meter)?),
            SchemeSpec::OAuth2(spec) => Auth::OAuth2(Box::new(oauth2::OAuth2::open(spec, interval, meter)?)),
        })
    }

    /// What is shown now.
    pub async fn pass(&self) -> Result<Pass, Failure> {
        match self {
            Auth::Given(given) => {
                given.refresh_if_due().await;
                Ok(given.current().as_ref().clone())
            }
            Auth::OAuth2(oauth2) => oauth2.pass().await,
        }
    }

    /// What can be shown instead of a pass that the peer refused; none if there is nothing better.
    pub async fn instead_of(&self, refused: &Pass) -> Result<Option<Pass>, Failure> {
        match self {
            Auth::Given(given) => {
                given.refresh().await;
                let current = given.current().as_ref().clone();
                Ok(Some(current).filter(|current| current != refused))
            }
            Auth::OAuth2(oauth2) => oauth2.instead_of(refused).await,
        }
    }

    /// Secrets that are shown to others than the peer, and that those could repeat.
    pub fn secrets(&self) -> Vec<Secret> {
        match self {
            Auth::Given(_) => Vec::new(),
            Auth::OAuth2(oauth2) => oauth2.secrets(),
        }
    }
}

/// The files of a secret: one or none.
fn files(source: &SecretSource) -> Vec<PathBuf> {
    match source {
        SecretSource::Value(_) => Vec::new(),
        SecretSource::File(path) => vec![path.clone()],
    }
}

/// A secret, given the content of its files. Blanks around what a file holds (a last line end) are not part of it.
fn secret(source: &SecretSource, content: &[Vec<u8>]) -> Result<Secret, BuildError> {
    let path = match source {
        SecretSource::Value(secret) => return Ok(secret.clone()),
        SecretSource::File(path) => path,
    };
    let refused = |why: &str| BuildError::SecretFile { path: path.clone(), why: why.to_owned() };
    let text = content.first().map(Vec::as_slice).unwrap_or_default();
    match std::str::from_utf8(text).map(str::trim) {
        Ok("") => Err(refused("it is empty")),
        Ok(text) => Ok(Secret::new(text.to_owned())),
        Err(_) => Err(refused("it is not UTF-8")),
    }
}

/// The value of `authorization`.
fn pass(value: String, secret: Secret) -> Result<Pass, BuildError> {
    let mut header = HeaderValue::try_from(value).map_err(|_| BuildError::Header {
        name: "authorization".to_owned(),
        why: "the secret holds characters that a header must not have",
    })?;
    header.set_sensitive(true);
    Ok(Pass { header, secret })
}
