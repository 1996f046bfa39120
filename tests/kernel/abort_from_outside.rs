//! `ss -K` destroys the sockets of others: the owner stays the owner, and who did it is named as the actor.

use resetmon_tests::{Family, Scene, corpus::judge, kernel_reason};
use serde_json::json;

use crate::host;

fn check(family: Family, name: &str) {
    let _host = host::shared();
    let mut scene = Scene::connected(family);
    let client_port = scene.client_end()["local"]["port"].to_string();
    scene.netns.run("ss", &["-K", "sport", "=", &client_port]);
    assert_eq!(scene.server.run("await-error"), "ECONNRESET");
    let event = scene.expect_at_client(json!({
        "direction": "sent",
        "kernel_reason": kernel_reason("TCP_STATE"),
        "state": "ESTABLISHED",
        "errno": "ECONNABORTED",
        "owner_from": "connect",
        "actor": {"comm": "ss"},
        "exit": null,
    }));
    judge(&format!("socket_killed/{name}"), &event, "socket_killed", "certain");
    assert_ne!(event["actor"]["pid"], event["process"]["pid"], "{event}");
    let received = scene.expect_at_server(json!({"direction": "received", "actor": null}));
    judge(&format!("socket_killed/received_{name}"), &received, "socket_killed", "certain");
}

#[test]
fn ipv4() {
    check(Family::Ipv4, "ipv4");
}

#[test]
fn ipv6() {
    check(Family::Ipv6, "ipv6");
}

/// Connections that wait at a listener fall with it.
#[test]
fn a_listener() {
    let _host = host::shared();
    let mut scene = Scene::new(Family::Ipv4);
    scene.client.run(&scene.connect());
    let server_port = scene.server_end()["local"]["port"].to_string();
    scene.netns.run("ss", &["-K", "state", "listening", "sport", "=", &server_port]);
    scene.client.fails("recv 1", "ECONNRESET");
    let sent = scene.expect_at_server(json!({
        "direction": "sent",
        "state": "ESTABLISHED",
        "owner_from": "listen",
        "actor": {"comm": "ss"},
    }));
    judge("listener_closed/from_outside", &sent, "listener_closed", "certain");
}

/// One that closes its own listener acts on nothing of another's.
#[test]
fn the_own_listener() {
    let _host = host::shared();
    let mut scene = Scene::new(Family::Ipv6);
    scene.client.run(&scene.connect());
    scene.server.run("close-listener");
    scene.client.fails("recv 1", "ECONNRESET");
    let sent = scene.expect_at_server(json!({
        "direction": "sent",
        "state": "ESTABLISHED",
        "kernel_reason": kernel_reason("TCP_STATE"),
        "owner_from": "listen",
        "actor": null,
    }));
    judge("listener_closed/by_its_owner", &sent, "listener_closed", "certain");
}
