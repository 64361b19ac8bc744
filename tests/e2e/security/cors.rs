//! Web pages.

use super::caller::{Caller, Web};
use super::pipeline;
use crate::client::{Answer, PROTOBUF};
use crate::harness::Sluicebox;
use crate::requests::encoded_spans;

const GOOD: &str = "https://app.example.com";
const CORS: &str = "cors: { allowed_origins: ['https://app.example.com', 'https://*.pages.test'], allowed_headers: [authorization], max_age: 10m }";
const AUTH: &str = "auth: { bearer: { tokens: [right-token] } },";

async fn preflight(web: &Web, address: &str, path: &str, origin: &str, method: &str, headers: &str) -> Answer {
    let asks =
        [("origin", origin), ("access-control-request-method", method), ("access-control-request-headers", headers)];
    web.send("OPTIONS", address, path, &asks, "").await.unwrap()
}

fn assert_no_cors(answer: &Answer) {
    let names: Vec<_> = answer.headers.keys().filter(|name| name.as_str().starts_with("access-control")).collect();
    assert!(names.is_empty(), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_a_page_of_an_allowed_origin_may_ask_and_send() {
    let sluicebox = Sluicebox::run(&pipeline(AUTH, CORS, ""));
    let (web, address) = (Caller::plain().web(), sluicebox.address("otlp", "http"));
    for origin in [GOOD, "https://a.pages.test"] {
        let answer = preflight(&web, &address, "/v1/traces", origin, "POST", "Content-Type, authorization").await;
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        assert_eq!(answer.header("access-control-allow-methods"), "POST");
        assert_eq!(answer.header("access-control-allow-headers"), "content-type, authorization");
        assert_eq!(answer.header("access-control-max-age"), "600");
        assert!(answer.header("vary").contains("origin"));
    }
    let sends = async |token: &str| {
        let headers = [("origin", GOOD), ("authorization", token), ("content-type", PROTOBUF)];
        web.send("POST", &address, "/v1/traces", &headers, encoded_spans("page", 1)).await.unwrap()
    };
    let taken = sends("Bearer right-token").await;
    assert_eq!((taken.status, taken.header("access-control-allow-origin")), (200, GOOD));
    // The preflight needed no credential; the request does, and the page may read why it was denied.
    let denied = sends("Bearer wrong-token").await;
    assert_eq!((denied.status, denied.header("access-control-allow-origin")), (401, GOOD));
    assert_eq!(denied.header("vary"), "origin");
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_any_other_origin_gets_no_word_of_cors() {
    let sluicebox = Sluicebox::run(&pipeline(AUTH, CORS, ""));
    let (web, address) = (Caller::plain().web(), sluicebox.address("otlp", "http"));
    for origin in [
        "https://evil.test",
        "http://app.example.com",
        "https://app.example.com.evil.test",
        "null",
        "https://pages.test",
    ] {
        let answer = preflight(&web, &address, "/v1/traces", origin, "POST", "content-type").await;
        assert_eq!(answer.status, 401, "{origin}");
        assert_no_cors(&answer);
        let headers = [("origin", origin), ("authorization", "Bearer right-token"), ("content-type", PROTOBUF)];
        let answer = web.send("POST", &address, "/v1/traces", &headers, encoded_spans("x", 1)).await.unwrap();
        assert_no_cors(&answer);
    }
    // F19: only the preflight of what a page may do goes without a credential.
    for (path, method, headers) in [
        ("/v1/traces", "DELETE", "content-type"),
        ("/v1/traces", "POST", "content-type, x-secret"),
        ("/nowhere", "POST", "content-type"),
    ] {
        let answer = preflight(&web, &address, path, GOOD, method, headers).await;
        assert_eq!(answer.status, 401, "{path} {method} {headers}");
        assert!(answer.headers.get("access-control-allow-methods").is_none());
        assert!(answer.headers.get("access-control-allow-headers").is_none());
    }
    sluicebox.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_without_the_key_no_page_may_send() {
    let sluicebox = Sluicebox::run(&pipeline("", "", ""));
    let (web, address) = (Caller::plain().web(), sluicebox.address("otlp", "http"));
    let answer = preflight(&web, &address, "/v1/traces", GOOD, "POST", "content-type").await;
    assert_eq!(answer.status, 405);
    assert_no_cors(&answer);
    sluicebox.stop();
}
