//! Whether a JSON value has everything that is expected of it, and what it lacks.

use serde_json::Value;

/// What `actual` lacks of `expected`, a line each; nothing when it matches. Other members do not matter.
pub(crate) fn differences(expected: &Value, actual: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(expected, actual, "", &mut found);
    found
}

fn compare(expected: &Value, actual: &Value, path: &str, found: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            for (name, value) in expected {
                let path = format!("{path}.{name}");
                match actual.get(name) {
                    Some(actual) => compare(value, actual, &path, found),
                    None => found.push(format!("{path} is not there")),
                }
            }
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                compare(expected, actual, &format!("{path}[{index}]"), found);
            }
        }
        _ if expected == actual => {}
        _ => found.push(format!("{path} is {actual}, not {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(expected: &Value, actual: &Value, differences: &[&str]) {
        assert_eq!(super::differences(expected, actual), differences);
    }

    #[test]
    fn a_subset_matches() {
        check(&json!({}), &json!({"a": 1}), &[]);
        check(
            &json!({"a": {"b": [1, {"c": null}]}}),
            &json!({"a": {"b": [1, {"c": null, "d": 2}], "e": 3}}),
            &[],
        );
    }

    #[test]
    fn differences_are_named_by_their_path() {
        check(
            &json!({"a": {"b": 1}, "c": null}),
            &json!({"a": {"b": 2}}),
            &[".a.b is 2, not 1", ".c is not there"],
        );
        check(&json!({"a": [1]}), &json!({"a": [1, 2]}), &[".a is [1,2], not [1]"]);
        check(&json!({"a": [1, 2]}), &json!({"a": [1, 3]}), &[".a[1] is 3, not 2"]);
        check(&json!({"a": 1}), &json!({"a": null}), &[".a is null, not 1"]);
        check(&json!({"a": "1"}), &json!({"a": 1}), &[".a is 1, not \"1\""]);
    }
}
