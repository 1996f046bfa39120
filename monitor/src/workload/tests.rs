//! The forms of paths as kernels, systemd and container runtimes make them, and that no text is too strange.

use proptest::{collection::vec, prelude::*, sample::select};

use super::{Detail, is_id, path_of_process, rooted, unescape, workload};
use crate::model::workload::{
    Workload,
    WorkloadKind::{self, Container, Containerd, Crio, Docker, Host, Kubernetes, Lxc, Podman, Systemd, User},
};

/// Stands for itself and for `ID` in the paths below.
const ID: &str = "7be92808767a667f35c8505cbf40d14e931ef6db5b0210329cf193b15ba9d605";
/// Stands for `OTHER`.
const OTHER: &str = "0c7c0b0e8a5f8b1a7a8f64cf7a0ab6a10f4f9e1fb1a9d5f4a3a6e4b2ad1f0c9e";
/// Stands for `UID`; `U_I_D` is the same with underscores.
const UID: &str = "3e61c214-5fdb-4a3c-91bc-7d6a2b0f6e11";

fn filled(text: &str) -> String {
    let text = text.replace("U_I_D", &UID.replace('-', "_")).replace("UID", UID);
    text.replace("OTHER", OTHER).replace("ID", ID)
}

/// A path, and what must be read of it: kind, name, container and pod.
fn check(
    path: &str,
    kind: WorkloadKind,
    name: Option<&str>,
    container_id: Option<&str>,
    pod_uid: Option<&str>,
) {
    let expected = Workload {
        kind,
        name: name.map(Into::into),
        container_id: container_id.map(|id| filled(id).into()),
        pod_uid: pod_uid.map(|uid| filled(uid).into()),
    };
    assert_eq!(workload(&filled(path)), expected, "{path}");
}

fn pod(path: &str) {
    check(path, Kubernetes, None, Some("ID"), Some("UID"));
}

fn container(path: &str, kind: WorkloadKind) {
    check(path, kind, None, Some("ID"), None);
}

fn named(path: &str, kind: WorkloadKind, name: &str) {
    check(path, kind, Some(name), None, None);
}

#[test]
fn pods_by_the_cgroupfs_driver() {
    pod("/kubepods/podUID/ID");
    pod("/kubepods/burstable/podUID/ID");
    pod("/kubepods/besteffort/podUID/ID");
    pod("/kubelet/kubepods/burstable/podUID/ID");
    pod("/docker/OTHER/kubelet/kubepods/besteffort/podUID/ID");
    pod("/kubepods/burstable/podUID/crio-ID");
    pod("/kubepods/burstable/podUID/ID/system.slice/sshd.service");
}

#[test]
fn pods_by_the_systemd_driver() {
    pod("/kubepods.slice/kubepods-podU_I_D.slice/cri-containerd-ID.scope");
    pod("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_I_D.slice/cri-containerd-ID.scope");
    pod(
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podU_I_D.slice/cri-containerd-ID.scope",
    );
    pod("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podU_I_D.slice/crio-ID.scope");
    pod("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_I_D.slice/crio-ID.scope/container");
    pod("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_I_D.slice/docker-ID.scope");
    // kind: a node that is a container itself, with the kubelet's own root.
    pod(
        "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-podU_I_D.slice/cri-containerd-ID.scope",
    );
    pod(
        "/system.slice/docker-OTHER.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podU_I_D.slice/cri-containerd-ID.scope",
    );
    // containerd without SystemdCgroup below a kubelet with it.
    pod("/system.slice/containerd.service/kubepods-besteffort-podU_I_D.slice:cri-containerd:ID");
    pod("/kubepods-burstable-podU_I_D.slice:cri-containerd:ID");
}

#[test]
fn more_of_pods() {
    let hash = "6a3b5e9d3a2f4d1c8b7e6f5a4d3c2b1a";
    // A static pod, whose uid is a hash of its manifest.
    check(&format!("/kubepods/burstable/pod{hash}/ID"), Kubernetes, None, Some("ID"), Some(hash));
    // What a container of a pod starts itself belongs to the pod's container.
    pod("/kubepods/burstable/podUID/ID/docker/OTHER");
    // What watches a container is no container.
    let conmon = "/kubepods.slice/kubepods-podU_I_D.slice/crio-conmon-ID.scope";
    check(conmon, Kubernetes, None, None, Some("UID"));
    check("/kubepods/burstable/podUID", Kubernetes, None, None, Some("UID"));
    container("/k8s.io/ID", Kubernetes);
    named("/kubepods.slice/kubepods-burstable.slice", Systemd, "kubepods-burstable.slice");
    check("/kubepods/burstable/pod3e61c214/none", Host, None, None, None);
}

#[test]
fn containers() {
    container("/system.slice/docker-ID.scope", Docker);
    container("/../../../system.slice/docker-ID.scope", Docker);
    container("/docker/ID", Docker);
    container("/docker/ID/system.slice/nginx.service", Docker);
    container("/docker/OTHER/docker/ID", Docker);
    container("/docker/OTHER/syscont-cgroup-root/docker/ID", Docker);
    container("/docker/ID/syscont-cgroup-root/init.scope", Docker);
    container("/ecstasks.slice/ecstasks-5b2c4d.slice/docker-ID.scope", Docker);
    container("/system.slice/cri-containerd-ID.scope", Containerd);
    container("/system.slice/containerd.service/system.slice:cri-containerd:ID", Containerd);
    container("/system.slice/nerdctl-ID.scope", Containerd);
    container("/system.slice/crio-ID.scope", Crio);
    container("/machine.slice/libpod-ID.scope", Podman);
    container("/machine.slice/libpod-ID.scope/container", Podman);
    container("/system.slice/web.service/libpod-payload-ID", Podman);
    container("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container", Podman);
    container("/libpod_parent/libpod-ID", Podman);
    container("/ecs/5b2c4d1e-9b51-4f8a-8a3e-7b1d2c3e4f50/ID", Container);
    container("/default/ID", Container);
    let fargate = "5b2c4d1e9b514f8a8a3e7b1d2c3e4f50-2531612879";
    let path = format!("/ecs/5b2c4d1e9b514f8a8a3e7b1d2c3e4f50/{fargate}");
    check(&path, Container, None, Some(fargate), None);
}

#[test]
fn containers_with_names() {
    named("/lxc/web", Lxc, "web");
    named("/lxc/101/ns/system.slice/nginx.service", Lxc, "101");
    named("/lxc.payload/web", Lxc, "web");
    named("/lxc.payload.web/system.slice/nginx.service", Lxc, "web");
    container("/lxc.payload.web/docker/ID", Docker);
    named(r"/machine.slice/systemd-nspawn@web.service/payload", Container, "web");
    named(r"/machine.slice/systemd-nspawn@web\x2d1.service", Container, "web-1");
    named(r"/machine.slice/machine-web\x2d1.scope", Container, "web-1");
    named(
        r"/machine.slice/machine-qemu\x2d3\x2dvm.scope/libvirt/emulator",
        Systemd,
        "machine-qemu-3-vm.scope",
    );
    named("/podruntime/kubelet", Container, "kubelet");
    named("/podruntime/etcd", Container, "etcd");
}

#[test]
fn units() {
    named("/system.slice/nginx.service", Systemd, "nginx.service");
    named("/../../system.slice/nginx.service", Systemd, "nginx.service");
    named(r"/system.slice/dbus\x2dbroker.service", Systemd, "dbus-broker.service");
    named(
        "/system.slice/system-postgresql.slice/postgresql@15-main.service",
        Systemd,
        "postgresql@15-main.service",
    );
    named(
        r"/system.slice/system-serial\x2dgetty.slice/serial-getty@ttyS0.service",
        Systemd,
        "serial-getty@ttyS0.service",
    );
    named("/system.slice/gitlab-runsvdir.service/sidekiq/worker.service", Systemd, "gitlab-runsvdir.service");
    named("/system.slice/run-u42.scope", Systemd, "run-u42.scope");
    named("/system.slice/_cpu.service", Systemd, "cpu.service");
    named(r"/system.slice/srv-a\x2db.mount", Systemd, "srv-a-b.mount");
    named("/backend.slice/api.service", Systemd, "api.service");
    named("/job.service", Systemd, "job.service");
    named("/system.slice/docker.service", Systemd, "docker.service");
    named("/system.slice", Systemd, "system.slice");
    named("/init.scope", Systemd, "init.scope");
    // An id is no name.
    check("/machine.slice/libpod-conmon-ID.scope", Systemd, None, None, None);
}

#[test]
fn users() {
    named("/user.slice/user-1000.slice/session-3.scope", User, "session-3.scope");
    named("/user.slice/user-0.slice/session-c1.scope", User, "session-c1.scope");
    named("/user.slice/user-1000.slice/user@1000.service/app.slice/web.service", User, "web.service");
    named(
        r"/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome\x2dterminal.slice/vte\x2dspawn-7.scope",
        User,
        "vte-spawn-7.scope",
    );
    named("/user.slice/user-1000.slice/user@1000.service/init.scope", User, "user@1000.service");
    named("/user.slice/user-1000.slice/user@1000.service", User, "user@1000.service");
    named("/user.slice/user-1000.slice", User, "user-1000.slice");
}

#[test]
fn the_host() {
    for path in ["/", "", "/..", "/../..", "/build", "/build/job.service", "/lxc.monitor.web", "/docker/web"]
    {
        check(path, Host, None, None, None);
    }
}

#[test]
fn details() {
    let check = |path: &str, expected| {
        let path = filled(path);
        assert_eq!(Detail::of(&path, &workload(&path)), expected, "{path}");
    };
    check("/", Detail::Root);
    for path in ["/init.scope", "/build", "/system.slice", "/machine.slice/libpod-conmon-ID.scope"] {
        check(path, Detail::Host);
    }
    for path in ["/system.slice/nginx.service", "/user.slice/user-1000.slice/session-3.scope"] {
        check(path, Detail::Unit);
    }
    for path in ["/docker/ID", "/lxc/web", "/kubepods/podUID"] {
        check(path, Detail::Container);
    }
}

#[test]
fn paths_from_their_root() {
    let check = |path: &str, expected: &str| assert_eq!(rooted(path), expected, "{path}");
    check("/", "/");
    check("/a.slice", "/a.slice");
    check("/../../a.slice/b.service", "/a.slice/b.service");
    check("/..", "/");
    check("/..a", "/..a");
    check("/a.slice/b.service (deleted)", "/a.slice/b.service");
    check("", "/");
}

#[test]
fn processes() {
    let check = |text: &str, expected: Option<&str>| {
        let (text, expected) = (filled(text), expected.map(filled));
        assert_eq!(path_of_process(&text), expected.as_deref(), "{text}");
    };
    // The unified hierarchy alone.
    check("0::/system.slice/nginx.service\n", Some("/system.slice/nginx.service"));
    check("0::/\n", Some("/"));
    check("0::/../../../system.slice/docker-ID.scope\n", Some("/system.slice/docker-ID.scope"));
    check("0::/docker/ID (deleted)\n", Some("/docker/ID"));
    // Version 1 alone.
    check(
        "12:memory:/docker/ID\n11:cpu,cpuacct:/docker/ID\n10:blkio:/docker/ID\n1:name=systemd:/docker/ID\n",
        Some("/docker/ID"),
    );
    check(
        "3:cpuset:/\n2:cpu:/\n1:name=systemd:/user.slice/user-0.slice/session-1.scope\n",
        Some("/user.slice/user-0.slice/session-1.scope"),
    );
    check("2:cpuset:/docker/ID\n1:name=systemd:/\n", Some("/"));
    check("4:cpu:/custom\n1:name=systemd:/system.slice/nginx.service\n", Some("/system.slice/nginx.service"));
    check("4:cpu:/custom\n3:memory:/other\n1:name=systemd:/\n", Some("/custom"));
    check(
        "7:memory:/kubepods/burstable/podUID/ID\n1:name=systemd:/system.slice/containerd.service/kubepods-burstable-podU_I_D.slice:cri-containerd:ID\n",
        Some("/kubepods/burstable/podUID/ID"),
    );
    // Both: runtimes that use version 1 leave their containers in their own unit of the unified hierarchy.
    check("5:cpu:/\n0::/system.slice/nginx.service\n", Some("/system.slice/nginx.service"));
    check(
        "5:cpu,cpuacct:/docker/ID\n1:name=systemd:/docker/ID\n0::/system.slice/containerd.service\n",
        Some("/docker/ID"),
    );
    check("5:memory:/build/7\n0::/\n", Some("/build/7"));
    check("0::/init.scope\n1:name=systemd:/system.slice/web.service\n", Some("/system.slice/web.service"));
    // Nothing that could be read.
    check("", None);
    check("0::\n", Some("/"));
    check("nonsense\n1:\n:\n", None);
}

#[test]
fn escapes() {
    let check = |name: &str, expected: &str| assert_eq!(unescape(name), expected, "{name}");
    check("nginx.service", "nginx.service");
    check(r"a\x2db", "a-b");
    check(r"\xc3\xa9\x2D", "é-");
    check(r"\xff", "\u{fffd}");
    check(r"a\x2", r"a\x2");
    check(r"a\x2g\x", r"a\x2g\x");
    check(r"\\x2d", r"\-");
    check(r"a\n\x2d", r"a\n-");
}

fn any_path() -> impl Strategy<Value = String> {
    let part = select(vec![
        "/",
        "..",
        "docker",
        "docker-",
        "ID",
        "OTHER",
        "UID",
        "U_I_D",
        ".scope",
        ".slice",
        ".service",
        "pod",
        "kubepods",
        "kubepods-",
        ":cri-containerd:",
        "crio-",
        "conmon-",
        "libpod-",
        "lxc",
        "lxc.payload.",
        "user.slice",
        "user@",
        "init.scope",
        r"\x2d",
        r"\xff",
        r"\x",
        "_",
        "machine-",
        "ecs",
        "é",
        " (deleted)",
        ":",
        "\n",
        "0::",
        "cpu",
    ]);
    vec(part, 0..24).prop_map(|parts| filled(&parts.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_path_has_a_workload(path in prop_oneof![any_path(), any::<String>()]) {
        let found = workload(&path);
        // What the path is asked for twice is the same, wherever the root is.
        prop_assert_eq!(&workload(&format!("/../..{}", if path.starts_with('/') { path.clone() } else { format!("/{path}") })), &found);
        if let Some(id) = &found.container_id {
            prop_assert!(is_id(id) && path.contains(&**id), "{id}");
        }
        if let Some(name) = &found.name {
            prop_assert!(!name.is_empty() && !name.contains('/') && name.len() <= 3 * path.len(), "{name}");
            prop_assert!(![ID, OTHER].iter().any(|id| name.contains(id)), "{name}");
        }
        if let Some(uid) = &found.pod_uid {
            prop_assert_eq!(found.kind, Kubernetes);
            prop_assert!(uid.len() == 32 || uid.len() == 36, "{}", uid);
        }
    }

    #[test]
    fn any_text_is_read(text in prop_oneof![any_path(), any::<String>()]) {
        let _ = unescape(&text);
        prop_assert!(rooted(&text) == "/" || !rooted(&text).starts_with("/../"));
        if let Some(path) = path_of_process(&text) {
            prop_assert!(path == "/" || text.contains(path));
        }
    }
}
