//! The corpus diagnosed again: events that were recorded when the kernel tests made them, and what a diagnosis said of them
//! then. Needs neither root nor a kernel that can do it.
//!
//! Of each variant there are in `data`: `NAME.events.json`, the events in the order in which they were told, one a line, of
//! which the last is meant; `NAME.json`, what programs are told of that one; and `NAME.text`, what people are. `cargo xtask
//! record` makes them anew; with `INSTA_UPDATE=always` the last two become what is said now.

mod data;

use std::{collections::BTreeMap, env, fs, path::Path};

use resetmon::{
    catalogue::{self, Language},
    diagnosis::Diagnoser,
    model::ResetEvent,
    recording,
};
use serde_json::{Map, Value};

use crate::data::Variant;

/// The variable that says what to do when something else is said than before.
const UPDATE: &str = "INSTA_UPDATE";

/// The members of an event that a diagnosis makes.
const SAID: [&str; 5] = ["cause", "confidence", "evidence", "summary", "advice"];

#[test]
fn what_was_said_is_said_again() {
    let update = env::var(UPDATE).is_ok_and(|update| update == "always");
    let variants = data::variants();
    assert!(!variants.is_empty(), "there is nothing to be replayed");
    let mut others = Vec::new();
    for variant in variants {
        let event = replayed(&variant.events);
        for (path, said) in [(variant.json(), json_of(&event)), (variant.text(), text_of(&event))] {
            let before = fs::read_to_string(&path).unwrap_or_default();
            if update {
                write(&path, &said);
            } else if before != said {
                others.push(format!("{}\nsaid before:\n{before}\nsaid now:\n{said}", path.display()));
            }
        }
    }
    assert!(
        others.is_empty(),
        "if all of this is right, run with {UPDATE}=always\n\n{}",
        others.join("\n\n")
    );
}

/// What `cargo xtask record` starts: makes the data of a record of the corpus. What must be said is what resetmon has said
/// of the real resets, so that a replay that says something else fails. What this kernel cannot make stays as it is.
#[test]
#[ignore = "makes the data anew: cargo xtask record"]
fn record() {
    let path = env::var_os("RESETMON_CORPUS").expect("RESETMON_CORPUS names the record of the corpus");
    let record = fs::read_to_string(path).expect("the record");
    let mut variants = BTreeMap::new();
    for line in record.lines() {
        let line: Value = serde_json::from_str(line).expect("a line of the record is JSON");
        let Some(mut variant) = Variant::recorded(&line) else { continue };
        let told = said(variant.events.last().expect("the event that is meant"));
        let name = variant.name.clone();
        for key in ["cause", "confidence"] {
            assert_eq!(told[key], line["wanted"][key], "{name} was wrong: it is no model");
        }
        let again = |events: &[Value]| said_of(&replayed(events)) == told;
        assert!(again(&variant.events), "{name}: a replay says something else than\n{told:#?}");
        variant.forget(again);
        assert!(variants.insert(name, (variant, told)).is_none(), "two variants have the name of one");
    }
    for (variant, told) in variants.values() {
        variant.write();
        write(&variant.json(), &pretty(told));
        write(&variant.text(), &text_of(&replayed(&variant.events)));
    }
}

#[test]
fn the_past_that_matters_is_kept() {
    let check = |needed: &[u64], expected: &[u64]| {
        let events = [1, 2, 3, 4, 9].map(Value::from).to_vec();
        let mut variant = Variant { name: "x/y".into(), events };
        variant.forget(|events| needed.iter().all(|one| events.contains(&Value::from(*one))));
        assert_eq!(variant.events, expected, "{needed:?}");
    };
    check(&[], &[9]);
    check(&[2, 4], &[2, 4, 9]);
    check(&[1, 2, 3, 4], &[1, 2, 3, 4, 9]);
}

/// The last of some events, diagnosed with the others as its past.
fn replayed(events: &[Value]) -> ResetEvent {
    let recordings = events.iter().map(|event| {
        recording::read(event).unwrap_or_else(|error| panic!("no recording: {error:?}\n{event}"))
    });
    let mut recordings: Vec<_> = recordings.collect();
    let sight = recordings.last().expect("a variant has events").sight;
    let mut diagnoser = Diagnoser::new(sight);
    for recording in &mut recordings {
        diagnoser.explain(&mut recording.event);
    }
    recordings.pop().expect("a variant has events").event
}

fn json_of(event: &ResetEvent) -> String {
    pretty(&said_of(event))
}

fn said_of(event: &ResetEvent) -> Map<String, Value> {
    said(&serde_json::to_value(resetmon::output::json::Reset::new(event, "host")).expect("JSON"))
}

fn said(event: &Value) -> Map<String, Value> {
    SAID.iter().map(|key| ((*key).to_owned(), event[*key].clone())).collect()
}

fn pretty(said: &Map<String, Value>) -> String {
    serde_json::to_string_pretty(said).expect("JSON") + "\n"
}

fn text_of(event: &ResetEvent) -> String {
    let diagnosis = event.diagnosis.as_deref().expect("a diagnosis");
    let summary = |language| catalogue::summary(event, diagnosis, language) + "\n";
    Language::ALL.map(summary).concat()
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
