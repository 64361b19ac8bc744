//! Bearer tokens and API keys.

use std::io::{Read, Write};
use std::net::TcpStream;

use prost::Message;
use tonic::Code;
use tonic_types::Status as RpcStatus;

use super::caller::Caller;
use super::pipeline;
use crate::client::{Answer, JSON, PROTOBUF};
use crate::harness::{Sluicebox, spans};
use crate::requests::encoded_spans;

const AUTH: &str = "auth: { bearer: { tokens: [right-token, other-right-token] }, api_key: { keys: [right-key] } },";

fn with_token(token: &str) -> Caller {
    Caller::plain().with("authorization", &format!("Bearer {token}"))
}

async fn failures(sluicebox: &Sluicebox, transport: &str, reason: &str) -> f64 {
    let labels = [format!("transport=\"{transport}\""), format!("reason=\"{reason}\"")];
    sluicebox.metric("sluicebox_receiver_authentication_failures_total", &[&labels[0], &labels[1]]).await
}

fn assert_denied(answer: &Answer, json: bool) {
    assert_eq!(answer.status, 401, "{answer:?}");
    let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(challenges.len(), 2, "{challenges:?}");
    assert!(answer.header("www-authenticate").starts_with("Bearer "), "{challenges:?}");
    let (code, message) = if json {
        assert_eq!(answer.header("content-type"), JSON);
        let status = answer.json();
        (status["code"].as_i64().unwrap(), status["message"].as_str().unwrap().to_owned())
    } else {
        assert_eq!(answer.header("content-type"), PROTOBUF);
        let status = RpcStatus::decode(answer.body.clone()).unwrap();
        (i64::from(status.code), status.message)
    };
    assert_eq!(code, Code::Unauthenticated as i64);
    assert!(message.contains("credential"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f18_a_known_credential_opens_and_any_other_is_denied_and_never_logged() {
    let sluicebox = Sluicebox::run(&pipeline(AUTH, "", ""));
    for good in
        [with_token("right-token"), with_token("other-right-token"), Caller::plain().with("x-api-key", "right-key")]
    {
        assert_eq!(good.sends(&sluicebox, "good").await, [true, true]);
    }
    let bad = [
        (Caller::plain(), "missing"),
        (with_token("wrong-token"), "unknown"),
        (with_token("right-toke"), "unknown"),
        (with_token(""), "malformed"),
        (Caller::plain().with("x-api-key", "wrong-key"), "unknown"),
        (Caller::plain().with("x-api-key", "right-token"), "unknown"),
        (Caller::plain().with("authorization", "Basic cmlnaHQtdG9rZW46eA=="), "malformed"),
        (Caller::plain().with("authorization", "right-token"), "malformed"),
        (with_token("right-token").with("authorization", "Bearer right-token"), "malformed"),
    ];
    for (caller, reason) in &bad {
        let before = (failures(&sluicebox, "grpc", reason).await, failures(&sluicebox, "http", reason).await);
        let status = caller.grpc(&sluicebox).export("bad").await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
        assert_denied(&caller.web().export(&sluicebox, "bad").await.unwrap(), false);
        let after = (failures(&sluicebox, "grpc", reason).await, failures(&sluicebox, "http", reason).await);
        assert_eq!(after, (before.0 + 1.0, before.1 + 1.0), "{reason}");
    }
    let lines = sluicebox.wait_for_lines("taken.jsonl", |lines| spans(lines).len() >= 6);
    assert!(spans(&lines).iter().all(|span| span["name"] == "good-0"), "{lines:?}");
    let requests = sluicebox.metric("sluicebox_receiver_requests_total", &["outcome=\"unauthenticated\""]).await;
    assert_eq!(requests, 2.0 * bad.len() as f64);

    let told = sluicebox.wait_for_log("requests were not let in");
    assert!(told.contains("peer=127.0.0.1:"), "{told}");
    let page = sluicebox.admin_get("/metrics").await + &sluicebox.admin_get("/status").await;
    let (log, _) = sluicebox.stop();
    let denials = log.iter().filter(|line| line.contains("requests were not let in")).count();
    assert!(denials <= 2 * (1 + bad.len() / 2), "one line now and then, not one a request: {log:?}");
    for word in ["right-toke", "wrong-token", "right-key", "wrong-key", "cmlnaHQ"] {
        assert!(!log.join("\n").contains(word) && !page.contains(word), "{word} was told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f19_without_a_credential_every_path_and_method_is_denied() {
    let sluicebox = Sluicebox::run(&pipeline(AUTH, "", ""));
    let (web, address) = (Caller::plain().web(), sluicebox.address("otlp", "http"));
    for method in ["POST", "GET", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        for path in ["/v1/traces", "/v1/logs", "/v1/metrics", "/", "/nowhere", "/healthz", "/v1/traces/../healthz"] {
            for (media, json) in [(PROTOBUF, false), (JSON, true), ("text/plain", false)] {
                let answer = web.send(method, &address, path, &[("content-type", media)], "{}").await.unwrap();
                assert_denied(&answer, json);
            }
        }
    }
    let head = web.send("HEAD", &address, "/v1/traces", &[], "").await.unwrap();
    assert_eq!((head.status, head.body.len()), (401, 0));

    let line = Caller::plain().grpc(&sluicebox);
    for path in ["/opentelemetry.proto.collector.logs.v1.LogsService/Export", "/grpc.health.v1.Health/Check", "/a/b"] {
        assert_eq!(line.call(path, encoded_spans("x", 1)).await.unwrap_err().code(), Code::Unauthenticated, "{path}");
    }
    let (lines, _) = sluicebox.stop();
    assert!(!lines.join("\n").contains("panicked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn r25_what_the_gate_answers_is_a_status_of_the_requests_own_type() {
    let sluicebox = Sluicebox::run(&pipeline(AUTH, "", ""));
    let (web, address) = (Caller::plain().web(), sluicebox.address("otlp", "http"));
    for (media, json) in [(PROTOBUF, false), ("application/json; charset=utf-8", true), ("text/html", false)] {
        assert_denied(&web.send("POST", &address, "/v1/logs", &[("content-type", media)], "").await.unwrap(), json);
    }
    // The gRPC side is HTTP/2 only; whoever speaks that, but not gRPC, is told in the terms of HTTP.
    let connector = hyper_util::client::legacy::connect::HttpConnector::new();
    let client: hyper_util::client::legacy::Client<_, http_body_util::Full<bytes::Bytes>> =
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
            .http2_only(true)
            .build(connector);
    for method in ["GET", "POST"] {
        let uri = format!("http://{}/", sluicebox.address("otlp", "grpc"));
        let request = http::Request::builder().method(method).uri(uri).body(Default::default()).unwrap();
        let (head, body) = client.request(request).await.unwrap().into_parts();
        let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
        assert_denied(&Answer { status: head.status.as_u16(), headers: head.headers, body }, false);
    }
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f19_the_answer_comes_before_a_byte_of_the_body() {
    let sluicebox = Sluicebox::run(&pipeline(AUTH, "", ""));
    let mut stream = TcpStream::connect(sluicebox.address("otlp", "http")).unwrap();
    stream.set_read_timeout(Some(crate::harness::PATIENCE)).unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 60000000\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.contains("\"code\":16") || answer.contains("\"code\": 16"), "{answer}");
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f18_tokens_of_a_file_change_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let auth = "auth: { bearer: { file: ./tokens }, reload_interval: 50ms },";
    std::fs::write(folder.path().join("pipeline.yaml"), pipeline(auth, "", "")).unwrap();
    std::fs::write(folder.path().join("tokens"), "# ours\nfirst-token\n\n").unwrap();
    let sluicebox = Sluicebox::run_in(folder, &["pipeline.yaml"]);
    assert_eq!(with_token("first-token").sends(&sluicebox, "x").await, [true, true]);
    assert_eq!(with_token("# ours").sends(&sluicebox, "x").await, [false, false]);

    // A connection that is open meets the new tokens with its next request.
    let line = with_token("first-token").grpc(&sluicebox);
    line.export("x").await.unwrap();
    sluicebox.write("tokens", "second-token\n");
    sluicebox.wait_for_nth_log("its files have changed, and are used", 2);
    assert_eq!(line.export("x").await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(with_token("second-token").sends(&sluicebox, "x").await, [true, true]);

    sluicebox.write("tokens", "\n# nobody\n");
    let told = sluicebox.wait_for_nth_log("but cannot be used", 2);
    assert!(told.contains("tokens: it holds no credential"), "{told}");
    assert_eq!(with_token("second-token").sends(&sluicebox, "x").await, [true, true]);
    let (log, _) = sluicebox.stop();
    assert!(!log.join("\n").contains("second-token"));
}
