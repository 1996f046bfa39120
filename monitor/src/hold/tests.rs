//! Hold and cancel: nothing is lost, nothing is told twice, and a refuted receipt is never told.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use resetmon_common::wire::{RawClosing, RawResetEvent, RawTask, direction, mark};
use zerocopy::IntoBytes as _;

use super::{
    HOLD, HOLD_AGAIN, Hold, LIMIT,
    Ownership::{InDoubt, Settled},
    Released,
};
use crate::{
    decode::{Closing, Decoded, Decoder},
    model::Direction,
    reason::ReasonNames,
};

fn event(direction: u8, marks: u16, socket: u64, at: Duration) -> Decoded {
    let decoder = Decoder { reasons: ReasonNames::default(), tick: Duration::from_millis(4) };
    let raw = RawResetEvent {
        direction,
        marks: marks | mark::FULL_SOCKET,
        socket,
        state: 5,
        time: u64::try_from(at.as_nanos()).expect("fits"),
        ..RawResetEvent::default()
    };
    decoder.decode(raw.as_bytes(), Timestamp::UNIX_EPOCH, 0).expect("an event")
}

fn unproven(socket: u64, at: Duration) -> Decoded {
    event(direction::RECEIVED, mark::UNPROVEN, socket, at)
}

fn refuting(socket: u64, at: Duration) -> Decoded {
    event(direction::SENT, mark::REFUTES_RECEIVE, socket, at)
}

fn plain(socket: u64, at: Duration) -> Decoded {
    event(direction::RECEIVED, 0, socket, at)
}

fn later(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn directions(events: &[Released]) -> Vec<Direction> {
    events.iter().map(|released| released.event.direction).collect()
}

#[test]
fn a_refuted_receipt_is_never_told() {
    let mut hold = Hold::default();
    assert!(hold.take(unproven(1, later(0)), Settled).is_none());
    assert!(hold.take(unproven(2, later(0)), Settled).is_none());
    let told = hold.take(refuting(1, later(0)), Settled).expect("the sent reset");
    assert_eq!(told.event.direction, Direction::Sent);
    let rest: Vec<_> = hold.release(later(1000)).collect();
    assert_eq!(directions(&rest), [Direction::Received]);
    assert_eq!(hold.due_in(later(1000)), None);
}

#[test]
fn an_unproven_receipt_is_told_when_its_time_has_come() {
    let mut hold = Hold::default();
    assert!(hold.take(unproven(1, later(0)), Settled).is_none());
    let almost = HOLD.saturating_sub(later(1));
    assert_eq!(hold.due_in(later(0)), Some(HOLD));
    assert_eq!(hold.release(almost).count(), 0);
    assert_eq!(hold.due_in(almost), Some(later(1)));
    assert_eq!(hold.due_in(HOLD + later(1)), Some(Duration::ZERO));
    assert_eq!(hold.release(HOLD).count(), 1);
}

#[test]
fn what_stands_is_told_at_once() {
    assert!(Hold::default().take(plain(1, later(0)), Settled).is_some());
}

fn closing(socket: u64, pid: u32) -> Closing {
    let task = RawTask { tgid: pid, ..RawTask::default() };
    let decoder = Decoder { reasons: ReasonNames::default(), tick: std::time::Duration::from_millis(4) };
    let raw = RawClosing { socket, task };
    decoder.closing(raw.as_bytes(), Timestamp::UNIX_EPOCH).expect("a closing")
}

fn owners(events: &[Released]) -> Vec<Option<u32>> {
    events.iter().map(|released| released.event.process.as_ref().map(|process| process.pid)).collect()
}

#[test]
fn an_owner_in_doubt_is_settled_by_who_closes() {
    let mut hold = Hold::default();
    assert!(hold.take(plain(1, later(0)), InDoubt).is_none());
    assert!(hold.take(plain(2, later(0)), InDoubt).is_none());
    assert_eq!(owners(&hold.close(&closing(3, 10))), []);
    assert_eq!(owners(&hold.close(&closing(1, 11))), [Some(11)]);
    let rest: Vec<_> = hold.release(later(1000)).collect();
    assert_eq!(rest.iter().map(|released| released.ownership).collect::<Vec<_>>(), [InDoubt]);
}

/// As when a process is killed: its descriptors are gone a moment before its sockets are closed.
#[test]
fn what_nobody_holds_waits_once_more_for_who_closes_it() {
    let mut hold = Hold::default();
    assert!(hold.take(plain(1, later(0)), InDoubt).is_none());
    assert!(hold.take(plain(2, later(1)), InDoubt).is_none());
    let now = HOLD + later(5);
    let released: Vec<_> = hold.release(now).collect();
    // Comes before what is taken back, and goes before it.
    assert!(hold.take(plain(3, later(15)), InDoubt).is_none());
    for event in released {
        assert!(hold.take_back(event).is_none());
    }
    assert_eq!(hold.due_in(now), Some(later(10)));
    assert_eq!(owners(&hold.close(&closing(1, 11))), [Some(11)]);
    let third: Vec<_> = hold.release(HOLD + later(15)).collect();
    assert_eq!(third.iter().map(|released| released.at).collect::<Vec<_>>(), [later(15)]);
    let mut second: Vec<_> = hold.release(HOLD_AGAIN + later(1)).collect();
    assert_eq!(second.len(), 1);
    assert!(hold.take_back(second.remove(0)).is_some());
}

#[test]
fn nothing_is_taken_back_at_the_end() {
    let mut hold = Hold::default();
    assert!(hold.take(plain(1, later(0)), InDoubt).is_none());
    let last: Vec<_> = hold.finish().collect();
    assert!(hold.take_back(last[0].clone()).is_some());
}

#[test]
fn what_is_settled_and_not_proven_waits_on() {
    let mut hold = Hold::default();
    assert!(hold.take(unproven(1, later(0)), InDoubt).is_none());
    assert_eq!(owners(&hold.close(&closing(1, 11))), []);
    let released: Vec<_> = hold.release(later(1000)).collect();
    assert_eq!(released[0].ownership, Settled);
    assert_eq!(owners(&released), [Some(11)]);
}

#[test]
fn the_number_held_is_bounded_and_nothing_is_dropped() {
    let mut hold = Hold::default();
    let told = (0..LIMIT + 10)
        .filter_map(|socket| hold.take(unproven(socket as u64 + 1, later(0)), Settled))
        .count();
    assert_eq!(told, 10);
    assert_eq!(hold.finish().count(), LIMIT);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_event_is_told_once_or_refuted(steps in prop::collection::vec((0..5_u8, 1..4_u64, any::<bool>()), 0..200)) {
        let mut hold = Hold::default();
        let (mut told, mut taken, mut open, mut refuted) = (0, 0, [0_usize; 4], 0);
        for (index, (kind, socket, wait)) in steps.iter().enumerate() {
            let at = later(u64::try_from(index).expect("fits"));
            let slot = usize::try_from(*socket).expect("fits");
            if *kind == 4 {
                told += hold.close(&closing(*socket, 1)).len();
                continue;
            }
            taken += 1;
            told += match kind {
                0 => { open[slot] += 1; hold.take(unproven(*socket, at), Settled) }
                1 => { if open[slot] > 0 { open[slot] -= 1; refuted += 1; } hold.take(refuting(*socket, at), Settled) }
                2 => hold.take(plain(*socket, at), InDoubt),
                _ => hold.take(plain(*socket, at), Settled),
            }.iter().count();
            if *wait {
                let released = hold.release(later(1_000_000)).count();
                told += released;
                open = [0; 4];
            }
        }
        told += hold.finish().count();
        assert_eq!(told + refuted, taken);
    }
}
