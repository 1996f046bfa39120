//! Data to a connection of which only `TIME_WAIT` is left: the socket is gone, its last owner is still known.

use resetmon_tests::{Family, Scene, kernel_reason, sees_resets_without_socket};
use serde_json::json;

use crate::host;

fn check(family: Family) {
    let _host = host::shared();
    let mut scene = Scene::connected(family);
    scene.server.run("shutdown write");
    scene.client.run("await-fin");
    // Its acknowledgement brings the server to FIN_WAIT2, from where close(2) goes to TIME_WAIT at once.
    scene.client.run("send 5");
    scene.server.run("recv 5");
    scene.server.run("close");
    scene.client.run("send 7");
    assert_eq!(scene.client.run("await-error"), "EPIPE");

    let sees_sender = sees_resets_without_socket();
    if sees_sender {
        scene.expect_at_server(json!({
            "direction": "sent",
            "kernel_reason": kernel_reason("TCP_TIMEWAIT_SOCKET"),
            "state": "TIME_WAIT",
            "errno": null,
            "owner_from": "recent",
            "connection": {"role": "server", "unread_bytes": null, "unacked_bytes": null},
            "trigger": {"payload_bytes": 7},
        }));
    }
    scene.expect_at_client(json!({
        "direction": "received",
        "kernel_reason": null,
        "state": "CLOSE_WAIT",
        "errno": "EPIPE",
        "owner_from": "connect",
        "connection": {"role": "client", "bytes_sent": 12, "unread_bytes": 0, "unacked_bytes": 7},
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
