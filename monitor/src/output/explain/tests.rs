//! Golden explanations in every language, and what must hold for any event.

use std::{sync::Arc, time::Duration};

use jiff::tz;
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr as _;

use super::*;
use crate::{
    catalogue::{self, Language},
    cause::Confidence,
    diagnosis::Diagnoser,
    filter::samples,
    model::{
        Direction, Errno, ResetEvent, TcpState,
        connection::{Connection, Figures, Role},
        diagnosis::{Diagnosis, Evidence},
        process::{Exit, OwnerFrom},
        workload::{Workload, WorkloadKind},
    },
    output::Color,
};

fn context() -> Context {
    Context { host: "elsewhere".into(), color: Color::Off, zone: tz::offset(2).to_time_zone() }
}

fn layout(language: Language, color: Color, width: usize) -> Layout {
    Layout { width, color, language }
}

fn recorded(event: ResetEvent) -> Recorded {
    Recorded { host: "node1".into(), event }
}

fn explained(event: &ResetEvent, format: Format, layout: Layout) -> String {
    let mut text = Vec::new();
    super::event(&recorded(event.clone()), format, &context(), layout, &mut text).expect("an explanation");
    String::from_utf8(text).expect("UTF-8")
}

fn cause_explained(cause: Cause, format: Format, layout: Layout) -> String {
    let mut text = Vec::new();
    super::cause(cause, format, layout, &mut text).expect("an explanation");
    String::from_utf8(text).expect("UTF-8")
}

fn listed(format: Format, layout: Layout) -> String {
    let mut text = Vec::new();
    causes(format, layout, &mut text).expect("a list");
    String::from_utf8(text).expect("UTF-8")
}

/// Both ends of a connection on this host, of which the server closed too early.
fn both_ends() -> [ResetEvent; 2] {
    let server = ResetEvent {
        workload: Some(Arc::new(Workload {
            kind: WorkloadKind::Systemd,
            name: Some("nginx.service".into()),
            container_id: None,
            pod_uid: None,
        })),
        other_holders: vec![samples::process(901, "nginx"), samples::process(902, "nginx")],
        ..samples::unread()
    };
    let client = ResetEvent {
        time: server.time + Duration::from_micros(31),
        state: Some(TcpState::Established),
        errno: Some(Errno::ConnectionReset),
        process: samples::refused().process,
        owner_from: OwnerFrom::Connect,
        ..samples::bare(Direction::Received, "10.0.0.9:50000", "10.0.0.5:80")
    };
    let joined = |event: &ResetEvent, other: &ResetEvent| {
        let mut event = ResetEvent { counterpart: Some(Arc::new(other.clone())), ..event.clone() };
        Diagnoser::default().explain(&mut event);
        event
    };
    [joined(&server, &client), joined(&client, &server)]
}

/// A peer elsewhere, which ends what is idle for too long.
fn idle() -> ResetEvent {
    let connection = Connection {
        role: Some(Role::Client),
        age: Some(Duration::from_millis(351_200)),
        idle: Some(Duration::from_millis(350_010)),
        since_sent: Some(Duration::from_millis(350_030)),
        since_received: Some(Duration::from_millis(350_010)),
        figures: Some(Figures {
            bytes_sent: 512,
            bytes_acked: 512,
            bytes_received: 9000,
            ..Figures::default()
        }),
        ..Connection::default()
    };
    let facts = vec![
        Evidence::KnownTimer { idle: Duration::from_millis(350_010), name: "AWS NLB" },
        Evidence::UnackedBytes(0),
        Evidence::Told("the moon was full".into()),
    ];
    ResetEvent {
        state: Some(TcpState::Established),
        errno: Some(Errno::ConnectionReset),
        connection: Some(connection),
        diagnosis: Some(diagnosis(Cause::PeerIdleTimeout, Confidence::Likely, facts)),
        ..samples::refused()
    }
}

/// A process that was killed, whose peer is elsewhere.
fn killed() -> ResetEvent {
    let facts = vec![Evidence::Exit(Exit::Signal(9)), Evidence::UnreadBytes(1460)];
    ResetEvent {
        exit: Some(Exit::Signal(9)),
        diagnosis: Some(diagnosis(Cause::ProcessExit, Confidence::Certain, facts)),
        ..samples::unread()
    }
}

fn diagnosis(cause: Cause, confidence: Confidence, evidence: Vec<Evidence>) -> Arc<Diagnosis> {
    Arc::new(Diagnosis { cause, confidence, evidence })
}

fn check(name: &str, text: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn golden_events() {
    let [sent, received] = both_ends();
    let undiagnosed = ResetEvent { diagnosis: None, ..killed() };
    let events = [
        ("close_unread_sent", sent),
        ("close_unread_received", received),
        ("peer_idle_timeout", idle()),
        ("process_exit", killed()),
        ("undiagnosed", undiagnosed),
        ("hostile", samples::hostile()),
    ];
    for language in Language::ALL {
        for (name, event) in &events {
            let text = explained(event, Format::Table, layout(language, Color::Off, 80));
            check(&format!("{name}_{}", language.as_str()), &text);
        }
    }
    check("event_json", &explained(&idle(), Format::Json, layout(Language::English, Color::Off, 80)));
}

#[test]
fn golden_causes() {
    for language in Language::ALL {
        let layout = layout(language, Color::Off, 100);
        check(&format!("causes_{}", language.as_str()), &listed(Format::Table, layout));
        let explain = |cause| cause_explained(cause, Format::Table, layout);
        let texts = [Cause::SocketKilled, Cause::ConnectionRefused, Cause::ResetAfterClose].map(explain);
        check(&format!("cause_{}", language.as_str()), &texts.join("\n=====\n\n"));
    }
    check(
        "cause_json",
        &cause_explained(Cause::SocketKilled, Format::Json, layout(Language::English, Color::Off, 80)),
    );
}

#[test]
fn the_list_in_json_has_all_texts_of_all_causes() {
    for language in Language::ALL {
        let text = listed(Format::Json, layout(language, Color::On, 0));
        assert_eq!(text.lines().count(), Cause::ALL.len());
        for (line, cause) in text.lines().zip(Cause::ALL) {
            let object: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let texts = catalogue::texts(cause, language);
            for (pointer, expected) in [
                ("/language", language.as_str()),
                ("/name", cause.as_str()),
                ("/title", texts.title),
                ("/what_happened", texts.what_happened),
                ("/why_it_happens", texts.why_it_happens),
                ("/advice/this", texts.advice_here),
                ("/advice/other", texts.advice_there),
                ("/confirm", texts.confirm),
            ] {
                assert_eq!(
                    object.pointer(pointer).and_then(|text| text.as_str()),
                    Some(expected),
                    "{pointer}"
                );
            }
            let is_complete =
                |error: &serde_json::Value| error["programs"].as_array().map(Vec::len) == Some(6);
            assert!(object["errors"].as_array().expect("a list").iter().all(is_complete));
        }
    }
}

#[test]
fn advice_is_for_the_end_that_the_event_is_of() {
    let [sent, received] = both_ends();
    let check = |event: &ResetEvent, pointer: &str, expected: &str| {
        let text = explained(event, Format::Json, layout(Language::English, Color::Off, 80));
        let object: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let value = object.pointer(pointer).unwrap_or_else(|| panic!("{pointer} of {text}"));
        assert_eq!(value.as_str().map_or_else(|| value.to_string(), str::to_owned), expected);
    };
    let texts = catalogue::texts(Cause::CloseUnread, Language::English);
    check(&sent, "/advice/this", texts.advice_here);
    check(&received, "/advice/this", texts.advice_there);
    check(&sent, "/errors/0/ends/0", "other");
    check(&sent, "/errors/0/presumed", "false");
    check(&received, "/errors/0/ends/0", "this");
    check(&killed(), "/errors/0/presumed", "true");
    check(&sent, "/timeline/3/what", "rst_sent");
    check(&sent, "/timeline/4/what", "rst_received");
    check(&sent, "/timeline/4/at_us", "31");
    check(&received, "/timeline/0/at_us", "-31");
    let mut other = ResetEvent::clone(received.counterpart.as_deref().expect("a counterpart"));
    other.time = received.time + Duration::from_micros(26);
    let overtaken = ResetEvent { counterpart: Some(Arc::new(other)), ..received };
    check(&overtaken, "/timeline/0/what", "rst_sent");
    check(&overtaken, "/timeline/0/at_us", "0");
}

/// That every mark of direction has its other half on the same line, and stands on lines alone that need it.
fn check_marks(text: &str) -> Result<(), TestCaseError> {
    for line in text.lines() {
        let (mut depth, mut deepest) = (0_usize, 0_usize);
        for character in line.chars() {
            match character {
                '\u{2066}'..='\u{2068}' => depth += 1,
                '\u{2069}' => {
                    prop_assert!(depth > 0, "closes too much: {:?}", line);
                    depth -= 1;
                }
                _ => {}
            }
            deepest = deepest.max(depth);
        }
        prop_assert_eq!(depth, 0, "left open: {:?}", line);
        prop_assert!(deepest <= 2, "too deep: {:?}", line);
        let has_arabic = line.contains(|character| ('\u{621}'..='\u{64a}').contains(&character));
        prop_assert!(!has_arabic || line.starts_with("\u{200f}\u{2067}"), "not marked: {:?}", line);
    }
    Ok(())
}

fn is_mark(character: char) -> bool {
    "\u{200f}\u{2067}\u{2068}\u{2069}".contains(character)
}

#[test]
fn marks_are_balanced_in_all_texts() {
    let layout = layout(Language::Arabic, Color::Off, 60);
    for cause in Cause::ALL {
        check_marks(&cause_explained(cause, Format::Table, layout)).expect("balanced");
    }
    check_marks(&listed(Format::Table, layout)).expect("balanced");
    let english = Layout { language: Language::English, ..layout };
    assert!(!listed(Format::Table, english).contains(is_mark));
}

proptest! {
    #[test]
    fn any_event_is_explained_in_clean_lines_that_fit(
        event in samples::any_event(), width in 0..200_usize, language in prop::sample::select(Language::ALL.to_vec()),
    ) {
        let text = explained(&event, Format::Table, layout(language, Color::Off, width));
        check_marks(&text)?;
        let plain = text.replace(is_mark, "");
        let width = width.clamp(crate::output::page::NARROWEST, crate::output::page::WIDEST);
        for line in plain.lines() {
            prop_assert!(line.width() <= width, "{} > {}: {:?}", line.width(), width, line);
            let steers = |character: char| character.is_control() || ('\u{202a}'..='\u{202e}').contains(&character);
            prop_assert!(!line.contains(steers), "{:?}", line);
        }
        if language == Language::English {
            prop_assert_eq!(&plain, &text);
        }
        // A name may be as long as several lines.
        let together: String = plain.split_whitespace().collect();
        if let Some(process) = &event.process {
            prop_assert!(together.contains(&format!("[{}]", process.pid)), "{}", plain);
        }
    }

    /// What is read back from JSON is explained as before, as far as JSON carries it.
    #[test]
    fn an_event_is_explained_alike_after_a_round_trip(
        event in samples::any_event(), language in prop::sample::select(Language::ALL.to_vec()),
    ) {
        let mut line = Vec::new();
        crate::output::json::write(&event, "node1", &mut line).expect("a line");
        let read = crate::input::Events::new(&*line).read().expect("an event").expect("an event");
        let layout = layout(language, Color::Off, 80);
        prop_assert_eq!(
            explained(&read.event, Format::Json, layout),
            explained(&with_what_json_carries(event), Format::Json, layout)
        );
    }
}

/// The event without what JSON rounds or leaves out, and explanations show.
fn with_what_json_carries(mut event: ResetEvent) -> ResetEvent {
    let micros = |time: Duration| Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    if let Some(connection) = &mut event.connection {
        for time in [
            &mut connection.age,
            &mut connection.idle,
            &mut connection.since_sent,
            &mut connection.since_received,
        ] {
            *time = time.map(micros);
        }
    }
    if let Some(gone) = &mut event.gone {
        gone.since = micros(gone.since);
    }
    event
}
