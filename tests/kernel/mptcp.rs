//! Subflows of MPTCP are sockets of the kernel's that belong to an application's: that one is named, or nobody, and never a
//! thread of the kernel's.

use resetmon_tests::{Netns, Script, Watch, corpus::judge};
use serde_json::json;

use crate::host;

const MPTCP: &str = "
IPPROTO_MPTCP = 262
def mptcp(address):
    try: return socket.socket(family(address), socket.SOCK_STREAM, IPPROTO_MPTCP)
    except OSError as error:
        say('none', error.strerror)
        sys.exit()
";

const SERVER: &str = "
listener = mptcp(sys.argv[1])
listener.bind((sys.argv[1], 0))
listener.listen()
say(listener.getsockname()[1])
connection, _ = listener.accept()
connection.recv(1, socket.MSG_PEEK)
connection.close()
sys.stdin.read()
";

const CLIENT: &str = "
connection = mptcp(sys.argv[1])
connection.connect((sys.argv[1], int(sys.argv[2])))
connection.sendall(b'0123456789')
try: connection.recv(1)
except OSError as error: say(type(error).__name__)
sys.stdin.read()
";

#[test]
fn applications_are_named() {
    let _host = host::shared();
    for address in ["127.0.0.1", "::1"] {
        let netns = Netns::new();
        let watch = Watch::start();
        let server = Script::start(&netns, &format!("{MPTCP}{SERVER}"), &[address]);
        let port = server.line();
        if port.starts_with("none") {
            // Whether a kernel has it is its configuration's choice.
            return;
        }
        let client = Script::start(&netns, &format!("{MPTCP}{CLIENT}"), &[address, &port]);
        assert_eq!(client.line(), "ConnectionResetError");
        for (direction, script) in [("sent", &server), ("received", &client)] {
            let event = watch.expect(&json!({
                "direction": direction,
                "netns": netns.inode(),
                "process": {"pid": script.pid()},
                "kernel_socket": false,
            }));
            // Only some of the kernel's reasons are of MPTCP alone; both ends have the sender's.
            let sender = if direction == "sent" { &event } else { &event["counterpart"] };
            let named = sender["kernel_reason"].as_str().is_some_and(|reason| reason.starts_with("MPTCP_"));
            let family = if address.contains(':') { "ipv6" } else { "ipv4" };
            let confidence = if named { "certain" } else { "likely" };
            judge(&format!("mptcp/{direction}_{family}"), &event, "mptcp", confidence);
        }
    }
}
