//! Sockets whose holder is not who connected or listened: prefork, fork per connection, a shared port, descriptors that
//! are handed down or passed on. The client resets; the process that holds the other end must be named.

use resetmon_tests::{Actor, Netns, Script, Watch, owner_from_accept};
use serde_json::{Value, json};

use crate::host;

const LOOPBACK: [&str; 2] = ["127.0.0.1", "::1"];

/// A server in Python, which has printed its port, and a client that resets what the server accepts.
struct Servant {
    netns: Netns,
    watch: Watch,
    server: Script,
    client: Actor,
    address: String,
    port: u16,
}

impl Servant {
    fn start(code: &str, address: &str) -> Self {
        let netns = Netns::new();
        let watch = Watch::start();
        let server = Script::start(&netns, code, &[address]);
        let port = server.number();
        let client = netns.actor("test-client");
        Self { netns, watch, server, client, address: address.to_owned(), port }
    }

    /// Connects; where the client is.
    fn connect(&mut self) -> Value {
        let address =
            if self.address.contains(':') { format!("[{}]", self.address) } else { self.address.clone() };
        let client_at = self.client.address(&format!("connect {address}:{}", self.port));
        json!({"addr": client_at.ip().to_string(), "port": client_at.port()})
    }

    /// Connects, waits for the server to print whose the connection is, resets it: the pid that was printed must be
    /// the one that is told.
    #[track_caller]
    fn expect_holder(&mut self, owner_from: &str) -> Value {
        let peer = self.connect();
        let holder: u32 = self.server.number();
        self.client.run("linger 0");
        self.client.run("close");
        let event = self.watch.expect(&json!({
            "direction": "received",
            "state": "ESTABLISHED",
            "netns": self.netns.inode(),
            "peer": peer,
            "process": {"pid": holder},
            "connection": {"role": "server"},
        }));
        // The kernel skips a program that interrupts itself on its processor, as when several accept at once: then the
        // holder is found all the same, by its descriptor.
        assert!(event["owner_from"] == owner_from || event["owner_from"] == "holder", "{event}");
        event
    }
}

/// Runs the server for each family, and resets so many connections.
fn check(code: &str, owner_from: &str, times: usize) {
    let _host = host::shared();
    for address in LOOPBACK {
        let mut servant = Servant::start(code, address);
        for _ in 0..times {
            servant.expect_holder(owner_from);
        }
    }
}

#[test]
fn prefork() {
    let code = "
listener = listen(sys.argv[1])
say(listener.getsockname()[1])
for _ in range(3):
    if fork() == 0:
        connection, _ = listener.accept()
        say(os.getpid())
        outlive()
sys.stdin.read()
";
    check(code, owner_from_accept(), 3);
}

/// As soon as a worker learns of the reset it closes the socket: then its descriptor is not found any more.
#[test]
fn prefork_and_closed_at_once() {
    let code = "
listener = listen(sys.argv[1])
say(listener.getsockname()[1])
for _ in range(3):
    if fork() == 0:
        while True:
            connection, _ = listener.accept()
            say(os.getpid())
            try: connection.recv(1)
            except ConnectionResetError: pass
            connection.close()
sys.stdin.read()
";
    check(code, owner_from_accept(), 6);
}

#[test]
fn shared_port() {
    let code = "
port = 0
reserved = socket.socket(family(sys.argv[1]))
reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
reserved.bind((sys.argv[1], 0))
port = reserved.getsockname()[1]
ready, tell_ready = os.pipe()
for _ in range(3):
    if fork() == 0:
        listener = listen(sys.argv[1], port, reuse_port=True)
        os.write(tell_ready, b'x')
        kept = []
        while True:
            kept.append(listener.accept())
            say(os.getpid())
for _ in range(3): os.read(ready, 1)
say(port)
sys.stdin.read()
";
    check(code, owner_from_accept(), 6);
}

#[test]
fn fork_per_connection() {
    let code = "
listener = listen(sys.argv[1])
say(listener.getsockname()[1])
while True:
    connection, _ = listener.accept()
    pid = fork()
    if pid == 0: outlive()
    connection.close()
    say(pid)
";
    check(code, "holder", 3);
}

#[test]
fn fork_per_connection_and_closed_at_once() {
    let code = "
listener = listen(sys.argv[1])
say(listener.getsockname()[1])
while True:
    connection, _ = listener.accept()
    if fork() == 0:
        time.sleep(0.1)
        say(os.getpid())
        try: connection.recv(1)
        except ConnectionResetError: pass
        os._exit(0)
    connection.close()
";
    check(code, "holder", 3);
}

/// The child closes without having read, so the reset is its own doing.
#[test]
fn the_child_resets() {
    let _host = host::shared();
    let code = "
listener = listen(sys.argv[1])
say(listener.getsockname()[1])
while True:
    connection, _ = listener.accept()
    pid = fork()
    if pid == 0:
        connection.recv(1, socket.MSG_PEEK)
        connection.close()
        outlive()
    connection.close()
    say(pid)
";
    for address in LOOPBACK {
        let mut servant = Servant::start(code, address);
        let peer = servant.connect();
        let child: u32 = servant.server.number();
        servant.client.run("send 10");
        servant.client.fails("recv 1", "ECONNRESET");
        servant.watch.expect(&json!({
            "direction": "sent",
            "peer": peer,
            "netns": servant.netns.inode(),
            "owner_from": "current",
            "process": {"pid": child},
        }));
    }
}

#[test]
fn who_accepted_and_holds_it_still_comes_first() {
    let _host = host::shared();
    let code = "
listener = listen(sys.argv[1])
say(listener.getsockname()[1])
connection, _ = listener.accept()
child = fork()
if child == 0: outlive()
say(os.getpid())
say(child)
sys.stdin.read()
";
    for address in LOOPBACK {
        let mut servant = Servant::start(code, address);
        let event = servant.expect_holder(owner_from_accept());
        let child: u32 = servant.server.number();
        let others: Vec<_> =
            event["other_holders"].as_array().expect("a list").iter().map(|of| &of["pid"]).collect();
        assert_eq!(others, [child], "{event}");
    }
}

#[test]
fn of_several_children_the_oldest() {
    let _host = host::shared();
    let code = "
listener = listen(sys.argv[1])
say(listener.getsockname()[1])
connection, _ = listener.accept()
first = fork()
if first == 0: outlive()
time.sleep(0.1)
second = fork()
if second == 0: outlive()
connection.close()
say(first)
say(second)
sys.stdin.read()
";
    let mut servant = Servant::start(code, LOOPBACK[0]);
    let event = servant.expect_holder("holder");
    let second: u32 = servant.server.number();
    assert_eq!(event["other_holders"][0]["pid"], second, "{event}");
}

/// By `SCM_RIGHTS` to a process that is no child of the one that accepted.
#[test]
fn passed_on() {
    let code = "
here, there = socket.socketpair(socket.AF_UNIX)
listener = listen(sys.argv[1])
say(listener.getsockname()[1])
if fork() == 0:
    while True:
        connection, _ = listener.accept()
        socket.send_fds(there, [b'x'], [connection.fileno()])
        connection.close()
kept = []
while True:
    _, descriptors, _, _ = socket.recv_fds(here, 1, 1)
    kept.extend(descriptors)
    time.sleep(0.1)
    say(os.getpid())
";
    check(code, "holder", 3);
}

/// As by systemd with `Accept=no`: the parent listens, a program that it starts accepts.
#[test]
fn socket_activation() {
    let code = "
import subprocess
listener = listen(sys.argv[1])
service = '''
import os, socket, sys
listener = socket.socket(fileno=int(sys.argv[1]))
kept = []
while True:
    kept.append(listener.accept())
    print(os.getpid(), flush=True)
'''
os.set_inheritable(listener.fileno(), True)
os.set_blocking(listener.fileno(), True)
say(listener.getsockname()[1])
child = subprocess.Popen([sys.executable, '-c', service, str(listener.fileno())], close_fds=False)
sys.stdin.read()
child.kill()
";
    check(code, owner_from_accept(), 2);
}

/// As by inetd: the parent accepts and starts a program that has the connection as its standard input.
#[test]
fn inetd() {
    let _host = host::shared();
    let code = "
import subprocess
listener = listen(sys.argv[1])
say(listener.getsockname()[1])
connection, _ = listener.accept()
child = subprocess.Popen(['sleep', '100'], stdin=connection, stdout=subprocess.DEVNULL)
connection.close()
# In the middle of execve(2) a program has no arguments yet.
while not open('/proc/%d/cmdline' % child.pid).read(): time.sleep(0.001)
say(child.pid)
sys.stdin.read()
child.kill()
";
    for address in LOOPBACK {
        let mut servant = Servant::start(code, address);
        let event = servant.expect_holder("holder");
        assert_eq!(event["process"]["comm"], "sleep", "{event}");
        assert_eq!(event["process"]["cmdline"], json!(["sleep", "100"]), "{event}");
    }
}

/// The other way round: the program connects, and the actor resets.
fn check_client(code: &str, expect: impl Fn(&Script, u32) -> Value) {
    let _host = host::shared();
    for address in LOOPBACK {
        let netns = Netns::new();
        let watch = Watch::start();
        let mut server = netns.actor("test-server");
        let listen = if address.contains(':') { format!("[{address}]:0") } else { format!("{address}:0") };
        let at = server.address(&format!("listen {listen}"));
        let script = Script::start(&netns, code, &[address, &at.port().to_string()]);
        let peer = server.address("accept");
        let pid = script.number();
        let expected = expect(&script, pid);
        server.run("linger 0");
        server.run("close");
        let event = watch.expect(&json!({
            "direction": "received",
            "netns": netns.inode(),
            "local": {"addr": peer.ip().to_string(), "port": peer.port()},
        }));
        for (key, value) in expected.as_object().expect("members") {
            assert_eq!(event.pointer(key), Some(value), "{key} of {event}");
        }
    }
}

#[test]
fn a_thread_connects() {
    let code = "
def work():
    global connection
    connection = connect(sys.argv[1], sys.argv[2])
    say(os.getpid())
    time.sleep(100)
threading.Thread(target=work, daemon=True, name='worker').start()
sys.stdin.read()
";
    check_client(code, |script, pid| {
        assert_eq!(script.pid(), pid);
        json!({"/process/pid": pid, "/owner_from": "connect", "/connection/role": "client"})
    });
}

#[test]
fn another_program_is_executed() {
    let code = "
connection = connect(sys.argv[1], sys.argv[2])
os.set_inheritable(connection.fileno(), True)
say(os.getpid())
os.execvp('sleep', ['sleep', '100'])
";
    check_client(code, |script, pid| {
        // Until it is executed.
        let comm = || std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let deadline = std::time::Instant::now() + resetmon_tests::LIMIT;
        while comm() != "sleep\n" {
            assert!(std::time::Instant::now() < deadline, "it is still {:?}", comm());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(script.pid(), pid);
        json!({"/process/pid": pid, "/process/comm": "sleep", "/owner_from": "connect"})
    });
}

#[test]
fn a_client_that_forked() {
    let code = "
connection = connect(sys.argv[1], sys.argv[2])
child = fork()
if child == 0: outlive()
connection.close()
say(child)
sys.stdin.read()
";
    check_client(code, |_, child| json!({"/process/pid": child, "/owner_from": "holder"}));
}
