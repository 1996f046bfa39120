//! `stale_connection`: the peer goes on with a connection that is not known here.

use resetmon_tests::{Abroad, corpus::judge, sees_resets_without_socket};

use crate::host;

fn unknown(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let peer = abroad.script("peer = Connection(40007, 7)\npeer.data(5)\npeer.take_reset()\nsay('reset')");
    assert_eq!(peer.line(), "reset");
    if sees_resets_without_socket() {
        let event = abroad.sent_for(7);
        judge(&format!("stale_connection/no_socket_{family}"), &event, "stale_connection", "likely");
        assert!(event["process"].is_null(), "{event}");
    }
}

#[test]
fn unknown_ipv4() {
    unknown(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn unknown_ipv6() {
    unknown(&Abroad::by_ipv6(), "ipv6");
}

/// The host has been restarted as far as the peer can see, and the service listens again.
fn restarted(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let (mut server, mut peer) = abroad.server("wait()\npeer.data(5)\npeer.take_reset()\nsay('reset')");
    server.run("silent-close");
    server.run("close-listener");
    server.run(&format!("listen {}", abroad.own(80)));
    peer.tell("go on");
    assert_eq!(peer.line(), "reset");
    let event = abroad.sent(server.pid());
    judge(&format!("stale_connection/restarted_{family}"), &event, "stale_connection", "likely");
    assert_eq!(event["state"], "LISTEN", "{event}");
}

#[test]
fn restarted_ipv4() {
    restarted(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn restarted_ipv6() {
    restarted(&Abroad::by_ipv6(), "ipv6");
}
