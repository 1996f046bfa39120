//! A host that is not this one: at the other end of a wire, with a TCP of its own that does exactly what a script says.
//! What it sends no kernel here has sent, so nothing of it is known but what arrives.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};

use crate::{Actor, Netns, Script, Watch, endpoint};

const LIBRARY: &str = include_str!("foreign.py");

const TRANSLATION: &str = "table ip test {
 chain c {
  type nat hook postrouting priority 100
  oifname test0 masquerade
 }
}";

/// Addresses of hardware, given by hand so that nobody has to ask for them.
const HERE: &str = "02:00:00:00:05:01";
const THERE: &str = "02:00:00:00:05:02";

/// A network namespace of this host, a watch, and a wire to a foreign host.
#[derive(Debug)]
pub struct Abroad {
    /// Where processes of this host are.
    pub netns: Netns,
    /// Who sees it all.
    pub watch: Watch,
    there: Netns,
    own: IpAddr,
    foreign: IpAddr,
}

impl Abroad {
    /// With IPv4 on the wire.
    pub fn by_ipv4() -> Self {
        Self::new("10.9.5.1", "10.9.5.2", "24")
    }

    /// With IPv6 on the wire.
    pub fn by_ipv6() -> Self {
        Self::new("fd00:95::1", "fd00:95::2", "64")
    }

    fn new(own: &str, foreign: &str, prefix: &str) -> Self {
        // The foreign end has no address, so the kernel there answers nothing.
        let (netns, there) = Netns::joined(&[&format!("{own}/{prefix}")], &[]);
        netns.ip(&["link", "set", "test0", "address", HERE]);
        there.ip(&["link", "set", "test1", "address", THERE]);
        netns.ip(&["neighbour", "replace", foreign, "lladdr", THERE, "dev", "test0", "nud", "permanent"]);
        let watch = Watch::start();
        let address = |text: &str| text.parse().expect("an address");
        Self { netns, watch, there, own: address(own), foreign: address(foreign) }
    }

    /// A network namespace behind this one: its connections to the foreign host get this one's address, of IPv4.
    pub fn behind(&self) -> Netns {
        let inside = Netns::new();
        inside.join(("test0", &["10.9.6.2/24"]), &self.netns, ("inside0", &["10.9.6.1/24"]));
        inside.ip(&["route", "add", "default", "via", "10.9.6.1"]);
        self.netns.run("sh", &["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
        self.netns.run("nft", &[TRANSLATION]);
        inside
    }

    /// The foreign host does as this script says, in the words of `foreign.py`.
    pub fn script(&self, code: &str) -> Script {
        let (own, foreign) = (self.own.to_string(), self.foreign.to_string());
        Script::start(&self.there, &format!("{LIBRARY}{code}"), &["test1", HERE, &foreign, &own])
    }

    /// A program of this host, in Python, that may do what no actor does. Its first arguments are both addresses.
    pub fn program(&self, code: &str) -> Script {
        Script::start(&self.netns, code, &[&self.own.to_string(), &self.foreign.to_string()])
    }

    /// A program of this host that has a connection to the foreign one, which goes on with this script: `peer` is the
    /// connection.
    pub fn client(&self, code: &str) -> (Actor, Script) {
        let mut script = self.script(&format!("say('listening')\npeer = accept(80)\nwait()\n{code}"));
        assert_eq!(script.line(), "listening");
        let mut client = self.netns.actor("test-client");
        client.run(&format!("connect {}", self.foreign(80)));
        script.tell("it is connected");
        (client, script)
    }

    /// A program of this host that has accepted a connection of the foreign one, likewise.
    pub fn server(&self, code: &str) -> (Actor, Script) {
        let mut server = self.netns.actor("test-server");
        server.run(&format!("listen {}", self.own(80)));
        let mut script = self.script(&format!("peer = open_to(80)\nwait()\n{code}"));
        server.run("accept");
        script.tell("it is accepted");
        (server, script)
    }

    /// An address of the foreign host.
    pub fn foreign(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.foreign, port)
    }

    /// An address of this host.
    pub fn own(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.own, port)
    }

    /// The reset that came to this process from the foreign host: nobody here has sent it.
    #[track_caller]
    pub fn received(&self, by: u32) -> Value {
        let event = self.expect(json!({"direction": "received", "process": {"pid": by}}));
        assert!(event["counterpart"].is_null(), "{event}");
        event
    }

    /// The reset that this process has sent to the foreign host.
    #[track_caller]
    pub fn sent(&self, by: u32) -> Value {
        self.expect(json!({"direction": "sent", "process": {"pid": by}}))
    }

    /// The reset that was sent to the foreign host for this port, whoever owns it.
    #[track_caller]
    pub fn sent_for(&self, port: u16) -> Value {
        self.expect(json!({"direction": "sent", "local": {"port": port}}))
    }

    #[track_caller]
    fn expect(&self, mut wanted: Value) -> Value {
        wanted["netns"] = json!(self.netns.inode());
        wanted["peer"] = json!({"addr": endpoint(self.foreign(0))["addr"]});
        self.watch.expect(&wanted)
    }
}
