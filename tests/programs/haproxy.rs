//! `HAProxy`: before a server that is down, and where it is told to end connections with a reset.

use std::process::Command;

use nix::sys::signal::Signal;
use resetmon_tests::{Daemon, Folder};
use serde_json::json;

use crate::stage::{Stage, Who, python};

const PORT: u16 = 8080;

const CONFIGURATION: &str = "
defaults
    mode http
    timeout connect 5s
    timeout client 10s
    timeout server 10s
    retries 0
listen it
    bind 127.0.0.1:8080
";

/// Connects, asks, and prints what comes of it.
const CLIENT: &str = "
connection = connect('127.0.0.1', 8080)
def ask():
    try:
        connection.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')
        say(connection.makefile('rb').readline().decode().strip())
    except OSError as error:
        say(type(error).__name__)
def greet():
    try: say(connection.recv(100))
    except OSError as error: say(type(error).__name__)
";

fn start(stage: &Stage, listen: &str) -> Daemon {
    let folder = Folder::new();
    let configuration = folder.write("haproxy.cfg", &format!("{CONFIGURATION}    {listen}\n"));
    let mut command = Command::new("/usr/sbin/haproxy");
    command.args(["-db", "-f", &configuration]);
    Daemon::start(&stage.netns, &mut command, folder, PORT, Signal::SIGTERM)
}

fn haproxy(daemon: &Daemon) -> Who<'static> {
    Who { pid: daemon.pid(), comm: "haproxy" }
}

/// `HAProxy` is refused, and its client gets 503. Nobody sent the reset: there is nobody at that port.
#[test]
fn the_backend_is_down() {
    let stage = Stage::new();
    let daemon = start(&stage, "server one 127.0.0.1:9000");
    let client = stage.python(&format!("{CLIENT}ask()\n"), &[]);
    assert_eq!(client.line(), "HTTP/1.1 503 Service Unavailable");
    let at_backend = json!({"addr": "127.0.0.1", "port": 9000});
    let sent =
        json!({"direction": "sent", "netns": stage.netns.inode(), "local": at_backend, "process": null});
    stage.judge_one("backend of HAProxy", &sent, "closed_port", "certain");
    let received = json!({
        "direction": "received",
        "netns": stage.netns.inode(),
        "peer": at_backend,
        "errno": "ECONNREFUSED",
        "process": {"pid": daemon.pid(), "comm": "haproxy"},
    });
    stage.judge_one("backend of HAProxy received", &received, "closed_port", "certain");
    stage.expect_total(1);
}

/// Without HTTP it can only close; the client's request comes too late.
#[test]
fn the_backend_is_down_behind_plain_tcp() {
    let stage = Stage::new();
    let daemon = start(&stage, "mode tcp\n    server one 127.0.0.1:9000");
    let mut client = stage.python(&format!("{CLIENT}wait()\nask()\nwait()\n"), &[]);
    // HAProxy shuts down and then closes; in between it would be a close without reading.
    let closed = "for _ in $(seq 1000); do ss -Htano | grep -q timewait && exit; sleep 0.01; done; exit 1";
    stage.netns.run("sh", &["-c", closed]);
    client.tell("ask");
    // The end of what HAProxy sent came before the reset, so it is what the client is told.
    assert_eq!(client.line(), "");
    let ends = [haproxy(&daemon), python(&client)];
    let [sent, _] = stage.judge("backend of HAProxy", ends, "late_data", "certain");
    assert_eq!(sent["trigger"]["payload_bytes"], 18, "{sent}");
}

/// A rule that rejects connections: `HAProxy` sets `SO_LINGER` 0, which spares it the connection's end. The
/// client expects the server to speak first: with a request on the way it could as well be a close without reading.
#[test]
fn a_connection_is_rejected() {
    let stage = Stage::new();
    let daemon = start(&stage, "tcp-request connection reject\n    http-request return status 200");
    let client = stage.python(&format!("{CLIENT}greet()\nwait()\n"), &[]);
    assert_eq!(client.line(), "ConnectionResetError");
    let ends = [haproxy(&daemon), python(&client)];
    stage.judge("tcp-request connection reject", ends, "linger_zero", "certain");
}

/// The whole answer has come, and the reset only ends what was over: the client does not notice.
#[test]
fn option_nolinger() {
    let stage = Stage::new();
    let daemon = start(&stage, "option nolinger\n    http-request return status 200");
    let client = stage.python(&format!("{CLIENT}ask()\nsay(connection.recv(1000))\nwait()\n"), &[]);
    assert_eq!([client.line(), client.line()], ["HTTP/1.1 200 OK", "b''"]);
    let ends = [haproxy(&daemon), python(&client)];
    stage.judge("option nolinger", ends, "linger_zero", "certain");
}
