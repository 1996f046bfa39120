//! `accept_overflow`, and its neighbour with the same reason of the kernel's: `invalid_syn`.

use resetmon_tests::{Abroad, corpus::judge};

use super::if_told;
use crate::host;

fn overflow(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    abroad.netns.run("sh", &["-c", "echo 1 > /proc/sys/net/ipv4/tcp_abort_on_overflow"]);
    let mut server = abroad.netns.actor("test-server");
    server.run(&format!("listen {} backlog 2", abroad.own(80)));
    let peer = abroad.script(
        "
# Two of a queue of two, one too many, and one that finds no room.
waiting = [open_to(80, 40000 + number) for number in range(2)]
third, fourth = ask(80, 40002), ask(80, 40003)
third.send(ACK)
fourth.send(ACK)
fourth.take_reset()
say('reset')
",
    );
    assert_eq!(peer.line(), "reset");
    let event = abroad.sent(server.pid());
    let confidence = if_told(&event, "certain", "possible");
    judge(&format!("accept_overflow/{family}"), &event, "accept_overflow", confidence);
    assert_eq!(event["peer"]["port"], 40003, "{event}");
}

#[test]
fn overflow_ipv4() {
    overflow(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn overflow_ipv6() {
    overflow(&Abroad::by_ipv6(), "ipv6");
}

fn second_syn(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let mut server = abroad.netns.actor("test-server");
    server.run(&format!("listen {}", abroad.own(80)));
    let peer =
        abroad.script("peer = ask(80)\npeer.send(SYN, seq=peer.seq + 5)\npeer.take_reset()\nsay('reset')");
    assert_eq!(peer.line(), "reset");
    let event = abroad.sent(server.pid());
    let confidence = if_told(&event, "certain", "likely");
    judge(&format!("invalid_syn/{family}"), &event, "invalid_syn", confidence);
}

#[test]
fn second_syn_ipv4() {
    second_syn(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn second_syn_ipv6() {
    second_syn(&Abroad::by_ipv6(), "ipv6");
}
