//! `disconnect`: connect(2) to nobody dissolves a connection.

use resetmon_tests::{Abroad, corpus::judge};

use crate::host;

fn dissolved(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let peer = abroad.script("say('listening')\naccept(80).take_reset()\nsay('reset')");
    assert_eq!(peer.line(), "listening");
    let client = abroad.program(
        "
import ctypes
connection = connect(sys.argv[2], 80)
nobody = ctypes.create_string_buffer(16)
assert ctypes.CDLL(None).connect(connection.fileno(), nobody, len(nobody)) == 0
wait()
",
    );
    assert_eq!(peer.line(), "reset");
    judge(&format!("disconnect/{family}"), &abroad.sent(client.pid()), "disconnect", "certain");
}

#[test]
fn dissolved_ipv4() {
    dissolved(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn dissolved_ipv6() {
    dissolved(&Abroad::by_ipv6(), "ipv6");
}
