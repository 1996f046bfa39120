//! Data that comes after shutdown(2) of both directions. The kernel claims a received reset at that end as well, though
//! no RST came: it must not be told.

use resetmon_tests::{
    Agent, Family, Scene, corpus::judge, is_told_late, kernel_reason, owner_from_close, reason_label,
};
use serde_json::json;

use crate::host;

fn send_after_shutdown(scene: &mut Scene) {
    scene.server.run("shutdown both");
    scene.client.run("await-fin");
    scene.client.run("send 10");
    assert_eq!(scene.client.run("await-error"), "EPIPE");
    scene.server.fails("recv 1", "ECONNRESET");
}

/// Nothing was received at the server's end. Its listener may send a reset too: for the acknowledgement of the FIN, when
/// that comes later than the data.
#[track_caller]
fn expect_one_each(scene: &Scene) {
    scene.expect_received(1);
    let sent = json!({"direction": "sent", "netns": scene.netns.inode()});
    let sent = scene.watch.matching(&sent).into_iter().filter(|event| event["state"] != "LISTEN");
    let sent: Vec<_> = sent.collect();
    assert_eq!(sent.len(), 1, "resets sent: {sent:#?}");
}

fn check(family: Family, name: &str) {
    let _host = host::shared();
    let mut scene = Scene::connected(family);
    send_after_shutdown(&mut scene);

    let sent = scene.expect_at_server(json!({
        "direction": "sent",
        "kernel_reason": kernel_reason("TCP_ABORT_ON_DATA"),
        "state": "FIN_WAIT2",
        "errno": "ECONNRESET",
        "owner_from": owner_from_close(),
        "connection": {"role": "server", "unread_bytes": 0, "unacked_bytes": 0},
        "trigger": {"payload_bytes": 10},
    }));
    // Data after a long pause may have crossed the shutdown of an idle connection, if the machine was that slow.
    let busy = sent["connection"]["idle_us"].as_u64().is_some_and(|idle| idle < 1_000_000);
    let confidence = if busy { "certain" } else { "possible" };
    judge(&format!("late_data/behind_shutdown_{name}"), &sent, "late_data", confidence);
    let received = scene.expect_at_client(json!({
        "direction": "received",
        "kernel_reason": null,
        "state": "CLOSE_WAIT",
        "errno": "EPIPE",
        "owner_from": "connect",
        "connection": {"role": "client", "bytes_sent": 10, "unread_bytes": 0, "unacked_bytes": 10},
    }));
    let other = &received["counterpart"];
    let cause = match other["state"].as_str() {
        // Where the listener sends a reset too, that one may be the first to arrive.
        Some("LISTEN") => "stale_connection",
        None if is_told_late(&received) => "reset_after_peer_close",
        _ => "late_data",
    };
    assert_eq!(received["cause"], cause, "{received}");
    expect_one_each(&scene);
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
fn totals_have_only_what_was_an_rst() {
    let _host = host::alone();
    let mut scene = Scene::connected(Family::Ipv4);
    let agent = Agent::start(&[]);
    let before = agent.metrics();
    send_after_shutdown(&mut scene);
    let after = agent.metrics();
    expect_one_each(&scene);

    // The watch has seen all that happened on the host between the two scrapes.
    let seen = |event| u64::try_from(scene.watch.matching(&event).len()).expect("a small number");
    let more = |name, labels: &[(&str, &str)]| after.sum(name, labels) - before.sum(name, labels);
    let labels = [("reason", reason_label("TCP_ABORT_ON_DATA")), ("state", "FIN_WAIT2")];
    let sent = more("resetmon_kernel_resets_sent_total", &labels);
    let reason = kernel_reason("TCP_ABORT_ON_DATA");
    let most_sent = seen(json!({"direction": "sent", "kernel_reason": reason, "state": "FIN_WAIT2"}));
    assert!((1..=most_sent).contains(&sent), "1 ≤ {sent} ≤ {most_sent}");
    for (state, least) in [("FIN_WAIT2", 0), ("CLOSE_WAIT", 1)] {
        let received = more("resetmon_kernel_resets_received_total", &[("state", state)]);
        let most_received = seen(json!({"direction": "received", "state": state}));
        assert!(
            (least..=most_received).contains(&received),
            "{state}: {least} ≤ {received} ≤ {most_received}"
        );
    }
}
