//! Keepalive gives up on a peer that is cut off. A timer sends the reset, in the context of whoever is on the CPU.

use resetmon_tests::{Netns, Script, Watch, corpus::judge, kernel_reason};
use serde_json::json;

use crate::host;

const CLIENT: &str = "
connection = connect(sys.argv[1], sys.argv[2])
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 1)
connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
say('connected')
try: connection.recv(1)
except OSError as error: say(type(error).__name__)
sys.stdin.read()
";

#[test]
fn gives_up() {
    let _host = host::shared();
    let (near, far) = Netns::joined(&["10.9.7.1/24", "fd00:7::1/64"], &["10.9.7.2/24", "fd00:7::2/64"]);
    let watch = Watch::start();
    let mut servers = Vec::new();
    let mut clients = Vec::new();
    for (address, listen) in [("10.9.7.2", "listen 10.9.7.2:0"), ("fd00:7::2", "listen [fd00:7::2]:0")] {
        let mut server = far.actor("far-server");
        let port = server.address(listen).port();
        let client = Script::start(&near, CLIENT, &[address, &port.to_string()]);
        assert_eq!(client.line(), "connected");
        clients.push((client, address));
        servers.push(server);
    }
    far.ip(&["link", "set", "test1", "down"]);
    for (client, address) in &clients {
        assert_eq!(client.line(), "TimeoutError");
        let sent = watch.expect(&json!({
            "direction": "sent",
            "netns": near.inode(),
            "peer": {"addr": address},
            "kernel_reason": kernel_reason("TCP_KEEPALIVE_TIMEOUT"),
            "state": "ESTABLISHED",
            "errno": "ETIMEDOUT",
            "owner_from": "connect",
            "process": {"pid": client.pid()},
            "actor": null,
        }));
        let name = if address.contains(':') { "ipv6" } else { "ipv4" };
        judge(&format!("keepalive_timeout/{name}"), &sent, "keepalive_timeout", "certain");
    }
}
