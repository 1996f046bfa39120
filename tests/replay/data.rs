//! The recorded variants of the corpus as files: `CAUSE/HOW.events.json` and what stands beside it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

const EVENTS: &str = "events.json";

/// What a recording has no use for: that is in files of its own, or follows from the rest.
const DERIVED: [&str; 6] = ["cause", "confidence", "evidence", "summary", "advice", "counterpart"];

/// One way to come by a cause.
pub(crate) struct Variant {
    /// `cause/how`.
    pub(crate) name: String,
    /// What was told, the event that is meant last.
    pub(crate) events: Vec<Value>,
}

/// All that are recorded, in order of their names.
pub(crate) fn variants() -> Vec<Variant> {
    let mut variants: Vec<_> = files().iter().filter_map(|path| Variant::read(path)).collect();
    variants.sort_by(|one, other| one.name.cmp(&other.name));
    variants
}

impl Variant {
    /// The one in a line of the record; none if no watch has told its event, so that nobody knows the facts.
    pub(crate) fn recorded(line: &Value) -> Option<Self> {
        let event = &line["event"];
        event["facts"].as_object()?;
        let name = line["variant"].as_str().expect("a variant has a name").to_owned();
        let past = line["past"].as_array().expect("what was told before is a list");
        Some(Self { name, events: past.iter().chain([event]).cloned().collect() })
    }

    /// Leaves out the past that makes no difference: the later it was the likelier it stays.
    pub(crate) fn forget(&mut self, makes_no_difference: impl Fn(&[Value]) -> bool) {
        let meant = self.events.len() - 1;
        if makes_no_difference(&self.events[meant..]) {
            self.events.drain(..meant);
        }
        let mut place = 0;
        while place + 1 < self.events.len() {
            let left_out = self.events.remove(place);
            if !makes_no_difference(&self.events) {
                self.events.insert(place, left_out);
                place += 1;
            }
        }
    }

    pub(crate) fn write(&self) {
        let path = self.path(EVENTS);
        let folder = path.parent().expect("a variant is in the folder of its cause");
        fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let lines: Vec<_> = self.events.iter().map(|event| condensed(event).to_string()).collect();
        fs::write(&path, lines.join("\n") + "\n")
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// The file with what programs are told.
    pub(crate) fn json(&self) -> PathBuf {
        self.path("json")
    }

    /// The file with what people are told.
    pub(crate) fn text(&self) -> PathBuf {
        self.path("text")
    }

    fn read(path: &Path) -> Option<Self> {
        let name = path.strip_prefix(folder()).ok()?.to_str()?.strip_suffix(EVENTS)?.strip_suffix('.')?;
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let event = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}"));
        Some(Self { name: name.to_owned(), events: text.lines().map(event).collect() })
    }

    fn path(&self, extension: &str) -> PathBuf {
        folder().join(format!("{}.{extension}", self.name))
    }
}

/// What is left is what its reader needs: no, none and nothing are as good as missing.
fn condensed(value: &Value) -> Value {
    let Some(members) = value.as_object() else { return value.clone() };
    let needed = members.iter().filter(|(key, value)| {
        let is_missing = value.is_null() || **value == false || value.as_array().is_some_and(Vec::is_empty);
        !is_missing && !DERIVED.contains(&key.as_str())
    });
    Value::Object(needed.map(|(key, value)| (key.clone(), condensed(value))).collect())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("replay/data")
}

/// Every file of the data.
fn files() -> Vec<PathBuf> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.expect("a folder can be listed").path()).collect()
    };
    entries(&folder()).iter().filter(|path| path.is_dir()).flat_map(|folder| entries(folder)).collect()
}
