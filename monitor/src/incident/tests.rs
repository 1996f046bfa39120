//! Both ends of a reset find each other, nothing is lost or told twice, nothing waits for too long, and no two events
//! are joined that are not of one reset.

use std::{collections::HashSet, time::Duration};

use jiff::SignedDuration;
use proptest::{collection::vec, prelude::*};

use super::{CONNECTION_LIMIT, Incidents, LIMIT, LONG_WINDOW, WINDOW};
use crate::{
    filter::samples,
    hold::{HOLD, HOLD_AGAIN},
    model::{
        Direction, FourTuple, ResetEvent,
        connection::{SequenceNumbers, Socket},
        segment::{NetfilterHook, Segment, TcpFlags},
    },
};

const CLIENT: &str = "10.0.0.1:40000";
const SERVER: &str = "10.0.0.2:80";
const SYN: u8 = 2;

/// Time since the host started, when tests start.
const START: Duration = Duration::from_secs(100);

fn sequence(snd_una: u32, snd_nxt: u32, rcv_nxt: Option<u32>) -> Socket {
    let sequence = Some(SequenceNumbers { snd_una, snd_nxt, rcv_nxt });
    Socket { sequence, ..Socket::default() }
}

/// The event of the end at the server that resets connection number `connection`, after some microseconds.
fn sent(netns: u32, connection: u32, at: i64) -> ResetEvent {
    let event = samples::bare(Direction::Sent, SERVER, CLIENT);
    ResetEvent {
        netns: Some(netns),
        time: event.time + SignedDuration::from_micros(at),
        socket: Some(sequence(1000 * connection, 1000 * connection + 10, Some(5000 * connection))),
        ..event
    }
}

/// The event of the client that is hit.
fn received(netns: u32, connection: u32, at: i64) -> ResetEvent {
    ResetEvent {
        direction: Direction::Received,
        tuple: samples::bare(Direction::Received, CLIENT, SERVER).tuple,
        socket: Some(sequence(5000 * connection, 5000 * connection, Some(1000 * connection + 10))),
        ..sent(netns, connection, at)
    }
}

/// A port where nobody listens answers the first packet of a connection.
fn refused(netns: u32, isn: u32, at: i64) -> ResetEvent {
    ResetEvent { socket: None, trigger: Some(packet(SYN, isn, 0)), ..sent(netns, 0, at) }
}

fn connecting(netns: u32, isn: u32, at: i64) -> ResetEvent {
    ResetEvent { socket: Some(sequence(isn, isn.wrapping_add(1), None)), ..received(netns, 0, at) }
}

fn packet(flags: u8, seq: u32, ack: u32) -> Segment {
    Segment { flags: TcpFlags(flags), payload_bytes: 0, seq, ack, window: 0, ttl: 64, ip_id: None }
}

fn without_sequence(event: ResetEvent) -> ResetEvent {
    ResetEvent { socket: None, trigger: None, ..event }
}

/// Another connection of the client.
fn of_port(port: u16) -> FourTuple {
    samples::bare(Direction::Received, &format!("10.0.0.1:{port}"), SERVER).tuple
}

/// No event is held.
fn nothing() -> HashSet<FourTuple> {
    HashSet::new()
}

/// What is told of events that arrive at once and in this order.
fn told(events: impl IntoIterator<Item = ResetEvent>) -> Vec<ResetEvent> {
    let (mut incidents, mut told) = (Incidents::default(), Vec::new());
    let now = START;
    for (sequence, event) in (0..).zip(events) {
        incidents.take(ResetEvent { sequence, ..event }, now, &mut told);
    }
    incidents.release(now + WINDOW, &nothing(), &mut told);
    assert_eq!(incidents.due_in(now), None);
    assert!(incidents.by_connection.is_empty());
    told
}

fn alone(event: &ResetEvent) -> ResetEvent {
    ResetEvent { counterpart: None, ..event.clone() }
}

/// How many joined events there are; fails where a join is not mutual or has no common name.
fn joined(events: &[ResetEvent]) -> usize {
    for event in events {
        let Some(counterpart) = &event.counterpart else {
            assert_eq!(event.incident, None);
            continue;
        };
        let other =
            events.iter().find(|other| other.id() == counterpart.id()).expect("the other end is told");
        assert_eq!(**counterpart, alone(other));
        assert_eq!(other.counterpart.as_deref(), Some(&alone(event)));
        assert_ne!(event.direction, other.direction);
        assert_eq!(event.incident, Some(event.id().min(other.id())));
    }
    events.iter().filter(|event| event.counterpart.is_some()).count()
}

/// Of these events, in this order and in the reverse one, so many are joined.
#[track_caller]
fn check(events: &[ResetEvent], expected: usize) {
    assert_eq!(joined(&told(events.to_vec())), expected);
    assert_eq!(joined(&told(events.iter().rev().cloned())), expected);
}

#[test]
fn both_ends_of_one_namespace_are_told_as_soon_as_they_have_met() {
    let (mut incidents, mut told) = (Incidents::default(), Vec::new());
    let now = START;
    incidents.take(received(1, 1, 0), now, &mut told);
    assert!(told.is_empty());
    incidents.take(ResetEvent { sequence: 8, ..sent(1, 1, 5) }, now, &mut told);
    assert_eq!(
        told.iter().map(|event| event.direction).collect::<Vec<_>>(),
        [Direction::Received, Direction::Sent]
    );
    assert_eq!(joined(&told), 2);
    assert_eq!(incidents.due_in(now), None);
}

#[test]
fn the_earlier_one_names_the_incident_and_comes_first() {
    for events in [[sent(1, 1, 5), received(1, 1, 9)], [received(1, 1, 9), sent(1, 1, 5)]] {
        let told = told(events);
        assert_eq!(told[0].direction, Direction::Sent);
        assert_eq!(told[1].incident, Some(told[0].id()));
        assert_eq!(joined(&told), 2);
    }
}

#[test]
fn one_end_is_told_alone_when_its_time_has_come() {
    let (mut incidents, mut told) = (Incidents::default(), Vec::new());
    let now = START;
    incidents.take(sent(1, 1, 0), now, &mut told);
    assert_eq!(incidents.due_in(now), Some(WINDOW));
    let almost = now + WINDOW.saturating_sub(Duration::from_nanos(1));
    incidents.release(almost, &nothing(), &mut told);
    assert!(told.is_empty());
    assert_eq!(incidents.due_in(almost), Some(Duration::from_nanos(1)));
    incidents.release(now + WINDOW, &nothing(), &mut told);
    assert_eq!((told.len(), joined(&told)), (1, 0));
    incidents.take(received(1, 1, 0), now + WINDOW, &mut told);
    incidents.finish(&mut told);
    assert_eq!((told.len(), joined(&told)), (2, 0));
}

#[test]
fn live_output_is_at_most_50_ms_late() {
    let (slack, late) = (Duration::from_millis(5), Duration::from_millis(50));
    assert!(HOLD + slack <= WINDOW && HOLD_AGAIN < LONG_WINDOW && LONG_WINDOW + slack <= late);
}

/// What an event has been held before counts: it is let go before one that happened later.
#[test]
fn the_time_before_counts() {
    let (mut incidents, mut told) = (Incidents::default(), Vec::new());
    let now = START;
    incidents.take(sent(1, 1, 0), now + HOLD, &mut told);
    incidents.take(received(1, 2, 0), now, &mut told);
    assert_eq!(incidents.due_in(now + HOLD), Some(WINDOW.saturating_sub(HOLD)));
    incidents.release(now + WINDOW, &nothing(), &mut told);
    assert_eq!(told.iter().map(|event| event.direction).collect::<Vec<_>>(), [Direction::Received]);
    assert_eq!(incidents.due_in(now + WINDOW), Some(HOLD));
}

/// The owner of the other end is still in doubt when the time of this one has come.
#[test]
fn an_end_that_is_held_is_waited_for() {
    let (mut incidents, mut told) = (Incidents::default(), Vec::new());
    let other = sent(1, 1, 0);
    let held = HashSet::from([other.at_receiver()]);
    incidents.take(received(1, 1, 1), START, &mut told);
    incidents.take(ResetEvent { sequence: 8, ..received(1, 2, 1) }, START, &mut told);
    incidents.take(ResetEvent { sequence: 9, tuple: of_port(40001), ..received(1, 1, 1) }, START, &mut told);
    incidents.release(START + WINDOW, &held, &mut told);
    assert_eq!(told.len(), 1);
    incidents.take(other, START, &mut told);
    assert_eq!((told.len(), joined(&told)), (3, 2));
    let almost = LONG_WINDOW.saturating_sub(Duration::from_nanos(1));
    incidents.release(START + almost, &held, &mut told);
    assert_eq!(told.len(), 3);
    incidents.release(START + LONG_WINDOW, &held, &mut told);
    assert_eq!((told.len(), joined(&told)), (4, 2));
}

#[test]
fn ends_in_different_namespaces_are_joined() {
    check(&[sent(1, 1, 0), received(2, 1, 5)], 2);
    check(&[refused(1, 77, 0), connecting(2, 77, 5)], 2);
    check(&[ResetEvent { netns: None, ..refused(1, 77, 0) }, connecting(2, 77, 5)], 2);
}

#[test]
fn the_own_namespace_comes_first() {
    check(&[sent(1, 1, 0), received(2, 1, 1), received(1, 1, 900)], 2);
    let told = told([received(2, 1, 0), sent(1, 1, 1), received(1, 1, 900)]);
    assert_eq!(told[0].netns, told[1].netns);
}

#[test]
fn several_other_namespaces_are_none() {
    check(&[sent(1, 1, 0), received(2, 1, 1), received(3, 1, 1)], 0);
    check(&[sent(1, 1, 0), received(2, 1, 1), sent(3, 1, 0), received(4, 1, 1)], 0);
    check(&[received(2, 1, 1), sent(1, 1, 0), sent(3, 1, 0)], 0);
}

/// What has been found ambiguous is not joined when the others have gone.
#[test]
fn doubt_stays() {
    let (mut incidents, mut told) = (Incidents::default(), Vec::new());
    let now = START;
    let at = |milliseconds| now + Duration::from_millis(milliseconds);
    incidents.take(sent(1, 1, 0), now, &mut told);
    incidents.take(received(2, 1, 1), at(1), &mut told);
    incidents.take(received(3, 1, 2), at(2), &mut told);
    incidents.take(ResetEvent { sequence: 8, ..sent(4, 1, 3) }, at(34), &mut told);
    for step in 34..80 {
        incidents.release(at(step), &nothing(), &mut told);
    }
    assert_eq!((told.len(), joined(&told)), (4, 0));
}

#[test]
fn overlapping_addresses_are_told_apart_by_sequence_numbers() {
    let events = [sent(1, 1, 0), sent(3, 2, 1), received(2, 1, 3), received(4, 2, 2)];
    check(&events, 4);
    for event in told(events) {
        let counterpart = event.counterpart.expect("another end");
        let pair = [event.netns, counterpart.netns].map(|netns| netns.expect("a namespace"));
        assert!(matches!(pair, [1, 2] | [2, 1] | [3, 4] | [4, 3]), "{pair:?}");
    }
}

#[test]
fn without_sequence_numbers_only_the_own_namespace_is_certain() {
    check(&[without_sequence(sent(1, 1, 0)), received(1, 1, 1)], 2);
    check(&[without_sequence(sent(1, 1, 0)), received(2, 1, 1)], 0);
    check(&[sent(1, 1, 0), without_sequence(received(2, 1, 1))], 0);
    let unknown = |event| ResetEvent { netns: None, ..without_sequence(event) };
    check(&[unknown(sent(1, 1, 0)), unknown(received(1, 1, 1))], 0);
}

#[test]
fn what_cannot_be_is_not_joined() {
    check(&[sent(1, 1, 0), ResetEvent { tuple: of_port(40001), ..received(1, 1, 1) }], 0);
    let same_end = samples::bare(Direction::Received, SERVER, CLIENT).tuple;
    check(&[sent(1, 1, 0), ResetEvent { tuple: same_end, ..received(1, 1, 1) }], 0);
    let mapped = samples::bare(Direction::Received, "[::ffff:10.0.0.1]:40000", "[::ffff:10.0.0.2]:80").tuple;
    check(&[sent(1, 1, 0), ResetEvent { tuple: mapped, ..received(1, 1, 1) }], 0);
    check(&[sent(1, 1, 0), ResetEvent { sequence: 9, ..sent(1, 1, 0) }], 0);
    check(&[received(1, 1, 0), ResetEvent { sequence: 9, ..received(1, 1, 0) }], 0);
    check(&[sent(1, 1, 0), received(1, 2, 1)], 0);
}

#[test]
fn sequence_numbers_of_a_socket_that_resets() {
    let check = |sender: (u32, u32, u32), receiver: (u32, u32, u32), expected| {
        let socket = |(snd_una, snd_nxt, rcv_nxt)| Some(sequence(snd_una, snd_nxt, Some(rcv_nxt)));
        let sent = ResetEvent { socket: socket(sender), ..sent(1, 0, 0) };
        let received = ResetEvent { socket: socket(receiver), ..received(1, 0, 0) };
        check(&[sent, received], expected);
    };
    check((100, 110, 500), (500, 500, 110), 2);
    // Not all that was sent has come, nor is all that has come acknowledged.
    check((100, 110, 500), (495, 505, 105), 2);
    check((100, 110, 500), (500, 500, 111), 0);
    check((100, 110, 500), (500, 500, 99), 0);
    check((100, 110, 500), (501, 505, 110), 0);
    check((100, 110, 500), (490, 499, 110), 0);
    // Numbers wrap around.
    check((u32::MAX - 5, 5, 500), (500, 500, 2), 2);
    check((u32::MAX - 5, 5, 500), (500, 500, 6), 0);
}

#[test]
fn sequence_numbers_of_the_packet_that_is_answered() {
    const PSH_ACK: u8 = 24;
    let check = |trigger: Segment, (snd_una, snd_nxt, rcv_nxt): (u32, u32, Option<u32>), expected| {
        let sent = ResetEvent { trigger: Some(trigger), ..sent(1, 7, 0) };
        let received = ResetEvent { socket: Some(sequence(snd_una, snd_nxt, rcv_nxt)), ..received(1, 0, 0) };
        check(&[sent, received], expected);
    };
    check(packet(SYN, 77, 0), (77, 78, None), 2);
    check(packet(SYN, u32::MAX, 0), (u32::MAX, 0, None), 2);
    check(packet(SYN, 79, 0), (77, 78, None), 0);
    check(packet(SYN, 76, 0), (77, 78, None), 0);
    // A keepalive probe is one before what is acknowledged: only its own acknowledgement counts.
    check(packet(PSH_ACK, 76, 900), (77, 78, Some(900)), 2);
    // Behind a FIN.
    check(packet(PSH_ACK, 77, 899), (77, 78, Some(900)), 2);
    check(packet(PSH_ACK, 77, 898), (77, 78, Some(900)), 0);
    check(packet(PSH_ACK, 77, 901), (77, 78, Some(900)), 0);
}

/// One client that tries one port again and again, always from the same port.
#[test]
fn each_try_is_an_incident_of_its_own() {
    let tries = |netns, known: fn(ResetEvent) -> ResetEvent| {
        (0..3_i64).flat_map(move |number| {
            let isn = 100 * u32::try_from(number).expect("fits");
            let at = 300 * number;
            [known(refused(netns, isn, at)), known(connecting(1, isn, at + 20))]
        })
    };
    for events in [
        tries(1, |event| event).collect::<Vec<_>>(),
        tries(2, |event| event).collect(),
        tries(1, without_sequence).collect(),
    ] {
        let told = told(events);
        assert_eq!(joined(&told), 6);
        for event in told {
            let apart = event.time.duration_since(event.counterpart.expect("another end").time);
            assert_eq!(apart.abs(), SignedDuration::from_micros(20));
        }
    }
}

/// What was on the way when the first reset was sent is answered as well, and finds nothing that could be hit.
#[test]
fn the_first_of_several_resets_hits() {
    const ACK: u8 = 16;
    let answer = |at| {
        let trigger = Some(packet(ACK, 5000, 1010));
        ResetEvent { socket: None, trigger, ..sent(1, 1, at) }
    };
    let by_close = sent(1, 1, 0);
    for (first, client) in [(answer(0), 1), (by_close.clone(), 1), (answer(0), 2), (by_close, 2)] {
        let told = told([first.clone(), answer(30), answer(60), received(client, 1, 70)]);
        assert_eq!(joined(&told), 2, "{first:?}");
        let hit = told.iter().find(|event| event.direction == Direction::Received).expect("it is told");
        let sender = hit.counterpart.as_ref().expect("it is joined");
        assert_eq!(sender.time, first.time, "{first:?}");
    }
}

/// The firewall's reset goes to whoever sent the refused packet.
#[test]
fn resets_of_the_firewall() {
    let by_firewall = |hook, netns| ResetEvent { netfilter_hook: Some(hook), ..refused(netns, 77, 0) };
    for hook in [NetfilterHook::Prerouting, NetfilterHook::Input] {
        check(&[by_firewall(hook, 1), connecting(1, 77, 5)], 2);
    }
    check(&[by_firewall(NetfilterHook::Forward, 3), connecting(1, 77, 5)], 2);
    for hook in [NetfilterHook::Output, NetfilterHook::Postrouting] {
        check(&[by_firewall(hook, 1), connecting(1, 77, 5)], 0);
        let tuple = connecting(1, 77, 5).tuple;
        check(&[ResetEvent { tuple, ..by_firewall(hook, 1) }, connecting(1, 77, 5)], 2);
    }
}

#[test]
fn the_number_that_waits_is_bounded_and_nothing_is_dropped() {
    let (mut incidents, mut told) = (Incidents::default(), Vec::new());
    let now = START;
    let connections = (0..LIMIT + 10).map(|number| {
        let port = u16::try_from(number).expect("a port");
        samples::bare(Direction::Sent, &format!("10.0.0.1:{port}"), "10.0.0.2:80")
    });
    connections.for_each(|event| incidents.take(event, now, &mut told));
    assert_eq!(told.len(), 10);
    let ports: Vec<u16> = told.iter().map(|event| event.tuple.local.port()).collect();
    assert_eq!(ports, (0..10).collect::<Vec<u16>>());
    incidents.finish(&mut told);
    assert_eq!(told.len(), LIMIT + 10);

    // One connection does not wait for long with all of its events.
    told.clear();
    for number in 0..CONNECTION_LIMIT + 3 {
        let at = i64::try_from(number).expect("fits");
        incidents.take(sent(1, 1, at), now, &mut told);
    }
    assert_eq!(told.len(), 3);
    incidents.finish(&mut told);
    assert_eq!(told.len(), CONNECTION_LIMIT + 3);
}

/// An incident to make events of: where its ends are, which of two connections it is of, which ends are seen.
#[derive(Debug, Clone, Copy)]
struct Made {
    netns: (u32, u32),
    connection: u32,
    known: bool,
    sent: bool,
    received: bool,
}

fn any_incident() -> impl Strategy<Value = Made> {
    let netns = (1..4_u32, 1..4_u32);
    (netns, 1..4_u32, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(netns, connection, known, sent, received)| Made { netns, connection, known, sent, received },
    )
}

fn events_of(incidents: &[Made]) -> Vec<ResetEvent> {
    let ends = (0..).zip(incidents).flat_map(|(number, made)| {
        let at = 40 * number;
        let ends = [
            made.sent.then(|| sent(made.netns.0, made.connection, at)),
            made.received.then(|| received(made.netns.1, made.connection, at + 10)),
        ];
        let known = |event| if made.known { event } else { without_sequence(event) };
        ends.into_iter().flatten().map(known)
    });
    (0..).zip(ends).map(|(sequence, event)| ResetEvent { sequence, ..event }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_event_is_told_once_and_in_time(made in vec(any_incident(), 0..60), pauses in vec(0..9_u64, 120)) {
        let events = events_of(&made);
        let (mut incidents, mut told) = (Incidents::default(), Vec::new());
        let mut now = START;
        let mut arrived = Vec::new();
        for (event, pause) in events.iter().zip(&pauses) {
            now += Duration::from_millis(*pause);
            incidents.release(now, &nothing(), &mut told);
            for (event, since) in &arrived {
                let event: &ResetEvent = event;
                let is_told = told.iter().any(|told| told.id() == event.id());
                prop_assert!(is_told || now.saturating_sub(*since) < WINDOW);
            }
            arrived.push((event.clone(), now));
            incidents.take(event.clone(), now, &mut told);
        }
        incidents.finish(&mut told);
        prop_assert_eq!(incidents.due_in(now), None);
        prop_assert!(incidents.by_connection.is_empty());
        joined(&told);
        let mut bare: Vec<ResetEvent> =
            told.into_iter().map(|event| ResetEvent { incident: None, ..alone(&event) }).collect();
        bare.sort_by_key(ResetEvent::id);
        let mut expected = events;
        expected.sort_by_key(ResetEvent::id);
        prop_assert_eq!(bare, expected);
    }

    /// In whatever order the events of one moment arrive, the same ones are joined, as long as each reset has its own
    /// sequence numbers.
    #[test]
    fn the_order_of_arrival_does_not_matter(
        (made, shuffled) in vec(any_incident(), 0..8).prop_flat_map(|made| {
            let made: Vec<Made> = (1..).zip(made).map(|(connection, made)| Made { connection, known: true, ..made }).collect();
            let events = events_of(&made);
            (Just(made), Just(events).prop_shuffle())
        })
    ) {
        let expected: usize = made.iter().map(|made| 2 * usize::from(made.sent && made.received)).sum();
        prop_assert_eq!(joined(&told(shuffled)), expected);
    }

    /// Where several namespaces have the very same connection, nothing is joined across namespaces, in any order.
    #[test]
    fn no_order_makes_a_doubtful_join(
        shuffled in Just(vec![sent(1, 1, 0), received(2, 1, 1), sent(3, 1, 2), received(4, 1, 3), sent(5, 1, 4)]).prop_shuffle()
    ) {
        prop_assert_eq!(joined(&told(shuffled)), 0);
    }
}
