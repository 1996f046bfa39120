//! What outputs write is read back, and what nobody wrote is refused with its place.

use std::io::BufReader;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{filter::samples, output};

fn written(event: &ResetEvent) -> String {
    let mut line = Vec::new();
    output::json::write(event, "node1", &mut line).expect("a line");
    String::from_utf8(line).expect("UTF-8")
}

fn read(text: &str) -> Result<Vec<Recorded>, InputError> {
    let mut events = Events::new(text.as_bytes());
    std::iter::from_fn(|| events.read().transpose()).collect()
}

/// The error, with its causes, that a text leads to.
fn error(text: &str) -> String {
    let error = read(text).expect_err("not readable");
    let mut message = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        message.push_str(": ");
        message.push_str(&cause.to_string());
        source = cause.source();
    }
    message
}

/// An event as it is written, with one value changed, or taken away.
fn changed(pointer: &str, value: Option<serde_json::Value>) -> String {
    let (_, event) = samples::all().into_iter().next().expect("samples");
    let mut object: serde_json::Value = serde_json::from_str(&written(&event)).expect("JSON");
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = object.pointer_mut(parent).expect("its object").as_object_mut().expect("an object");
    match value {
        Some(value) => parent.insert(key.to_owned(), value),
        None => parent.remove(key),
    };
    object.to_string()
}

#[test]
fn any_layout_of_several_events_is_read() {
    let events: Vec<_> = samples::all().into_iter().map(|(_, event)| event).collect();
    let lines: String = events.iter().map(written).collect();
    let read_lines = read(&lines).expect("events");
    assert_eq!(read_lines.len(), events.len());
    assert!(read_lines.iter().all(|recorded| &*recorded.host == "node1"));
    assert_eq!(read(&lines.replace('\n', "")).expect("events"), read_lines);
    let pretty: Vec<_> = lines
        .lines()
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
            format!("\r\n{value:#}\n\n")
        })
        .collect();
    assert_eq!(read(&pretty.concat()).expect("events"), read_lines);
    assert_eq!(read("").expect("nothing"), []);
    assert_eq!(read(" \n\t\r\n").expect("nothing"), []);
}

#[test]
fn unknown_keys_are_passed_over_and_missing_ones_not_known() {
    let check = |pointer: &str, value: Option<serde_json::Value>| {
        let text = changed(pointer, value);
        assert!(read(&text).is_ok(), "{text}: {}", error(&text));
    };
    check("/weather", Some(json!({"sun": [1, 2.5, null]})));
    check("/process/weather", Some("sun".into()));
    for pointer in [
        "/process",
        "/errno",
        "/connection",
        "/evidence",
        "/counterpart",
        "/family",
        "/owner_from",
        "/summary",
    ] {
        check(pointer, None);
        check(pointer, Some(json!(null)));
    }
}

#[test]
fn errors_name_the_place() {
    let check = |text: &str, expected: &str| assert_eq!(error(text), expected);
    let check_changed = |pointer: &str, value: serde_json::Value, expected: &str| {
        assert_eq!(error(&changed(pointer, Some(value))), format!("line 1: no event: {expected}"));
    };
    check("TIME  DIR\n", "line 1, column 1: no JSON: expected value");
    check("\n  {\"schema\":1,}", "line 2, column 15: no JSON: trailing comma");
    check("{\"schema\":1,\n\"id\" 7}", "line 2, column 6: no JSON: expected `:`");
    check("{\"schema\":1", "line 1, column 11: no JSON: EOF while parsing an object");
    check("[]", "line 1: no event: the whole is a list, not an object");
    check("null", "line 1: no event: the whole is null, not an object");
    check("{}", "line 1: no event: schema is missing");
    check(&(written(&samples::unread()) + "{\"schema\":1}"), "line 2: no event: host is missing");
    check_changed("/schema", json!(2), "schema is 2, not 1, the schema that this resetmon reads");
    check_changed("/schema", json!("1"), "schema is \"1\", not a whole number up to 4294967295");
    check_changed("/direction", json!("up"), "direction is \"up\", not one of sent, received");
    check_changed("/local/port", json!(65536), "local.port is 65536, not a whole number up to 65535");
    check_changed("/local/port", json!(-1), "local.port is -1, not a whole number up to 65535");
    check_changed("/peer/addr", json!("a\u{1b}[2J"), r#"peer.addr is "a\u{1b}[2J", not an IP address"#);
    check_changed("/process/pid", json!(null), "process.pid is missing");
    check_changed("/process/cmdline", json!(["a", 1]), "process.cmdline[1] is 1, not a text");
    check_changed("/connection", json!([]), "connection is a list, not an object");
    check_changed(
        "/connection/age_us",
        json!(1.5),
        "connection.age_us is 1.5, not a whole number up to 18446744073709551615",
    );
    check_changed("/rst/flags", json!("RX"), "rst.flags is \"RX\", not some of the letters FSRPAUEC");
    check_changed("/family", json!("ipv6"), "family is \"ipv6\", not ipv4, as the peer is");
    check_changed(
        "/time",
        json!("yesterday"),
        "time is \"yesterday\", not a time such as 2026-01-31T12:00:00.123456789Z",
    );
    let id = "id is \"188fcf05453f4d160007\", not 188fcf05453f4d150007, which its time asks for";
    check_changed("/id", json!("188fcf05453f4d160007"), id);
    check_changed(
        "/id",
        json!("+88fcf05453f4d160007"),
        "id is \"+88fcf05453f4d160007\", not an id of 20 hexadecimal digits",
    );
    let cause = error(&changed("/cause", Some("weather".into())));
    assert!(cause.starts_with("line 1: no event: cause is \"weather\", not one of closed_port, "), "{cause}");
    assert_eq!(error(&changed("/confidence", None)), "line 1: no event: confidence is missing");
    let long = error(&changed("/direction", Some("x".repeat(10_000).into())));
    assert!(long.len() < 150, "{long}");
}

#[test]
fn what_never_ends_is_given_up() {
    let endless = BufReader::new(io::repeat(b'"'));
    assert!(matches!(
        Events::new(endless).read(),
        Err(InputError::Syntax { line: 1, column: 2.., .. } | InputError::Invalid { .. })
    ));
    let endless = BufReader::new(b"{\"a\":\"".as_slice().chain(io::repeat(b'x')));
    assert!(matches!(Events::new(endless).read(), Err(InputError::TooLong { line: 1 })));
    let deep = "{\"a\":".repeat(100_000);
    assert!(error(&deep).contains("recursion limit"), "{}", error(&deep));
}

proptest! {
    /// What is read back is written as before, words and all: nothing of what JSON carries is lost.
    #[test]
    fn an_event_survives_being_written_and_read(event in samples::any_event()) {
        let line = written(&event);
        let recorded = read(&line).map_err(|_| TestCaseError::fail(error(&line)))?;
        prop_assert_eq!(recorded.len(), 1);
        prop_assert_eq!(written(&recorded[0].event), line);
    }

    #[test]
    fn any_text_is_an_event_or_an_error(text in ".{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn any_cut_is_an_error(event in samples::any_event(), at in any::<prop::sample::Index>()) {
        let line = written(&event);
        let line = line.trim_end();
        let cut: String = line.chars().take(1 + at.index(line.chars().count() - 1)).collect();
        prop_assert!(matches!(read(&cut), Err(InputError::Syntax { .. })), "{:?}", cut);
    }
}
