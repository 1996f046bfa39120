//! `late_data`, and its neighbour in which the connection had been idle: `keepalive_race`.

use std::{thread, time::Duration};

use resetmon_tests::{Abroad, corpus::judge};

use crate::host;

/// The peer sends as it learns of the close.
const SENDS_ON: &str =
    "peer.data(5)\npeer.next(lambda segment: segment.flags & FIN)\npeer.data(7)\npeer.take_reset()";

fn busy(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let (mut server, _peer) = abroad.server(SENDS_ON);
    server.run("recv 5");
    server.run("close");
    judge(&format!("late_data/{family}"), &abroad.sent(server.pid()), "late_data", "certain");
}

#[test]
fn busy_ipv4() {
    busy(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn busy_ipv6() {
    busy(&Abroad::by_ipv6(), "ipv6");
}

fn idle(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let (mut server, _peer) = abroad.server(SENDS_ON);
    server.run("recv 5");
    thread::sleep(Duration::from_millis(1500));
    server.run("close");
    judge(&format!("keepalive_race/{family}"), &abroad.sent(server.pid()), "keepalive_race", "likely");
}

#[test]
fn idle_ipv4() {
    idle(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn idle_ipv6() {
    idle(&Abroad::by_ipv6(), "ipv6");
}
