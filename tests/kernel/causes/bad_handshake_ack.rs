//! `bad_handshake_ack`: the answer to a wish for a connection acknowledges what was never sent.

use resetmon_tests::{Abroad, corpus::judge};

use super::if_told;
use crate::host;

fn wrong_answer(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let peer = abroad.script(
        "
say('listening')
peer = wished(80)
peer.send(SYN | ACK, ack=peer.received + 77)
peer.take_reset()
say('reset')
",
    );
    assert_eq!(peer.line(), "listening");
    let client = abroad.program(
        "
connection = socket.socket(family(sys.argv[2]))
connection.setblocking(False)
try: connection.connect((sys.argv[2], 80))
except BlockingIOError: pass
wait()
",
    );
    assert_eq!(peer.line(), "reset");
    let event = abroad.sent(client.pid());
    let confidence = if_told(&event, "certain", "likely");
    judge(&format!("bad_handshake_ack/{family}"), &event, "bad_handshake_ack", confidence);
    assert_eq!(event["state"], "SYN_SENT", "{event}");
}

#[test]
fn wrong_answer_ipv4() {
    wrong_answer(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn wrong_answer_ipv6() {
    wrong_answer(&Abroad::by_ipv6(), "ipv6");
}
