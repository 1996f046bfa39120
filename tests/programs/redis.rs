//! Redis: clients that somebody ends, and those that are too many.

use std::process::Command;

use nix::sys::signal::Signal;
use resetmon_tests::{Daemon, Folder};

use crate::stage::{Stage, Who, python};

const PORT: u16 = 6379;

/// Speaks the protocol; prints answers.
const CLIENT: &str = "
class Client:
    def __init__(self): self.socket = connect('127.0.0.1', 6379)
    def send(self, command): self.socket.sendall(command + b'\\r\\n')
    def answer(self):
        try:
            return self.socket.recv(1000).decode().strip()
        except OSError as error:
            return type(error).__name__
    def ask(self, command):
        self.send(command)
        return self.answer()
";

fn start(stage: &Stage) -> Daemon {
    let folder = Folder::new();
    let mut command = Command::new("/usr/bin/redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--maxclients", "2", "--logfile", "/dev/stderr"]);
    command.args(["--enable-debug-command", "yes"]);
    Daemon::start(&stage.netns, &mut command, folder, PORT, Signal::SIGTERM)
}

fn redis(daemon: &Daemon) -> Who<'static> {
    Who { pid: daemon.pid(), comm: "redis-server" }
}

/// `CLIENT KILL` closes the connection as any close does. A client that does not look learns of it by its next command:
/// it gets the end of the connection first, and an error when it goes on.
#[test]
fn client_kill() {
    let stage = Stage::new();
    let daemon = start(&stage);
    let killed = "
one, other = Client(), Client()
say(other.ask(b'CLIENT KILL ID ' + one.ask(b'CLIENT ID')[1:].encode()))
say(repr(one.ask(b'PING')))
try: one.send(b'PING')
except OSError as error: say(type(error).__name__)
wait()
";
    let client = stage.python(&format!("{CLIENT}{killed}"), &[]);
    assert_eq!([client.line(), client.line(), client.line()], [":1", "''", "BrokenPipeError"]);
    stage.judge("CLIENT KILL", [redis(&daemon), python(&client)], "late_data", "certain");
}

/// A client beyond `maxclients` is told so and closed, whatever it has sent: while Redis is busy, that has come already,
/// and then the kernel makes a reset of the close.
#[test]
fn maxclients() {
    let stage = Stage::new();
    let mut daemon = start(&stage);
    let busy = "
one, other = Client(), Client()
say(one.ask(b'PING'), other.ask(b'PING'))
one.send(b'EVAL \"redis.log(redis.LOG_WARNING, [[is busy]])\" 0\\r\\nDEBUG SLEEP 1')
wait()
third = Client()
third.send(b'PING')
say(third.answer())
say(third.answer())
wait()
";
    let mut client = stage.python(&format!("{CLIENT}{busy}"), &[]);
    assert_eq!(client.line(), "+PONG +PONG");
    daemon.process().wait_for("is busy");
    client.tell("go on");
    assert_eq!(
        [client.line(), client.line()],
        ["-ERR max number of clients reached", "ConnectionResetError"]
    );
    let [sent, _] = stage.judge("maxclients", [redis(&daemon), python(&client)], "close_unread", "certain");
    assert_eq!(sent["connection"]["unread_bytes"], 6, "{sent}");
}
