//! `reset_after_peer_close`, and its neighbour whose owner is gone already: `reset_after_close`.

use resetmon_tests::{Abroad, corpus::judge};

use crate::host;

fn writes_on(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let (mut client, _peer) =
        abroad.client("peer.fin()\npeer.next(lambda segment: segment.data)\npeer.reset()");
    client.run("await-fin");
    client.run("send 5");
    assert_eq!(client.run("await-error"), "EPIPE");
    let event = abroad.received(client.pid());
    judge(&format!("reset_after_peer_close/{family}"), &event, "reset_after_peer_close", "certain");
    assert_eq!(event["errno"], "EPIPE", "{event}");
}

#[test]
fn writes_on_ipv4() {
    writes_on(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn writes_on_ipv6() {
    writes_on(&Abroad::by_ipv6(), "ipv6");
}

/// Nobody is told any more.
fn closed(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let (mut client, _peer) = abroad.client("peer.next(lambda segment: segment.flags & FIN)\npeer.reset()");
    client.run("close");
    let event = abroad.received(client.pid());
    judge(&format!("reset_after_close/fin_wait1_{family}"), &event, "reset_after_close", "certain");
    assert!(event["errno"].is_null(), "{event}");
}

#[test]
fn closed_ipv4() {
    closed(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn closed_ipv6() {
    closed(&Abroad::by_ipv6(), "ipv6");
}

#[test]
fn both_closed() {
    let _host = host::shared();
    let abroad = Abroad::by_ipv4();
    let (mut client, _peer) =
        abroad.client("peer.fin()\npeer.next(lambda segment: segment.flags & FIN)\npeer.reset()");
    client.run("await-fin");
    client.run("close");
    let event = abroad.received(client.pid());
    judge("reset_after_close/last_ack", &event, "reset_after_close", "certain");
}
