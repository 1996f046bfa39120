//! Sockets that are older than resetmon: their owners are found at its start.

use resetmon_tests::{Actor, Family, Netns, Watch, owner_from_accept};
use serde_json::{Value, json};

use crate::host;

/// Two processes with a connection that nobody has watched so far.
struct Pair {
    netns: Netns,
    client: Actor,
    server: Actor,
    client_at: std::net::SocketAddr,
    server_at: std::net::SocketAddr,
}

impl Pair {
    fn connected(family: Family) -> Self {
        let netns = Netns::new();
        let (mut client, mut server) = (netns.actor("old-client"), netns.actor("old-server"));
        let port = server.address(family.listen()).port();
        let client_at = client.address(&format!("connect {}", family.address(port)));
        server.run("accept");
        let server_at = family.shown(port);
        let client_at = std::net::SocketAddr::new(client_at.ip().to_canonical(), client_at.port());
        Self { netns, client, server, client_at, server_at }
    }

    fn expect(
        &self,
        watch: &Watch,
        direction: &str,
        end: (&Actor, std::net::SocketAddr),
        members: &Value,
    ) -> Value {
        let mut expected = json!({
            "direction": direction,
            "netns": self.netns.inode(),
            "local": {"addr": end.1.ip().to_string(), "port": end.1.port()},
            "process": {"pid": end.0.pid(), "comm": end.0.name()},
        });
        for (key, value) in members.as_object().expect("members") {
            expected[key] = value.clone();
        }
        watch.expect(&expected)
    }
}

fn check(family: Family) {
    let _host = host::shared();
    // The server resets, then, in another pair, the client.
    let mut pair = Pair::connected(family);
    let watch = Watch::with(&[]);
    pair.server.run("linger 0");
    pair.server.run("close");
    pair.client.fails("recv 1", "ECONNRESET");
    let seeded = json!({"owner_from": "seed", "state": "ESTABLISHED"});
    pair.expect(&watch, "sent", (&pair.server, pair.server_at), &seeded);
    pair.expect(&watch, "received", (&pair.client, pair.client_at), &seeded);
    drop(watch);

    let mut pair = Pair::connected(family);
    let watch = Watch::with(&[]);
    pair.client.run("linger 0");
    pair.client.run("close");
    pair.server.fails("recv 1", "ECONNRESET");
    pair.expect(&watch, "sent", (&pair.client, pair.client_at), &seeded);
    pair.expect(&watch, "received", (&pair.server, pair.server_at), &seeded);
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

/// Connections that come later have what was found of their listener.
fn check_listener(family: Family) {
    let _host = host::shared();
    let netns = Netns::new();
    let (mut client, mut server) = (netns.actor("new-client"), netns.actor("old-server"));
    let port = server.address(family.listen()).port();
    let watch = Watch::with(&[]);

    // Nobody has accepted this one when it is reset.
    let unaccepted = client.address(&format!("connect {}", family.address(port)));
    client.run("linger 0");
    client.run("close");
    let expect = |peer: std::net::SocketAddr, owner_from: &str| {
        watch.expect(&json!({
            "direction": "received",
            "netns": netns.inode(),
            "peer": {"addr": peer.ip().to_canonical().to_string(), "port": peer.port()},
            "process": {"pid": server.pid(), "comm": "old-server"},
            "owner_from": owner_from,
            "connection": {"role": "server"},
        }));
    };
    expect(unaccepted, "listen");
    server.run("accept");
    server.run("close");

    let accepted = client.address(&format!("connect {}", family.address(port)));
    server.run("accept");
    client.run("linger 0");
    client.run("close");
    watch.expect(&json!({
        "direction": "received",
        "netns": netns.inode(),
        "peer": {"addr": accepted.ip().to_canonical().to_string(), "port": accepted.port()},
        "process": {"pid": server.pid(), "comm": "old-server"},
        "owner_from": owner_from_accept(),
    }));
}

#[test]
fn listener_ipv4() {
    check_listener(Family::Ipv4);
}

#[test]
fn listener_ipv6() {
    check_listener(Family::Ipv6);
}

#[test]
fn listener_v4_mapped() {
    check_listener(Family::Mapped);
}
