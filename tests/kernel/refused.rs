//! A connection to a port where nobody listens: no socket sends the reset, and the connecting one receives it.

use resetmon_tests::{Family, Scene, kernel_reason, sees_resets_without_socket};
use serde_json::json;

use crate::host;

fn check(family: Family) {
    let _host = host::shared();
    let mut scene = Scene::new(family);
    scene.server.run("close-listener");
    scene.client.fails(&scene.connect(), "ECONNREFUSED");

    let sees_sender = sees_resets_without_socket();
    if sees_sender {
        scene.expect_at_nobody(json!({
            "direction": "sent",
            "kernel_reason": kernel_reason("NO_SOCKET"),
            "state": null,
            "errno": null,
            "connection": null,
        }));
    }
    scene.expect_at_client(json!({
        "direction": "received",
        "kernel_reason": null,
        "state": "SYN_SENT",
        "errno": "ECONNREFUSED",
        "owner_from": "connect",
        "connection": {"role": "client", "unread_bytes": 0, "unacked_bytes": 0},
    }));
    scene.expect_total(usize::from(sees_sender), 1);
}

#[test]
fn ipv4() {
    check(Family::Ipv4);
}

#[test]
fn ipv6() {
    check(Family::Ipv6);
}

#[test]
fn v4_mapped() {
    check(Family::Mapped);
}
