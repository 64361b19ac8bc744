//! Credentials that an exporter shows to its peer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{Secret, TlsClientSpec};

/// A credential, sent as `authorization`.
#[derive(Clone, Debug, PartialEq)]
pub struct CredentialSpec {
    /// Which kind.
    pub scheme: SchemeSpec,
    /// Files of secrets are looked at after this time, and when a peer refuses what was in them. Default 30 s.
    pub reload_interval: Duration,
}

/// Kinds of credentials.
#[derive(Clone, Debug, PartialEq)]
pub enum SchemeSpec {
    /// A token (RFC 6750).
    Bearer(SecretSource),
    /// A name and a password (RFC 7617).
    Basic(BasicLoginSpec),
    /// A token that a token server gives for a client's secret (RFC 6749, chapter 4.4).
    OAuth2(Box<OAuth2Spec>),
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq)]
pub enum SecretSource {
    /// Here.
    Value(Secret),
    /// In a file, without the blanks around it.
    File(PathBuf),
}

/// A name and a password.
#[derive(Clone, Debug, PartialEq)]
pub struct BasicLoginSpec {
    /// Without a colon.
    pub username: String,
    /// The password.
    pub password: SecretSource,
}

/// A client of a token server.
#[derive(Clone, Debug, PartialEq)]
pub struct OAuth2Spec {
    /// `https://host/path`.
    pub token_url: String,
    /// The client's name.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretSource,
    /// What the token is asked for.
    pub scopes: Vec<String>,
    /// Further parameters of the request. The values are secrets.
    pub params: BTreeMap<String, Secret>,
    /// Where the client's name and secret are put.
    pub auth_style: AuthStyle,
    /// Time of one request. Default 10 s.
    pub timeout: Duration,
    /// Certificates, if `https`.
    pub tls: TlsClientSpec,
}

/// Where a client's name and secret are put in a request for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthStyle {
    /// In the `authorization` header: what every token server must understand (RFC 6749, chapter 2.3.1).
    Header,
    /// In the body.
    Params,
}
