//! What `attributes` changes, and which configs it refuses.

use sluicebox_attributes::ChangeAttributes;
use sluicebox_plugin::prelude::*;
use sluicebox_plugin::serde_json::Value as Json;
use sluicebox_plugin::testing::{self, Entry, Telemetry, TransformTest, json};

fn plugin(signal: Signal, actions: Json) -> Result<TransformTest<ChangeAttributes>, Error> {
    testing::batch_transform(signal, json!({ "actions": actions }))
}

fn changed(telemetry: &Telemetry, actions: Json) -> Telemetry {
    plugin(Signal::Traces, actions).and_then(|mut plugin| plugin.run(telemetry)).expect("a config that is right")
}

/// One span with those attributes, changed.
fn one(attributes: &[(&str, OwnedValue)], actions: Json) -> Entry {
    let span =
        |span| attributes.iter().fold(span, |span: testing::Span, (key, value)| span.attribute(key, value.clone()));
    changed(&Telemetry::spans().span(span), actions).row(0).clone()
}

#[test]
fn attributes_are_set_deleted_renamed_and_copied() {
    let before = [("a", 1.into()), ("b", "x".into()), ("c", true.into())];
    let after = one(
        &before,
        json!([
            { "set": "attributes[\"env\"]", "value": "prod" },
            { "set": "span.attributes[\"b\"]", "value": ["y", 2, { "deep": 0.5 }] },
            { "delete": "attributes[\"c\"]" },
            { "delete": "attributes[\"not.there\"]" },
            { "rename": "attributes[\"a\"]", "to": "attributes[\"z\"]" },
            { "rename": "attributes[\"not.there\"]", "to": "attributes[\"nor.here\"]" },
            { "copy": "span.attributes[\"z\"]", "to": "attributes[\"copy\"]" },
            { "copy": "span.name", "to": "attributes[\"name\"]" },
        ]),
    );
    let mut keys = after.keys();
    keys.sort_unstable();
    assert_eq!(keys, ["b", "copy", "env", "z"]);
    assert_eq!(after.attribute("env"), "prod");
    assert_eq!(after.attribute("copy"), &1);
    let deep = OwnedValue::KvList(vec![("deep".to_owned(), 0.5.into())]);
    assert_eq!(after.attribute("b"), &OwnedValue::Array(vec!["y".into(), 2.into(), deep]));
}

#[test]
fn later_actions_see_what_earlier_ones_did() {
    let after = one(
        &[("a", "12 ".into())],
        json!([
            { "convert": "attributes[\"a\"]", "to": "int" },
            { "copy": "attributes[\"a\"]", "to": "attributes[\"b\"]" },
            { "set": "attributes[\"a\"]", "value": "secret" },
            { "hash": "span.attributes[\"a\"]" },
            { "truncate": "attributes[\"a\"]", "bytes": 8 },
            { "rename": "attributes[\"b\"]", "to": "attributes[\"c\"]" },
            { "set": "attributes[\"b\"]", "value": "again" },
            { "delete": "attributes[\"b\"]" },
        ]),
    );
    // The first digits of `printf secret | sha256sum`.
    assert_eq!(after.attribute("a"), "2bb80d53");
    assert_eq!(after.attribute("c"), &12);
    assert_eq!(after.attribute("b"), &OwnedValue::Absent);
}

#[test]
fn values_are_converted_where_they_can_be() {
    let to = |value: OwnedValue, to: &str| {
        one(&[("a", value)], json!([{ "convert": "attributes[\"a\"]", "to": to }])).attribute("a").clone()
    };
    assert_eq!(to("200".into(), "int"), OwnedValue::Int(200));
    assert_eq!(to(2.9.into(), "int"), OwnedValue::Int(2));
    assert_eq!(to(1e300.into(), "int"), OwnedValue::Double(1e300));
    assert_eq!(to("two".into(), "int"), OwnedValue::from("two"));
    assert_eq!(to("0.5".into(), "double"), OwnedValue::Double(0.5));
    assert_eq!(to(3.into(), "double"), OwnedValue::Double(3.0));
    assert_eq!(to("TRUE".into(), "bool"), OwnedValue::Bool(true));
    assert_eq!(to(0.into(), "bool"), OwnedValue::Bool(false));
    assert_eq!(to(true.into(), "string"), OwnedValue::from("true"));
    assert_eq!(to(0.5.into(), "string"), OwnedValue::from("0.5"));
    assert_eq!(to(OwnedValue::Empty, "string"), OwnedValue::Empty);
}

#[test]
fn text_is_cut_between_characters() {
    let cut = |value: OwnedValue, bytes: usize| {
        one(&[("a", value)], json!([{ "truncate": "attributes[\"a\"]", "bytes": bytes }])).attribute("a").clone()
    };
    assert_eq!(cut("größer".into(), 3), OwnedValue::from("gr"));
    assert_eq!(cut("größer".into(), 4), OwnedValue::from("grö"));
    assert_eq!(cut("größer".into(), 8), OwnedValue::from("größer"));
    assert_eq!(cut(vec![1u8, 2, 3].into(), 2), OwnedValue::from(vec![1u8, 2]));
    assert_eq!(cut(12345.into(), 2), OwnedValue::Int(12345));
}

#[test]
fn resources_and_scopes_are_changed_once_each_and_copied_from() {
    let spans = Telemetry::spans()
        .resource(|resource| resource.attribute("host", "h1").attribute("token", "t"))
        .scope(|scope| scope.name("http").attribute("s", 1))
        .span(|span| span)
        .span(|span| span.dropped_before())
        .resource(|resource| resource)
        .span(|span| span);
    let after = changed(
        &spans,
        json!([
            { "set": "resource.attributes[\"team\"]", "value": "web" },
            { "rename": "resource.attributes[\"host\"]", "to": "resource.attributes[\"host.name\"]" },
            { "hash": "resource.attributes[\"token\"]" },
            { "convert": "scope.attributes[\"s\"]", "to": "string" },
            { "copy": "resource.attributes[\"host.name\"]", "to": "attributes[\"host\"]" },
            { "copy": "scope.name", "to": "attributes[\"library\"]" },
        ]),
    );
    assert_eq!(after.resource_of(0).keys(), ["token", "team", "host.name"]);
    assert_eq!(after.resource_of(2).keys(), ["team"]);
    assert_eq!(after.scope_of(0).attribute("s"), "1");
    assert_eq!(after.row(0).attribute("host"), "h1");
    assert_eq!(after.row(0).attribute("library"), "http");
    assert_eq!(after.row(1).keys(), [""; 0]);
    assert_eq!(after.row(2).keys(), [""; 0]);
}

#[test]
fn what_is_so_already_is_not_edited() {
    let mut plugin = plugin(
        Signal::Logs,
        json!([
            { "set": "resource.attributes[\"team\"]", "value": "web" },
            { "convert": "log.attributes[\"n\"]", "to": "int" },
            { "delete": "attributes[\"gone\"]" },
        ]),
    )
    .expect("a config that is right");
    let logs =
        Telemetry::logs().resource(|resource| resource.attribute("team", "web")).log(|log| log.attribute("n", 1));
    assert_eq!(plugin.run(&logs), Ok(logs.clone()));
    assert_eq!(plugin.writes().len(), 3);
}

#[test]
fn a_wrong_config_is_told_with_its_key_and_the_mend() {
    let told = |actions| plugin(Signal::Traces, actions).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(told(json!([])).starts_with("actions: no action"));
    assert!(told(json!([{ "set": "attributes[\"a\"]" }])).starts_with("actions[0]: expected one of { set: path"));
    assert!(told(json!([{ "delete": "attributes[\"a\"]", "bytes": 1 }])).starts_with("actions[0]: expected one of"));
    assert!(told(json!([{ "erase": "a" }])).starts_with("actions[0].erase: unknown field `erase`, expected one of"));
    assert_eq!(
        told(json!([{ "delete": "span.name" }])),
        "actions[0]: span.name: expected the path of an attribute, such as attributes[\"key\"]"
    );
    assert_eq!(
        told(json!([{ "convert": "attributes[\"a\"]", "to": "float" }])),
        "actions[0]: to: no such type `float`; expected int, double, bool or string"
    );
    assert_eq!(
        told(json!([{ "set": "attributes[\"a\"]", "value": null }])),
        "actions[0]: expected one of { set: path, value: … }, { rename: path, to: path }, { copy: path, to: path }, \
         { delete: path }, { hash: path }, { convert: path, to: type }, { truncate: path, bytes: … }"
    );
    assert_eq!(
        told(json!([{ "copy": "attributes[\"a\"]", "to": "resource.attributes[\"a\"]" }])),
        "actions[0]: not from one level to another: only records copy from another level, from what they belong to"
    );
    assert_eq!(
        told(json!([{ "delete": "span.events.attributes[\"a\"]" }])),
        "actions[0]: span.events.attributes[\"a\"]: events and links of spans are not changed here"
    );
}
