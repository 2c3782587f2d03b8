//! Holding JSON to its schema.

use serde_json::Value;

/// A schema in `testdata/schema/`.
pub fn read(name: &str) -> Value {
    let path = super::testdata("schema").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).expect("a schema")).expect("JSON")
}

/// The part of JSON Schema that ours uses: type, required, properties, additionalProperties, items, enum, const; no
/// other keys.
pub fn conforms(value: &Value, schema: &Value, path: &str) {
    if let Some(constant) = schema.get("const") {
        assert_eq!(value, constant, "{path}");
    }
    if let Some(list) = schema.get("enum").and_then(Value::as_array) {
        assert!(list.contains(value), "{path}: {value} is not in the schema");
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(
        types.is_empty() || types.contains(&kind),
        "{path}: {kind} is none of {types:?}"
    );
    if let Value::Object(fields) = value {
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            assert!(fields.contains_key(name), "{path}.{name} is absent");
        }
        for (name, field) in fields {
            let part = schema["properties"]
                .get(name)
                .or(schema.get("additionalProperties"))
                .unwrap_or_else(|| panic!("{path}.{name} is not in the schema"));
            conforms(field, part, &format!("{path}.{name}"));
        }
    }
    for item in value.as_array().into_iter().flatten() {
        conforms(item, &schema["items"], &format!("{path}[]"));
    }
}
