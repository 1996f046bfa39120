//! Data to a connection of which only `TIME_WAIT` is left: the socket is gone, its last owner is still known.

use std::{
    thread,
    time::{Duration, Instant},
};

use resetmon_tests::{Family, Scene, corpus::judge, kernel_reason, sees_resets_without_socket};
use serde_json::json;

use crate::host;

fn check(family: Family, name: &str) {
    let _host = host::shared();
    let started = Instant::now();
    let mut scene = Scene::connected(family);
    scene.server.run("shutdown write");
    scene.client.run("await-fin");
    // Its acknowledgement brings the server to FIN_WAIT2, from where close(2) goes to TIME_WAIT at once.
    scene.client.run("send 5");
    scene.server.run("recv 5");
    scene.server.run("close");
    scene.client.run("send 7");
    assert_eq!(scene.client.run("await-error"), "EPIPE");
    // Idle for this long, the connection would have been in danger of a race with its close.
    let busy = started.elapsed() < Duration::from_secs(1);

    let sees_sender = sees_resets_without_socket();
    if sees_sender {
        let sent = scene.expect_at_server(json!({
            "direction": "sent",
            "kernel_reason": kernel_reason("TCP_TIMEWAIT_SOCKET"),
            "state": "TIME_WAIT",
            "errno": null,
            "owner_from": "recent",
            "connection": {"role": "server", "unread_bytes": null, "unacked_bytes": null},
            "trigger": {"payload_bytes": 7},
        }));
        if busy {
            judge(&format!("late_data/time_wait_{name}"), &sent, "late_data", "certain");
        }
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

/// The server closes a connection that has been idle, and the client's next request meets that.
#[test]
fn after_an_idle_time() {
    let _host = host::shared();
    let mut scene = Scene::connected(Family::Ipv4);
    scene.client.run("send 5");
    scene.server.run("recv 5");
    thread::sleep(Duration::from_millis(1200));
    scene.server.run("close");
    scene.client.run("await-fin");
    // An idle client acknowledges the FIN late; until then the socket is still there.
    let acknowledged =
        "for _ in $(seq 1000); do ss -Htan state fin-wait-2 | grep -q . && exit; sleep 0.01; done; exit 1";
    scene.netns.run("sh", &["-c", acknowledged]);
    scene.client.run("send 7");
    assert_eq!(scene.client.run("await-error"), "EPIPE");

    if sees_resets_without_socket() {
        let sent = scene.expect_at_server(json!({"direction": "sent", "confidence": "likely"}));
        // So much later it has crossed the close for sure, or not at all; it depends on the machine's speed.
        match sent["gone"]["closed_us"].as_u64() {
            Some(0..20_000) => judge("keepalive_race/time_wait", &sent, "keepalive_race", "likely"),
            Some(300_000..) => judge("late_data/long_after_time_wait", &sent, "late_data", "likely"),
            _ => {
                assert!(
                    ["keepalive_race", "late_data"].iter().any(|cause| sent["cause"] == *cause),
                    "{sent}"
                );
            }
        }
    } else {
        scene.expect_at_client(json!({"direction": "received", "cause": "reset_after_peer_close"}));
    }
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
