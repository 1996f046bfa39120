//! `peer_idle_timeout`, and its neighbour in which this end speaks just before: `peer_keepalive_race`.

use std::{thread, time::Duration};

use resetmon_tests::{Abroad, corpus::judge};

use crate::host;

/// A peer that ends each connection after the same idle time. Once it has done so twice, it is known for it.
fn habit(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let peer = abroad.script(
        "
say('listening')
for _ in range(3):
    peer = accept(80)
    peer.take(5)
    until = time.monotonic() + 2
    peer.data(7)
    time.sleep(until - time.monotonic())
    peer.reset()
",
    );
    assert_eq!(peer.line(), "listening");
    for (number, confidence) in [(1, "possible"), (2, "possible"), (3, "likely")] {
        let mut client = abroad.netns.actor("test-client");
        client.run(&format!("connect {}", abroad.foreign(80)));
        client.run("send 5");
        client.run("recv 7");
        assert_eq!(client.run("await-error"), "ECONNRESET");
        let event = abroad.received(client.pid());
        judge(&format!("peer_idle_timeout/{family}_{number}"), &event, "peer_idle_timeout", confidence);
        // The foreign host sleeps in one process, and this one measures in another.
        let idle = event["connection"]["idle_us"].as_u64().expect("an idle time");
        assert!((1_700_000..2_500_000).contains(&idle), "{event}");
        let tenths = idle / 100_000;
        let evidence = format!("idle for {}.{} s", tenths / 10, tenths % 10);
        assert!(event["evidence"].to_string().contains(&evidence), "{event}");
    }
}

#[test]
fn habit_ipv4() {
    habit(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn habit_ipv6() {
    habit(&Abroad::by_ipv6(), "ipv6");
}

fn race(abroad: &Abroad, family: &str) {
    let _host = host::shared();
    let (mut client, _peer) = abroad.client(
        "
peer.take(5)
peer.data(7)
peer.next(lambda segment: segment.data)
peer.reset()
",
    );
    client.run("send 5");
    client.run("recv 7");
    thread::sleep(Duration::from_millis(1500));
    client.run("send 5");
    assert_eq!(client.run("await-error"), "ECONNRESET");
    let event = abroad.received(client.pid());
    // On a slow machine the peer's answer takes many round trips, and is no answer at once any more.
    let at_once = event["connection"]["since_sent_us"].as_u64().is_some_and(|since| since <= 20_000);
    let cause = if at_once { "peer_keepalive_race" } else { "peer_reset_request" };
    judge(&format!("{cause}/after_a_pause_{family}"), &event, cause, "likely");
}

#[test]
fn race_ipv4() {
    race(&Abroad::by_ipv4(), "ipv4");
}

#[test]
fn race_ipv6() {
    race(&Abroad::by_ipv6(), "ipv6");
}
