//! `cancelled_connect`: the answer to a wish for a connection comes when nobody waits for it any more.

use resetmon_tests::{Abroad, corpus::judge, sees_resets_without_socket};

use crate::host;

fn cancelled(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let mut peer = abroad.script(
        "
say('listening')
peer = wished(80)
say(peer.peer_port)
wait()
peer.send(SYN | ACK)
peer.take_reset()
say('reset')
",
    );
    assert_eq!(peer.line(), "listening");
    let mut client = abroad.program(
        "
connection = socket.socket(family(sys.argv[2]))
connection.settimeout(0.2)
try: connection.connect((sys.argv[2], 80))
except TimeoutError: connection.close()
say('gave up')
wait()
",
    );
    let port: u16 = peer.number();
    assert_eq!(client.line(), "gave up");
    peer.tell("answer");
    assert_eq!(peer.line(), "reset");
    if sees_resets_without_socket() {
        judge(&format!("cancelled_connect/{family}"), &abroad.sent_for(port), "cancelled_connect", "likely");
    }
    client.tell("end");
}

#[test]
fn cancelled_ipv4() {
    cancelled(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn cancelled_ipv6() {
    cancelled(&Abroad::by_ipv6(), "ipv6");
}
