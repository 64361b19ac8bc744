//! A plugin's config: from the JSON that the host hands over to the plugin's own type.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::Error;

/// What a plugin's config type must be: `#[config]` on a struct or an enum makes it so.
pub trait Config: DeserializeOwned + JsonSchema {}

impl<C: DeserializeOwned + JsonSchema> Config for C {}

/// The config of a plugin that has none; any key is refused.
#[crate::config]
pub struct NoConfig {}

/// Reads a config. No config (`null`) is the same as an empty one. The error begins with the path of the key.
pub(crate) fn parse<C: Config>(json: &str) -> Result<C, Error> {
    let json = if matches!(json.trim(), "" | "null") { "{}" } else { json };
    let deserializer = &mut serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        let problem = without_position(error.into_inner().to_string());
        if path == "." { Error::new(problem) } else { Error::at(path, problem) }
    })
}

/// The JSON Schema (2020-12) of a config type, as text.
pub(crate) fn schema<C: Config>() -> String {
    schemars::schema_for!(C).as_value().to_string()
}

/// Lines and columns of the JSON mean nothing to an operator, who wrote YAML.
fn without_position(mut message: String) -> String {
    if let Some(at) = message.rfind(" at line ") {
        message.truncate(at);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[crate::config]
    #[derive(Debug)]
    #[allow(dead_code)]
    struct Sample {
        /// Which routes.
        routes: Vec<String>,
        #[serde(default)]
        depth: u8,
    }

    fn problem(json: &str) -> String {
        parse::<Sample>(json).err().map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn a_config_error_names_the_key_and_the_mend() {
        assert_eq!(problem(r#"{"routes":["/a",3]}"#), "routes[1]: invalid type: integer `3`, expected a string");
        assert_eq!(problem(r#"{"routs":[]}"#), "routs: unknown field `routs`, expected `routes` or `depth`");
        assert_eq!(problem("null"), "missing field `routes`");
        assert_eq!(problem(r#"{"routes":[],"depth":300}"#), "depth: invalid value: integer `300`, expected u8");
        assert!(parse::<NoConfig>("null").is_ok() && parse::<NoConfig>(r#"{"a":1}"#).is_err());
    }

    #[test]
    fn the_schema_carries_the_doc_comments() {
        let schema = schema::<Sample>();
        assert!(schema.contains("Which routes.") && schema.contains("\"additionalProperties\":false"), "{schema}");
        assert!(schema.contains("https://json-schema.org/draft/2020-12/schema"), "{schema}");
    }
}
