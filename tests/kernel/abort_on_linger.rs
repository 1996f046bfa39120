//! A close with `SO_LINGER` set to 0. The kernel's reason is `TCP_STATE`, in spite of the reason with the fitting name.

use std::time::{Duration, Instant};

use resetmon_tests::{Family, Scene, corpus::judge, kernel_reason, owner_from_close};
use serde_json::json;

use crate::host;

fn check(family: Family, name: &str) {
    let _host = host::shared();
    let started = Instant::now();
    let mut scene = Scene::connected(family);
    scene.server.run("linger 0");
    scene.server.run("close");
    scene.client.fails("recv 1", "ECONNRESET");

    let sent = scene.expect_at_server(json!({
        "direction": "sent",
        "kernel_reason": kernel_reason("TCP_STATE"),
        "state": "ESTABLISHED",
        "errno": null,
        "owner_from": owner_from_close(),
        "connection": {"role": "server", "unread_bytes": 0, "unacked_bytes": 0},
    }));
    let received = scene.expect_at_client(json!({
        "direction": "received",
        "kernel_reason": null,
        "state": "ESTABLISHED",
        "errno": "ECONNRESET",
        "owner_from": "connect",
        "connection": {"role": "client", "unread_bytes": 0, "unacked_bytes": 0},
    }));
    judge(&format!("linger_zero/{name}"), &sent, "linger_zero", "certain");
    judge(&format!("linger_zero/received_{name}"), &received, "linger_zero", "certain");
    for event in [sent, received] {
        let connected = Duration::from_micros(event["connection"]["age_us"].as_u64().expect("an age"));
        assert!(connected < started.elapsed(), "{connected:?} is more than the test has taken: {event}");
    }
    scene.expect_total(1, 1);
}

#[test]
fn ipv4() {
    check(Family::Ipv4, "ipv4");
}

#[test]
fn ipv6() {
    check(Family::Ipv6, "ipv6");
}

#[test]
fn v4_mapped() {
    check(Family::Mapped, "v4_mapped");
}
