//! Handshakes that nobody finishes.

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::config::spec::{SecuritySpec, TlsServerSpec, TlsVersion};
use crate::gate::{Alpn, Gate};

/// A listener with TLS, whose certificate lies in a folder that has to outlive the building of it only.
fn secured(timeouts: TimeoutsSpec) -> Bench {
    let (folder, key) = (TempDir::new().unwrap(), KeyPair::generate().unwrap());
    let cert = CertificateParams::new(vec!["sluice.test".to_owned()]).unwrap().self_signed(&key).unwrap();
    let put = |name: &str, pem: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    };
    let tls = TlsServerSpec {
        cert_file: put("cert.pem", cert.pem()),
        key_file: put("key.pem", key.serialize_pem()),
        clients: None,
        min_version: TlsVersion::V1_2,
        reload_interval: Duration::from_secs(3600),
    };
    let security = SecuritySpec { tls: Some(Box::new(tls)), auth: None };
    Bench::start(|metrics| {
        let gate = Gate::build("otlp", "grpc", &security, Alpn::H2, metrics).unwrap();
        Setup { timeouts, ..Setup::default() }.grpc_wiring(&Pipeline::taking_all(), metrics).behind(gate)
    })
}

/// Waits until the other side closes.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end too.
    let _ = soon(stream.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn f16_a_handshake_that_nobody_finishes_is_ended_in_time() {
    let bench = secured(TimeoutsSpec { head: Duration::from_secs(1), ..TimeoutsSpec::default() });
    let mut silent = TcpStream::connect(bench.address()).await.unwrap();
    let mut hesitant = TcpStream::connect(bench.address()).await.unwrap();
    // The first bytes of a ClientHello of 512 bytes.
    hesitant.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00]).await.unwrap();
    closed(&mut silent).await;
    closed(&mut hesitant).await;
    until(|| bench.counted("handshakes_failed").iter().any(|line| line.contains("timeout") && line.ends_with(" 2")))
        .await;
    bench.end().await;
}

#[tokio::test]
async fn a_handshake_that_nobody_finishes_does_not_hold_up_a_drain() {
    let bench = secured(TimeoutsSpec::default());
    let mut silent = TcpStream::connect(bench.address()).await.unwrap();
    until(|| bench.server.connections() == 1).await;
    soon(bench.end()).await;
    closed(&mut silent).await;
}
