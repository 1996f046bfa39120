//! A connection to a port where nobody listens any more, or ever did: no socket sends the reset, and the connecting one receives it.

use resetmon_tests::{Family, Netns, Scene, Watch, corpus::judge, kernel_reason, sees_resets_without_socket};
use serde_json::json;

use crate::host;

/// The port's last owner is known for a while, though no socket sends the reset.
fn check(family: Family, name: &str) {
    let _host = host::shared();
    let mut scene = Scene::new(family);
    scene.server.run("close-listener");
    scene.client.fails(&scene.connect(), "ECONNREFUSED");

    let sees_sender = sees_resets_without_socket();
    if sees_sender {
        let sent = scene.expect_at_server(json!({
            "direction": "sent",
            "kernel_reason": kernel_reason("NO_SOCKET"),
            "state": null,
            "errno": null,
            "owner_from": "recent",
            "connection": null,
        }));
        judge(&format!("closed_port/{name}"), &sent, "closed_port", "certain");
    }
    let received = scene.expect_at_client(json!({
        "direction": "received",
        "kernel_reason": null,
        "state": "SYN_SENT",
        "errno": "ECONNREFUSED",
        "owner_from": "connect",
        "connection": {"role": "client", "unread_bytes": 0, "unacked_bytes": 0},
    }));
    let cause = if sees_sender { "closed_port" } else { "connection_refused" };
    judge(&format!("{cause}/received_{name}"), &received, cause, "certain");
    scene.expect_total(usize::from(sees_sender), 1);
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

#[test]
fn where_nobody_ever_listened() {
    let _host = host::shared();
    let netns = Netns::new();
    let watch = Watch::start();
    let mut client = netns.actor("test-client");
    client.fails("connect 127.0.0.1:7", "ECONNREFUSED");
    let port = json!({"addr": "127.0.0.1", "port": 7});
    if sees_resets_without_socket() {
        let sent = watch.expect(&json!({
            "direction": "sent",
            "netns": netns.inode(),
            "local": port,
            "process": null,
            "owner_from": "none",
            "evidence": ["it answers a packet with the flags S and no data"],
        }));
        judge("closed_port/never_listened", &sent, "closed_port", "certain");
    }
    let client = json!({"pid": client.pid()});
    watch.expect(&json!({"direction": "received", "netns": netns.inode(), "peer": port, "process": client}));
}
