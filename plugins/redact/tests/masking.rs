//! What `redact` masks and leaves, on every level and in every signal, and which configs it refuses.

use sluicebox_plugin::prelude::*;
use sluicebox_plugin::serde_json::Value as Json;
use sluicebox_plugin::testing::{self, Telemetry, TransformTest, json};
use sluicebox_redact::Redact;

fn plugin(signal: Signal, config: Json) -> Result<TransformTest<Redact>, Error> {
    testing::batch_transform(signal, config)
}

fn masked(signal: Signal, telemetry: &Telemetry, config: Json) -> Telemetry {
    plugin(signal, config).and_then(|mut plugin| plugin.run(telemetry)).expect("a config that is right")
}

/// One attribute of one span, masked.
fn attribute(key: &str, value: impl Into<OwnedValue>, config: Json) -> OwnedValue {
    let spans = Telemetry::spans().span(|span| span.attribute(key, value));
    masked(Signal::Traces, &spans, config).row(0).attribute(key).clone()
}

fn list(pairs: &[(&str, OwnedValue)]) -> OwnedValue {
    OwnedValue::KvList(pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

#[test]
fn every_place_of_a_span_is_searched() {
    let spans = Telemetry::spans()
        .resource(|resource| resource.attribute("host.ip", "10.0.0.7"))
        .scope(|scope| scope.attribute("author", "ann@example.com"))
        .span(|span| {
            span.name("GET /users/ann@example.com")
                .status_message("card 4111 1111 1111 1111 refused")
                .attribute("http.request.header.authorization", "Bearer 0123456789abcdef")
                .attribute("count", 3)
                .event(|event| event.attribute("peer", "[2001:db8::1]:443"))
                .link(|link| link.attribute("peer", "2001:db8::1"))
        })
        .span(|span| span.name("a@b.org").dropped_before());
    let after = masked(Signal::Traces, &spans, json!({}));
    assert_eq!(after.row(0).field("span.name"), "GET /users/[redacted]");
    assert_eq!(after.row(0).field("span.status.message"), "card [redacted] refused");
    assert_eq!(after.row(0).attribute("http.request.header.authorization"), "Bearer [redacted]");
    assert_eq!(after.row(0).attribute("count"), &3);
    assert_eq!(after.events_of(0)[0].attribute("peer"), "[[redacted]]:443");
    assert_eq!(after.links_of(0)[0].attribute("peer"), "[redacted]");
    assert_eq!(after.scope_of(0).attribute("author"), "[redacted]");
    assert_eq!(after.resource_of(0).attribute("host.ip"), "[redacted]");
    assert_eq!(after.row(1).field("span.name"), "a@b.org", "dropped, so never sent");
    assert_eq!(testing::counter("redacted"), 7);
}

#[test]
fn log_bodies_are_searched_however_deep() {
    let inner =
        |ip: &str, token: &str| list(&[("ips", OwnedValue::Array(vec![ip.into(), 7.into()])), ("token", token.into())]);
    let logs = Telemetry::logs()
        .log(|log| log.body("login of ann@example.com from 10.0.0.1"))
        .log(|log| log.body(list(&[("user", "bob".into()), ("peer", inner("10.0.0.1", "x"))])).attribute("n", true));
    let after = masked(Signal::Logs, &logs, json!({ "deny_keys": ["token"], "mask": "***" }));
    assert_eq!(after.row(0).field("log.body"), "login of *** from ***");
    let expected = list(&[("user", "bob".into()), ("peer", inner("***", "***"))]);
    assert_eq!(after.row(1).field("log.body"), &expected);
    assert_eq!(testing::counter("redacted"), 4);
}

#[test]
fn data_points_are_searched() {
    let points = Telemetry::points()
        .metric(|metric| metric.attribute("source", "10.0.0.2"))
        .point(|point| point.attribute("client", "10.0.0.1").value(1));
    let after = masked(Signal::Metrics, &points, json!({}));
    assert_eq!(after.metric_of(0).attribute("source"), "[redacted]");
    assert_eq!(after.row(0).attribute("client"), "[redacted]");
}

#[test]
fn keys_deny_whole_values_and_allow_them() {
    let config = json!({ "deny_keys": ["*password*", "card"], "allow_keys": ["peer.*", "user_password"] });
    assert_eq!(attribute("db.Password", "short", config.clone()), OwnedValue::from("[redacted]"));
    assert_eq!(attribute("card", 42, config.clone()), OwnedValue::from("[redacted]"));
    assert_eq!(attribute("card", OwnedValue::Empty, config.clone()), OwnedValue::Empty);
    assert_eq!(attribute("peer.ip", "10.0.0.1", config.clone()), OwnedValue::from("10.0.0.1"));
    assert_eq!(attribute("user_password", "x", config.clone()), OwnedValue::from("[redacted]"), "denied goes first");
    let nested =
        list(&[("card", OwnedValue::Array(vec![1.into()])), ("peer.ip", OwnedValue::Array(vec!["10.0.0.1".into()]))]);
    let expected = list(&[("card", "[redacted]".into()), ("peer.ip", OwnedValue::Array(vec!["10.0.0.1".into()]))]);
    assert_eq!(attribute("order", nested, config), expected);
}

#[test]
fn only_what_is_named_is_looked_for_and_own_patterns_too() {
    let text = "ann@example.com ssn 123-45-6789 10.0.0.1";
    let some = json!({ "detect": ["ipv4"], "patterns": { "ssn": r"\b\d{3}-\d{2}-\d{4}\b" } });
    assert_eq!(attribute("a", text, some), OwnedValue::from("ann@example.com ssn [redacted] [redacted]"));
    let none = json!({ "detect": [] });
    assert_eq!(attribute("a", text, none), OwnedValue::from(text));
    let overlapping = json!({ "patterns": { "mail": "ann@[a-z.]+ ssn" }, "mask": "#" });
    assert_eq!(attribute("a", text, overlapping), OwnedValue::from("# 123-45-6789 #"));
}

#[test]
fn what_was_masked_before_stays_and_is_not_counted_again() {
    let config = json!({ "deny_keys": ["password"] });
    let spans = Telemetry::spans().span(|span| span.attribute("password", "x").attribute("ip", "10.0.0.1"));
    let once = masked(Signal::Traces, &spans, config.clone());
    let counted = testing::counter("redacted");
    assert_eq!(masked(Signal::Traces, &once, config), once);
    assert_eq!((counted, testing::counter("redacted")), (2, 2));
}

#[test]
fn a_wrong_config_is_told_with_its_key_and_the_mend() {
    let told = |config| plugin(Signal::Logs, config).err().map(|error| error.to_string()).unwrap_or_default();
    assert_eq!(
        told(json!({ "detect": ["cards", "phones"] })),
        "detect[1]: unknown variant `phones`, expected one of `cards`, `emails`, `ipv4`, `ipv6`, `bearer_tokens`"
    );
    assert!(told(json!({ "patterns": { "ssn": "(" } })).starts_with("patterns.ssn: regex parse error"));
    assert_eq!(
        told(json!({ "patterns": { "all": "x*" } })),
        "patterns.all: this finds the empty text; ask for one character"
    );
    assert!(told(json!({ "deny_keys": ["*"] })).starts_with("deny_keys[0]: expected a key"));
    assert!(told(json!({ "deny": [] })).starts_with("deny: unknown field `deny`, expected one of `detect`"));
}
