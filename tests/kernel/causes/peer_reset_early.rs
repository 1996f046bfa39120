//! `peer_reset_early`: the peer accepts, and aborts before anything was said.

use resetmon_tests::{Abroad, corpus::judge};

use crate::host;

fn client(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let (mut client, _peer) = abroad.client("peer.reset()");
    assert_eq!(client.run("await-error"), "ECONNRESET");
    judge(
        &format!("peer_reset_early/client_{family}"),
        &abroad.received(client.pid()),
        "peer_reset_early",
        "likely",
    );
}

#[test]
fn client_ipv4() {
    client(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn client_ipv6() {
    client(&Abroad::by_ipv6(), "ipv6");
}

/// A health check connects, and resets.
#[test]
fn server() {
    let _host = host::shared();
    let abroad = Abroad::by_ipv4();
    let (mut server, _peer) = abroad.server("peer.reset()");
    assert_eq!(server.run("await-error"), "ECONNRESET");
    judge("peer_reset_early/server", &abroad.received(server.pid()), "peer_reset_early", "likely");
}
