//! Credentials of exporters, as they are typed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Hidden, Tls};
use crate::config::value::Time;

/// What an exporter shows to its peer: one of `bearer`, `basic`, `oauth2`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct Credential {
    /// A token.
    pub bearer: Option<BearerToken>,
    /// A name and a password.
    pub basic: Option<BasicLogin>,
    /// A token that a token server gives for a client's secret (client credentials).
    pub oauth2: Option<OAuth2>,
    /// Files of secrets are looked at after this time, and when the peer refuses what was in them. Default 30s.
    pub reload_interval: Option<Time>,
}

/// A token: one of `token`, `file`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct BearerToken {
    /// The token. A secret.
    #[schemars(with = "Option<String>")]
    pub token: Option<Hidden>,
    /// A file that holds the token, read again when it changes.
    pub file: Option<String>,
}

/// A name and a password: one of `password`, `password_file`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct BasicLogin {
    /// The name. Required.
    pub username: Option<String>,
    /// The password. A secret.
    #[schemars(with = "Option<String>")]
    pub password: Option<Hidden>,
    /// A file that holds the password, read again when it changes.
    pub password_file: Option<String>,
}

/// A client of a token server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping")]
pub(in crate::config) struct OAuth2 {
    /// Where tokens are given: `https://host/path`. Required.
    pub token_url: Option<String>,
    /// The client's name. Required.
    pub client_id: Option<String>,
    /// The client's secret.
    #[schemars(with = "Option<String>")]
    pub client_secret: Option<Hidden>,
    /// A file that holds the client's secret, read again when it changes.
    pub client_secret_file: Option<String>,
    /// What the token is asked for.
    pub scopes: Vec<String>,
    /// Further parameters of the request. The values are secrets.
    #[schemars(with = "BTreeMap<String, String>")]
    pub params: BTreeMap<String, Hidden>,
    /// Where the client's name and secret are put: in a header, or in the body.
    pub auth_style: AuthStyle,
    /// Time of one request. Default 10s.
    pub timeout: Option<Time>,
    /// Certificates, if `https`.
    pub tls: Tls,
}

/// Where a client's name and secret are put.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum AuthStyle {
    /// In the `authorization` header.
    #[default]
    Header,
    /// In the body.
    Params,
}
