//! The header of a received RST, where a probe on `tcp_reset()` can see it, by each mechanism.

use resetmon_tests::{Family, Scene, Version, requires_probe_by};
use serde_json::json;

use crate::host;

fn check(family: Family, mechanism: &str) {
    let _host = host::shared();
    if !requires_probe_by(mechanism, "tcp_reset", Version(5, 11)) {
        return;
    }
    let mut scene = Scene::watched(family, &["--probes", &format!("tcp_reset:{mechanism}")]);
    scene.client.run(&scene.connect());
    scene.server.run("accept");
    scene.client.run("send 10");
    scene.server.run("await 10");
    scene.server.run("close");
    scene.client.fails("recv 1", "ECONNRESET");
    let received = scene.expect_at_client(json!({
        "direction": "received",
        "state": "ESTABLISHED",
        "rst": {"ttl": 64, "flags": "RA"},
        "trigger": null,
    }));
    assert_ne!(received["rst"]["seq"], 0, "{received}");
    assert_ne!(received["rst"]["ack"], 0, "{received}");
    scene.expect_at_server(json!({"direction": "sent", "rst": null}));

    // Data behind a shutdown is no RST, which the header tells at once.
    scene.client.run("close");
    scene.client.run(&scene.connect_anew());
    scene.server.run("accept");
    scene.server.run("shutdown both");
    scene.client.run("await-fin");
    scene.client.run("send 10");
    assert_eq!(scene.server.run("await-error"), "ECONNRESET");
    scene.expect_received(2);
}

#[test]
fn by_fentry_ipv4() {
    check(Family::Ipv4, "fentry");
}

#[test]
fn by_fentry_ipv6() {
    check(Family::Ipv6, "fentry");
}

#[test]
fn by_kprobe_ipv4() {
    check(Family::Ipv4, "kprobe");
}

#[test]
fn by_kprobe_ipv6() {
    check(Family::Ipv6, "kprobe");
}
