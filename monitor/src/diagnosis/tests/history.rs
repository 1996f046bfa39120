//! What earlier events add to the diagnosis of later ones.

use jiff::SignedDuration;

use super::*;
use crate::cause::Confidence::{Likely, Possible};

fn at(offset: Duration, event: &ResetEvent) -> ResetEvent {
    let offset = SignedDuration::try_from(offset).expect("a short time");
    ResetEvent { time: event.time + offset, ..event.clone() }
}

fn to_port(port: u16) -> ResetEvent {
    let tuple = samples::bare(Direction::Sent, &format!("10.0.0.5:{port}"), PEER).tuple;
    ResetEvent { tuple, ..answer("NO_SOCKET", None, SYN, 0) }
}

fn idle_for(idle: Duration) -> ResetEvent {
    let idle = Connection {
        idle: Some(idle),
        since_sent: Some(idle),
        since_received: Some(idle),
        ..connection(Role::Client, figures())
    };
    hit(TcpState::Established, idle)
}

#[test]
fn a_scan_is_evidence_of_its_closed_ports() {
    let scan = |diagnosis: &Diagnosis| {
        diagnosis.evidence.iter().find_map(|one| match one {
            Evidence::PortScan { ports, within } => Some((*ports, *within)),
            _ => None,
        })
    };
    let mut diagnoser = Diagnoser::default();
    for port in 1..16 {
        let event = at(milliseconds(100) * port.into(), &to_port(port));
        assert_eq!(scan(&diagnose_with(&mut diagnoser, &event)), None, "{port}");
    }
    let last = diagnose_with(&mut diagnoser, &at(milliseconds(1600), &to_port(16)));
    assert_eq!((last.cause, scan(&last)), (Cause::ClosedPort, Some((16, milliseconds(1500)))));
    let again = diagnose_with(&mut diagnoser, &at(milliseconds(1700), &to_port(16)));
    assert_eq!(scan(&again), Some((16, milliseconds(1600))), "a port counts once");
    let much_later = diagnose_with(&mut diagnoser, &at(seconds(30), &to_port(17)));
    assert_eq!(scan(&much_later), None);
}

#[test]
fn knocking_at_one_port_is_no_scan() {
    let mut diagnoser = Diagnoser::default();
    for attempt in 0..100 {
        let diagnosis = diagnose_with(&mut diagnoser, &at(milliseconds(10) * attempt, &to_port(1)));
        assert!(!diagnosis.evidence.iter().any(|one| matches!(one, Evidence::PortScan { .. })));
    }
}

#[test]
fn an_idle_time_that_comes_again_is_a_timeout() {
    let mut diagnoser = Diagnoser::default();
    let mut check = |minutes: u64, idle: Duration, confidence: Confidence, times: Option<u32>| {
        let diagnosis = diagnose_with(&mut diagnoser, &at(seconds(60 * minutes), &idle_for(idle)));
        assert_eq!((diagnosis.cause, diagnosis.confidence), (Cause::PeerIdleTimeout, confidence), "{idle:?}");
        let found = diagnosis.evidence.iter().find_map(|one| match one {
            Evidence::PeersTimer { times, .. } => Some(*times),
            _ => None,
        });
        assert_eq!(found, times, "{idle:?}");
    };
    check(1, milliseconds(5000), Possible, None);
    check(2, milliseconds(5040), Possible, None);
    check(3, milliseconds(5010), Likely, Some(2));
    check(4, milliseconds(7000), Possible, None);
    check(5, milliseconds(4990), Likely, Some(3));
}

#[test]
fn a_peer_that_goes_on_did_not_send_the_reset() {
    let hit = hit(TcpState::Established, connection(Role::Client, figures()));
    let goes_on = ResetEvent {
        tuple: hit.tuple,
        gone: remains(false, milliseconds(20), Some(milliseconds(1))),
        ..answer("NO_SOCKET", None, PSH_ACK, 1448)
    };
    let mut diagnoser = Diagnoser::default();
    diagnose_with(&mut diagnoser, &hit);
    let diagnosis = diagnose_with(&mut diagnoser, &at(milliseconds(20), &goes_on));
    assert_eq!(diagnosis.cause, Cause::StaleConnection);
    assert_eq!(diagnosis.evidence[0], Evidence::PeerSentAfterReset(milliseconds(20)));

    // From then on it is a sign, and with another one it is believed.
    let ttl = |rst| ResetEvent {
        rst: samples::refused().rst.map(|one| Segment { ttl: rst, ..one }),
        ..hit.clone()
    };
    let next = diagnose_with(&mut diagnoser, &at(seconds(60), &ttl(57)));
    assert_eq!((next.cause, next.confidence), (Cause::Injected, Likely));
    assert!(next.evidence.contains(&Evidence::PeerHasSentAfterReset(1)), "{next:?}");
    let same = diagnose_with(&mut diagnoser, &at(seconds(120), &ttl(64)));
    assert_eq!(same.cause, Cause::PeerResetResponse);
}

/// Several packets were on their way when a close reset the connection; the listener answers those behind the first.
#[test]
fn what_was_on_its_way_when_this_end_reset_the_connection_is_late() {
    let first = sent::unread();
    let next = ResetEvent {
        tuple: first.tuple,
        netns: first.netns,
        state: Some(TcpState::Listen),
        ..answer("TCP_FLAGS", None, PSH_ACK, 1448)
    };
    let mut diagnoser = Diagnoser::default();
    assert_eq!(diagnose_with(&mut diagnoser, &next).cause, Cause::StaleConnection);
    diagnose_with(&mut diagnoser, &first);
    let diagnosis = diagnose_with(&mut diagnoser, &at(milliseconds(2), &next));
    assert_eq!((diagnosis.cause, diagnosis.confidence), (Cause::LateData, Likely));
    assert_eq!(diagnosis.evidence[0], Evidence::OwnReset(milliseconds(2)));
    // Long after, the peer has not learnt of it.
    assert_eq!(diagnose_with(&mut diagnoser, &at(seconds(10), &next)).cause, Cause::StaleConnection);
}

#[test]
fn a_peer_that_is_known_to_have_sent_the_reset_is_not_suspected() {
    let sender = Some(Arc::new(sent::unread()));
    let hit =
        ResetEvent { counterpart: sender, ..hit(TcpState::Established, connection(Role::Client, figures())) };
    let late = ResetEvent {
        tuple: hit.tuple,
        gone: remains(false, milliseconds(20), Some(milliseconds(1))),
        ..answer("NO_SOCKET", None, PSH_ACK, 1448)
    };
    let mut diagnoser = Diagnoser::default();
    diagnose_with(&mut diagnoser, &hit);
    assert_eq!(diagnose_with(&mut diagnoser, &at(milliseconds(20), &late)).cause, Cause::LateData);
}

#[test]
fn a_connection_of_another_namespace_missed_its_translation() {
    let denied = ResetEvent {
        netns: Some(1),
        tuple: samples::bare(Direction::Sent, "192.0.2.1:40000", "198.51.100.7:443").tuple,
        ..answer("NO_SOCKET", None, PSH_ACK, 1448)
    };
    let hit = ResetEvent {
        netns: Some(2),
        tuple: samples::bare(Direction::Received, "10.0.0.2:40000", "198.51.100.7:443").tuple,
        ..hit(TcpState::Established, connection(Role::Client, figures()))
    };
    let check = |first: &ResetEvent, second: &ResetEvent, expected: Cause| {
        let mut diagnoser = Diagnoser::default();
        diagnose_with(&mut diagnoser, first);
        let diagnosis = diagnose_with(&mut diagnoser, &at(milliseconds(50), second));
        assert_eq!(diagnosis.cause, expected);
        diagnosis
    };
    let diagnosis = check(&denied, &hit, Cause::ConntrackBypass);
    assert_eq!(diagnosis.confidence, Likely);
    assert_eq!(diagnosis.evidence[0], Evidence::OtherNamespace { netns: 1, peer: hit.tuple.peer });
    check(&hit, &denied, Cause::ConntrackBypass);
    let same = ResetEvent { netns: Some(2), ..denied.clone() };
    check(&same, &hit, Cause::PeerResetResponse);
    let of_another_network = ResetEvent { tuple: hit.tuple, ..denied.clone() };
    check(&of_another_network, &hit, Cause::PeerResetResponse);
    let other_port = ResetEvent {
        tuple: samples::bare(Direction::Sent, "192.0.2.1:40001", "198.51.100.7:443").tuple,
        ..denied.clone()
    };
    check(&other_port, &hit, Cause::PeerResetResponse);
    let late = at(seconds(60), &hit);
    check(&denied, &late, Cause::PeerResetResponse);
}

#[test]
fn connections_that_end_with_their_process_are_counted() {
    let mut diagnoser = Diagnoser::default();
    let exit = ResetEvent { exit: Some(crate::model::process::Exit::Signal(9)), ..sent::unread() };
    for (index, burst) in [None, Some(1), Some(2)].into_iter().enumerate() {
        let offset = milliseconds(u64::try_from(index).expect("a small number"));
        let diagnosis = diagnose_with(&mut diagnoser, &at(offset, &exit));
        assert_eq!(diagnosis.cause, Cause::ProcessExit);
        let found = diagnosis.evidence.iter().find_map(|one| match one {
            Evidence::Burst(times) => Some(*times),
            _ => None,
        });
        assert_eq!(found, burst);
    }
}
