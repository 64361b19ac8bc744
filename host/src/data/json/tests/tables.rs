//! The tables against the descriptors that protoc made of the `.proto` files.

use std::collections::{HashMap, HashSet};

use prost_types::field_descriptor_proto::{Label as ProtoLabel, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

use super::super::message::{Field, Kind, Label, Message};
use super::super::schema::{request, response};
use super::*;

fn collect(prefix: &str, message: &DescriptorProto, all: &mut HashMap<String, DescriptorProto>) {
    let name = format!("{prefix}.{}", message.name());
    message.nested_type.iter().for_each(|nested| collect(&name, nested, all));
    all.insert(name, message.clone());
}

fn descriptors() -> HashMap<String, DescriptorProto> {
    let files = <FileDescriptorSet as prost::Message>::decode(opentelemetry_proto::DESCRIPTORS).unwrap();
    let mut all = HashMap::new();
    for file in &files.file {
        file.message_type.iter().for_each(|message| collect(&format!(".{}", file.package()), message, &mut all));
    }
    all
}

fn kind_fits(kind: Kind, field: &FieldDescriptorProto) -> bool {
    match (kind, field.r#type()) {
        (Kind::Hex, Type::Bytes) => field.name().ends_with("_id"),
        (Kind::Base64, Type::Bytes) => !field.name().ends_with("_id"),
        (Kind::Text, Type::String)
        | (Kind::Bool, Type::Bool)
        | (Kind::Enum, Type::Enum)
        | (Kind::Int32, Type::Int32)
        | (Kind::Uint32, Type::Uint32)
        | (Kind::Sint32, Type::Sint32)
        | (Kind::Fixed32, Type::Fixed32)
        | (Kind::Int64, Type::Int64)
        | (Kind::Uint64, Type::Uint64)
        | (Kind::Fixed64, Type::Fixed64)
        | (Kind::Sfixed64, Type::Sfixed64)
        | (Kind::Double, Type::Double)
        | (Kind::Message(_), Type::Message) => true,
        _ => false,
    }
}

fn label_of(field: &FieldDescriptorProto) -> Label {
    match () {
        () if field.label() == ProtoLabel::Repeated => Label::List,
        () if field.proto3_optional() => Label::Optional,
        () if field.oneof_index.is_some() => Label::Member,
        () => Label::Plain,
    }
}

fn compare(
    table: &'static Message,
    name: &str,
    descriptors: &HashMap<String, DescriptorProto>,
    done: &mut HashSet<String>,
) {
    if !done.insert(name.to_owned()) {
        return;
    }
    let message = descriptors.get(name).unwrap_or_else(|| panic!("no message {name}"));
    assert_eq!(table.fields.len(), message.field.len(), "{name}");
    assert!(table.fields.len() <= 32, "{name}: the decoder keeps a bit for each field");
    for field in &message.field {
        let position = table.position_of_number(field.number() as u32);
        let position = position.unwrap_or_else(|| panic!("{name}.{} is not in the table", field.name()));
        let entry: &Field = &table.fields[position];
        assert_eq!(entry.name, field.json_name(), "{name}");
        assert!(kind_fits(entry.kind, field), "{name}.{}", entry.name);
        assert_eq!(entry.label, label_of(field), "{name}.{}", entry.name);
        if let Kind::Message(inner) = entry.kind {
            compare(inner, field.type_name(), descriptors, done);
        }
    }
}

#[test]
fn r34_the_tables_are_what_the_proto_files_say() {
    let (descriptors, mut done) = (descriptors(), HashSet::new());
    for (signal, package, service) in
        [(Signal::Traces, "trace", "Trace"), (Signal::Metrics, "metrics", "Metrics"), (Signal::Logs, "logs", "Logs")]
    {
        let prefix = format!(".opentelemetry.proto.collector.{package}.v1.Export{service}Service");
        compare(request(signal), &format!("{prefix}Request"), &descriptors, &mut done);
        compare(response(signal), &format!("{prefix}Response"), &descriptors, &mut done);
    }
    assert!(done.contains(".opentelemetry.proto.metrics.v1.ExponentialHistogramDataPoint.Buckets"));
    assert!(done.contains(".opentelemetry.proto.common.v1.EntityRef"));
    assert_eq!(done.len(), 40);
}
