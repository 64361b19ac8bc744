//! Clients that show what a test says: rustls under hyper for HTTP, under tonic for gRPC.

use std::sync::Arc;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use sluicebox::data::Signal;
use tonic::client::Grpc;
use tonic::metadata::{MetadataKey, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

use super::papers::Paper;
use crate::client::{Answer, PROTOBUF, Raw};
use crate::harness::Sluicebox;
use crate::requests::encoded_spans;

/// What a client believes and shows.
#[derive(Clone, Default)]
pub struct Caller {
    /// The authority that it trusts; none: it speaks plaintext.
    pub trusts: Option<String>,
    /// Its own certificate.
    pub shows: Option<Paper>,
    /// Headers of each request.
    pub headers: Vec<(&'static str, String)>,
    /// Whether it is too old for TLS 1.3.
    pub is_old: bool,
}

static OLD_VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];

impl Caller {
    pub fn plain() -> Caller {
        Caller::default()
    }

    pub fn trusting(authority: &str) -> Caller {
        Caller { trusts: Some(authority.to_owned()), ..Caller::default() }
    }

    pub fn showing(self, paper: &Paper) -> Caller {
        Caller { shows: Some(paper.clone()), ..self }
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Caller {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The same, for rustls.
    pub fn config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let trusted = self.trusts.as_deref().unwrap_or_default();
        for root in CertificateDer::pem_slice_iter(trusted.as_bytes()) {
            roots.add(root.unwrap()).unwrap();
        }
        let versions = if self.is_old { OLD_VERSIONS } else { rustls::ALL_VERSIONS };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let builder = builder.with_root_certificates(roots);
        match &self.shows {
            Some(Paper { cert, key }) => {
                let chain = CertificateDer::pem_slice_iter(cert.as_bytes()).map(Result::unwrap).collect();
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
            }
            None => builder.with_no_client_auth(),
        }
    }

    /// A new HTTP client: new connections.
    pub fn web(&self) -> Web {
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(self.config()).https_or_http().enable_all_versions().build();
        let scheme = if self.trusts.is_some() { "https" } else { "http" };
        Web { client: Client::builder(TokioExecutor::new()).build(connector), scheme, headers: self.headers.clone() }
    }

    /// A new gRPC connection, which begins with the first call.
    pub fn grpc(&self, to: &Sluicebox) -> Line {
        let address = to.address("otlp", "grpc");
        let endpoint = match &self.trusts {
            None => Endpoint::from_shared(format!("http://{address}")).unwrap(),
            Some(authority) => {
                let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority));
                let tls = match &self.shows {
                    Some(Paper { cert, key }) => tls.identity(Identity::from_pem(cert, key)),
                    None => tls,
                };
                Endpoint::from_shared(format!("https://{address}")).unwrap().tls_config(tls).unwrap()
            }
        };
        Line { grpc: Grpc::new(endpoint.connect_lazy()), headers: self.headers.clone() }
    }

    /// Sends one span over each protocol, on new connections.
    pub async fn sends(&self, to: &Sluicebox, name: &str) -> [bool; 2] {
        let grpc = self.grpc(to).export(name).await.is_ok();
        let http = self.web().export(to, name).await;
        [grpc, http.is_some_and(|answer| answer.status == 200)]
    }
}

/// An HTTP client.
pub struct Web {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    scheme: &'static str,
    headers: Vec<(&'static str, String)>,
}

impl Web {
    /// Any request; none if the connection came to nothing.
    pub async fn send(
        &self,
        method: &str,
        address: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Option<Answer> {
        let mut request = http::Request::builder().method(method).uri(format!("{}://{address}{path}", self.scheme));
        let own = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            request = request.header(name, value);
        }
        let response = self.client.request(request.body(Full::new(body.into())).unwrap()).await.ok()?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    /// Posts one span to the receiver `otlp`.
    pub async fn export(&self, to: &Sluicebox, name: &str) -> Option<Answer> {
        let address = to.address("otlp", "http");
        self.send("POST", &address, "/v1/traces", &[("content-type", PROTOBUF)], encoded_spans(name, 1)).await
    }
}

/// A gRPC connection.
pub struct Line {
    grpc: Grpc<Channel>,
    headers: Vec<(&'static str, String)>,
}

impl Line {
    /// The same connection, with a header.
    pub fn with(&self, name: &'static str, value: String) -> Line {
        Line { grpc: self.grpc.clone(), headers: vec![(name, value)] }
    }

    /// Exports one span.
    pub async fn export(&self, name: &str) -> Result<Bytes, Status> {
        self.call(Signal::Traces.grpc_path(), encoded_spans(name, 1)).await
    }

    /// Calls any method.
    pub async fn call(&self, path: &'static str, message: impl Into<Bytes>) -> Result<Bytes, Status> {
        let mut grpc = self.grpc.clone();
        grpc.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
        let mut request = Request::new(message.into());
        for (name, value) in &self.headers {
            let value = MetadataValue::try_from(value.as_str()).unwrap();
            request.metadata_mut().append(MetadataKey::from_static(name), value);
        }
        grpc.unary(request, PathAndQuery::from_static(path), Raw).await.map(tonic::Response::into_inner)
    }
}
