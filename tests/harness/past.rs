//! What a diagnosis may have known when it was made: the events that were told before, by the same watch. Neutral: nothing
//! in it is of this machine alone.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, Weak},
};

use serde_json::Value;

use crate::watch::{Told, as_recorded};

/// The most that is asked for, the latest: the number of a network namespace is soon that of another, which may have had
/// thousands of resets.
const MOST: usize = 200;

/// What every watch of this process has told.
static WATCHES: Mutex<Vec<Weak<Told>>> = Mutex::new(Vec::new());

/// Where an event comes from can be asked as long as somebody has what was told with it.
pub(crate) fn remember(told: &Arc<Told>) {
    let mut watches = WATCHES.lock().expect("no panic with the lock");
    watches.retain(|watch| watch.strong_count() > 0);
    watches.push(Arc::downgrade(told));
}

/// The events that were told before this one and may have to do with it, in that order; none of one that no watch told.
pub(crate) fn of(event: &Value) -> Vec<Value> {
    let watches: Vec<Arc<Told>> =
        WATCHES.lock().expect("no panic with the lock").iter().filter_map(Weak::upgrade).collect();
    // Several watches have seen it, each in its own time.
    let before = |told: &Arc<Told>| {
        let events = told.lock();
        let position = events.iter().position(|one| one == event)?;
        let related = events[..position].iter().rev().filter(|one| is_related(one, event));
        let mut latest: Vec<_> = related.take(MOST).map(neutral).collect();
        latest.reverse();
        Some(latest)
    };
    watches.iter().find_map(before).unwrap_or_default()
}

/// A copy that could be of any machine: without paths, arguments and groups of processes. What is null may be missing.
pub(crate) fn neutral(event: &Value) -> Value {
    pruned(&as_recorded(event.clone()))
}

fn pruned(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let known = members.iter().filter(|(key, value)| {
                !value.is_null() && !matches!(key.as_str(), "exe" | "cmdline" | "cgroup" | "workload")
            });
            let neutral = |(key, value): (&String, &Value)| {
                let value = if key == "host" { "host".into() } else { pruned(value) };
                (key.clone(), value)
            };
            Value::Object(known.map(neutral).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(pruned).collect()),
        other => other.clone(),
    }
}

/// They have a network namespace, an address that is the same in all of them, or a process in common.
fn is_related(one: &Value, other: &Value) -> bool {
    let others = traits(other);
    traits(one).iter().any(|of_one| others.contains(of_one))
}

fn traits(event: &Value) -> Vec<(&'static str, &Value)> {
    let ends = [event, &event["counterpart"]];
    let places = ends.map(|end| ("netns", &end["netns"]));
    let processes = ends.map(|end| ("pid", &end["process"]["pid"]));
    let addresses = ["local", "peer"].map(|end| ("address", &event[end]["addr"]));
    let known = places.into_iter().chain(processes).chain(addresses);
    known.filter(|(_, value)| !value.is_null() && !is_loopback(value)).collect()
}

fn is_loopback(value: &Value) -> bool {
    let address = value.as_str().and_then(|text| text.parse::<IpAddr>().ok());
    address.is_some_and(|address| address.to_canonical().is_loopback())
}
