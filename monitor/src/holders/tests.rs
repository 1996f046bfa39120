//! Real descriptors of this process and its children, and the bounds of what looking at them may cost.

use std::{
    net::TcpListener,
    os::fd::AsRawFd as _,
    path::PathBuf,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    Holders, RESERVED, Scope,
    budget::{Budget, MOST_SAVED},
    descriptors::socket_inode,
};
use crate::{model::process::Process, owner::Holders as Answer};

fn process(pid: u32) -> Process {
    Process {
        pid,
        started: Duration::ZERO,
        start_time: Timestamp::UNIX_EPOCH,
        comm: Arc::from("?"),
        uid: 0,
        details: None,
    }
}

fn inode(socket: &TcpListener) -> u64 {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).expect("a descriptor");
    socket_inode(link.to_str().expect("UTF-8").as_bytes()).expect("a socket")
}

fn pids(answer: Answer) -> Vec<u32> {
    let Answer::Found(holders) = answer else { panic!("{answer:?}") };
    holders.iter().map(|holder| holder.pid).collect()
}

/// So much may be spent, and nothing is earned for an hour.
fn leave(holders: &mut Holders, left: Duration) {
    let has = holders.budget.left(Instant::now() + Duration::from_hours(1));
    holders.budget.spend(has.saturating_sub(left));
}

#[test]
fn holders_are_found() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let inode = inode(&socket);
    let mut holders = Holders::new(PathBuf::from("/proc"));
    let mut look = |owner: Option<u32>, scope| {
        let owner = owner.map(process);
        holders.look(inode, owner.as_ref(), Timestamp::now(), Timestamp::UNIX_EPOCH, scope)
    };
    let this = std::process::id();
    assert_eq!(pids(look(Some(this), Scope::Near)), [this]);
    assert_eq!(look(None, Scope::Near), Answer::Nobody);
    // A child that has nothing of its parent's but standard input and output.
    let mut child = Command::new("sleep").arg("100").spawn().expect("a child");
    assert_eq!(look(Some(child.id()), Scope::Near), Answer::Nobody);
    assert_eq!(pids(look(Some(child.id()), Scope::Everywhere)), [this]);
    child.kill().expect("to end it");
    child.wait().expect("its end");
    assert_eq!(look(Some(child.id()), Scope::Near), Answer::Nobody);
    drop(socket);
    assert_eq!(look(Some(this), Scope::Near), Answer::Nobody);
}

#[test]
fn what_was_seen_before_the_event_does_not_count() {
    let mut holders = Holders::new(PathBuf::from("/proc"));
    let this = process(std::process::id());
    let before = Timestamp::now();
    let mut look = |inode, since| holders.look(inode, Some(&this), since, Timestamp::UNIX_EPOCH, Scope::Near);
    assert_eq!(look(1, before), Answer::Nobody);
    let socket = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let inode = inode(&socket);
    assert_eq!(look(inode, before), Answer::Nobody);
    assert_eq!(pids(look(inode, Timestamp::now())), [this.pid]);
}

#[test]
fn descriptors_of_sockets() {
    let check = |target: &str, expected| assert_eq!(socket_inode(target.as_bytes()), expected);
    check("socket:[4711]", Some(4711));
    check("socket:[]", None);
    check("socket:[4711", None);
    check("pipe:[4711]", None);
    check("/tmp/socket:[4711]", None);
}

/// As after a burst: what was read for one event answers for all that happened before, whatever is left of the budget.
#[test]
fn what_was_read_costs_nothing() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let inode = inode(&socket);
    let this = process(std::process::id());
    let mut holders = Holders::new(PathBuf::from("/proc"));
    let before = Timestamp::now();
    let look = |holders: &mut Holders, since, scope| {
        holders.look(inode, Some(&this), since, Timestamp::UNIX_EPOCH, scope)
    };
    leave(&mut holders, RESERVED);
    assert!(matches!(look(&mut holders, before, Scope::Near), Answer::Unknown { .. }));
    assert_eq!(pids(look(&mut holders, before, Scope::Everywhere)), [this.pid]);
    leave(&mut holders, Duration::ZERO);
    assert_eq!(pids(look(&mut holders, before, Scope::Near)), [this.pid]);
    assert_eq!(holders.skipped(), 0);
}

/// A child may hold the socket as well.
#[test]
fn a_look_that_was_not_finished_tells_nothing() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let inode = inode(&socket);
    let this = process(std::process::id());
    let mut holders = Holders::new(PathBuf::from("/proc"));
    let look = |holders: &mut Holders, since, scope| {
        holders.look(inode, Some(&this), since, Timestamp::UNIX_EPOCH, scope)
    };
    let before = Timestamp::now();
    assert_eq!(pids(look(&mut holders, before, Scope::Near)), [this.pid]);
    let mut child = Command::new("sleep").arg("100").spawn().expect("a child");
    holders.children.put(this.pid, Timestamp::now(), before, Some(vec![child.id()]), 1);
    leave(&mut holders, Duration::ZERO);
    assert!(matches!(look(&mut holders, before, Scope::Near), Answer::Unknown { .. }));
    assert_eq!(pids(look(&mut holders, before, Scope::Everywhere)), [this.pid]);
    child.kill().expect("to end it");
    child.wait().expect("its end");
}

/// Nobody may be blamed for what is another's, just because there is no time to look.
#[test]
fn a_listener_that_is_gone_is_not_taken_to_hold_its_connections() {
    let mut holders = Holders::new(PathBuf::from("/proc"));
    let mut unknown = |pid| {
        leave(&mut holders, Duration::ZERO);
        let answer =
            holders.look(1, Some(&process(pid)), Timestamp::now(), Timestamp::UNIX_EPOCH, Scope::Everywhere);
        let Answer::Unknown { may_be_anothers } = answer else { panic!("{answer:?}") };
        may_be_anothers
    };
    let mut child = Command::new("sleep").arg("100").spawn().expect("a child");
    // All that is known of it is that it has no children.
    assert!(!unknown(child.id()));
    // It has a child of its own.
    assert!(unknown(std::process::id()));
    child.kill().expect("to end it");
    child.wait().expect("its end");
    assert!(unknown(child.id()));
}

#[test]
fn time_is_bounded() {
    let start = Instant::now();
    let mut budget = Budget::new(start);
    assert_eq!(budget.left(start), MOST_SAVED);
    budget.spend(MOST_SAVED * 2);
    assert!(budget.left(start).is_zero());
    assert_eq!(budget.left(start + Duration::from_millis(10)), Duration::from_millis(2));
    assert_eq!(budget.left(start + Duration::from_hours(1)), MOST_SAVED);
}
