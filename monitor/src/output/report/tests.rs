//! What a report says, to the byte, in both languages; how it groups and collapses; and that nothing in it steers a
//! terminal.

use std::sync::Arc;

use jiff::{SignedDuration, tz};
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr as _;

use super::{Report, WIDTH};
use crate::{
    catalogue::Language,
    diagnosis::Diagnoser,
    filter::samples,
    model::{Direction, Errno, ResetEvent, process::Process},
    output::{Color, Context},
};

fn report<'a>(events: impl IntoIterator<Item = &'a ResetEvent>) -> Report {
    let mut report = Report::default();
    events.into_iter().for_each(|event| report.add(event));
    report
}

fn text(report: &Report, command: &str, language: Language, color: Color) -> String {
    let context = Context { host: "node1".into(), color, zone: tz::offset(5).to_time_zone() };
    let mut text = Vec::new();
    report.write(command, language, &context, &mut text).expect("memory");
    String::from_utf8(text).expect("UTF-8")
}

fn english(report: &Report) -> String {
    text(report, "pytest", Language::English, Color::Off)
}

fn explained(mut event: ResetEvent) -> ResetEvent {
    Diagnoser::default().explain(&mut event);
    event
}

/// A reset of a connection of python3 with this end.
fn refused(peer: &str) -> ResetEvent {
    let mut event = samples::refused();
    event.tuple.peer = peer.parse().expect("a socket address");
    explained(event)
}

/// Two causes, several peers and processes, both directions; what Python got, and a name that lies in wait.
fn events() -> Vec<ResetEvent> {
    let mut events = vec![refused("10.0.0.9:443"), refused("10.0.0.9:443"), refused("[2001:db8::9]:443")];
    events.extend((0..5).map(|port| refused(&format!("10.0.0.7:{}", 40_000 + port))));
    let mut other = refused("10.0.0.9:443");
    other.process = Some(samples::process(4712, "worker\u{1b}[2J"));
    other.time += SignedDuration::from_secs(1);
    events.push(other);
    events.push(explained(samples::unread()));
    events
}

#[test]
fn golden() {
    let report = report(&events());
    for language in Language::ALL {
        let text = text(&report, "pytest", language, Color::Off);
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(format!("report-{}", language.as_str()), text);
        });
    }
}

#[test]
fn nothing_is_one_line() {
    let report = Report::default();
    assert!(report.is_empty());
    assert_eq!(english(&report), "resetmon: no resets hit pytest or the processes that it started\n");
    let arabic = text(&report, "pytest", Language::Arabic, Color::On);
    assert_eq!(arabic, "resetmon: لم تُصب أي إعادة ضبط pytest ولا العمليات التي بدأها\n");
}

#[test]
fn who_sent_and_who_was_hit() {
    let first_line = |events: &[ResetEvent]| {
        let text = english(&report(events));
        let (_, counts) = text.lines().next().and_then(|line| line.rsplit_once(": ")).expect("a headline");
        counts.to_owned()
    };
    let (hit, own) = (refused("10.0.0.9:443"), explained(samples::unread()));
    assert_eq!((own.direction, own.errno), (Direction::Sent, None));
    let told = ResetEvent { errno: Some(Errno::ConnectionAborted), ..own.clone() };
    assert_eq!(first_line(std::slice::from_ref(&hit)), "1 reset hit them");
    assert_eq!(first_line(std::slice::from_ref(&own)), "they sent 1 reset");
    assert_eq!(first_line(&[hit.clone(), told, own.clone()]), "2 resets hit them; they sent 1 reset");
    assert_eq!(first_line(&[own.clone(), own, hit]), "1 reset hit them; they sent 2 resets");
}

#[test]
fn peers_are_counted_and_ports_collapse() {
    let check = |peers: &[&str], expected: &[&str]| {
        let events: Vec<ResetEvent> = peers.iter().map(|peer| refused(peer)).collect();
        let text = english(&report(&events));
        let lines: Vec<&str> =
            text.lines().map(str::trim).filter(|line| line.contains(" received from ")).collect();
        assert_eq!(lines, expected, "{text}");
    };
    check(&["10.0.0.9:443"], &["1 received from 10.0.0.9:443"]);
    check(
        &["10.0.0.9:1", "10.0.0.9:2", "10.0.0.9:2"],
        &["2 received from 10.0.0.9:2", "1 received from 10.0.0.9:1"],
    );
    check(
        &["10.0.0.9:1", "10.0.0.9:2", "10.0.0.9:3", "10.0.0.9:4", "10.0.0.9:1"],
        &["5 received from 10.0.0.9, various ports"],
    );
    check(&["[::1]:443"], &["1 received from [::1]:443"]);
    let many: Vec<String> = (1..=12).map(|host| format!("10.0.0.{host}:443")).collect();
    let events: Vec<ResetEvent> = many.iter().map(|peer| refused(peer)).collect();
    assert!(english(&report(&events)).contains("   2 received from other peers\n"));
}

#[test]
fn a_flood_is_counted_in_little_room() {
    let mut report = Report::default();
    let mut event = refused("10.0.0.9:443");
    for host in 0..5000_u32 {
        event.tuple.peer.set_ip(std::net::Ipv4Addr::from_bits(host).into());
        event.process = Some(samples::process(host + 1, "worker"));
        report.add(&event);
    }
    let text = english(&report);
    assert!(text.contains(": 5000 resets hit them\n"), "{text}");
    assert!(text.contains("   4990 received from other peers\n"), "{text}");
    assert!(text.contains("worker[4] and others\n"), "{text}");
}

#[test]
fn the_error_is_shown_where_the_language_is_known() {
    let check = |exe: Option<&str>, expected: Option<&str>| {
        let mut event = refused("10.0.0.9:443");
        let process = event.process.as_mut().expect("an owner");
        let mut details = process.details.as_deref().expect("details").clone();
        details.exe = exe.map(Into::into);
        *process = Process { details: Some(Arc::new(details)), comm: "python3".into(), ..process.clone() };
        let text = english(&report([&event]));
        let shown = ["Python: ", "Java: ", "Node.js: "].into_iter().find(|label| text.contains(label));
        assert_eq!(shown, expected, "{exe:?}: {text}");
    };
    check(Some("/usr/bin/python3.11"), Some("Python: "));
    check(None, Some("Python: "));
    check(Some("/usr/lib/jvm/bin/java"), Some("Java: "));
    check(Some("/usr/bin/node"), Some("Node.js: "));
    check(Some("/usr/bin/curl"), None);
}

proptest! {
    #[test]
    fn every_event_is_written_safely(event in samples::any_event(), command in any::<String>()) {
        let event = explained(event);
        for language in Language::ALL {
            let text = text(&report([&event]), &command, language, Color::Off);
            let control = |character: char| character.is_control() && character != '\n';
            prop_assert!(!text.contains(control), "{text:?}");
            for line in text.lines().skip(1) {
                // Only what cannot be broken is longer.
                let words = line.split(' ').filter(|word| !word.is_empty()).count();
                prop_assert!(line.width() <= WIDTH || words <= 2 || line.contains(": "), "{line}");
            }
        }
    }
}
