//! Tokens from a token server, for a client's secret (RFC 6749, chapter 4.4: client credentials).
//!
//! One token serves all shards until shortly before it expires. Whoever finds it stale joins the one request that is
//! under way, or begins it; it goes on as long as anybody waits for it. A failure is kept for a moment, so that a
//! token server that is down is asked once a second and not once an attempt.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use http::header::AUTHORIZATION;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use oauth2::basic::{BasicClient, BasicErrorResponse};
use oauth2::url::form_urlencoded::byte_serialize;
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, RequestTokenError, Scope,
    TokenResponse, TokenUrl,
};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Pass, files, pass, secret};
use crate::config::spec::{AuthStyle, OAuth2Spec, Secret};
use crate::exporter::access::Meter;
use crate::exporter::connector::Connector;
use crate::exporter::outcome::{Failure, chain, printable};
use crate::exporter::reread::Reread;
use crate::exporter::tls::{Protocols, Tls};
use crate::exporter::{BuildError, endpoint, response};

/// A token is had anew so long before it expires, or a tenth of its life, whichever is less.
const AHEAD_MAX: Duration = Duration::from_secs(60);
/// So long after a failure nobody asks again.
const FAILURE_KEPT: Duration = Duration::from_secs(1);
/// So long after a token was replaced because a peer refused it, the next one is not: it is no better.
const REPLACED_PAUSE: Duration = Duration::from_secs(10);

/// A client of a token server, with its token.
pub struct OAuth2 {
    server: Arc<Server>,
    state: Mutex<State>,
}

impl fmt::Debug for OAuth2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth2").field("spec", &self.server.spec).finish_non_exhaustive()
    }
}

/// One request for a token, shared by all who wait for it.
type Fetch = Shared<BoxFuture<'static, Result<Token, Failure>>>;

#[derive(Default)]
struct State {
    token: Option<Token>,
    fetch: Option<Fetch>,
    failed: Option<(Instant, Failure)>,
    /// When a token was last replaced because a peer refused it.
    replaced: Option<Instant>,
}

#[derive(Clone)]
struct Token {
    pass: Pass,
    /// When it is time for another; none: it lives until it is refused.
    stale: Option<Instant>,
    expires: Option<Instant>,
}

impl Token {
    fn is_before(moment: Option<Instant>) -> bool {
        moment.is_none_or(|moment| Instant::now() < moment)
    }
}

/// The token server, as seen from here.
struct Server {
    spec: OAuth2Spec,
    url: TokenUrl,
    secret: Reread<Secret>,
    tls: Option<Arc<Tls>>,
    meter: Meter,
}

impl OAuth2 {
    /// Reads the files that the spec names; asks for no token yet.
    pub fn open(spec: &OAuth2Spec, interval: Duration, meter: &Meter) -> Result<OAuth2, BuildError> {
        let uri = endpoint::parse(&spec.token_url)?;
        let url = TokenUrl::new(spec.token_url.clone())
            .map_err(|error| endpoint::refused(&spec.token_url, error.to_string()))?;
        let tls = match uri.scheme_str() {
            Some("https") => Some(Arc::new(Tls::open(&spec.tls, Protocols::Http1, meter)?)),
            _ => None,
        };
        let source = spec.client_secret.clone();
        let secret = Reread::open("client_secret", files(&source), interval, meter.clone(), move |content| {
            secret(&source, content)
        })?;
        let server = Server { spec: spec.clone(), url, secret, tls, meter: meter.clone() };
        Ok(OAuth2 { server: Arc::new(server), state: Mutex::default() })
    }

    /// The token, as long as it is good; else a new one.
    pub async fn pass(&self) -> Result<Pass, Failure> {
        let fetch = match self.at_hand() {
            Ok(result) => return result,
            Err(fetch) => fetch,
        };
        let result = fetch.clone().await;
        let mut state = self.state.lock();
        // The first of those who waited puts the result in its place.
        if state.fetch.as_ref().is_some_and(|under_way| under_way.ptr_eq(&fetch)) {
            state.fetch = None;
            match &result {
                Ok(token) => (state.token, state.failed) = (Some(token.clone()), None),
                Err(failure) => state.failed = Some((Instant::now(), failure.clone())),
            }
        }
        match (result, &state.token) {
            // The server is down, but the old token is not quite over.
            (Err(_), Some(token)) if Token::is_before(token.expires) => Ok(token.pass.clone()),
            (result, _) => result.map(|token| token.pass),
        }
    }

    /// What can be said at once; or else the request to wait for.
    fn at_hand(&self) -> Result<Result<Pass, Failure>, Fetch> {
        let mut state = self.state.lock();
        if let Some(token) = state.token.as_ref().filter(|token| Token::is_before(token.stale)) {
            return Ok(Ok(token.pass.clone()));
        }
        if let Some((_, failure)) = state.failed.as_ref().filter(|(at, _)| at.elapsed() < FAILURE_KEPT) {
            let still_good = state.token.as_ref().filter(|token| Token::is_before(token.expires));
            return Ok(still_good.map(|token| token.pass.clone()).ok_or_else(|| failure.clone()));
        }
        let server = Arc::clone(&self.server);
        Err(state.fetch.get_or_insert_with(|| server.fetch().boxed().shared()).clone())
    }

    /// A new token instead of one that the peer refused; none if that one was new itself.
    pub async fn instead_of(&self, refused: &Pass) -> Result<Option<Pass>, Failure> {
        {
            let mut state = self.state.lock();
            if state.token.as_ref().is_some_and(|token| token.pass == *refused) {
                if state.replaced.is_some_and(|at| at.elapsed() < REPLACED_PAUSE) {
                    return Ok(None);
                }
                state.replaced = Some(Instant::now());
                state.token = None;
            }
        }
        // The secret may have changed as well.
        self.server.secret.refresh().await;
        self.pass().await.map(Some)
    }

    /// What the token server is shown, in every form that it has on the way: the client's secret and the parameters.
    pub fn secrets(&self) -> Vec<Secret> {
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let (secret, spec) = (self.server.secret.current(), &self.server.spec);
        let login = STANDARD.encode(format!("{}:{}", encoded(&spec.client_id), encoded(secret.expose())));
        let plain = [secret.as_ref()].into_iter().chain(spec.params.values());
        let both = plain.flat_map(|secret| [secret.clone(), Secret::new(encoded(secret.expose()))]);
        both.chain([Secret::new(login)]).collect()
    }
}

impl Server {
    /// Asks for a token, within the timeout. Every failure may pass: the data waits.
    async fn fetch(self: Arc<Self>) -> Result<Token, Failure> {
        let asked = match tokio::time::timeout(self.spec.timeout, self.ask()).await {
            Ok(result) => result,
            Err(_) => Err(format!("no answer within {:?}", self.spec.timeout)),
        };
        match asked {
            Ok(token) => {
                self.meter.applied("access_token");
                Ok(token)
            }
            Err(why) => {
                self.meter.refused("access_token");
                // What follows a `?` may be a secret.
                let url = self.spec.token_url.split('?').next().unwrap_or_default();
                Err(Failure::unanswered(format!("no access token from `{url}`: {why}")))
            }
        }
    }

    async fn ask(&self) -> Result<Token, String> {
        self.secret.refresh_if_due().await;
        let secret = self.secret.current();
        let client = BasicClient::new(ClientId::new(self.spec.client_id.clone()))
            .set_client_secret(ClientSecret::new(secret.expose().to_owned()))
            .set_auth_type(match self.spec.auth_style {
                AuthStyle::Header => AuthType::BasicAuth,
                AuthStyle::Params => AuthType::RequestBody,
            })
            .set_token_uri(self.url.clone());
        let mut request = client.exchange_client_credentials();
        request = request.add_scopes(self.spec.scopes.iter().cloned().map(Scope::new));
        for (name, value) in &self.spec.params {
            request = request.add_extra_param(name, value.expose());
        }
        let asked = Instant::now();
        let once = Once(Connector::new(self.tls.clone(), self.spec.timeout));
        let answer = request.request_async(&once).await.map_err(|error| said(&error))?;
        let token = answer.access_token().secret();
        let pass = pass(format!("Bearer {token}"), Secret::new(token.clone()))
            .map_err(|_| "the token cannot be sent in a header".to_owned())?;
        let life = answer.expires_in();
        let expires = life.and_then(|life| asked.checked_add(life));
        let stale = life.and_then(|life| asked.checked_add(life.saturating_sub(AHEAD_MAX.min(life / 10))));
        Ok(Token { pass, stale, expires })
    }
}

/// An HTTP client for one request, on a connection of its own: tokens are fetched once an hour, and by whichever shard
/// comes first.
struct Once(Connector);

impl<'c> AsyncHttpClient<'c> for Once {
    type Error = Failure;
    type Future = BoxFuture<'c, Result<HttpResponse, Failure>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        send(self.0.clone(), request).boxed()
    }
}

async fn send(connector: Connector, request: HttpRequest) -> Result<HttpResponse, Failure> {
    let client: Client<_, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
    let mut request = request.map(|body| Full::new(Bytes::from(body)));
    if let Some(value) = request.headers_mut().get_mut(AUTHORIZATION) {
        value.set_sensitive(true);
    }
    let answer = client.request(request).await.map_err(|error| Failure::unanswered(chain(&error)))?;
    let (head, body) = answer.into_parts();
    let (bytes, _) = response::read(body).await?;
    Ok(http::Response::from_parts(head, bytes.to_vec()))
}

/// What went wrong, without anything that may hold a token: of an answer that cannot be read, nothing is shown.
fn said(error: &RequestTokenError<Failure, BasicErrorResponse>) -> String {
    match error {
        RequestTokenError::ServerResponse(answer) => {
            let description = answer.error_description().map(|words| format!(" ({words})")).unwrap_or_default();
            printable(&format!("it refused: {}{description}", answer.error().as_ref()))
        }
        RequestTokenError::Request(failure) => failure.to_string(),
        RequestTokenError::Parse(..) => "its answer is not what RFC 6749 says it should be".to_owned(),
        RequestTokenError::Other(words) => printable(words),
    }
}
