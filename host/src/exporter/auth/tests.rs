//! Credentials before real peers and a real token server.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::config::spec::{
    AuthStyle, BasicLoginSpec, OAuth2Spec, OtlpClientSpec, OtlpHttpClientSpec, TargetSpec, TlsClientSpec,
};
use crate::config::spec::{Encoding, Secret};
use crate::data::Signal;
use crate::exporter::testing::{HttpReply, Peer, Reply, answer, client, spans};
use crate::exporter::{Access, Exporter, Outcome};
use crate::telemetry::metrics::Metrics;

fn spec(scheme: SchemeSpec) -> Option<CredentialSpec> {
    Some(CredentialSpec { scheme, reload_interval: Duration::from_secs(30) })
}

fn value(text: &str) -> SecretSource {
    SecretSource::Value(Secret::new(text.to_owned()))
}

fn oauth2(token_url: &str) -> OAuth2Spec {
    OAuth2Spec {
        token_url: token_url.to_owned(),
        client_id: "gateway".to_owned(),
        client_secret: value("cl1ent s3cret"),
        scopes: vec!["write".to_owned(), "spans".to_owned()],
        params: BTreeMap::from([("audience".to_owned(), Secret::new("backend".to_owned()))]),
        auth_style: AuthStyle::Header,
        timeout: Duration::from_secs(5),
        tls: TlsClientSpec::default(),
    }
}

fn grpc(url: &str, scheme: SchemeSpec) -> Exporter {
    build(&TargetSpec::OtlpGrpc(OtlpClientSpec { auth: spec(scheme), ..client(url) }))
}

fn http(url: &str, scheme: SchemeSpec) -> Exporter {
    let client = OtlpClientSpec { auth: spec(scheme), ..client(url) };
    build(&TargetSpec::OtlpHttp(OtlpHttpClientSpec {
        client,
        encoding: Encoding::Protobuf,
        endpoints: BTreeMap::new(),
    }))
}

fn build(target: &TargetSpec) -> Exporter {
    let access = Access::open("otlp", target, &Metrics::default()).unwrap();
    assert!(!format!("{access:?} {target:?}").contains("s3cret"), "E36");
    Exporter::build(target, &access).unwrap()
}

async fn attempt(exporter: &Exporter) -> Result<Outcome, Failure> {
    let frames = exporter.prepare(Signal::Traces, &[spans(&["a"]).bytes]).await.unwrap();
    exporter.attempt(Signal::Traces, &frames).await
}

/// What each request showed.
fn shown<R>(peer: &Peer<R>) -> Vec<String> {
    let header = |seen: &crate::exporter::testing::Seen| seen.headers["authorization"].to_str().unwrap().to_owned();
    peer.seen().iter().map(header).collect()
}

fn token(text: &str, life: u64) -> HttpReply {
    let body = format!(r#"{{"access_token":"{text}","token_type":"Bearer","expires_in":{life}}}"#);
    answer(200, &[("content-type", "application/json")], body)
}

#[tokio::test]
async fn each_scheme_is_sent_as_its_rfc_says() {
    let basic = BasicLoginSpec { username: "Aladdin".to_owned(), password: value("open s3cret") };
    let cases = [
        (SchemeSpec::Bearer(value("t0ken-s3cret")), "Bearer t0ken-s3cret"),
        (SchemeSpec::Basic(basic), "Basic QWxhZGRpbjpvcGVuIHMzY3JldA=="),
    ];
    for (scheme, expected) in cases {
        let (grpc_peer, http_peer) = (Peer::grpc([]).await, Peer::http([]).await);
        attempt(&grpc(&grpc_peer.url, scheme.clone())).await.unwrap();
        attempt(&http(&http_peer.url, scheme)).await.unwrap();
        assert_eq!((shown(&grpc_peer), shown(&http_peer)), (vec![expected.to_owned()], vec![expected.to_owned()]));
    }
}

#[tokio::test]
async fn e08_a_refused_credential_that_cannot_be_had_anew_is_not_tried_again() {
    let scheme = SchemeSpec::Bearer(value("t0ken-s3cret"));
    for status in [tonic::Status::unauthenticated("who?"), tonic::Status::permission_denied("no")] {
        let peer = Peer::grpc([Reply::Status(status)]).await;
        assert!(!attempt(&grpc(&peer.url, scheme.clone())).await.unwrap_err().is_retryable());
        assert_eq!(peer.seen().len(), 1);
    }
    for status in [401, 403] {
        let peer = Peer::http([answer(status, &[], "")]).await;
        assert!(!attempt(&http(&peer.url, scheme.clone())).await.unwrap_err().is_retryable());
        assert_eq!(peer.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_token_file_that_changed_is_read_when_the_peer_refuses_the_old_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "old-s3cret\n").unwrap();
    let peer =
        Peer::http([answer(200, &[], ""), answer(401, &[], ""), answer(200, &[], ""), answer(401, &[], "")]).await;
    let exporter = http(&peer.url, SchemeSpec::Bearer(SecretSource::File(file.clone())));
    attempt(&exporter).await.unwrap();
    std::fs::write(&file, "new-s3cret\n").unwrap();
    attempt(&exporter).await.unwrap();
    assert_eq!(shown(&peer), ["Bearer old-s3cret", "Bearer old-s3cret", "Bearer new-s3cret"]);
    let bodies = peer.seen().into_iter().map(|seen| seen.body).collect::<std::collections::HashSet<_>>();
    assert_eq!(bodies.len(), 1, "E14: the same bytes");
    assert!(!attempt(&exporter).await.unwrap_err().is_retryable(), "the file has nothing better");
    assert_eq!(peer.seen().len(), 4);
}

#[tokio::test]
async fn the_token_server_is_asked_as_rfc_6749_says() {
    let (server, peer) = (Peer::http([token("one", 3600)]).await, Peer::grpc([]).await);
    attempt(&grpc(&peer.url, SchemeSpec::OAuth2(Box::new(oauth2(&server.url))))).await.unwrap();
    let asked = server.seen().remove(0);
    assert_eq!(asked.headers["content-type"], "application/x-www-form-urlencoded");
    // Name and secret are form-encoded first (chapter 2.3.1): `gateway:cl1ent+s3cret`.
    assert_eq!(asked.headers["authorization"], "Basic Z2F0ZXdheTpjbDFlbnQrczNjcmV0");
    let body = String::from_utf8(asked.body.to_vec()).unwrap();
    assert_eq!(body, "grant_type=client_credentials&scope=write+spans&audience=backend");
    assert_eq!(shown(&peer), ["Bearer one"]);

    let server = Peer::http([token("one", 3600)]).await;
    let spec = OAuth2Spec { auth_style: AuthStyle::Params, ..oauth2(&server.url) };
    attempt(&grpc(&peer.url, SchemeSpec::OAuth2(Box::new(spec)))).await.unwrap();
    let body = String::from_utf8(server.seen().remove(0).body.to_vec()).unwrap();
    assert!(body.contains("client_id=gateway") && body.contains("client_secret=cl1ent+s3cret"), "{body}");
}

#[tokio::test]
async fn a_token_is_fetched_once_for_all_who_wait_and_kept_until_it_is_stale() {
    let (server, peer) = (Peer::http([token("one", 3600)]).await, Peer::http([]).await);
    let exporter = http(&peer.url, SchemeSpec::OAuth2(Box::new(oauth2(&server.url))));
    let attempts = futures_util::future::join_all((0..20).map(|_| attempt(&exporter))).await;
    assert!(attempts.iter().all(Result::is_ok));
    assert_eq!((server.seen().len(), peer.seen().len()), (1, 20));

    let (server, peer) = (Peer::http([token("one", 0), token("two", 3600)]).await, Peer::http([]).await);
    let exporter = http(&peer.url, SchemeSpec::OAuth2(Box::new(oauth2(&server.url))));
    for _ in 0..3 {
        attempt(&exporter).await.unwrap();
    }
    assert_eq!(shown(&peer), ["Bearer one", "Bearer two", "Bearer two"], "it was stale at once");
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_and_the_same_bytes_are_sent_again() {
    let server = Peer::http([token("one", 3600), token("two", 3600), token("three", 3600)]).await;
    let refusal = || Reply::Status(tonic::Status::unauthenticated("expired"));
    let peer = Peer::grpc([Reply::Taken(Vec::new()), refusal(), Reply::Taken(Vec::new()), refusal()]).await;
    let exporter = grpc(&peer.url, SchemeSpec::OAuth2(Box::new(oauth2(&server.url))));
    for _ in 0..2 {
        attempt(&exporter).await.unwrap();
    }
    assert_eq!(shown(&peer), ["Bearer one", "Bearer one", "Bearer two"]);
    assert!(!attempt(&exporter).await.unwrap_err().is_retryable(), "the new one is no better");
    assert_eq!((server.seen().len(), peer.seen().len()), (2, 4), "nor is the token server asked for ever");
}

#[tokio::test]
async fn without_a_token_the_data_waits_and_says_why_without_secrets() {
    let repeats = r#"{"error":"invalid_client","error_description":"bad secret cl1ent s3cret, sent as Z2F0ZXdheTpjbDFlbnQrczNjcmV0 or cl1ent+s3cret"}"#;
    let odd = r#"{"access_token":["s3cret-token"]}"#;
    let json = [("content-type", "application/json")];
    let replies = [
        (answer(401, &json, repeats), "it refused: invalid_client (bad secret [secret], sent as [secret] or [secret])"),
        (answer(200, &json, odd), "not what RFC 6749 says"),
        (answer(200, &[("content-type", "text/html")], "<html>"), "Content-Type"),
        (answer(503, &[], ""), "empty error response"),
        (answer(302, &[("location", "http://127.0.0.1:1/")], "<html>"), "not what RFC 6749 says"),
    ];
    for (reply, why) in replies {
        let (server, peer) = (Peer::http([reply]).await, Peer::http([]).await);
        let exporter = http(&peer.url, SchemeSpec::OAuth2(Box::new(oauth2(&server.url))));
        for _ in 0..5 {
            let failure = attempt(&exporter).await.unwrap_err();
            let words = failure.to_string();
            assert!(failure.is_retryable() && words.contains(why) && words.contains(&server.url), "{words}");
            assert!(!words.contains("s3cret"), "E36: {words}");
        }
        let asked = server.seen().len();
        assert!(asked < 5 && peer.seen().is_empty(), "asked once a second at most, not {asked} times");
    }
}

#[tokio::test]
async fn e36_what_a_peer_repeats_is_not_passed_on() {
    let partial = br#"{"partialSuccess":{"errorMessage":"who is t0ken-s3cret?"}}"#;
    let replies = [
        answer(401, &[("content-type", "application/json")], r#"{"message":"unknown token t0ken-s3cret"}"#),
        answer(200, &[("content-type", "application/json")], &partial[..]),
    ];
    let peer = Peer::<HttpReply>::http(replies).await;
    let exporter = http(&peer.url, SchemeSpec::Bearer(value("t0ken-s3cret")));
    assert_eq!(attempt(&exporter).await.unwrap_err().to_string(), "the peer answered HTTP 401: unknown token [secret]");
    assert_eq!(attempt(&exporter).await.unwrap().message, "who is [secret]?");
}
