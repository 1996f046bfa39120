//! RSTs that reset nothing: the kernel drops them, and a probe on `kfree_skb` counts why.

use resetmon_tests::{Agent, Feature, Netns, requires};

use crate::host;

/// Sends one RST to a listener, which has nothing that could be reset.
const RST_TO_LISTENER: &str = "
import socket, struct
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen()
port = listener.getsockname()[1]
def checksum(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
addresses = socket.inet_aton('127.0.0.1') * 2
header = lambda check: struct.pack('!HHIIBBHHH', 4444, port, 1000, 0, 5 << 4, 4, 0, check, 0)
check = checksum(addresses + struct.pack('!BBH', 0, 6, 20) + header(0))
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
raw.sendto(header(check), ('127.0.0.1', 0))
";

#[test]
fn an_rst_to_a_listener() {
    let _host = host::alone();
    if !requires(Feature::TcpDropReasons) {
        return;
    }
    let agent = Agent::start(&["--probes", "default,kfree_skb"]);
    let ignored =
        |agent: &Agent| agent.metrics().sum("resetmon_resets_ignored_total", &[("why", "TCP_RESET")]);
    let before = ignored(&agent);
    let netns = Netns::new();
    for _ in 0..3 {
        netns.run("/usr/bin/python3", &["-c", RST_TO_LISTENER]);
    }
    assert_eq!(ignored(&agent) - before, 3);
}

#[test]
fn nothing_is_said_unless_asked_for() {
    let _host = host::shared();
    let agent = Agent::start(&[]);
    let body = agent.get("/metrics").body;
    assert!(!body.contains("resetmon_resets_ignored_total"), "{body}");
    assert!(body.contains("resetmon_probe_attached{probe=\"kfree_skb\"} 0"), "{body}");
}
