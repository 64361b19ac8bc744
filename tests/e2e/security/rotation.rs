//! Certificates change on disk while connections are open.

use std::fs;
use std::sync::Arc;

use rustls::HandshakeKind;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::caller::Caller;
use super::papers::{Authority, MUTUAL, Paper, Papers, TLS};
use super::{pipeline, run_with};
use crate::harness::{Sluicebox, wait_for};

const USED: &str = "its files have changed, and are used";
const KEPT: &str = "its files have changed, but cannot be used";

/// Replaces both files, one right after the other: in between they do not fit.
fn put(sluicebox: &Sluicebox, paper: &Paper) {
    fs::write(sluicebox.path("next.pem"), &paper.cert).unwrap();
    fs::write(sluicebox.path("next.key"), &paper.key).unwrap();
    fs::rename(sluicebox.path("next.pem"), sluicebox.path("server.pem")).unwrap();
    fs::rename(sluicebox.path("next.key"), sluicebox.path("server.key")).unwrap();
}

async fn rotations(sluicebox: &Sluicebox, outcome: &str) -> f64 {
    let outcome = format!("outcome=\"{outcome}\"");
    sluicebox.metric("sluicebox_receiver_credential_rotations_total", &["key=\"tls\"", &outcome]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_new_handshakes_get_the_new_certificate_and_open_connections_live_on() {
    let (papers, next) = (Papers::issue(), Authority::new());
    let (before, after) = (Caller::trusting(&papers.authority.pem()), Caller::trusting(&next.pem()));
    let sluicebox = run_with(papers, &pipeline(TLS, "", ""));
    let line = before.grpc(&sluicebox);
    line.export("old").await.unwrap();
    assert_eq!(after.sends(&sluicebox, "early").await, [false, false]);
    const CENTURY: f64 = 4_102_444_800.0;
    let expiry = "sluicebox_receiver_tls_certificate_expiry_seconds";
    assert_eq!(sluicebox.metric(expiry, &["transport=\"grpc\""]).await, CENTURY);

    put(&sluicebox, &next.issue());
    sluicebox.wait_for_nth_log(USED, 2);
    assert_eq!(after.sends(&sluicebox, "new").await, [true, true]);
    assert_eq!(before.sends(&sluicebox, "late").await, [false, false]);
    // A new connection could not be made by this one: it is still the old.
    line.export("old").await.unwrap();
    assert_eq!((rotations(&sluicebox, "applied").await, rotations(&sluicebox, "refused").await), (2.0, 0.0));
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_what_cannot_be_used_keeps_the_old_and_is_told_once() {
    let papers = Papers::issue();
    let caller = Caller::trusting(&papers.authority.pem());
    let (next, stranger) = (papers.authority.issue(), Authority::new().issue());
    // One listener only, so that lines can be counted.
    let http_only = pipeline(TLS, "", "").lines().filter(|line| !line.contains("grpc:")).collect::<Vec<_>>().join("\n");
    let sluicebox = run_with(papers, &http_only);
    let serves = async |name: &str| caller.web().export(&sluicebox, name).await.map(|answer| answer.status);
    assert_eq!(serves("first").await, Some(200));

    sluicebox.write("server.pem", "-----BEGIN CERTIFICATE-----\nnonsense\n");
    let told = sluicebox.wait_for_log(KEPT);
    assert!(told.contains("otlp (http)") && told.contains("server.pem"), "{told}");
    assert_eq!(serves("bad").await, Some(200));

    sluicebox.write("server.pem", &next.cert);
    let told = sluicebox.wait_for_nth_log(KEPT, 2);
    assert!(told.contains("server.key: the key is not that of the certificate"), "{told}");
    sluicebox.write("server.key", &stranger.key);
    sluicebox.wait_for_nth_log(KEPT, 3);
    assert_eq!(serves("mismatch").await, Some(200));

    fs::remove_file(sluicebox.path("server.key")).unwrap();
    let told = sluicebox.wait_for_nth_log(KEPT, 4);
    assert!(told.contains("server.key: it cannot be read"), "{told}");
    assert_eq!(serves("missing").await, Some(200));

    sluicebox.write("server.key", &next.key);
    sluicebox.wait_for_log(USED);
    assert_eq!(serves("last").await, Some(200));
    let kept = sluicebox.log().iter().filter(|line| line.contains(KEPT)).count();
    assert_eq!(kept, 4, "each is told once: {:?}", sluicebox.log());
    assert_eq!((rotations(&sluicebox, "applied").await, rotations(&sluicebox, "refused").await), (1.0, 4.0));
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_a_reload_looks_at_the_files_at_once() {
    let (papers, next) = (Papers::issue(), Authority::new());
    let after = Caller::trusting(&next.pem());
    let slow = TLS.replace("50ms", "1h");
    let sluicebox = run_with(papers, &pipeline(&slow, "", ""));
    put(&sluicebox, &next.issue());
    sluicebox.signal("HUP");
    sluicebox.wait_for_nth_log(USED, 2);
    assert_eq!(after.sends(&sluicebox, "new").await, [true, true]);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_a_bad_file_is_an_error_at_start_and_at_a_reload_keeps_the_generation() {
    let papers = Papers::issue();
    papers.put("bad.pem", "no certificate");
    papers.put("bad.yaml", &pipeline(&TLS.replace("server.pem", "bad.pem"), "", ""));
    let caller = Caller::trusting(&papers.authority.pem());
    let mut validate = std::process::Command::new(env!("CARGO_BIN_EXE_sluicebox"));
    let checked = validate.arg("validate").arg(papers.folder.path().join("bad.yaml")).output().unwrap();
    assert_eq!(checked.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&checked.stderr).contains("bad.pem: it holds no PEM certificate"), "{checked:?}");
    let (status, log, folder) = Sluicebox::spawn_in(papers.folder, &["bad.yaml"]).wait();
    let said = log.join("\n");
    assert!(!status.success());
    for part in ["receiver `otlp` (grpc) cannot be secured", "bad.pem: it holds no PEM certificate"] {
        assert!(said.contains(part), "`{part}` is missing in {said}");
    }

    fs::write(folder.path().join("pipeline.yaml"), pipeline(TLS, "", "")).unwrap();
    let bad = fs::read(folder.path().join("bad.yaml")).unwrap();
    let sluicebox = Sluicebox::run_in(folder, &["pipeline.yaml"]);
    sluicebox.write("pipeline.yaml", bad);
    let told = sluicebox.wait_for_log("the change is not taken, generation 1 goes on");
    assert!(told.contains("cannot be secured"), "{told}");
    assert_eq!(caller.sends(&sluicebox, "after").await, [true, true]);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_gets_tls_at_a_reload_asks_plain_connections_to_go() {
    let papers = Papers::issue();
    let secure = Caller::trusting(&papers.authority.pem());
    let sluicebox = run_with(papers, &pipeline("", "", ""));
    let plain = Caller::plain().grpc(&sluicebox);
    plain.export("plain").await.unwrap();
    sluicebox.write("pipeline.yaml", pipeline(TLS, "", ""));
    sluicebox.wait_for_log("generation 2 serves");
    let runtime = tokio::runtime::Handle::current();
    // The connection is told to go, and a new one in plaintext cannot be made.
    let gone = || tokio::task::block_in_place(|| runtime.block_on(plain.export("late"))).err();
    wait_for("the plain connection to go", gone, || sluicebox.log().join("\n"));
    assert_eq!(secure.sends(&sluicebox, "secure").await, [true, true]);
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_no_handshake_fails_while_certificates_change() {
    let (papers, other) = (Papers::issue(), Authority::new());
    let both = papers.authority.pem() + &other.pem();
    let pairs = [other.issue(), papers.authority.issue()];
    let sluicebox = run_with(papers, &pipeline(TLS, "", ""));
    let caller = Caller::trusting(&both);
    for (round, pair) in pairs.iter().cycle().take(6).enumerate() {
        put(&sluicebox, pair);
        let used = || sluicebox.log().iter().filter(|line| line.contains(USED)).count() >= 2 * (round + 1);
        // All the while, at least once, clients come.
        loop {
            assert_eq!(caller.sends(&sluicebox, "x").await, [true, true], "round {round}");
            if used() {
                break;
            }
        }
    }
    assert_eq!(rotations(&sluicebox, "refused").await, 0.0);
    sluicebox.stop();
}

/// A handshake and a byte back; which kind it was.
async fn shaken(connector: &TlsConnector, address: &str) -> std::io::Result<HandshakeKind> {
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = connector.connect(name, TcpStream::connect(address).await?).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await?;
    // The server's word on a client's certificate, and its tickets, come with the first answer.
    stream.read_u8().await?;
    Ok(stream.get_ref().1.handshake_kind().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_a_session_of_clients_that_are_no_longer_trusted_is_not_resumed() {
    let next = Authority::new();
    for is_old in [false, true] {
        let papers = Papers::issue();
        let client = Caller::trusting(&papers.authority.pem()).showing(&papers.authority.issue());
        let client = Caller { is_old, ..client };
        let connector = TlsConnector::from(Arc::new(client.config()));
        let sluicebox = run_with(papers, &pipeline(MUTUAL, "", ""));
        let address = sluicebox.address("otlp", "http");
        assert_eq!(shaken(&connector, &address).await.unwrap(), HandshakeKind::Full);
        assert_eq!(shaken(&connector, &address).await.unwrap(), HandshakeKind::Resumed);
        sluicebox.write("ca.pem", next.pem());
        sluicebox.wait_for_nth_log(USED, 2);
        assert!(shaken(&connector, &address).await.is_err(), "old: {is_old}");
        sluicebox.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_expired_is_told() {
    let papers = Papers::issue();
    let sluicebox = run_with(papers, &pipeline(TLS, "", ""));
    assert!(!sluicebox.log().join("\n").contains("expired"));
    put(&sluicebox, &Authority::new().issue_expired());
    for listener in ["otlp (grpc)", "otlp (http)"] {
        sluicebox.wait_for_log(&format!("{listener}: the certificate is expired; clients refuse it"));
    }
    sluicebox.stop();
}
