//! TLS of both network exporters, before a server with certificates made for the test.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

use super::*;
use crate::config::spec::{Encoding, OtlpClientSpec, OtlpHttpClientSpec, TargetSpec};
use crate::data::Signal;
use crate::exporter::testing::{Peer, Reply, client, spans};
use crate::exporter::{Access, Exporter, Outcome};
use crate::telemetry::metrics::Metrics;

/// A certificate authority, what it issued to the server `sluice.test` and to a client, and the files of them.
struct Papers {
    folder: TempDir,
    ca: String,
    server: (String, String),
}

impl Papers {
    fn issue() -> Papers {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let issue = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            (params.signed_by(&key, &ca).unwrap().pem(), key.serialize_pem())
        };
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = issue("client.test");
        for (name, pem) in [("ca.pem", ca.pem()), ("cert.pem", cert), ("key.pem", key)] {
            std::fs::write(folder.path().join(name), pem).unwrap();
        }
        Papers { ca: ca.pem(), server: issue("sluice.test"), folder }
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.path().join(name))
    }

    /// A server that speaks HTTP/2 under TLS, and wants to know its clients if told so.
    async fn peer(&self, clients_known: bool) -> Peer<Reply> {
        let (cert, key) = &self.server;
        let mut tls = ServerTlsConfig::new().identity(Identity::from_pem(cert, key));
        if clients_known {
            tls = tls.client_ca_root(Certificate::from_pem(&self.ca));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = Peer::grpc_as(Server::builder().tls_config(tls).unwrap(), listener, []);
        peer.url = peer.url.replace("http://", "https://");
        peer
    }

    fn trusted(&self) -> TlsClientSpec {
        TlsClientSpec {
            ca_file: self.file("ca.pem"),
            server_name: Some("sluice.test".to_owned()),
            ..TlsClientSpec::default()
        }
    }

    fn known(&self) -> TlsClientSpec {
        TlsClientSpec { cert_file: self.file("cert.pem"), key_file: self.file("key.pem"), ..self.trusted() }
    }
}

/// Both network targets at an address.
fn targets(url: &str, tls: TlsClientSpec) -> [TargetSpec; 2] {
    let client = OtlpClientSpec { tls, ..client(url) };
    let http = OtlpHttpClientSpec { client: client.clone(), encoding: Encoding::Protobuf, endpoints: BTreeMap::new() };
    [TargetSpec::OtlpGrpc(client), TargetSpec::OtlpHttp(http)]
}

/// Whether each of both exporters gets through. The server speaks HTTP/2 only: HTTP gets there by ALPN (E15).
async fn get_through(peer: &Peer<Reply>, tls: TlsClientSpec) -> [bool; 2] {
    let [grpc, http] = targets(&peer.url, tls);
    let attempt = async |target| {
        let access = Access::open("otlp", &target, &Metrics::default()).unwrap();
        let exporter = Exporter::build(&target, &access).unwrap();
        let frames = exporter.prepare(Signal::Traces, &[spans(&["a"]).bytes]).await.unwrap();
        match exporter.attempt(Signal::Traces, &frames).await {
            Ok(outcome) => outcome == Outcome::default(),
            Err(failure) => {
                assert!(failure.is_retryable(), "certificates may be mended: {failure}");
                false
            }
        }
    };
    [attempt(grpc).await, attempt(http).await]
}

#[tokio::test]
async fn a_server_with_a_certificate_of_the_right_authority_is_trusted() {
    let papers = Papers::issue();
    let peer = papers.peer(false).await;
    assert_eq!(get_through(&peer, papers.trusted()).await, [true, true]);
}

#[tokio::test]
async fn e35_any_other_server_is_not() {
    let (papers, others) = (Papers::issue(), Papers::issue());
    let peer = papers.peer(false).await;
    let other_name = TlsClientSpec { server_name: Some("other.test".to_owned()), ..papers.trusted() };
    let system_roots = TlsClientSpec { ca_file: None, ..papers.trusted() };
    for tls in [others.trusted(), other_name, system_roots] {
        assert_eq!(get_through(&peer, tls.clone()).await, [false, false], "{tls:?}");
    }
    assert!(peer.seen().is_empty());
}

#[tokio::test]
async fn a_client_shows_its_certificate() {
    let papers = Papers::issue();
    let peer = papers.peer(true).await;
    assert_eq!(get_through(&peer, papers.known()).await, [true, true]);
    assert_eq!(get_through(&peer, papers.trusted()).await, [false, false]);
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let papers = Papers::issue();
    let empty = papers.file("empty.pem");
    std::fs::write(empty.as_ref().unwrap(), "").unwrap();
    let missing = papers.file("missing.pem");
    for (tls, file) in [
        (TlsClientSpec { ca_file: missing.clone(), ..papers.known() }, "missing.pem"),
        (TlsClientSpec { ca_file: empty.clone(), ..papers.known() }, "empty.pem"),
        (TlsClientSpec { cert_file: empty.clone(), ..papers.known() }, "empty.pem"),
        (TlsClientSpec { key_file: empty, ..papers.known() }, "empty.pem"),
        (TlsClientSpec { key_file: papers.file("cert.pem"), ..papers.known() }, "cert.pem"),
    ] {
        for target in targets("https://127.0.0.1:1", tls) {
            let error = Access::open("otlp", &target, &Metrics::default()).unwrap_err().to_string();
            assert!(error.contains(file), "{error}");
        }
    }
}
