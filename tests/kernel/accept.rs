//! Several processes accept from one listener: the one that accepted owns the connection, not the one that listens, where
//! a probe on `inet_csk_accept()` can see it, by each mechanism.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use resetmon_tests::{Netns, Running, Version, Watch, requires_probe_by};
use serde_json::json;

use crate::host;

/// Listens, and has a child accept: the master and the worker of every preforking server.
const PREFORK: &str = "
import os, socket, sys
listener = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
listener.bind((sys.argv[1], 0))
listener.listen()
print(listener.getsockname()[1], flush=True)
child = os.fork()
if child == 0:
    connection, _ = listener.accept()
    print(os.getpid(), flush=True)
    sys.stdin.readline()
    os._exit(0)
os.waitpid(child, 0)
";

fn check(address: &str, shown: &str, mechanism: &str) {
    let _host = host::shared();
    if !requires_probe_by(mechanism, "inet_csk_accept", Version(5, 10)) {
        return;
    }
    let netns = Netns::new();
    let watch = Watch::with(&["--probes", &format!("inet_csk_accept:{mechanism}")]);
    let mut server = netns.enter(|| {
        Running::start(Command::new("/usr/bin/python3").args(["-c", PREFORK, address]).stdin(Stdio::piped()))
    });
    let mut release = server.take_input();
    let mut lines = BufReader::new(server.take_output()).lines().map_while(Result::ok);
    let port = lines.next().expect("the port");
    let mut client = netns.actor("test-client");
    client.run(&format!("connect {shown}:{port}"));
    let worker: u32 = lines.next().expect("the worker's pid").parse().expect("a pid");
    assert_ne!(worker, server.pid());
    client.run("linger 0");
    client.run("close");

    watch.expect(&json!({
        "direction": "received",
        "netns": netns.inode(),
        "local": {"port": port.parse::<u16>().expect("a port")},
        "process": {"pid": worker, "comm": "python3"},
        "owner_from": "accept",
        "connection": {"role": "server"},
    }));
    writeln!(release).expect("a worker that waits");
    assert!(server.wait().success());
}

#[test]
fn by_fexit_ipv4() {
    check("127.0.0.1", "127.0.0.1", "fentry");
}

#[test]
fn by_fexit_ipv6() {
    check("::1", "[::1]", "fentry");
}

#[test]
fn by_kretprobe_ipv4() {
    check("127.0.0.1", "127.0.0.1", "kprobe");
}

#[test]
fn by_kretprobe_ipv6() {
    check("::1", "[::1]", "kprobe");
}
