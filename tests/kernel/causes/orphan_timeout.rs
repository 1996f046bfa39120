//! `orphan_timeout`: nobody waits in `FIN_WAIT2` where `TCP_LINGER2` is negative.

use resetmon_tests::{Abroad, corpus::judge};

use crate::host;

fn no_waiting(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let peer = abroad.script("say('listening')\npeer = accept(80)\npeer.take_fin()\npeer.take_reset()");
    assert_eq!(peer.line(), "listening");
    let mut client = abroad.program(
        "
connection = connect(sys.argv[2], 80)
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_LINGER2, -1)
connection.shutdown(socket.SHUT_WR)
FIN_WAIT2 = 5
while connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != FIN_WAIT2: time.sleep(0.001)
connection.close()
say('closed')
wait()
",
    );
    assert_eq!(client.line(), "closed");
    judge(&format!("orphan_timeout/{family}"), &abroad.sent(client.pid()), "orphan_timeout", "certain");
    client.tell("end");
}

#[test]
fn no_waiting_ipv4() {
    no_waiting(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn no_waiting_ipv6() {
    no_waiting(&Abroad::by_ipv6(), "ipv6");
}
