//! A close without having read everything that has come.

use resetmon_tests::{Family, Scene, corpus::judge, kernel_reason, owner_from_close};
use serde_json::json;

use crate::host;

fn check(family: Family, name: &str) {
    let _host = host::shared();
    let mut scene = Scene::connected(family);
    scene.server.run("send 20");
    scene.client.run("await 20");
    scene.client.run("send 1000");
    scene.server.run("await 1000");
    scene.server.run("recv 300");
    scene.server.run("close");
    scene.client.run("await-error");

    let sent = scene.expect_at_server(json!({
        "direction": "sent",
        "kernel_reason": kernel_reason("TCP_ABORT_ON_CLOSE"),
        "state": "ESTABLISHED",
        "errno": null,
        "owner_from": owner_from_close(),
        "connection": {
            "role": "server",
            "bytes_sent": 20,
            "bytes_received": 1000,
            "unread_bytes": 700,
            "unacked_bytes": 0,
        },
    }));
    judge(&format!("close_unread/{name}"), &sent, "close_unread", "certain");
    assert_eq!(sent["evidence"][0], "700 bytes had come and not been read", "{sent}");
    let (server, client) = (scene.server.pid(), scene.client.pid());
    let summary = format!(
        "test-server[{server}] closed the connection with 700 bytes unread, so the kernel reset it; \
         test-client[{client}] got ECONNRESET"
    );
    assert_eq!(sent["summary"], summary, "{sent}");
    let received = scene.expect_at_client(json!({
        "direction": "received",
        "kernel_reason": null,
        "state": "ESTABLISHED",
        "errno": "ECONNRESET",
        "owner_from": "connect",
        "connection": {"role": "client", "bytes_sent": 1000, "bytes_received": 20, "unread_bytes": 20},
        "counterpart": {"cause": "close_unread"},
    }));
    judge(&format!("close_unread/received_{name}"), &received, "close_unread", "certain");
    // The kernel takes no notice of what an RST acknowledges; a delayed acknowledgement may have come before it.
    let unacked = &received["connection"]["unacked_bytes"];
    assert!(matches!(unacked.as_u64(), Some(0 | 1000)), "{received}");
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
