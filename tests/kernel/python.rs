//! The errors that a Python programmer sees, and what resetmon says of them: which process, which peer, which errno.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::Command,
    sync::mpsc::channel,
    thread,
};

use resetmon_tests::{Actor, Family, LIMIT, Netns, Running, Watch, endpoint, kernel_reason};
use serde_json::{Value, json};

use crate::host;

const PYTHON: &str = "/usr/bin/python3";

/// The process lives on until its standard input ends: a real one would as well.
const SOCKET: &str = "
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
connection.sendall(b'x' * 50)
try:
    connection.recv(1)
except Exception as error:
    print(type(error).__module__ + '.' + type(error).__name__, error.errno, flush=True)
sys.stdin.read()
";

const REQUESTS: &str = "
import sys
import requests
try:
    requests.get('http://%s:%s/' % (sys.argv[1], sys.argv[2]), timeout=10)
except Exception as error:
    print(type(error).__module__ + '.' + type(error).__name__, error, flush=True)
sys.stdin.read()
";

/// A Python program that connects to an actor in the same network namespace.
struct Program {
    watch: Watch,
    netns: Netns,
    server: Actor,
    server_at: SocketAddr,
    script: &'static str,
    python: Running,
    client_at: SocketAddr,
}

impl Program {
    fn start(script: &'static str) -> Self {
        // First, so that no other namespace of the watch's life has its number.
        let netns = Netns::new();
        let watch = Watch::start();
        let mut server = netns.actor("test-server");
        let server_at = server.address(Family::Ipv4.listen());
        let (host, port) = (server_at.ip().to_string(), server_at.port().to_string());
        let mut command = Command::new(PYTHON);
        command.args(["-c", script, &host, &port]).env("NO_PROXY", "*");
        let python = netns.enter(|| Running::start(&mut command));
        let client_at = server.address("accept");
        Self { watch, netns, server, server_at, script, python, client_at }
    }

    /// What the program printed about its error.
    #[track_caller]
    fn printed(&mut self) -> String {
        let output = self.python.take_output();
        let (to, printed) = channel();
        thread::spawn(move || to.send(BufReader::new(output).lines().next()));
        let line = printed.recv_timeout(LIMIT).ok().flatten().and_then(Result::ok);
        line.unwrap_or_else(|| panic!("the program prints nothing; it said:\n{}", self.python.said()))
    }

    fn expect_received(&self) {
        let event = self.watch.expect(&json!({
            "direction": "received",
            "state": "ESTABLISHED",
            "local": endpoint(self.client_at),
            "peer": endpoint(self.server_at),
            "netns": self.netns.inode(),
            "errno": "ECONNRESET",
            "owner_from": "connect",
            "connection": {"role": "client"},
            "process": {"pid": self.python.pid()},
        }));
        let process = &event["process"];
        let executable = process["exe"].as_str().and_then(|path| path.rsplit('/').next());
        assert!(executable.is_some_and(|name| name.starts_with("python3")), "{process}");
        assert!(process["comm"].as_str().is_some_and(|name| name.starts_with("python3")), "{process}");
        let (host, port) = (self.server_at.ip().to_string(), self.server_at.port().to_string());
        assert_eq!(process["cmdline"], json!([PYTHON, "-c", self.script, host, port]));
    }

    fn expect_sent(&self, members: Value) {
        let sent = self.watch.expect(&json!({
            "direction": "sent",
            "local": endpoint(self.server_at),
            "peer": endpoint(self.client_at),
            "process": {"pid": self.server.pid(), "comm": "test-server"},
        }));
        let Value::Object(members) = members else { panic!("no members: {members}") };
        for (name, value) in members {
            assert_eq!(sent[&name], value, "{name} of {sent}");
        }
    }
}

#[test]
fn socket_recv() {
    let _host = host::shared();
    let mut program = Program::start(SOCKET);
    program.server.run("recv 50");
    program.server.run("linger 0");
    program.server.run("close");
    assert_eq!(program.printed(), "builtins.ConnectionResetError 104");
    program.expect_received();
    program.expect_sent(json!({"kernel_reason": kernel_reason("TCP_STATE")}));
}

#[test]
fn socket_recv_after_a_close_without_reading() {
    let _host = host::shared();
    let mut program = Program::start(SOCKET);
    program.server.run("await 50");
    program.server.run("close");
    assert_eq!(program.printed(), "builtins.ConnectionResetError 104");
    program.expect_received();
    program.expect_sent(json!({"kernel_reason": kernel_reason("TCP_ABORT_ON_CLOSE")}));
}

#[test]
fn requests_get() {
    let _host = host::shared();
    let mut program = Program::start(REQUESTS);
    // The shortest request that there can be; the package is Debian's python3-requests.
    program.server.run("await 18");
    program.server.run("linger 0");
    program.server.run("close");
    let printed = program.printed();
    assert!(printed.starts_with("requests.exceptions.ConnectionError "), "{printed}");
    assert!(printed.contains("ConnectionResetError(104, 'Connection reset by peer')"), "{printed}");
    program.expect_received();
    program.expect_sent(json!({"state": "ESTABLISHED"}));
}
