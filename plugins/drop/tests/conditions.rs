//! What `drop` drops, and which configs it refuses.

use sluicebox_drop::Drop;
use sluicebox_plugin::prelude::*;
use sluicebox_plugin::serde_json::Value as Json;
use sluicebox_plugin::testing::{self, FilterTest, Telemetry, json};

fn plugin(signal: Signal, config: Json) -> Result<FilterTest<Drop>, Error> {
    testing::batch_filter(signal, config)
}

fn kept(telemetry: &Telemetry, config: Json) -> Vec<usize> {
    let signal = if telemetry == &spans() { Signal::Traces } else { Signal::Logs };
    plugin(signal, config).and_then(|mut plugin| plugin.run(telemetry)).expect("a config that is right")
}

fn problem(config: Json) -> String {
    plugin(Signal::Traces, config).err().map(|error| error.to_string()).expect("a config that is wrong")
}

/// Ten spans of two services.
fn spans() -> Telemetry {
    let routes = ["/healthz", "/readyz", "/pay", "/pay/42", "/users"];
    (0..10).fold(Telemetry::spans(), |spans, row| {
        let spans = match row {
            0 => spans.resource(|resource| resource.attribute("service.name", "shop")),
            5 => spans.resource(|resource| resource.attribute("service.name", "checkout-v2").attribute("replica", 3)),
            _ => spans,
        };
        spans.span(|span| {
            let span = span.name("GET").attribute("http.route", routes[row % 5]).kind(2);
            let span = span.duration(Duration::from_millis(100 * row as u64)).trace_id(TraceId([row as u8; 16]));
            let span = if row == 3 { span.attribute("debug", true).attribute("load", 0.5) } else { span };
            if row == 4 { span.event(|event| event.name("exception").attribute("exception.type", "IO")) } else { span }
        })
    })
}

const ROUTE: &str = "span.attributes[\"http.route\"]";
const SERVICE: &str = "resource.attributes[\"service.name\"]";

#[test]
fn a_value_or_a_list_is_what_the_field_must_be() {
    assert_eq!(kept(&spans(), json!({ ROUTE: ["/healthz", "/readyz"] })), [2, 3, 4, 7, 8, 9]);
    assert_eq!(kept(&spans(), json!({ ROUTE: "/pay" })), [0, 1, 3, 4, 5, 6, 8, 9]);
    assert_eq!(kept(&spans(), json!({ "span.kind": 2.0 })), [0; 0]);
    assert_eq!(kept(&spans(), json!({ "span.kind": "2" })).len(), 10, "text is not a number");
    assert_eq!(kept(&spans(), json!({ "attributes[\"debug\"]": true })).len(), 9);
    assert_eq!(kept(&spans(), json!({ "span.trace_id": "05".repeat(16) })), [0, 1, 2, 3, 4, 6, 7, 8, 9]);
    let many: Vec<String> = (0..50).map(|number| format!("/pay/{number}")).collect();
    assert_eq!(kept(&spans(), json!({ ROUTE: many })), [0, 1, 2, 4, 5, 6, 7, 9]);
}

#[test]
fn tests_look_at_text_numbers_durations_and_presence() {
    let routes = |test: Json| kept(&spans(), json!({ ROUTE: test }));
    assert_eq!(routes(json!({ "prefix": "/pay" })), [0, 1, 4, 5, 6, 9]);
    assert_eq!(routes(json!({ "suffix": "z" })), [2, 3, 4, 7, 8, 9]);
    assert_eq!(routes(json!({ "contains": "y/4" })), [0, 1, 2, 4, 5, 6, 7, 9]);
    assert_eq!(routes(json!({ "regex": r"^/pay(/\d+)?$" })), [0, 1, 4, 5, 6, 9]);
    assert_eq!(routes(json!({ "prefix": "/", "suffix": "s" })), [0, 1, 2, 3, 5, 6, 7, 8]);
    assert_eq!(routes(json!({ "in": ["/users"], "regex": "nothing" })).len(), 10);
    let durations = |test: Json| kept(&spans(), json!({ "span.duration": test }));
    assert_eq!(durations(json!({ "lt": "250ms" })), [3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(durations(json!({ "gte": "0.3s", "lte": 500_000_000 })), [0, 1, 2, 6, 7, 8, 9]);
    assert_eq!(durations(json!("700ms")).len(), 9);
    assert_eq!(kept(&spans(), json!({ "span.attributes[\"load\"]": { "gt": 0 } })).len(), 9);
    assert_eq!(kept(&spans(), json!({ "span.attributes[\"debug\"]": { "exists": false } })), [3]);
    assert_eq!(kept(&spans(), json!({ "span.attributes[\"debug\"]": { "gt": 0 } })).len(), 10);
}

#[test]
fn conditions_hold_on_resources_and_on_any_event() {
    assert_eq!(kept(&spans(), json!({ SERVICE: { "regex": "^checkout" } })), [0, 1, 2, 3, 4]);
    assert_eq!(kept(&spans(), json!({ "resource.attributes[\"replica\"]": { "exists": true } })), [0, 1, 2, 3, 4]);
    assert_eq!(kept(&spans(), json!({ "span.events.attributes[\"exception.type\"]": "IO" })).len(), 9);
    assert_eq!(kept(&spans(), json!({ "not": { "span.events.name": { "exists": true } } })), [4]);
}

#[test]
fn any_all_and_not_nest() {
    let probes = json!({ ROUTE: ["/healthz", "/readyz"], SERVICE: "shop" });
    assert_eq!(kept(&spans(), probes.clone()), [2, 3, 4, 5, 6, 7, 8, 9], "all entries of a map hold");
    let fast = json!({ "span.duration": { "lt": "150ms" } });
    assert_eq!(kept(&spans(), json!({ "any": [probes, { ROUTE: "/users" }] })), [2, 3, 5, 6, 7, 8]);
    assert_eq!(kept(&spans(), json!({ "all": [{ ROUTE: { "suffix": "z" } }, fast] })), [2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(
        kept(&spans(), json!({ "not": { "any": [{ SERVICE: "shop" }, { ROUTE: "/pay" }] } })),
        [0, 1, 2, 3, 4, 7]
    );
}

#[test]
fn rows_that_are_not_live_are_not_answered_for() {
    let spans = (0..9).fold(Telemetry::spans(), |spans, row| {
        spans.span(|span| if row % 2 == 0 { span.name("a") } else { span.name("b").dropped_before() })
    });
    let mut plugin = plugin(Signal::Traces, json!({ "not": { "span.name": "a" } })).expect("a right config");
    assert_eq!(plugin.run(&spans).expect("an answer"), [0, 2, 4, 6, 8]);
}

#[test]
fn logs_are_dropped_by_severity_and_body() {
    let logs = Telemetry::logs()
        .log(|log| log.body("connection reset").severity_number(9))
        .log(|log| log.body("connection reset").severity_number(17))
        .log(|log| log.body(4).severity_number(5));
    let config = json!({ "log.severity_number": { "lt": 13 }, "log.body": { "contains": "reset" } });
    assert_eq!(kept(&logs, config), [1, 2]);
}

#[test]
fn a_wrong_config_is_told_with_its_key_and_the_mend() {
    let told = [
        problem(json!({})),
        problem(json!({ "span.nmae": "x" })),
        problem(json!({ ROUTE: { "startswith": "/" } })),
        problem(json!({ ROUTE: [] })),
        problem(json!({ ROUTE: null })),
        problem(json!({ ROUTE: { "regex": "(" } })),
        problem(json!({ "span.duration": { "gt": "soon" } })),
        problem(json!({ "span.kind": { "gt": "250ms" } })),
        problem(json!({ "span.trace_id": "xyz" })),
        problem(json!({ "any": [{ ROUTE: "/" }, { "not": [] }] })),
        problem(json!({ "span.attributes[*]": "x" })),
        problem(json!([1])),
    ];
    let expected = [
        "no condition; name a field, as in { span.name: health }, or any, all, not",
        "span.nmae: no such field in a pipeline of traces; docs/plugin-authors.md lists them",
        "span.attributes[\"http.route\"]: startswith: no such test; expected equals, in, prefix, suffix, contains, \
         regex, gt, gte, lt, lte, exists",
        "span.attributes[\"http.route\"]: an empty list: no record can match",
        "span.attributes[\"http.route\"]: no value; to ask whether the field is there, write { exists: false }",
        "span.attributes[\"http.route\"]: regex: found open group without closing ')'",
        "span.duration: gt: `soon` is not a duration; write it like 500ms, 1.5s or 2m30s",
        "span.kind: gt: expected a number, found `\"250ms\"`",
        "span.trace_id: `xyz` is not an id: expected an even number of hexadecimal digits",
        "any[1].not: expected a condition: field paths, any, all, not",
        "span.attributes[*]: one value is wanted here; name the attribute: attributes[\"key\"]",
        "invalid type: sequence, expected a map",
    ];
    assert_eq!(told.map(|told| told.to_owned()), expected);
}

#[test]
fn a_field_is_declared_once_however_often_it_is_named() {
    let plugin = plugin(Signal::Traces, json!({ "any": [{ ROUTE: "/a" }, { ROUTE: { "prefix": "/b" } }] }));
    assert_eq!(plugin.map(|plugin| plugin.reads().to_vec()), Ok(vec![ROUTE.to_owned()]));
}
