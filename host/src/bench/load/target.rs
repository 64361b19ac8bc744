//! One connection to the target, and the requests on it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, TE, USER_AGENT as AGENT};
use http::{Method, Request, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::LoadError;
use super::outcome::Answer;
use super::plan::LoadPlan;
use crate::bench::Code;
use crate::bench::magazine::{Shot, Transport};
use crate::config::spec::{Encoding, TlsClientSpec};
use crate::data::Signal;
use crate::exporter::access::Meter;
use crate::exporter::connector::Connector;
use crate::exporter::grpc_status::GrpcStatus;
use crate::exporter::tls::{Protocols, Tls};
use crate::exporter::{BuildError, USER_AGENT, answer, response};

/// How long the target may take to accept the first connection.
const REACH: Duration = Duration::from_secs(10);

/// A client with one connection; over HTTP/1.1, with one for each request in flight.
pub struct Target {
    client: Client<Connector, Full<Bytes>>,
    urls: [Uri; Signal::ALL.len()],
    headers: HeaderMap,
    transport: Transport,
    timeout: Duration,
}

impl Target {
    /// Connects at the first request.
    pub fn new(plan: &LoadPlan) -> Result<Target, BuildError> {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_max_idle_per_host(plan.in_flight.get())
            .http2_only(plan.transport == Transport::Grpc)
            .build(connector(plan)?);
        let [traces, metrics, logs] = Signal::ALL.map(|signal| url(plan, signal));
        let urls = [traces?, metrics?, logs?];
        Ok(Target { client, urls, headers: headers(plan), transport: plan.transport, timeout: plan.timeout })
    }

    /// Sends a request and reads the answer.
    pub async fn send(&self, shot: &Shot) -> Answer {
        let answered = tokio::time::timeout(self.timeout, self.call(shot)).await;
        answered.unwrap_or(Answer::Failed(Code::Timeout))
    }

    async fn call(&self, shot: &Shot) -> Answer {
        let [traces, metrics, logs] = &self.urls;
        let url = match shot.signal {
            Signal::Traces => traces,
            Signal::Metrics => metrics,
            Signal::Logs => logs,
        };
        let mut request = Request::new(Full::new(shot.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.clone();
        *request.headers_mut() = self.headers.clone();
        let Ok(answered) = self.client.request(request).await else { return Answer::Failed(Code::Connection) };
        let (head, body) = answered.into_parts();
        let Ok((bytes, trailers)) = response::read(body).await else { return Answer::Failed(Code::Connection) };
        match self.transport {
            Transport::Grpc => {
                let status = GrpcStatus::read(&trailers).or_else(|| GrpcStatus::read(&head.headers));
                let status = status.unwrap_or_else(|| GrpcStatus::of_http(head.status));
                match i32::from(status.code) {
                    0 => accepted(answer::from_protobuf(bytes.get(5..).unwrap_or_default()).rejected),
                    code => Answer::Failed(Code::Grpc(code)),
                }
            }
            Transport::Http(_) if !head.status.is_success() => Answer::Failed(Code::Http(head.status.as_u16())),
            Transport::Http(Encoding::Protobuf) => accepted(answer::from_protobuf(&bytes).rejected),
            Transport::Http(Encoding::Json) => accepted(answer::from_json(shot.signal, &bytes).rejected),
        }
    }
}

const fn accepted(rejected: u64) -> Answer {
    Answer::Accepted { rejected }
}

/// Tries whether anything listens, so that a wrong address is told at once.
pub async fn reach(plan: &LoadPlan) -> Result<(), LoadError> {
    let host = plan.target.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let standard = if plan.target.scheme_str() == Some("https") { 443 } else { 80 };
    let port = plan.target.port_u16().unwrap_or(standard);
    let failed = |why: String| LoadError::Connect { address: format!("{host}:{port}"), why };
    match tokio::time::timeout(REACH, tokio::net::TcpStream::connect((host.as_str(), port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed(format!("no answer within {REACH:?}"))),
    }
}

fn connector(plan: &LoadPlan) -> Result<Connector, BuildError> {
    let tls = if plan.target.scheme_str() == Some("https") {
        let trusted = TlsClientSpec { ca_file: plan.ca_file.clone(), ..TlsClientSpec::default() };
        let protocols = match plan.transport {
            Transport::Grpc => Protocols::Http2,
            Transport::Http(_) => Protocols::Http1,
        };
        Some(Arc::new(Tls::open(&trusted, protocols, &Meter::default())?))
    } else {
        None
    };
    Ok(Connector::new(tls, REACH))
}

fn url(plan: &LoadPlan, signal: Signal) -> Result<Uri, BuildError> {
    let path = match plan.transport {
        Transport::Grpc => signal.grpc_path().to_owned(),
        Transport::Http(_) => format!("{}{}", plan.target.path().trim_end_matches('/'), signal.http_path()),
    };
    let mut parts = plan.target.clone().into_parts();
    let refused = |why: String| BuildError::Endpoint { endpoint: plan.target.to_string(), why };
    parts.path_and_query = Some(path.try_into().map_err(|error: http::uri::InvalidUri| refused(error.to_string()))?);
    Uri::from_parts(parts).map_err(|error| refused(error.to_string()))
}

fn headers(plan: &LoadPlan) -> HeaderMap {
    let mut headers = plan.headers.clone();
    headers.insert(AGENT, HeaderValue::from_static(USER_AGENT));
    let encoding = plan.compression.encoding().map(HeaderValue::from_static);
    let content_type = match plan.transport {
        Transport::Grpc => {
            headers.insert(TE, HeaderValue::from_static("trailers"));
            encoding.map(|name| headers.insert("grpc-encoding", name));
            "application/grpc"
        }
        Transport::Http(coding) => {
            encoding.map(|name| headers.insert(CONTENT_ENCODING, name));
            match coding {
                Encoding::Protobuf => "application/x-protobuf",
                Encoding::Json => "application/json",
            }
        }
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers
}
