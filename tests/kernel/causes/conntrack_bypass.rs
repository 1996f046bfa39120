//! `conntrack_bypass`: what connection tracking takes for invalid is not translated, and so meets a host that does not know
//! the connection. Its neighbour is `stale_connection`, which the first such packet cannot be told from.

use resetmon_tests::{Abroad, corpus::judge, sees_resets_without_socket};
use serde_json::json;

use crate::host;

/// A segment far beyond the window is invalid; the reset that it provokes ends the connection at the peer alone.
const PEER: &str = "
say('listening')
peer = accept(80)
peer.take(5)
peer.data(7)
wait()
peer.send(PSH | ACK, b'x' * 9, seq=peer.seq + 500000000)
peer.take_reset()
say('reset')
peer.next(lambda segment: segment.data)
peer.reset()
";

#[test]
fn behind_translation() {
    let _host = host::shared();
    if !sees_resets_without_socket() {
        return;
    }
    let abroad = Abroad::by_ipv4();
    let inside = abroad.behind();
    let mut peer = abroad.script(PEER);
    assert_eq!(peer.line(), "listening");
    let mut client = inside.actor("test-client");
    client.run(&format!("connect {}", abroad.foreign(80)));
    client.run("send 5");
    client.run("recv 7");
    peer.tell("send what is invalid");
    assert_eq!(peer.line(), "reset");
    client.run("send 5");
    assert_eq!(client.run("await-error"), "ECONNRESET");

    let received = abroad.watch.expect(&json!({
        "direction": "received",
        "netns": inside.inode(),
        "process": {"pid": client.pid()},
    }));
    judge("conntrack_bypass/received", &received, "conntrack_bypass", "likely");
    let port = received["local"]["port"].as_u64().and_then(|port| port.try_into().ok());
    let denied = abroad.sent_for(port.expect("a port"));
    judge("stale_connection/untranslated", &denied, "stale_connection", "possible");
}
