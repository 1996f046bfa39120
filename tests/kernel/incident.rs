//! Both ends of a reset on this host: one incident, each event with the other one. And what must not be joined.

use std::process::Command;

use resetmon_tests::{
    Actor, Family, Netns, Running, Scene, Version, Watch, binary, endpoint, is_told_late, kernel_reason,
    requires_probe, sees_resets_without_socket,
};
use serde_json::{Value, json};

use crate::host;

/// What the two ends of one reset are apart at most for them to be joined for sure, in nanoseconds: what they may wait for
/// each other, without what an unproven receipt is held.
const SURE: u64 = 10_000_000;

/// Each is the other end of the other.
#[track_caller]
fn assert_joined(one: &Value, other: &Value) {
    if is_told_late(one) || is_told_late(other) || time(one).abs_diff(time(other)) > SURE {
        // The kernel or resetmon itself took so long, as they may where many want the processors.
        let ids = [&one["id"], &other["id"]];
        for event in [one, other] {
            let counterpart = &event["counterpart"]["id"];
            assert!(counterpart.is_null() || ids.contains(&counterpart), "{event}");
        }
        return;
    }
    let incident = one["id"].as_str().min(other["id"].as_str());
    assert!(incident.is_some(), "{one}");
    for (event, counterpart) in [(one, other), (other, one)] {
        assert_eq!(event["incident"].as_str(), incident, "{one}\n{other}");
        // The sender knows best.
        assert_eq!(event["cause"], one["cause"], "{one}\n{other}");
        for member in ["id", "direction", "kernel_reason", "state", "netns", "process", "owner_from", "cause"]
        {
            assert_eq!(event["counterpart"][member], counterpart[member], "{member}\n{one}\n{other}");
        }
    }
}

/// An id begins with the nanoseconds since 1970.
fn time(event: &Value) -> u64 {
    let id = event["id"].as_str().and_then(|id| id.get(..16)).expect("an id");
    u64::from_str_radix(id, 16).expect("a time")
}

#[track_caller]
fn assert_alone(event: &Value) {
    assert!(event["incident"].is_null() && event["counterpart"].is_null(), "{event}");
}

fn unread(family: Family) {
    let _host = host::shared();
    let mut scene = Scene::connected(family);
    scene.client.run("send 1000");
    scene.server.run("await 1000");
    scene.server.run("close");
    scene.client.fails("recv 1", "ECONNRESET");
    let reason = kernel_reason("TCP_ABORT_ON_CLOSE");
    let sent = scene.expect_at_server(json!({"direction": "sent", "kernel_reason": reason}));
    let received = scene.expect_at_client(json!({"direction": "received"}));
    assert_joined(&sent, &received);
}

fn closed_port(family: Family) {
    let _host = host::shared();
    let mut scene = Scene::new(family);
    scene.server.run("close-listener");
    scene.client.fails(&scene.connect(), "ECONNREFUSED");
    let received = scene.expect_at_client(json!({"direction": "received"}));
    if sees_resets_without_socket() {
        let sent = scene.expect_at_server(json!({"direction": "sent"}));
        assert_joined(&sent, &received);
    } else {
        assert_alone(&received);
    }
}

#[test]
fn unread_ipv4() {
    unread(Family::Ipv4);
}

#[test]
fn unread_ipv6() {
    unread(Family::Ipv6);
}

#[test]
fn unread_v4_mapped() {
    unread(Family::Mapped);
}

#[test]
fn closed_port_ipv4() {
    closed_port(Family::Ipv4);
}

#[test]
fn closed_port_ipv6() {
    closed_port(Family::Ipv6);
}

#[test]
fn closed_port_v4_mapped() {
    closed_port(Family::Mapped);
}

/// The other end has no process, and there is one all the same.
#[test]
fn nobody_ever_listened() {
    let _host = host::shared();
    let netns = Netns::new();
    let watch = Watch::start();
    netns.actor("test-client").fails("connect 127.0.0.1:9", "ECONNREFUSED");
    let received = watch.expect(&json!({"direction": "received", "netns": netns.inode()}));
    if sees_resets_without_socket() {
        let nobody = json!({"direction": "sent", "netns": netns.inode(), "process": null});
        assert_joined(&watch.expect(&nobody), &received);
    } else {
        assert_alone(&received);
    }
}

/// The receipt is told late where nothing proves at once that it is one.
#[test]
fn a_receipt_that_is_held() {
    let _host = host::shared();
    let mut scene = Scene::connected(Family::Ipv4);
    scene.server.run("shutdown both");
    scene.client.run("await-fin");
    scene.client.run("send 10");
    scene.client.run("await-error");
    let sent = scene.expect_at_server(json!({"direction": "sent"}));
    let received = scene.expect_at_client(json!({"direction": "received", "state": "CLOSE_WAIT"}));
    assert_joined(&sent, &received);
}

/// The same two ports again and again: each answer belongs to its own question.
#[test]
fn refused_again_and_again() {
    const TRIES: usize = 20;
    let _host = host::shared();
    if !sees_resets_without_socket() {
        return;
    }
    let mut scene = Scene::new(Family::Ipv4);
    scene.server.run("close-listener");
    let connect = scene.connect();
    for _ in 0..TRIES {
        scene.client.fails(&connect, "ECONNREFUSED");
    }
    scene.expect_total(TRIES, TRIES);
    let mut incidents = Vec::new();
    for received in scene.watch.matching(&json!({"direction": "received", "netns": scene.netns.inode()})) {
        let sent = scene.watch.matching(&json!({"id": received["counterpart"]["id"]}));
        assert_joined(&sent[0], &received);
        incidents.push(received["incident"].to_string());
    }
    incidents.sort();
    incidents.dedup();
    assert_eq!(incidents.len(), TRIES);
}

/// Makes a connection between two namespaces, with bytes at the server that it will not read; both ends' addresses.
fn connect(client: &mut Actor, server: &mut Actor, to: &str, from: &str) {
    assert_eq!(server.run(&format!("listen {to}")), to);
    client.run(&format!("connect {to} from {from}"));
    server.run("accept");
    client.run("send 100");
    server.run("await 100");
}

#[test]
fn two_namespaces() {
    let _host = host::shared();
    let (left, right) = Netns::joined(&["10.9.3.1/24", "fd00:93::1/64"], &["10.9.3.2/24", "fd00:93::2/64"]);
    let watch = Watch::start();
    let (mut client, mut server) = (left.actor("left-client"), right.actor("right-server"));
    for (to, from) in [("10.9.3.2:80", "10.9.3.1:40000"), ("[fd00:93::2]:80", "[fd00:93::1]:40000")] {
        connect(&mut client, &mut server, to, from);
        server.run("close");
        client.fails("recv 1", "ECONNRESET");
        let local = |address: &str| endpoint(address.parse().expect("an address"));
        let sent = watch.expect(&json!({"direction": "sent", "local": local(to), "netns": right.inode()}));
        let received =
            watch.expect(&json!({"direction": "received", "local": local(from), "netns": left.inode()}));
        assert_joined(&sent, &received);
        assert_eq!(sent["process"]["pid"], server.pid());

        server.run("close-listener");
        client.run("close");
        client.fails(&format!("connect {to} from {from}"), "ECONNREFUSED");
        let refused =
            watch.expect(&json!({"state": "SYN_SENT", "local": local(from), "netns": left.inode()}));
        if sees_resets_without_socket() {
            let sent = watch.expect(&json!({"state": null, "local": local(to), "netns": right.inode()}));
            assert_joined(&sent, &refused);
        } else {
            assert_alone(&refused);
        }
    }
}

/// Two namespaces, and a process in each.
struct Pair {
    client: (Netns, Actor),
    server: (Netns, Actor),
}

const TO: &str = "10.9.4.2:80";
const FROM: &str = "10.9.4.1:40000";

impl Pair {
    /// The namespaces come before the watch: once they are there, no other ones of the watch's life have their numbers.
    fn new() -> Self {
        let (left, right) = Netns::joined(&["10.9.4.1/24"], &["10.9.4.2/24"]);
        let (client, server) = (left.actor("pair-client"), right.actor("pair-server"));
        Self { client: (left, client), server: (right, server) }
    }

    /// Always the same addresses and ports.
    fn connect(&mut self) {
        connect(&mut self.client.1, &mut self.server.1, TO, FROM);
    }

    fn sent(&self, watch: &Watch) -> Value {
        watch.expect(&json!({"direction": "sent", "netns": self.server.0.inode()}))
    }

    fn received(&self, watch: &Watch) -> Value {
        watch.expect(&json!({"direction": "received", "netns": self.client.0.inode()}))
    }
}

/// Two pairs of namespaces with the same addresses and ports in use, reset at about the same time.
#[test]
fn overlapping_addresses() {
    let _host = host::shared();
    let mut pairs = [Pair::new(), Pair::new()];
    let watch = Watch::start();
    pairs.iter_mut().for_each(Pair::connect);
    for pair in &mut pairs {
        pair.server.1.run("close");
    }
    for pair in &pairs {
        let (sent, received) = (pair.sent(&watch), pair.received(&watch));
        assert_joined(&sent, &received);
    }
}

/// Of each pair only one end is seen, and the two that are seen would fit by their addresses.
#[test]
fn one_end_of_each_of_two_pairs() {
    let _host = host::shared();
    let (mut one, mut other) = (Pair::new(), Pair::new());
    let watch = Watch::start();
    one.connect();
    other.connect();
    one.client.0.ip(&["link", "set", "test0", "down"]);
    reject(&other.server.0, "input", 80);
    one.server.1.run("close");
    other.client.1.run("send 1");
    other.client.1.fails("recv 1", "ECONNRESET");
    let sent = one.sent(&watch);
    assert_alone(&sent);
    let received = other.received(&watch);
    assert_ne!(received["counterpart"]["id"], sent["id"]);
}

/// An RST that nobody receives, and one that the kernel gives up with.
#[test]
fn nobody_at_the_other_end() {
    let _host = host::shared();
    let mut pair = Pair::new();
    let watch = Watch::start();
    pair.connect();
    pair.server.1.run("keepalive 1 1 1");
    pair.client.0.ip(&["link", "set", "test0", "down"]);
    pair.server.1.run("recv 100");
    pair.server.1.fails("recv 1", "ETIMEDOUT");
    assert_alone(&pair.sent(&watch));

    let mut scene = Scene::connected(Family::Ipv4);
    scene.server.run("silent-close");
    scene.server.run("close-listener");
    scene.client.run("linger 0");
    scene.client.run("close");
    assert_alone(&scene.expect_at_client(json!({"direction": "sent"})));
    scene.expect_total(1, 0);
}

/// Resets packets to `port` at a hook of this namespace.
fn reject(netns: &Netns, hook: &str, port: u16) {
    let rules = format!(
        "table inet test {{\n chain c {{\n type filter hook {hook} priority 0\n tcp dport {port} reject with tcp reset\n }}\n}}"
    );
    netns.run("nft", &[&rules]);
}

/// The firewall's reset is the other end of what it hits, wherever it stands; where it cannot be seen there is none.
fn firewall(hook: &str) {
    const PORT: u16 = 7071;
    let _host = host::shared();
    let netns = Netns::new();
    reject(&netns, hook, PORT);
    let watch = Watch::with(&[]);
    let mut client = netns.actor("test-client");
    client.fails(&format!("connect 127.0.0.1:{PORT}"), "ECONNREFUSED");
    let received = watch.expect(&json!({"direction": "received", "netns": netns.inode()}));
    if requires_probe("nf_send_reset", Version(5, 10)) {
        let by_firewall = json!({"netfilter_hook": hook});
        let sent =
            watch.expect(&json!({"direction": "sent", "netns": netns.inode(), "trigger": by_firewall}));
        assert_joined(&sent, &received);
    } else {
        assert_alone(&received);
    }
}

#[test]
fn firewall_at_input() {
    firewall("input");
}

#[test]
fn firewall_at_output() {
    firewall("output");
}

/// What users see of it: who reset, beside what the application is told.
#[test]
fn in_the_table() {
    let _host = host::shared();
    let mut scene = Scene::new(Family::Ipv4);
    let arguments = ["watch", "-n", "1", "--received", "--pid", &scene.client.pid().to_string()];
    let mut watch = Running::start(Command::new(binary()).args(arguments));
    let output = watch.take_output();
    watch.wait_for("watching");
    scene.client.run(&scene.connect());
    scene.server.run("accept");
    scene.server.run("linger 0");
    scene.server.run("close");
    assert!(watch.wait().success());
    let table = std::io::read_to_string(output).expect("text");
    let port = scene.server_end()["local"]["port"].to_string();
    assert!(table.contains(&format!("[{}]:{port} ", scene.server.pid())), "{table}");
    let last: Vec<_> = table.split_whitespace().rev().take(2).collect();
    assert_eq!(last, ["ECONNRESET", "linger_zero"], "{table}");
}
