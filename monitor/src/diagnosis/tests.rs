//! Which event gets which cause: a table with a row for every cause and for the neighbours that it must not be taken for,
//! the same without the kernel's reasons, and the laws that hold for any event.

mod history;
mod received;
mod sent;

use std::{collections::HashSet, sync::Arc, time::Duration};

use proptest::{collection::vec, prelude::*};

use super::{Diagnoser, Sight, mechanism::mechanism, rules::rules};
use crate::{
    cause::{Cause, Confidence},
    filter::samples,
    model::{
        Direction, Reason, ResetEvent, TcpState,
        connection::{Connection, Figures, Gone, Role, Socket},
        diagnosis::{Diagnosis, Evidence},
        process::OwnerFrom,
        segment::{Segment, TcpFlags},
    },
};

/// What an event must be diagnosed as.
struct Row {
    name: &'static str,
    event: ResetEvent,
    cause: Cause,
    confidence: Confidence,
}

/// Told from many events, each of which has another cause.
const OF_MANY_EVENTS: [Cause; 1] = [Cause::PortScan];

/// Told only after another event: their rows are among those of the history.
const OF_TWO_EVENTS: [Cause; 1] = [Cause::ConntrackBypass];

const SYN: u8 = 2;
const ACK: u8 = 16;
const PSH_ACK: u8 = 24;
const SYN_ACK: u8 = 18;

const LOCAL: &str = "10.0.0.5:80";
const PEER: &str = "10.0.0.9:50000";

fn row(name: &'static str, event: ResetEvent, cause: Cause, confidence: Confidence) -> Row {
    Row { name, event, cause, confidence }
}

fn rows() -> Vec<Row> {
    sent::rows().into_iter().chain(received::rows()).collect()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn diagnose(event: &ResetEvent) -> Arc<Diagnosis> {
    diagnose_with(&mut Diagnoser::default(), event)
}

fn diagnose_with(diagnoser: &mut Diagnoser, event: &ResetEvent) -> Arc<Diagnosis> {
    let mut event = event.clone();
    diagnoser.explain(&mut event);
    event.diagnosis.expect("a diagnosis")
}

/// Figures of a connection that has answered a request.
fn figures() -> Figures {
    Figures {
        bytes_sent: 512,
        bytes_acked: 512,
        bytes_received: 9000,
        srtt: milliseconds(1),
        ..Figures::default()
    }
}

fn connection(role: Role, figures: Figures) -> Connection {
    Connection {
        role: Some(role),
        age: Some(seconds(20)),
        idle: Some(milliseconds(4)),
        since_sent: Some(milliseconds(8)),
        since_received: Some(milliseconds(4)),
        since_acked: Some(milliseconds(4)),
        handshake_ttl: Some(64),
        figures: Some(figures),
    }
}

/// A socket that is being closed by its process.
fn closing() -> Socket {
    Socket {
        state_at_event: Some(TcpState::Close),
        receive_shutdown: true,
        send_shutdown: true,
        ..Socket::default()
    }
}

/// A reset that a socket sends by itself, from its process.
fn active(reason: &str, state: TcpState, socket: Socket) -> ResetEvent {
    let process = Some(samples::process(812, "gunicorn"));
    ResetEvent {
        reason: Some(Reason::Named(reason.into())),
        state: Some(state),
        acting: process.clone(),
        process,
        owner_from: OwnerFrom::Current,
        connection: Some(connection(Role::Server, figures())),
        socket: Some(socket),
        ..samples::bare(Direction::Sent, LOCAL, PEER)
    }
}

/// The same from a timer.
fn timed(reason: &str, state: TcpState, socket: Socket) -> ResetEvent {
    ResetEvent { acting: None, ..active(reason, state, Socket { state_at_event: Some(state), ..socket }) }
}

/// A reset in answer to a packet.
fn answer(reason: &str, state: Option<TcpState>, flags: u8, payload_bytes: u32) -> ResetEvent {
    let trigger =
        Segment { flags: TcpFlags(flags), payload_bytes, seq: 1, ack: 1, window: 1, ttl: 64, ip_id: None };
    ResetEvent {
        reason: Some(Reason::Named(reason.into())),
        state,
        trigger: Some(trigger),
        ..samples::bare(Direction::Sent, LOCAL, PEER)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "an event has it as an option")]
fn remains(was_listener: bool, since: Duration, idle: Option<Duration>) -> Option<Gone> {
    Some(Gone { was_listener, since, idle, bytes_sent: 10, bytes_acked: 10, bytes_received: 10 })
}

/// A reset that hits a client.
fn hit(state: TcpState, connection: Connection) -> ResetEvent {
    ResetEvent {
        state: Some(state),
        process: Some(samples::process(4711, "python3")),
        owner_from: OwnerFrom::Connect,
        connection: Some(connection),
        socket: Some(Socket { state_at_event: Some(state), ..Socket::default() }),
        ..samples::bare(Direction::Received, PEER, LOCAL)
    }
}

#[test]
fn every_row_has_its_cause() {
    for Row { name, event, cause, confidence } in rows() {
        let diagnosis = diagnose(&event);
        assert_eq!((diagnosis.cause, diagnosis.confidence), (cause, confidence), "{name}: {diagnosis:?}");
        assert!(!diagnosis.evidence.is_empty(), "{name}: nothing speaks for it");
    }
}

#[test]
fn every_cause_has_a_rule_and_a_row() {
    let of_rows: HashSet<Cause> = rows().iter().map(|row| row.cause).collect();
    let all_rules = [Direction::Sent, Direction::Received].map(rules);
    let of_rules: HashSet<Cause> = all_rules.into_iter().flatten().map(|rule| rule.cause).collect();
    for cause in Cause::ALL.into_iter().filter(|cause| !OF_MANY_EVENTS.contains(cause)) {
        assert!(of_rows.contains(&cause) || OF_TWO_EVENTS.contains(&cause), "no row for {cause:?}");
        assert!(of_rules.contains(&cause) || cause == Cause::Unknown, "no rule for {cause:?}");
    }
}

#[test]
fn rules_are_for_the_direction_of_their_cause() {
    for direction in [Direction::Sent, Direction::Received] {
        for rule in rules(direction) {
            assert!(rule.cause.fits(direction), "{:?} {direction:?}", rule.cause);
            assert!(!rule.evidence.is_empty(), "{:?}", rule.cause);
        }
    }
}

/// Without a reason the same is derived or nothing, and what is concluded is the same or less.
#[test]
fn kernels_that_tell_no_reason_are_not_misread() {
    let rank = |confidence| Confidence::ALL.iter().position(|known| *known == confidence);
    let mut derived = 0;
    for Row { name, event, cause, confidence } in rows() {
        let unspecified = Some(Reason::Named("NOT_SPECIFIED".into()));
        for reason in [None, unspecified].into_iter().filter(|_| event.reason.is_some()) {
            let untold = ResetEvent { reason, ..event.clone() };
            let told = mechanism(&event).map(|(mechanism, _)| mechanism);
            let found = mechanism(&untold).map(|(mechanism, _)| mechanism);
            let is_named = matches!(&event.reason, Some(Reason::Named(_)));
            assert!(
                found.is_none() || found == told || told.is_none() || !is_named,
                "{name}: {found:?}, not {told:?}"
            );
            let diagnosis = diagnose(&untold);
            let less = rank(diagnosis.confidence) >= rank(confidence);
            let same = diagnosis.cause == cause && less;
            let is_unknown = [diagnosis.cause, cause].contains(&Cause::Unknown);
            assert!(same || is_unknown, "{name}: {diagnosis:?}");
            derived += usize::from(same && cause != Cause::Unknown);
        }
    }
    assert!(derived >= 60, "only {derived}");
}

#[test]
fn the_sender_knows_best() {
    let sender = sent::unread();
    let receiver = ResetEvent {
        counterpart: Some(Arc::new(sender.clone())),
        ..hit(TcpState::Established, connection(Role::Client, figures()))
    };
    let mut event = receiver.clone();
    Diagnoser::default().explain(&mut event);
    let diagnosis = event.diagnosis.expect("a diagnosis");
    assert_eq!((diagnosis.cause, diagnosis.confidence), (Cause::CloseUnread, Confidence::Certain));
    assert_eq!(diagnosis.evidence[..2], [Evidence::SenderIsHere, Evidence::UnreadBytes(4096)]);
    let other = event.counterpart.and_then(|other| other.diagnosis.clone()).expect("the other one's");
    assert_eq!(other.cause, Cause::CloseUnread);
    assert_eq!(other.evidence[0], Evidence::UnreadBytes(4096));

    let mut event = ResetEvent { counterpart: Some(Arc::new(receiver)), ..sender };
    Diagnoser::default().explain(&mut event);
    assert_eq!(event.diagnosis.expect("a diagnosis").cause, Cause::CloseUnread);
    let other = event.counterpart.and_then(|other| other.diagnosis.clone()).expect("the other one's");
    assert_eq!((other.cause, &other.evidence[0]), (Cause::CloseUnread, &Evidence::SenderIsHere));
}

#[test]
fn a_sender_that_does_not_know_leaves_it_to_the_receiver() {
    let sender = ResetEvent { reason: Some(Reason::Unknown(77)), ..sent::unread() };
    let mut event = ResetEvent {
        counterpart: Some(Arc::new(sender)),
        ..hit(TcpState::Established, connection(Role::Client, figures()))
    };
    Diagnoser::default().explain(&mut event);
    assert_eq!(event.diagnosis.expect("a diagnosis").cause, Cause::PeerResetResponse);
    let other = event.counterpart.and_then(|other| other.diagnosis.clone()).expect("the other one's");
    assert_eq!(other.cause, Cause::Unknown);
}

/// Both ends tell more than one: that the client had rested says that the connection had.
#[test]
fn without_a_sender_where_all_are_seen_it_was_the_firewall() {
    let local = |event: ResetEvent| ResetEvent {
        tuple: samples::bare(Direction::Received, "127.0.0.1:1", "127.0.0.1:2").tuple,
        ..event
    };
    let check = |sight: Sight, event: &ResetEvent, expected: Cause| {
        assert_eq!(diagnose_with(&mut Diagnoser::new(sight), event).cause, expected, "{sight:?}");
    };
    let refused = hit(TcpState::SynSent, Connection::default());
    let here = local(refused.clone());
    let all = Sight { all_senders: true, firewall: false };
    check(all, &here, Cause::FirewallReject);
    check(all, &refused, Cause::ConnectionRefused);
    check(Sight { firewall: true, ..all }, &here, Cause::ConnectionRefused);
    check(Sight::default(), &here, Cause::ConnectionRefused);
    let sender = Some(Arc::new(local(answer("NO_SOCKET", None, SYN, 0))));
    check(all, &ResetEvent { counterpart: sender, ..here }, Cause::ClosedPort);
}

proptest! {
    #[test]
    fn any_events_are_diagnosed_and_again_the_same(events in vec(samples::any_event(), 1..8)) {
        let run = || {
            let mut diagnoser = Diagnoser::new(Sight { all_senders: true, firewall: false });
            events.iter().map(|event| diagnose_with(&mut diagnoser, event)).collect::<Vec<_>>()
        };
        let diagnoses = run();
        for (event, diagnosis) in events.iter().zip(&diagnoses) {
            prop_assert!(diagnosis.cause.fits(event.direction), "{:?}", diagnosis);
        }
        prop_assert_eq!(run(), diagnoses);
    }

    #[test]
    fn what_a_kernel_does_not_specify_it_does_not_tell(event in samples::any_event()) {
        let unspecified = ResetEvent { reason: Some(Reason::Named("NOT_SPECIFIED".into())), ..event.clone() };
        prop_assert_eq!(mechanism(&ResetEvent { reason: None, ..event }), mechanism(&unspecified));
    }
}
