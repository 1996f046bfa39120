//! The stage of most tests: two actors in a network namespace of their own, and a watch outside of it.

use std::{fs, net::SocketAddr};

use serde_json::{Value, json};

use crate::{Actor, Family, Netns, Watch, binary};

/// The port that clients are bound to. The namespace is the test's own, so it is free.
const CLIENT_PORT: u16 = 40_000;

/// Two processes that can talk, and somebody who watches them.
#[derive(Debug)]
pub struct Scene {
    /// Which addresses are used.
    pub family: Family,
    /// The process that connects.
    pub client: Actor,
    /// The process that listens.
    pub server: Actor,
    /// Who sees it all.
    pub watch: Watch,
    /// Where the two are.
    pub netns: Netns,
    server_port: u16,
}

impl Scene {
    /// Starts the actors, and watches them; the server listens.
    pub fn new(family: Family) -> Self {
        Self::placed(family, Watch::start, |_, _| {})
    }

    /// The same with further arguments for the watch. The namespace comes first: once it is there, no other one of the
    /// watch's life has its number.
    pub fn watched(family: Family, arguments: &[&str]) -> Self {
        Self::placed(family, || Watch::with(arguments), |_, _| {})
    }

    /// The same with a watch of one's own, and something done with client and server before they have any socket.
    pub fn placed(family: Family, watch: impl FnOnce() -> Watch, place: impl FnOnce(&Actor, &Actor)) -> Self {
        let netns = Netns::new();
        let watch = watch();
        let client = netns.actor("test-client");
        let mut server = netns.actor("test-server");
        place(&client, &server);
        let server_port = server.address(family.listen()).port();
        Self { family, client, server, watch, netns, server_port }
    }

    /// The same, with an accepted connection between the two.
    pub fn connected(family: Family) -> Self {
        let mut scene = Self::new(family);
        scene.make_connection();
        scene
    }

    /// Makes a connection between the two, and has it accepted.
    pub fn make_connection(&mut self) {
        self.client.run(&self.connect());
        let peer = self.server.address("accept");
        assert_eq!(peer.port(), CLIENT_PORT);
    }

    /// The client's command to connect.
    pub fn connect(&self) -> String {
        let (to, from) = (self.family.address(self.server_port), self.family.address(CLIENT_PORT));
        format!("connect {to} from {from}")
    }

    /// The client's command to connect once more, from a port that no former connection had.
    pub fn connect_anew(&self) -> String {
        format!("connect {}", self.family.address(self.server_port))
    }

    /// What every event of the client's socket has, whoever is its owner.
    pub fn client_end(&self) -> Value {
        self.end(CLIENT_PORT, self.server_port)
    }

    /// What every event of the server's socket has, whoever is its owner.
    pub fn server_end(&self) -> Value {
        self.end(self.server_port, CLIENT_PORT)
    }

    /// The event that the client's socket must have: `members` and what is known anyway.
    #[track_caller]
    pub fn expect_at_client(&self, members: Value) -> Value {
        self.watch.expect(&merged([self.client_end(), owner(&self.client), members]))
    }

    /// The event that the server's socket must have: `members` and what is known anyway.
    #[track_caller]
    pub fn expect_at_server(&self, members: Value) -> Value {
        self.watch.expect(&merged([self.server_end(), owner(&self.server), members]))
    }

    /// In this network namespace `sent` resets were sent and `received` received, and no more.
    #[track_caller]
    pub fn expect_total(&self, sent: usize, received: usize) {
        self.watch.settle();
        for (direction, count) in [("sent", sent), ("received", received)] {
            let events = self.watch.matching(&json!({"direction": direction, "netns": self.netns.inode()}));
            assert_eq!(events.len(), count, "resets {direction}: {events:#?}");
        }
    }

    /// In this network namespace `count` resets were received, and no more.
    #[track_caller]
    pub fn expect_received(&self, count: usize) {
        self.watch.settle();
        let events = self.watch.matching(&json!({"direction": "received", "netns": self.netns.inode()}));
        assert_eq!(events.len(), count, "resets received: {events:#?}");
    }

    fn end(&self, local: u16, peer: u16) -> Value {
        json!({
            "family": self.family.name(),
            "local": endpoint(self.family.shown(local)),
            "peer": endpoint(self.family.shown(peer)),
            "netns": self.netns.inode(),
        })
    }
}

/// An address and port as events have them.
pub fn endpoint(address: SocketAddr) -> Value {
    json!({"addr": address.ip().to_string(), "port": address.port()})
}

fn owner(actor: &Actor) -> Value {
    let binary = binary();
    let exe = fs::canonicalize(&binary).expect("the binary has a path");
    let cmdline = [binary.to_string_lossy().as_ref(), "actor", actor.name()].map(str::to_owned);
    json!({"process": {"pid": actor.pid(), "comm": actor.name(), "exe": exe, "cmdline": cmdline, "uid": 0}})
}

/// One object with the members of all of them.
fn merged<const N: usize>(objects: [Value; N]) -> Value {
    let members = objects.into_iter().filter_map(|object| match object {
        Value::Object(members) => Some(members),
        _ => None,
    });
    Value::Object(members.flatten().collect())
}
