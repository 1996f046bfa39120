//! A connection that the server has accepted, reset by the client: the victim is the server's process, though the
//! client's is the one at work when the reset comes.

use resetmon_tests::{Family, Scene, corpus::judge, kernel_reason, owner_from_accept};
use serde_json::json;

use crate::host;

fn check(family: Family, name: &str) {
    let _host = host::shared();
    let mut scene = Scene::connected(family);
    scene.client.run("send 9");
    scene.server.run("await 9");
    scene.client.run("linger 0");
    scene.client.run("close");
    assert_eq!(scene.server.run("await-error"), "ECONNRESET");

    let sent = scene.expect_at_client(json!({
        "direction": "sent",
        "kernel_reason": kernel_reason("TCP_STATE"),
        "state": "ESTABLISHED",
        "errno": null,
        "owner_from": "connect",
        "connection": {"role": "client", "bytes_sent": 9, "unread_bytes": 0},
    }));
    let received = scene.expect_at_server(json!({
        "direction": "received",
        "kernel_reason": null,
        "state": "ESTABLISHED",
        "errno": "ECONNRESET",
        "owner_from": owner_from_accept(),
        "connection": {"role": "server", "bytes_received": 9, "unread_bytes": 9, "unacked_bytes": 0},
    }));
    judge(&format!("linger_zero/by_client_{name}"), &sent, "linger_zero", "certain");
    judge(&format!("linger_zero/received_by_server_{name}"), &received, "linger_zero", "certain");
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
