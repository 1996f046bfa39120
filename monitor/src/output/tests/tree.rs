//! JSON whose keys keep their order, to compare shapes with.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// An object, or the text of anything else.
#[derive(Debug, PartialEq)]
pub(super) enum Tree {
    Object(Vec<(String, Tree)>),
    Leaf(String),
}

/// Reads JSON.
pub(super) fn tree(text: &str) -> Tree {
    serde_json::from_str(text).expect("JSON")
}

impl Tree {
    pub(super) fn entries(&self) -> &[(String, Tree)] {
        match self {
            Self::Object(entries) => entries,
            Self::Leaf(_) => &[],
        }
    }

    pub(super) fn keys(&self) -> Vec<&str> {
        self.entries().iter().map(|(key, _)| &**key).collect()
    }

    pub(super) fn get(&self, key: &str) -> &Tree {
        let entry = self.entries().iter().find(|(name, _)| name == key);
        &entry.unwrap_or_else(|| panic!("no key {key}")).1
    }

    /// Every value that is no object, in order, with its path.
    pub(super) fn leaves(&self) -> Vec<(String, String)> {
        match self {
            Self::Leaf(text) => vec![(String::new(), text.clone())],
            Self::Object(entries) => entries.iter().flat_map(|(key, value)| value.leaves_of(key)).collect(),
        }
    }

    fn leaves_of(&self, key: &str) -> Vec<(String, String)> {
        let path = |rest: String| {
            if rest.is_empty() { key.to_owned() } else { format!("{key}_{rest}") }
        };
        self.leaves().into_iter().map(|(rest, text)| (path(rest), text)).collect()
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Node)
    }
}

struct Node;

impl<'de> Visitor<'de> for Node {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Object(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Tree, A::Error> {
        let mut values: Vec<Value> = Vec::new();
        while let Some(value) = sequence.next_element()? {
            values.push(value);
        }
        Ok(Tree::Leaf(Value::from(values).to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Leaf(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf(number.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf("null".to_owned()))
    }
}
