//! Each situation in which several processes may hold a socket, and that nobody is blamed for what is another's.

use super::{Holders, asks_for_holders, closed_by, give_up, settle};
use crate::{
    filter::samples::{bare, process},
    model::{
        Direction, ResetEvent, TcpState,
        connection::Socket,
        process::{OwnerFrom, Process},
    },
};

const INODE: u64 = 4711;

fn event(pid: Option<u32>, owner_from: OwnerFrom) -> ResetEvent {
    ResetEvent {
        process: pid.map(|pid| process(pid, "owner")),
        owner_from,
        state: Some(TcpState::Established),
        socket: Some(Socket { inode: Some(INODE), ..Socket::default() }),
        ..bare(Direction::Received, "10.0.0.5:41322", "10.0.0.9:443")
    }
}

fn started(pid: u32, second: u64) -> Process {
    Process { started: std::time::Duration::from_secs(second), ..process(pid, "holder") }
}

/// Owner, how it is known, and the rest.
fn outcome(event: &ResetEvent) -> (Option<u32>, OwnerFrom, Vec<u32>) {
    let owner = event.process.as_ref().map(|process| process.pid);
    (owner, event.owner_from, event.other_holders.iter().map(|process| process.pid).collect())
}

#[test]
fn descriptors_are_asked_where_they_can_tell_more() {
    let check = |event: &ResetEvent, expected| assert_eq!(asks_for_holders(event), expected, "{event:?}");
    check(&event(Some(1), OwnerFrom::Connect), Some(INODE));
    check(&event(Some(1), OwnerFrom::Accept), Some(INODE));
    check(&event(Some(1), OwnerFrom::Listen), Some(INODE));
    check(&event(Some(1), OwnerFrom::Seed), Some(INODE));
    check(&event(None, OwnerFrom::None), Some(INODE));
    check(&event(Some(1), OwnerFrom::Current), None);
    check(&event(Some(1), OwnerFrom::Recent), None);
    let connecting = ResetEvent { state: Some(TcpState::SynSent), ..event(Some(1), OwnerFrom::Connect) };
    check(&connecting, None);
    let acting = |pid| ResetEvent { acting: Some(process(pid, "x")), ..event(Some(1), OwnerFrom::Accept) };
    check(&acting(1), None);
    check(&acting(2), Some(INODE));
    // An abort from outside proves nothing about the owner.
    check(&ResetEvent { actor: Some(process(1, "x")), ..acting(1) }, Some(INODE));
    let kernel = Socket { kernel: true, ..event(None, OwnerFrom::None).socket.expect("a socket") };
    check(&ResetEvent { socket: Some(kernel), ..event(None, OwnerFrom::None) }, None);
    let orphan = Socket { inode: None, ..Socket::default() };
    check(&ResetEvent { socket: Some(orphan), ..event(Some(1), OwnerFrom::Listen) }, None);
}

#[test]
fn who_holds_the_socket_owns_it() {
    let check =
        |mut event: ResetEvent, holders: Vec<Process>, expected: (Option<u32>, OwnerFrom, Vec<u32>)| {
            settle(&mut event, holders);
            assert_eq!(outcome(&event), expected);
        };
    let owner = || process(1, "owner");
    let accepted = || event(Some(1), OwnerFrom::Accept);
    check(accepted(), vec![owner()], (Some(1), OwnerFrom::Accept, vec![]));
    // It has forked, and both hold it.
    check(accepted(), vec![started(2, 99), owner()], (Some(1), OwnerFrom::Accept, vec![2]));
    // It has forked and closed its own.
    check(accepted(), vec![started(2, 99)], (Some(2), OwnerFrom::Holder, vec![]));
    // Several have it from somebody else: the oldest, unless one of them acted.
    check(accepted(), vec![started(3, 99), started(2, 98)], (Some(2), OwnerFrom::Holder, vec![3]));
    let acting = ResetEvent { acting: Some(started(3, 99)), ..accepted() };
    check(acting, vec![started(3, 99), started(2, 98)], (Some(3), OwnerFrom::Holder, vec![2]));
    // A listener's owner that holds the connection has accepted it.
    check(event(Some(1), OwnerFrom::Listen), vec![owner()], (Some(1), OwnerFrom::Holder, vec![]));
    check(event(Some(1), OwnerFrom::Listen), vec![started(2, 99)], (Some(2), OwnerFrom::Holder, vec![]));
    let listener = ResetEvent { state: Some(TcpState::Listen), ..event(Some(1), OwnerFrom::Listen) };
    check(listener, vec![owner()], (Some(1), OwnerFrom::Listen, vec![]));
    check(event(None, OwnerFrom::None), vec![started(2, 99)], (Some(2), OwnerFrom::Holder, vec![]));
    // The id of an owner that is gone, used again.
    check(accepted(), vec![started(1, 99)], (Some(1), OwnerFrom::Holder, vec![]));
}

#[test]
fn who_closes_a_socket_held_it_last() {
    let check = |mut event: ResetEvent, by: Process, expected: (Option<u32>, OwnerFrom, Vec<u32>)| {
        closed_by(&mut event, &by);
        assert_eq!(outcome(&event), expected);
    };
    check(event(Some(1), OwnerFrom::Connect), process(1, "owner"), (Some(1), OwnerFrom::Connect, vec![]));
    check(event(Some(1), OwnerFrom::Accept), process(2, "child"), (Some(2), OwnerFrom::Holder, vec![]));
    check(event(Some(1), OwnerFrom::Listen), process(1, "owner"), (Some(1), OwnerFrom::Holder, vec![]));
    check(event(None, OwnerFrom::None), process(2, "other"), (Some(2), OwnerFrom::Holder, vec![]));
}

#[test]
fn who_only_listens_is_not_blamed() {
    let check = |owner_from, may_be_anothers, expected| {
        let mut event = event(Some(1), owner_from);
        give_up(&mut event, may_be_anothers);
        assert_eq!(outcome(&event), expected);
    };
    check(OwnerFrom::Listen, true, (None, OwnerFrom::None, vec![]));
    check(OwnerFrom::Listen, false, (Some(1), OwnerFrom::Listen, vec![]));
    check(OwnerFrom::Accept, true, (Some(1), OwnerFrom::Accept, vec![]));
    check(OwnerFrom::Connect, true, (Some(1), OwnerFrom::Connect, vec![]));
    assert_ne!(Holders::Nobody, Holders::Unknown { may_be_anothers: false });
}
