//! `connection_refused` and its neighbour in the middle of a handshake, `refused_in_handshake`.

use resetmon_tests::{Abroad, corpus::judge};

use crate::host;

fn refused(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let peer = abroad.script("say('listening')\nwished(80).reset()");
    assert_eq!(peer.line(), "listening");
    let mut client = abroad.netns.actor("test-client");
    client.fails(&format!("connect {}", abroad.foreign(80)), "ECONNREFUSED");
    judge(
        &format!("connection_refused/foreign_{family}"),
        &abroad.received(client.pid()),
        "connection_refused",
        "certain",
    );
}

#[test]
fn refused_ipv4() {
    refused(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn refused_ipv6() {
    refused(&Abroad::by_ipv6(), "ipv6");
}

/// Both ask for the connection at the same time, so the client is as far as a server is; then the peer thinks better of it.
fn in_handshake(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let peer = abroad.script(
        "
say('listening')
peer = wished(80)
peer.send(SYN)
peer.next(lambda segment: segment.flags & (SYN | ACK) == SYN | ACK)
peer.reset()
",
    );
    assert_eq!(peer.line(), "listening");
    let mut client = abroad.netns.actor("test-client");
    client.fails(&format!("connect {}", abroad.foreign(80)), "ECONNRESET");
    judge(
        &format!("refused_in_handshake/{family}"),
        &abroad.received(client.pid()),
        "refused_in_handshake",
        "certain",
    );
}

#[test]
fn in_handshake_ipv4() {
    in_handshake(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn in_handshake_ipv6() {
    in_handshake(&Abroad::by_ipv6(), "ipv6");
}
