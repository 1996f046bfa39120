//! Evidence and summaries: complete in every language, with the same numbers and names.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    filter::samples,
    model::{
        Reason, ResetEvent, TcpState,
        connection::{AcceptQueue, Gone},
        diagnosis::{Diagnosis, Evidence},
        process::Exit,
        segment::{NetfilterHook, TcpFlags},
    },
};

/// One of each fact; a new one does not compile before it has its place here.
fn facts() -> Vec<Evidence> {
    let place = |fact: &Evidence| match fact {
        Evidence::SenderIsHere => 0,
        Evidence::KernelReason(_) => 1,
        Evidence::State(_) => 2,
        Evidence::NoSocket => 3,
        Evidence::Trigger { .. } => 4,
        Evidence::UnreadBytes(_) => 5,
        Evidence::UnackedBytes(_) => 6,
        Evidence::BytesSent(_) => 7,
        Evidence::BytesReceived(_) => 8,
        Evidence::Idle(_) => 9,
        Evidence::IdleBeforeClose(_) => 10,
        Evidence::KnownTimer { .. } => 11,
        Evidence::PeersTimer { .. } => 12,
        Evidence::SinceSent(_) => 13,
        Evidence::SinceReceived(_) => 14,
        Evidence::Pause(_) => 15,
        Evidence::RoundTrip(_) => 16,
        Evidence::SinceClose(_) => 17,
        Evidence::ListenedUntil(_) => 18,
        Evidence::NothingRemembered => 19,
        Evidence::TtlDiffers { .. } => 20,
        Evidence::FasterThanRoundTrip { .. } => 21,
        Evidence::PeerSentAfterReset(_) => 22,
        Evidence::PeerHasSentAfterReset(_) => 23,
        Evidence::AcceptQueue(_) => 24,
        Evidence::KeepaliveProbes(_) => 25,
        Evidence::UserTimeout(_) => 26,
        Evidence::LingerZero => 27,
        Evidence::Linger2Negative => 28,
        Evidence::NotShutDown => 29,
        Evidence::Orphaned => 30,
        Evidence::NeverAccepted => 31,
        Evidence::Exit(_) => 32,
        Evidence::Burst(_) => 33,
        Evidence::Actor { .. } => 34,
        Evidence::PortScan { .. } => 35,
        Evidence::Firewall(_) => 36,
        Evidence::NoLocalSender => 37,
        Evidence::Mptcp => 38,
        Evidence::OtherNamespace { .. } => 39,
        Evidence::OwnReset(_) => 40,
        // In whatever words it was told.
        Evidence::Told(_) => usize::MAX,
    };
    let time = Duration::from_millis(350_010);
    let facts = vec![
        Evidence::SenderIsHere,
        Evidence::KernelReason(Reason::Named("TCP_STATE".into())),
        Evidence::State(TcpState::Established),
        Evidence::NoSocket,
        Evidence::Trigger { flags: TcpFlags(24), bytes: 1448 },
        Evidence::UnreadBytes(4096),
        Evidence::UnackedBytes(33),
        Evidence::BytesSent(5_000_000),
        Evidence::BytesReceived(77),
        Evidence::Idle(time),
        Evidence::IdleBeforeClose(time),
        Evidence::KnownTimer { idle: time, name: "AWS NLB" },
        Evidence::PeersTimer { idle: time, times: 3 },
        Evidence::SinceSent(time),
        Evidence::SinceReceived(time),
        Evidence::Pause(time),
        Evidence::RoundTrip(time),
        Evidence::SinceClose(time),
        Evidence::ListenedUntil(time),
        Evidence::NothingRemembered,
        Evidence::TtlDiffers { handshake: 64, rst: 57 },
        Evidence::FasterThanRoundTrip { after: Duration::from_millis(5), round_trip: time },
        Evidence::PeerSentAfterReset(time),
        Evidence::PeerHasSentAfterReset(44),
        Evidence::AcceptQueue(AcceptQueue { length: 129, limit: 128 }),
        Evidence::KeepaliveProbes(9),
        Evidence::UserTimeout(time),
        Evidence::LingerZero,
        Evidence::Linger2Negative,
        Evidence::NotShutDown,
        Evidence::Orphaned,
        Evidence::NeverAccepted,
        Evidence::Exit(Exit::Signal(9)),
        Evidence::Burst(12),
        Evidence::Actor { comm: "ss".into(), pid: 99 },
        Evidence::PortScan { ports: 16, within: time },
        Evidence::Firewall(NetfilterHook::Input),
        Evidence::NoLocalSender,
        Evidence::Mptcp,
        Evidence::OtherNamespace { netns: 4_026, peer: "10.0.0.9:443".parse().expect("an address") },
        Evidence::OwnReset(time),
    ];
    for (index, fact) in facts.iter().enumerate() {
        assert_eq!(place(fact), index, "{fact:?}");
    }
    facts
}

fn diagnosis(cause: Cause, evidence: Vec<Evidence>) -> Diagnosis {
    Diagnosis { cause, confidence: Confidence::Likely, evidence }
}

/// A reset between two processes of this host, seen from either end.
fn both_ends() -> [ResetEvent; 2] {
    let sender = ResetEvent { actor: Some(samples::process(99, "ss")), ..samples::unread() };
    let receiver = ResetEvent {
        process: Some(samples::process(4711, "python3")),
        errno: Some(Errno::ConnectionReset),
        ..samples::bare(Direction::Received, "10.0.0.9:50000", "10.0.0.5:80")
    };
    let with = |event: &ResetEvent, other: &ResetEvent| ResetEvent {
        counterpart: Some(Arc::new(other.clone())),
        ..event.clone()
    };
    [with(&sender, &receiver), with(&receiver, &sender)]
}

/// Groups of digits and names, in alphabetical order: what must not change with the language.
fn untranslated(text: &str) -> Vec<String> {
    let is_part =
        |character: char| character.is_ascii_digit() || character.is_ascii_uppercase() || character == '_';
    let parts = text.split(|character| !is_part(character)).filter(|part| part.len() > 1);
    let mut parts: Vec<_> = parts.map(str::to_owned).collect();
    parts.sort_unstable();
    parts
}

#[test]
fn every_fact_is_said_in_every_language_with_its_numbers() {
    for fact in facts() {
        let english = evidence(&fact, Language::English);
        for language in Language::ALL {
            let text = evidence(&fact, language);
            check(&format!("{fact:?} in {}", language.as_str()), &text, language);
            assert!(!text.ends_with(['.', ':']), "part of a list: {text}");
            assert_eq!(untranslated(&text), untranslated(&english), "{text} is not {english}");
        }
    }
}

#[test]
fn every_fact_can_be_read_back_from_its_english_words() {
    let check = |fact: &Evidence| {
        let words = evidence(fact, Language::English);
        let read = fact_from_words(&words).unwrap_or_else(|| panic!("no fact is said as {words:?}"));
        assert_eq!(std::mem::discriminant(&read), std::mem::discriminant(fact), "{words}");
        for language in Language::ALL {
            assert_eq!(evidence(&read, language), evidence(fact, language));
        }
    };
    facts().iter().for_each(check);
    check(&Evidence::UnackedBytes(0));
    check(&Evidence::BytesSent(0));
    check(&Evidence::BytesReceived(0));
    check(&Evidence::UnreadBytes(1));
    check(&Evidence::Trigger { flags: TcpFlags(2), bytes: 0 });
    check(&Evidence::KernelReason(Reason::Unknown(77)));
    check(&Evidence::KeepaliveProbes(1));
    check(&Evidence::Burst(1));
    check(&Evidence::Idle(Duration::from_micros(820)));
    check(&Evidence::Idle(Duration::MAX));
    check(&Evidence::Exit(Exit::Code(255)));
    check(&Evidence::Exit(Exit::Signal(63)));
    check(&Evidence::Actor { comm: "a[1] did it,\n".into(), pid: 7 });
    for words in ["", "idle", "idle for 3 s", "idle for 3.0 s, the idle timeout of nobody", "مدة الخمول"]
    {
        assert_eq!(fact_from_words(words), None, "{words}");
    }
}

#[test]
fn every_cause_has_a_summary_in_every_language() {
    for cause in Cause::ALL {
        for facts in [Vec::new(), facts()] {
            let diagnosis = diagnosis(cause, facts);
            for event in both_ends() {
                let english = summary(&event, &diagnosis, Language::English);
                for language in Language::ALL {
                    let text = summary(&event, &diagnosis, language);
                    check(&format!("{} in {}", cause.as_str(), language.as_str()), &text, language);
                    assert!(!text.ends_with(['.', ':']), "whoever shows it ends it: {text}");
                    assert!(text.contains("ECONNRESET"), "nobody is told: {text}");
                    assert!(text.contains("python3[4711]"), "the victim is not named: {text}");
                    assert_eq!(untranslated(&text), untranslated(&english), "{text} is not {english}");
                }
            }
            let [sent, received] = both_ends().map(|event| summary(&event, &diagnosis, Language::English));
            assert_eq!(sent, received, "the ends disagree about {cause:?}");
        }
    }
}

#[test]
fn summaries_name_who_did_what() {
    let check = |event: &ResetEvent, cause: Cause, facts: Vec<Evidence>, english: &str, arabic: &str| {
        let diagnosis = diagnosis(cause, facts);
        assert_eq!(summary(event, &diagnosis, Language::English), english);
        assert_eq!(summary(event, &diagnosis, Language::Arabic), arabic);
    };
    let [sent, _] = both_ends();
    check(
        &sent,
        Cause::CloseUnread,
        vec![Evidence::UnreadBytes(4096)],
        "nginx[900] closed the connection with 4,096 bytes unread, so the kernel reset it; python3[4711] got ECONNRESET",
        "أغلق nginx[900] الاتصال وفيه 4,096 بايت لم تُقرأ، فأعادت النواة ضبطه؛ وتلقى python3[4711] الخطأ ECONNRESET",
    );
    check(
        &ResetEvent { counterpart: None, ..sent },
        Cause::ProcessExit,
        vec![Evidence::Exit(Exit::Signal(9))],
        "nginx[900] ended (signal 9 (SIGKILL)) with the connection to 10.0.0.9:50000 open",
        "انتهت العملية nginx[900] (الإشارة 9 (SIGKILL)) والاتصال مع 10.0.0.9:50000 مفتوح",
    );
    check(
        &ResetEvent { errno: None, ..samples::refused() },
        Cause::PeerIdleTimeout,
        vec![Evidence::KnownTimer { idle: Duration::from_millis(350_010), name: "AWS NLB" }],
        "10.0.0.9:443 reset an idle connection of python3[4711] after 350 s",
        "أعاد 10.0.0.9:443 ضبط اتصال خامل لدى python3[4711] بعد 350 ثانية",
    );
    check(
        &samples::bare(Direction::Sent, "10.0.0.5:81", "10.0.0.9:50000"),
        Cause::ClosedPort,
        Vec::new(),
        "10.0.0.9:50000 tried to connect to 10.0.0.5:81, where nobody listens",
        "حاول 10.0.0.9:50000 الاتصال بالعنوان 10.0.0.5:81 ولا أحد يستمع عليه",
    );
}

#[test]
fn who_listened_once_is_named_only_to_who_asks_for_the_port() {
    let gone = Gone {
        was_listener: true,
        since: Duration::from_secs(1),
        idle: None,
        bytes_sent: 0,
        bytes_acked: 0,
        bytes_received: 0,
    };
    let event = ResetEvent {
        process: Some(samples::process(900, "nginx")),
        gone: Some(gone),
        ..samples::bare(Direction::Sent, "10.0.0.5:80", "10.0.0.9:443")
    };
    for cause in Cause::ALL {
        let text = summary(&event, &diagnosis(cause, facts()), Language::English);
        assert_eq!(text.contains("nginx"), cause == Cause::ClosedPort, "{text}");
    }
}

#[test]
fn one_of_a_thing_is_not_several() {
    let check = |fact: Evidence, expected: &str| assert_eq!(evidence(&fact, Language::English), expected);
    check(Evidence::UnreadBytes(1), "1 byte had come and not been read");
    check(Evidence::KeepaliveProbes(1), "1 keepalive probe had no answer");
    check(Evidence::UnackedBytes(0), "nothing was unacknowledged");
    check(Evidence::Exit(Exit::Code(1)), "the process ended with exit code 1");
    check(Evidence::Exit(Exit::Signal(63)), "the process ended with signal 63");
}
