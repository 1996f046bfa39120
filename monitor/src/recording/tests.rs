//! What is recorded is diagnosed as the event itself was, whatever came before it.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{diagnosis::Diagnoser, filter::samples};

fn written(event: &ResetEvent, sight: Sight) -> Value {
    let mut line = Vec::new();
    write(event, "node1", sight, &mut line).expect("a line");
    serde_json::from_slice(&line).expect("JSON")
}

/// Takes away what is null, as whoever keeps recordings may.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let known = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(known.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// Nothing but the object `facts` is added to what users are told.
#[test]
fn users_are_told_the_same() {
    for (name, event) in samples::all() {
        let mut recorded = written(&event, Sight::default());
        let facts = recorded.as_object_mut().expect("an object").remove("facts");
        let mut line = Vec::new();
        json::write(&event, "node1", &mut line).expect("a line");
        assert!(facts.is_some_and(|facts| facts.is_object()), "{name}");
        assert_eq!(recorded, serde_json::from_slice::<Value>(&line).expect("JSON"), "{name}");
    }
}

#[test]
fn what_is_no_recording_is_an_error() {
    let check = |change: fn(&mut Value), expected: &str| {
        let mut value = written(&samples::unread(), Sight::default());
        change(&mut value);
        let error = read(&value).expect_err("no recording");
        assert_eq!(error.to_string(), expected, "{error:?}");
    };
    check(|value| value["facts"] = Value::Null, "no facts");
    check(|value| value["facts"]["netfilter_hook"] = "weather".into(), "no facts");
    check(|value| value["facts"]["connection"]["idle"] = 7.into(), "no facts");
    check(|value| value["schema"] = 2.into(), "no event");
}

prop_compose! {
    fn any_event_with_other_end()(
        mut event in samples::any_event(),
        other in prop::option::of(samples::any_event()),
    ) -> ResetEvent {
        event.counterpart = other.map(|other| Arc::new(ResetEvent { counterpart: None, ..other }));
        event
    }
}

proptest! {
    #[test]
    fn a_recording_is_diagnosed_as_its_event(
        events in vec(any_event_with_other_end(), 1..6),
        (all_senders, firewall) in any::<(bool, bool)>(),
    ) {
        let sight = Sight { all_senders, firewall };
        let (mut then, mut now) = (Diagnoser::new(sight), Diagnoser::new(sight));
        for mut event in events {
            let recording = read(&without_nulls(written(&event, sight)))?;
            prop_assert_eq!(recording.sight, sight);
            let mut again = recording.event;
            prop_assert_eq!(Facts::new(&again, sight), Facts::new(&event, sight));
            then.explain(&mut event);
            now.explain(&mut again);
            prop_assert_eq!(&again.diagnosis, &event.diagnosis);
            let of_other = |event: &ResetEvent| Some(event.counterpart.as_ref()?.diagnosis.clone());
            prop_assert_eq!(of_other(&again), of_other(&event));
            prop_assert_eq!(written(&again, sight)["summary"].clone(), written(&event, sight)["summary"].clone());
        }
    }
}
