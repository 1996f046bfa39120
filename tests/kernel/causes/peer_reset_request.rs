//! `peer_reset_request`, and what is not: an answer cut short, an upload cut short.

use resetmon_tests::{Abroad, corpus::judge};

use crate::host;

fn request(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let (mut client, _peer) = abroad.client("peer.take(500)\npeer.reset()");
    client.run("send 500");
    assert_eq!(client.run("await-error"), "ECONNRESET");
    let event = abroad.received(client.pid());
    judge(&format!("peer_reset_request/{family}"), &event, "peer_reset_request", "likely");
    assert_eq!(event["connection"]["bytes_sent"], 500, "{event}");
}

#[test]
fn request_ipv4() {
    request(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn request_ipv6() {
    request(&Abroad::by_ipv6(), "ipv6");
}

fn response(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let (mut client, _peer) = abroad.client("peer.take(500)\npeer.data(100)\npeer.reset()");
    client.run("send 500");
    client.run("recv 100");
    assert_eq!(client.run("await-error"), "ECONNRESET");
    let event = abroad.received(client.pid());
    judge(&format!("peer_reset_response/{family}"), &event, "peer_reset_response", "likely");
}

#[test]
fn response_ipv4() {
    response(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn response_ipv6() {
    response(&Abroad::by_ipv6(), "ipv6");
}

/// The peer has had enough in the middle of a large body.
fn upload(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let (mut client, _peer) =
        abroad.client("peer.take(300000)\npeer.next(lambda segment: segment.data)\npeer.reset()");
    // It may be told already while it sends.
    let _ = client.try_do("send 400000");
    let event = abroad.received(client.pid());
    judge(&format!("peer_reset_upload/{family}"), &event, "peer_reset_upload", "likely");
}

#[test]
fn upload_ipv4() {
    upload(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn upload_ipv6() {
    upload(&Abroad::by_ipv6(), "ipv6");
}
