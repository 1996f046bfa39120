//! Sockets in control groups as systemd, container runtimes and Kubernetes make them: resets in either direction tell the
//! group and what runs in it, also when it is gone.

use std::{thread, time::Duration};

use resetmon_tests::{
    Cgroup, Family, Feature, Scene, Watch, container_id, kernel_reason, pod_uid, sees_resets_without_socket,
};
use serde_json::{Value, json};

use crate::host;

/// Longer than between two walks through the hierarchy.
const WALK_PAUSE: Duration = Duration::from_millis(1100);

/// A control group, and what events tell of a socket in it.
struct Placed {
    group: Cgroup,
    told: Value,
}

impl Placed {
    fn new(path: &str, workload: &Value) -> Self {
        let group = Cgroup::new(path);
        let told = json!({"cgroup": group.path(), "workload": workload});
        Self { group, told }
    }

    fn pod() -> Self {
        let (id, uid) = (container_id(), pod_uid());
        let pod = format!("kubepods-burstable-pod{}.slice", uid.replace('-', "_"));
        Self::new(
            &format!("/kubepods.slice/kubepods-burstable.slice/{pod}/cri-containerd-{id}.scope"),
            &json!({"kind": "kubernetes", "name": null, "container_id": id, "pod_uid": uid}),
        )
    }

    fn pod_by_cgroupfs() -> Self {
        let (id, uid) = (container_id(), pod_uid());
        Self::new(
            &format!("/kubepods/besteffort/pod{uid}/{id}"),
            &json!({"kind": "kubernetes", "name": null, "container_id": id, "pod_uid": uid}),
        )
    }

    fn docker() -> Self {
        let id = container_id();
        Self::new(
            &format!("/system.slice/docker-{id}.scope"),
            &json!({"kind": "docker", "name": null, "container_id": id, "pod_uid": null}),
        )
    }

    fn unit() -> Self {
        let unique = container_id()[48..].to_owned();
        Self::new(
            &format!("/system.slice/resetmon\\x2dtest-{unique}.service"),
            &json!({"kind": "systemd", "name": format!("resetmon-test-{unique}.service"), "container_id": null,
                "pod_uid": null}),
        )
    }

    fn session() -> Self {
        let unique = container_id()[48..].to_owned();
        Self::new(
            &format!("/user.slice/user-4321.slice/session-{unique}.scope"),
            &json!({"kind": "user", "name": format!("session-{unique}.scope"), "container_id": null,
                "pod_uid": null}),
        )
    }

    /// What an event must have: this, and that.
    fn and(&self, members: Value) -> Value {
        let (Value::Object(mut all), Value::Object(members)) = (self.told.clone(), members) else {
            panic!("objects are merged");
        };
        all.extend(members);
        Value::Object(all)
    }
}

/// A connection between two control groups, reset by the server.
fn check(family: Family, watch: impl FnOnce() -> Watch, client: &Placed, server: &Placed) {
    let mut scene = Scene::placed(family, watch, |client_process, server_process| {
        client.group.take(client_process.pid());
        server.group.take(server_process.pid());
    });
    scene.make_connection();
    scene.server.run("linger 0");
    scene.server.run("close");
    scene.client.fails("recv 1", "ECONNRESET");

    scene.expect_at_server(server.and(json!({"direction": "sent", "state": "ESTABLISHED"})));
    scene.expect_at_client(client.and(json!({"direction": "received", "state": "ESTABLISHED"})));
    scene.expect_total(1, 1);
    // Those who are in the groups go before the groups do.
    drop(scene);
}

fn both(family: Family) {
    let _host = host::shared();
    check(family, Watch::start, &Placed::pod(), &Placed::docker());
    check(family, Watch::start, &Placed::unit(), &Placed::pod_by_cgroupfs());
    check(family, Watch::start, &Placed::session(), &Placed::unit());
}

#[test]
fn ipv4() {
    both(Family::Ipv4);
}

#[test]
fn ipv6() {
    both(Family::Ipv6);
}

/// Groups that came after the watch, which no probe told it of, and that the processes have left: by their ids alone.
/// Within `pause` after another such look there may be none.
fn looked_up(pause: Duration, watch: impl FnOnce() -> Watch) {
    let _host = host::shared();
    let mut groups = None;
    let mut scene = Scene::placed(Family::Ipv4, watch, |client, server| {
        let (of_client, of_server) = (Placed::pod(), Placed::unit());
        of_client.group.take(client.pid());
        of_server.group.take(server.pid());
        groups = Some((of_client, of_server));
    });
    let (of_client, of_server) = groups.expect("groups");
    scene.make_connection();
    thread::sleep(pause);
    of_client.group.release(scene.client.pid());
    of_server.group.release(scene.server.pid());
    scene.server.run("linger 0");
    scene.server.run("close");
    scene.client.fails("recv 1", "ECONNRESET");
    // Without the privilege the `exe` of others may be hidden, so the ends are enough.
    scene.watch.expect(&of_server.and(scene.server_end()));
    scene.watch.expect(&of_client.and(scene.client_end()));
}

#[test]
fn looked_up_by_handle() {
    looked_up(Duration::ZERO, || Watch::with(&["--probes", "none"]));
}

#[test]
fn looked_up_by_walk() {
    // Before 5.11 maps count as locked memory, which takes one more.
    let capabilities = if Feature::MapsBeyondLockedMemory.is_here() {
        "+bpf,+perfmon"
    } else {
        "+bpf,+perfmon,+sys_resource"
    };
    looked_up(WALK_PAUSE, || Watch::bounded(capabilities, &["--probes", "none"]));
}

/// The group of the client is gone when the server resets; it was there when the watch began, or came later.
fn gone(family: Family, before: bool) {
    let _host = host::shared();
    let mut client = before.then(Placed::pod);
    // Without probes nothing but the start can have told of it.
    let arguments: &[&str] = if before { &["--probes", "none"] } else { &[] };
    let mut scene = Scene::placed(
        family,
        || Watch::with(arguments),
        |process, _| {
            client.get_or_insert_with(Placed::pod).group.take(process.pid());
        },
    );
    let client = client.expect("a group");
    let told = client.and(json!({"direction": "received", "state": "ESTABLISHED"}));
    scene.make_connection();
    client.group.abandon(scene.client.pid());
    scene.server.run("linger 0");
    scene.server.run("close");
    scene.client.fails("recv 1", "ECONNRESET");
    scene.expect_at_client(told);
    scene.expect_total(1, 1);
}

#[test]
fn gone_groups_that_were_there_ipv4() {
    gone(Family::Ipv4, true);
}

#[test]
fn gone_groups_that_were_there_ipv6() {
    gone(Family::Ipv6, true);
}

#[test]
fn gone_groups_that_came_later_ipv4() {
    gone(Family::Ipv4, false);
}

#[test]
fn gone_groups_that_came_later_ipv6() {
    gone(Family::Ipv6, false);
}

/// Neither the socket nor its group is left: what is known of the last owner tells.
fn time_wait(family: Family) {
    let _host = host::shared();
    let server = Placed::docker();
    let mut scene = Scene::placed(family, Watch::start, |_, process| server.group.take(process.pid()));
    scene.make_connection();
    scene.server.run("shutdown write");
    scene.client.run("await-fin");
    scene.client.run("send 5");
    scene.server.run("recv 5");
    scene.server.run("close");
    scene.server.run("close-listener");
    let told = server.and(json!({
        "direction": "sent",
        "kernel_reason": kernel_reason("TCP_TIMEWAIT_SOCKET"),
        "state": "TIME_WAIT",
        "owner_from": "recent",
    }));
    server.group.abandon(scene.server.pid());
    scene.client.run("send 7");
    assert_eq!(scene.client.run("await-error"), "EPIPE");
    let sees_sender = sees_resets_without_socket();
    if sees_sender {
        scene.expect_at_server(told);
    }
    scene.expect_total(usize::from(sees_sender), 1);
}

#[test]
fn time_wait_ipv4() {
    time_wait(Family::Ipv4);
}

#[test]
fn time_wait_ipv6() {
    time_wait(Family::Ipv6);
}

/// A runtime that uses version 1 leaves its container where the runtime itself is in the unified hierarchy.
fn version_1(family: Family) {
    let _host = host::shared();
    let id = container_id();
    let path = format!("/docker/{id}");
    let (container, unit) = (Cgroup::version_1(&path), Placed::unit());
    // Which hierarchies there are is looked at once, at the start.
    let mut scene = Scene::placed(
        family,
        || Watch::with(&[]),
        |client, server| {
            container.take(client.pid());
            container.take(server.pid());
            unit.group.take(server.pid());
        },
    );
    scene.make_connection();
    scene.server.run("linger 0");
    scene.server.run("close");
    scene.client.fails("recv 1", "ECONNRESET");
    let told = json!({
        "cgroup": path,
        "workload": {"kind": "docker", "name": null, "container_id": id, "pod_uid": null},
    });
    scene.expect_at_server(told.clone());
    scene.expect_at_client(told);
    drop(scene);
}

#[test]
fn version_1_ipv4() {
    version_1(Family::Ipv4);
}

#[test]
fn version_1_ipv6() {
    version_1(Family::Ipv6);
}

/// Neither unit nor container.
#[test]
fn the_host() {
    let _host = host::shared();
    let mut scene = Scene::connected(Family::Ipv4);
    scene.server.run("linger 0");
    scene.server.run("close");
    scene.client.fails("recv 1", "ECONNRESET");
    let host = json!({"kind": "host", "name": null, "container_id": null, "pod_uid": null});
    let sent = scene.expect_at_server(json!({"direction": "sent", "workload": host}));
    assert!(sent["cgroup"].as_str().is_some_and(|path| path.starts_with('/')), "{sent}");
    scene.expect_at_client(json!({"direction": "received", "workload": host, "cgroup": sent["cgroup"]}));
}
