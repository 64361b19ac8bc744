//! The JSON Schema of pipeline files (draft 2020-12), for editors: derived from what serde reads.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::raw;

/// A plugin whose config the schema describes.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginSchema {
    /// As `plugin:` names it.
    pub name: String,
    /// The JSON Schema of its config.
    pub config_schema: Value,
}

/// The schema of a pipeline file. The config of a stage is held against the schema of its plugin, where that is one
/// of `plugins`.
pub fn schema(plugins: &[PluginSchema]) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let receivers = json!({
        "^otlp(/.+)?$": reference::<raw::OtlpReceiver>(&mut generator),
        "^replay(/.+)?$": reference::<raw::Replay>(&mut generator),
    });
    let exporters = json!({
        "^(otlp|otlp_grpc)(/.+)?$": reference::<raw::OtlpGrpc>(&mut generator),
        "^(otlphttp|otlp_http)(/.+)?$": reference::<raw::OtlpHttp>(&mut generator),
        "^file(/.+)?$": reference::<raw::FileExporter>(&mut generator),
        "^debug(/.+)?$": reference::<raw::DebugExporter>(&mut generator),
    });
    let stage = reference::<raw::Stage>(&mut generator);
    let service = reference::<raw::Service>(&mut generator);
    let mut definitions = generator.take_definitions(true);
    definitions.insert("Substitution".to_owned(), json!({"type": "string", "pattern": r"\$\{env:"}));
    definitions.values_mut().for_each(allow_variables);
    close_pipelines(&mut definitions);
    for plugin in plugins {
        let name = definition(&plugin.name);
        let mut config = plugin.config_schema.clone();
        move_references(&mut config, &format!("#/$defs/{name}"));
        allow_variables(&mut config);
        definitions.insert(name, config);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Sluicebox pipeline file",
        "type": "object",
        "properties": {
            "receivers": components("Receivers by id: `type` or `type/name`.", receivers),
            "processors": stages(&stage, plugins),
            "exporters": components("Exporters by id: `type` or `type/name`.", exporters),
            "service": service,
        },
        "additionalProperties": false,
        "$defs": definitions,
    })
}

/// Refers to a type. A component may be empty: its defaults.
fn reference<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    let schema: Schema = generator.subschema_for::<T>();
    json!({"anyOf": [schema, {"type": "null"}]})
}

fn components(description: &str, by_pattern: Value) -> Value {
    json!({
        "description": description,
        "type": ["object", "null"],
        "patternProperties": by_pattern,
        "additionalProperties": false,
    })
}

/// Stages: any id; the plugin decides about the config, and the id about the plugin where that is left out.
fn stages(stage: &Value, plugins: &[PluginSchema]) -> Value {
    let config = |name: &str| json!({"properties": {"config": {"$ref": format!("#/$defs/{}", definition(name))}}});
    let named = plugins.iter().map(|plugin| {
        let is_it = json!({"properties": {"plugin": {"const": plugin.name}}, "required": ["plugin"]});
        json!({"if": is_it, "then": config(&plugin.name)})
    });
    let all: Vec<Value> = std::iter::once(stage.clone()).chain(named).collect();
    let by_id = plugins.iter().map(|plugin| {
        let unnamed = json!({"type": "object", "not": {"required": ["plugin"]}});
        let implied = json!({"if": unnamed, "then": config(&plugin.name)});
        (format!("^{}(/.+)?$", plugin.name), json!({"allOf": all.iter().chain([&implied]).collect::<Vec<_>>()}))
    });
    json!({
        "description": "Stages by id: any name.",
        "type": ["object", "null"],
        "patternProperties": by_id.collect::<Map<_, _>>(),
        "additionalProperties": {"allOf": all},
    })
}

fn definition(plugin: &str) -> String {
    format!("plugin-{plugin}")
}

/// Pipelines begin with a signal.
fn close_pipelines(definitions: &mut Map<String, Value>) {
    let pipelines = definitions.get_mut("Service").and_then(|s| s.pointer_mut("/properties/pipelines"));
    if let Some(Value::Object(pipelines)) = pipelines
        && let Some(pipeline) = pipelines.remove("additionalProperties")
    {
        pipelines.insert("patternProperties".to_owned(), json!({"^(traces|metrics|logs)(/.+)?$": pipeline}));
        pipelines.insert("additionalProperties".to_owned(), json!(false));
    }
}

/// Lets a variable stand wherever a number, a truth value or one of several names is asked for.
fn allow_variables(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(allow_variables),
        Value::Object(object) => {
            for (key, value) in object.iter_mut() {
                if !["default", "examples", "enum", "const", "required"].contains(&key.as_str()) {
                    allow_variables(value);
                }
            }
            let typed = object.get("type").and_then(Value::as_str);
            let is_leaf = matches!(typed, Some("integer" | "number" | "boolean"))
                || (object.contains_key("enum") && !object.contains_key("anyOf"))
                || (object.contains_key("const") && typed == Some("string"))
                || nullable_number(object);
            if is_leaf {
                let told = ["description", "default", "title"];
                let (outer, inner): (Map<_, _>, Map<_, _>) =
                    std::mem::take(object).into_iter().partition(|(key, _)| told.contains(&key.as_str()));
                *object = outer;
                object.insert("anyOf".to_owned(), json!([inner, {"$ref": "#/$defs/Substitution"}]));
            }
        }
        _ => {}
    }
}

fn nullable_number(object: &Map<String, Value>) -> bool {
    let types = object.get("type").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    types.iter().any(|t| matches!(t.as_str(), Some("integer" | "number" | "boolean")))
        && !types.contains(&json!("string"))
}

/// Makes the references of a whole schema hold where it is put.
fn move_references(schema: &mut Value, to: &str) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| move_references(item, to)),
        Value::Object(object) => {
            object.remove("$schema");
            for (key, value) in object {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(rest) = target.strip_prefix('#') {
                            *target = format!("{to}{rest}");
                        }
                    }
                    _ => move_references(value, to),
                }
            }
        }
        _ => {}
    }
}
