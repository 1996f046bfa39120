//! What every format writes, to the byte; that JSON has the shape it promises; and that no event breaks a line, a
//! column or a terminal.

mod tree;

use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use jiff::tz;
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr as _;

use self::tree::{Tree, tree};
use super::{Color, Context, Format, Printer, escape::escape};
use crate::{
    diagnosis::Diagnoser,
    filter::samples,
    model::{
        Direction, Errno, ResetEvent,
        connection::Gone,
        process::{Exit, Process},
        segment::NetfilterHook,
        workload::{Workload, WorkloadKind},
    },
};

/// The object as the product's contract shows it, with more of its values filled in.
const SCHEMA: &str = r#"{"schema":1,"id":"…","time":"2026-01-31T12:00:00.123456789Z","host":"node1",
 "direction":"received","kernel_reason":null,"state":"ESTABLISHED","family":"ipv4",
 "local":{"addr":"10.0.0.5","port":41322},"peer":{"addr":"10.0.0.9","port":443},"netns":4026531840,
 "errno":"ECONNRESET",
 "process":{"pid":4711,"comm":"python3","exe":"/usr/bin/python3.11","cmdline":["python3","app.py"],"uid":1000,"start_time":"…"},
 "owner_from":"connect",
 "other_holders":[],"kernel_socket":false,"exit":{"kind":"signal","value":9},
 "actor":{"pid":4711,"comm":"python3","exe":"/usr/bin/python3.11","cmdline":["python3","app.py"],"uid":1000,"start_time":"…"},
 "workload":{"kind":"systemd","name":"app.service","container_id":null,"pod_uid":null},"cgroup":"/system.slice/app.service",
 "connection":{"role":"client","age_us":351200000,"idle_us":350010000,"since_sent_us":350010000,"since_received_us":350010500,"bytes_sent":512,"bytes_acked":512,"bytes_received":9000,
   "unacked_bytes":0,"unread_bytes":0,"srtt_us":820,"retransmits":0},
 "gone":{"was":"connection","closed_us":3000},
 "trigger":{"flags":"S","payload_bytes":0,"seq":1,"ack":0,"window":64240,"ttl":64,"ip_id":1,
   "netfilter_hook":"input"},
 "rst":{"ttl":64,"flags":"R","seq":1,"ack":0,"window":0},
 "counterpart":{"id":"…","direction":"sent","kernel_reason":"NO_SOCKET","state":null,"netns":4026531840,
   "errno":"ECONNRESET","process":{"pid":4711,"comm":"python3","exe":"/usr/bin/python3.11","cmdline":["python3","app.py"],"uid":1000,"start_time":"…"},"owner_from":"connect",
   "cause":"close_unread"},
 "incident":"…",
 "cause":"peer_idle_timeout","confidence":"likely",
 "evidence":["idle for 350.0 s, the idle timeout of AWS NLB","nothing was unacknowledged"],
 "summary":"10.0.0.9:443 reset an idle connection of python3[4711] after 350 s",
 "advice":"Send keepalives more often than every 350 s, or retry idempotent requests on a fresh connection."}"#;

const FORMATS: [Format; 4] = [Format::Table, Format::Wide, Format::Json, Format::Csv];

fn printer<W: Write>(format: Format, color: Color, to: W) -> Printer<W> {
    let zone = tz::offset(5).to_time_zone();
    Printer::new(format, Context { host: "node1".into(), color, zone }, to)
}

/// What a printer writes for some events, with the header or without.
fn print<'a>(
    format: Format,
    color: Color,
    header: bool,
    events: impl IntoIterator<Item = &'a ResetEvent>,
) -> String {
    let mut printer = printer(format, color, Vec::new());
    if header {
        printer.header().expect("a header");
    }
    for event in events {
        printer.event(event).expect("a line");
    }
    String::from_utf8(printer.into_inner()).expect("UTF-8")
}

fn line(format: Format, event: &ResetEvent) -> String {
    print(format, Color::Off, false, [event])
}

/// An event with something in every key that can have it.
fn full() -> ResetEvent {
    let samples = samples::all();
    let trigger =
        samples.iter().find_map(|(_, event)| event.trigger.filter(|trigger| trigger.ip_id.is_some()));
    let unread = samples::unread();
    let netfilter_hook = Some(NetfilterHook::Input);
    let (reason, connection) = (unread.reason.clone(), unread.connection);
    let (process, incident) = (samples::refused().process, Some(unread.id()));
    let errno = Some(Errno::ConnectionReset);
    let sender = ResetEvent { state: unread.state, errno, process: process.clone(), ..samples::unread() };
    let workload = Workload {
        kind: WorkloadKind::Kubernetes,
        name: Some("kubepods".into()),
        container_id: Some("0123abcd".into()),
        pod_uid: Some("3e61c214-5fdb".into()),
    };
    let gone = Some(Gone {
        was_listener: false,
        since: Duration::from_millis(3),
        idle: None,
        bytes_sent: 0,
        bytes_acked: 0,
        bytes_received: 0,
    });
    let mut event = ResetEvent {
        reason,
        connection,
        trigger,
        netfilter_hook,
        actor: process,
        exit: Some(Exit::Signal(9)),
        gone,
        cgroup: Some("/kubepods".into()),
        workload: Some(Arc::new(workload)),
        counterpart: Some(Arc::new(ResetEvent { netns: Some(1), ..sender })),
        incident,
        ..samples::refused()
    };
    Diagnoser::default().explain(&mut event);
    event
}

#[test]
fn golden() {
    let events: Vec<ResetEvent> = samples::all().into_iter().map(|(_, event)| event).collect();
    let check = |name: &str, format: Format| {
        let written = print(format, Color::Off, true, &events);
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, written);
        });
    };
    check("table", Format::Table);
    check("wide", Format::Wide);
    check("json", Format::Json);
    check("csv", Format::Csv);
}

#[test]
fn colors_are_all_that_color_adds() {
    const SEQUENCES: [&str; 5] = ["\u{1b}[1m", "\u{1b}[2m", "\u{1b}[33m", "\u{1b}[35m", "\u{1b}[0m"];
    let check = |format: Format, event: &ResetEvent, expected: &[&str]| {
        let colored = print(format, Color::On, true, [event]);
        let plain = SEQUENCES.iter().fold(colored.clone(), |text, sequence| text.replace(sequence, ""));
        assert_eq!(plain, print(format, Color::Off, true, [event]));
        for sequence in expected {
            assert!(colored.contains(sequence), "{colored:?}");
        }
        assert_eq!(colored == plain, expected.is_empty());
    };
    for format in [Format::Table, Format::Wide] {
        check(format, &samples::unread(), &["\u{1b}[33msent\u{1b}[0m"]);
        check(
            format,
            &samples::refused(),
            &["\u{1b}[35mrecv\u{1b}[0m", "\u{1b}[2m", "\u{1b}[1mDIR\u{1b}[0m"],
        );
        check(format, &samples::hostile(), &["\u{1b}[33m"]);
    }
    check(Format::Json, &samples::hostile(), &[]);
    check(Format::Csv, &samples::hostile(), &[]);
}

#[test]
fn json_has_the_keys_of_the_schema_in_their_order() {
    let schema = tree(SCHEMA);
    for (name, event) in samples::all().iter().chain([&("full", full())]) {
        let object = tree(&line(Format::Json, event));
        assert_eq!(object.keys(), schema.keys(), "{name}");
        for (key, value) in object.entries() {
            match value {
                Tree::Object(_) => assert_eq!(value.keys(), schema.get(key).keys(), "{key} of {name}"),
                Tree::Leaf(value) => {
                    assert!(value == "null" || schema.get(key).keys().is_empty(), "{key} of {name}: {value}");
                }
            }
        }
    }
    let full = tree(&line(Format::Json, &full()));
    let unknown = full.leaves().into_iter().filter(|(_, value)| value == "null").map(|(key, _)| key);
    let unknown: Vec<String> = unknown.collect();
    assert_eq!(unknown, Vec::<String>::new());
}

#[test]
fn json_values() {
    let check = |event: &ResetEvent, pointer: &str, expected: serde_json::Value| {
        let object: serde_json::Value = serde_json::from_str(&line(Format::Json, event)).expect("JSON");
        assert_eq!(object.pointer(pointer), Some(&expected), "{pointer}");
    };
    check(&samples::refused(), "/id", "188fcf05453f4d150007".into());
    check(&samples::refused(), "/time", "2026-01-31T12:00:00.123456789Z".into());
    check(&samples::refused(), "/process/start_time", "2026-01-31T11:00:00.000000000Z".into());
    check(&samples::refused(), "/process/comm", "python3".into());
    check(&samples::refused(), "/connection/bytes_sent", 0.into());
    check(&samples::refused(), "/connection/srtt_us", serde_json::Value::Null);
    check(&samples::unread(), "/kernel_reason", "TCP_ABORT_ON_CLOSE".into());
    check(&samples::unread(), "/connection/idle_us", 4000.into());
    check(&samples::unread(), "/process/exe", serde_json::Value::Null);
    check(&samples::unknown_reason(), "/kernel_reason", 77.into());
    check(&samples::ipv6(), "/connection/bytes_sent", serde_json::Value::Null);
    check(&samples::ipv6(), "/peer/addr", "2001:db8::1".into());
    check(&full(), "/cause", "close_unread".into());
    check(&full(), "/confidence", "certain".into());
    check(&full(), "/evidence/1", "1,460 bytes had come and not been read".into());
    check(&full(), "/counterpart/cause", "close_unread".into());
    check(
        &full(),
        "/summary",
        "python3[4711] closed the connection with 1,460 bytes unread, so the kernel reset it; python3[4711] got ECONNRESET; python3[4711] got ECONNREFUSED"
            .into(),
    );
    check(&samples::refused(), "/cause", serde_json::Value::Null);
    check(&samples::hostile(), "/process/comm", "a\u{1b}[2J\"\u{202e},\n".into());
    check(&samples::bare(Direction::Sent, "1.2.3.4:5", "6.7.8.9:0"), "/process", serde_json::Value::Null);
}

#[test]
fn csv_has_the_known_leaves_of_json() {
    let event = full();
    let table = print(Format::Csv, Color::Off, true, [&event]);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(table.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    let json = tree(&line(Format::Json, &event));
    let expected: Vec<(String, String)> = json.leaves().into_iter().collect();
    let written: Vec<(String, String)> =
        rows[0].iter().zip(&rows[1]).map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    assert_eq!(written, expected);
}

#[test]
fn an_event_is_one_write_and_a_broken_pipe_an_error() {
    struct Pipe {
        writes: usize,
        limit: usize,
    }
    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.writes == self.limit {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.writes += 1;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for format in FORMATS {
        let mut printer = printer(format, Color::On, Pipe { writes: 0, limit: 2 });
        let event = samples::refused();
        printer.event(&event).expect("an open pipe");
        printer.event(&event).expect("an open pipe");
        let error = printer.event(&event).expect_err("a broken pipe");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{format:?}");
    }
}

/// Whether the characters are those of lines that end where they should and do nothing else to a terminal.
fn is_one_clean_line(text: &str) -> bool {
    let steers = |character: char| character.is_control() || ('\u{202a}'..='\u{202e}').contains(&character);
    text.strip_suffix('\n').is_some_and(|line| !line.contains(steers))
}

proptest! {
    #[test]
    fn any_event_is_one_clean_line(event in samples::any_event()) {
        for format in FORMATS {
            let line = line(format, &event);
            prop_assert!(is_one_clean_line(&line), "{:?}", line);
        }
    }

    #[test]
    fn the_table_fits_and_keeps_what_identifies(event in samples::any_event()) {
        let line = line(Format::Table, &event);
        prop_assert!(line.trim_end_matches('\n').width() <= 120, "{:?}", line);
        prop_assert!(!line.ends_with(" \n"), "{:?}", line);
        prop_assert!(line.contains(&format!(":{} ", event.tuple.peer.port())), "{:?}", line);
        if let Some(process) = &event.process {
            prop_assert!(line.contains(&format!("[{}]", process.pid)), "{:?}", line);
        }
    }

    #[test]
    fn wide_shortens_nothing(event in samples::any_event()) {
        let line = line(Format::Wide, &event);
        prop_assert!(line.contains(&event.tuple.local.to_string()), "{:?}", line);
        prop_assert!(line.contains(&event.tuple.peer.to_string()), "{:?}", line);
        let peer = event.counterpart.as_ref().and_then(|other| other.process.as_ref());
        for process in event.process.iter().chain(peer) {
            prop_assert!(line.contains(&format!("{}[{}]", escape(process.name()), process.pid)), "{:?}", line);
        }
        let incident = event.incident.map(|id| id.to_string());
        prop_assert!(incident.is_none_or(|id| line.contains(&id)), "{:?}", line);
    }

    #[test]
    fn json_gives_text_back(event in samples::any_event()) {
        let object: serde_json::Value = serde_json::from_str(&line(Format::Json, &event)).expect("JSON");
        let written = object.pointer("/process/comm").and_then(|name| name.as_str());
        prop_assert_eq!(written, event.process.as_ref().map(Process::name));
        let reason = event.reason.as_ref().map(ToString::to_string);
        let written = &object["kernel_reason"];
        let number = written.as_u64().map(|number| number.to_string());
        prop_assert_eq!(written.as_str().map(str::to_owned).or(number), reason);
    }
}
