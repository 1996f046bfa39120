//! `injected`: somebody on the way resets a connection in the peer's name, and the peer goes on.

use resetmon_tests::{Abroad, Version, corpus::judge, requires_probe, sees_resets_without_socket};

use crate::host;

/// The peer's host is four hops away, the other one is not.
const GOES_ON: &str = "
say('listening')
for _ in range(2):
    peer = wished(80)
    peer.ttl = 60
    peer.grant()
    peer.take(5)
    peer.data(7)
    wait()
    peer.reset(ttl=64)
    wait()
    peer.data(9)
    peer.take_reset()
    say('reset')
";

#[test]
fn in_the_name_of_the_peer() {
    let _host = host::shared();
    let abroad = Abroad::by_ipv4();
    let mut peer = abroad.script(GOES_ON);
    assert_eq!(peer.line(), "listening");
    let has_headers =
        requires_probe("tcp_reset", Version(5, 11)) && requires_probe("tcp_init_transfer", Version(5, 10));
    for (number, confidence) in [(1, "possible"), (2, "likely")] {
        let mut client = abroad.netns.actor("test-client");
        client.run(&format!("connect {}", abroad.foreign(80)));
        client.run("send 5");
        client.run("recv 7");
        peer.tell("inject");
        assert_eq!(client.run("await-error"), "ECONNRESET");
        let received = abroad.received(client.pid());
        if has_headers {
            judge(&format!("injected/{number}"), &received, "injected", confidence);
            assert!(received["evidence"].to_string().contains("TTL"), "{received}");
        } else {
            // One sign alone is no proof.
            judge(
                &format!("peer_reset_response/injected_{number}"),
                &received,
                "peer_reset_response",
                "likely",
            );
        }
        peer.tell("go on");
        assert_eq!(peer.line(), "reset");
        if sees_resets_without_socket() {
            let port = received["local"]["port"].as_u64().and_then(|port| port.try_into().ok());
            let sent = abroad.sent_for(port.expect("a port"));
            judge(&format!("stale_connection/after_injected_{number}"), &sent, "stale_connection", "likely");
        }
    }
}
