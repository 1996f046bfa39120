//! `resetmon run` as a user runs it: the command is left as it is, its whole tree is watched from the first instruction
//! on, nobody else is, and what it met is told once it has ended.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    path::PathBuf,
    process::{Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use resetmon_tests::{LIMIT, Netns, Running, Script, binary, require_root};
use serde_json::{Value, json};

use crate::host;

const PYTHON: &str = "/usr/bin/python3";

/// Accepts, reads a byte, resets; for each of as many connections as come.
const RESETTING_SERVER: &str = "
import struct
listener = listen(sys.argv[1])
say(listener.getsockname()[1])
while True:
    connection, _ = listener.accept()
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    connection.close()
";

/// What a process of the command does.
const MEET: &str = "
import os, socket, sys, threading, time
def meet():
    connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    connection.sendall(b'x')
    try: connection.recv(1)
    except ConnectionResetError: print(os.getpid(), flush=True)
";

/// Does it itself, in a thread, in a child, and in a grandchild that is a daemon by then.
const FAMILY: &str = "
meet()
thread = threading.Thread(target=meet)
thread.start()
thread.join()
child = os.fork()
if child == 0:
    meet()
    os._exit(0)
os.waitpid(child, 0)
ended, ends = os.pipe()
if os.fork() == 0:
    os.setsid()
    middle = os.getpid()
    if os.fork() == 0:
        os.close(ended)
        while os.getppid() == middle: time.sleep(0.001)
        meet()
    os._exit(0)
os.close(ends)
os.wait()
os.read(ended, 1)
";

/// How a run ended.
struct Ended {
    status: ExitStatus,
    output: String,
    said: String,
}

/// Runs a command to its end, through `resetmon run`.
fn run(netns: &Netns, change: impl FnOnce(&mut Command), arguments: &[&str]) -> Ended {
    let mut command = Command::new(binary());
    command.arg("run").args(arguments);
    command.env_remove("LC_ALL").env_remove("LC_MESSAGES").env("LANG", "C.UTF-8");
    for name in ["SUDO_UID", "SUDO_GID", "SUDO_USER", "SUDO_HOME"] {
        command.env_remove(name);
    }
    change(&mut command);
    let mut running = netns.enter(|| Running::start(&mut command));
    drop(running.take_input());
    end(running)
}

fn end(mut running: Running) -> Ended {
    let mut stream = running.take_output();
    let reader = thread::spawn(move || {
        let mut output = String::new();
        stream.read_to_string(&mut output).expect("text");
        output
    });
    let status = running.wait();
    let output = reader.join().expect("a reader does not panic");
    Ended { status, output, said: running.said() }
}

fn as_it_is(_: &mut Command) {}

/// A name of no file yet.
fn fresh_file(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("resetmon-run-{}-{name}", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}

fn events(path: &PathBuf) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("the file that was asked for");
    fs::remove_file(path).expect("it can go");
    text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

fn server(netns: &Netns, address: &str) -> (Script, u16) {
    let server = Script::start(netns, RESETTING_SERVER, &[address]);
    let port = server.number();
    (server, port)
}

fn check_whole_tree(address: &str, name: &str) {
    let _host = host::shared();
    let netns = Netns::new();
    let (_server, port) = server(&netns, address);
    let port = port.to_string();
    let file = fresh_file(name);
    let script = format!("{MEET}{FAMILY}");
    let path = file.to_str().expect("text");
    let arguments = ["--output-file", path, "--", PYTHON, "-c", &script, address, &port];
    // Somebody else meets the same at the same time.
    let stranger = Script::start(
        &netns,
        "
while True:
    connection = connect(sys.argv[1], sys.argv[2])
    connection.sendall(b'x')
    try: connection.recv(1)
    except ConnectionResetError: pass
    time.sleep(0.01)
",
        &[address, &port],
    );
    let ended = run(&netns, as_it_is, &arguments);
    assert!(ended.status.success(), "{}: {}", ended.status, ended.said);
    let printed: BTreeSet<u64> = ended.output.lines().map(|line| line.parse().expect("a pid")).collect();
    assert_eq!((ended.output.lines().count(), printed.len()), (4, 3), "{}", ended.output);

    let events = events(&file);
    let received: Vec<&Value> = events.iter().filter(|event| event["direction"] == "received").collect();
    assert_eq!((events.len(), received.len()), (4, 4), "{events:#?}");
    let hit: BTreeSet<u64> = received.iter().filter_map(|event| event["process"]["pid"].as_u64()).collect();
    assert_eq!(hit, printed, "{events:#?}");
    assert!(!hit.contains(&u64::from(stranger.pid())));
    for event in received {
        assert_eq!((&event["errno"], &event["netns"]), (&json!("ECONNRESET"), &json!(netns.inode())));
    }
    let peer =
        if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") };
    let said = ended.said;
    assert!(
        said.starts_with("resetmon: python3 and the processes that it started: 4 resets hit them"),
        "{said}"
    );
    assert!(said.contains(&format!("4 received from {peer}")), "{said}");
    assert!(said.contains("Python: ConnectionResetError"), "{said}");
}

#[test]
fn the_whole_tree_is_watched_and_nobody_else() {
    check_whole_tree("127.0.0.1", "ipv4");
}

#[test]
fn the_whole_tree_is_watched_over_ipv6() {
    check_whole_tree("::1", "ipv6");
}

#[test]
fn the_first_thing_that_it_does_is_seen() {
    let _host = host::shared();
    let netns = Netns::new();
    let file = fresh_file("first");
    let path = file.to_str().expect("text");
    // Port 9 is closed in a namespace where nobody listens.
    let connect = "exec 3<>/dev/tcp/127.0.0.1/9";
    let ended = run(&netns, as_it_is, &["--output-file", path, "--received", "--", "bash", "-c", connect]);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.said);
    let events = events(&file);
    assert_eq!(events.len(), 1, "{events:#?}");
    let event = &events[0];
    assert_eq!((&event["errno"], &event["process"]["comm"]), (&json!("ECONNREFUSED"), &json!("bash")));
}

#[test]
fn what_it_sends_itself_is_told_apart() {
    let _host = host::shared();
    let netns = Netns::new();
    // The other end is not the command's; the command closes without reading what that sent.
    let server = Script::start(
        &netns,
        "
listener = listen(sys.argv[1])
say(listener.getsockname()[1])
connection, _ = listener.accept()
connection.sendall(b'x' * 1000)
sys.stdin.read()
",
        &["127.0.0.1"],
    );
    let port: u16 = server.number();
    let script = "
import select, socket, sys
connection = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
select.select([connection], [], [])
connection.close()
";
    let ended = run(&netns, as_it_is, &["--", PYTHON, "-c", script, &port.to_string()]);
    assert!(ended.status.success(), "{}", ended.said);
    let first = ended.said.lines().next().expect("a report");
    assert_eq!(first, "resetmon: python3 and the processes that it started: they sent 1 reset");
    assert!(ended.said.contains("(close_unread, "), "{}", ended.said);
    assert!(ended.said.contains(&format!("1 sent to 127.0.0.1:{port}")), "{}", ended.said);
}

#[test]
fn filters_narrow_the_report_down() {
    let _host = host::shared();
    let netns = Netns::new();
    let script = "
import socket
for port in (9, 10, 10):
    try: socket.create_connection(('127.0.0.1', port))
    except ConnectionRefusedError: pass
";
    let arguments = ["--received", "--port", "10", "--", PYTHON, "-c", script];
    let said = run(&netns, as_it_is, &arguments).said;
    assert!(said.contains(": 2 resets hit them\n"), "{said}");
    assert!(said.contains("2 received from 127.0.0.1:10\n"), "{said}");
    assert!(said.ends_with("resetmon: 1 more did not match the filter"), "{said}");
}

#[test]
fn ends_as_the_command_does() {
    let _host = host::shared();
    let netns = Netns::new();
    let check = |command: &[&str], expected: i32, said: &str| {
        let ended = run(&netns, as_it_is, &[&["--quiet", "--"], command].concat());
        assert_eq!((ended.status.code(), ended.said.as_str()), (Some(expected), said), "{command:?}");
    };
    check(&["true"], 0, "");
    check(&["sh", "-c", "exit 3"], 3, "");
    check(&["sh", "-c", "kill -KILL $$"], 137, "");
    check(&["sh", "-c", "kill -TERM $$"], 143, "");
    check(&["no-such-command"], 127, "resetmon: there is no command \"no-such-command\"");
    check(&["/etc/passwd"], 126, "resetmon: cannot execute \"/etc/passwd\": Permission denied (os error 13)");
}

#[test]
fn says_that_there_was_nothing_unless_told_not_to() {
    let _host = host::shared();
    let netns = Netns::new();
    let said = |arguments: &[&str]| run(&netns, as_it_is, arguments).said;
    let in_egypt = |command: &mut Command| {
        command.env("LANG", "ar_EG.UTF-8");
    };
    assert_eq!(said(&["--", "true"]), "resetmon: no resets hit true or the processes that it started");
    assert_eq!(said(&["-q", "--", "true"]), "");
    let arabic = run(&netns, in_egypt, &["--", "true"]).said;
    assert!(arabic.starts_with("resetmon: لم تُصب"), "{arabic}");
    assert_eq!(said(&["--lang", "ar", "--", "true"]), arabic);
}

#[test]
fn leaves_the_command_as_it_is() {
    let _host = host::shared();
    let netns = Netns::new();
    // What it is given, what it says, where it is, its environment and its descriptors.
    let script = "cat; echo oops >&2; pwd; echo $RESETMON_X; ls /proc/$$/fd";
    let bytes = "\0binary\u{1}\n".repeat(10_000);
    let feed = |mut command: Command| {
        command.args(["-c", script]).current_dir("/usr").env("RESETMON_X", "kept");
        let mut running = netns.enter(|| Running::start(&mut command));
        let mut input = running.take_input();
        let fed = bytes.clone();
        let feeder = thread::spawn(move || input.write_all(fed.as_bytes()).expect("an open pipe"));
        let ended = end(running);
        feeder.join().expect("a feeder does not panic");
        ended
    };
    let plain = feed(Command::new("sh"));
    let mut watched = Command::new(binary());
    watched.args(["run", "-q", "--", "sh"]);
    let ended = feed(watched);
    assert!(ended.status.success(), "{}", ended.said);
    assert!(ended.output.starts_with(&format!("{bytes}/usr\nkept\n0\n")), "{}", ended.output);
    assert_eq!(ended.output, plain.output);
    assert_eq!(ended.said, "oops");
}

#[test]
fn runs_as_who_called_sudo() {
    let _host = host::shared();
    let netns = Netns::new();
    let who = "id -u; id -g; echo $HOME $USER $LOGNAME ${SUDO_UID-unset} ${SUDO_USER-unset}; \
               grep -E '^(CapEff|NoNewPrivs)' /proc/self/status";
    let nobody = nix::unistd::User::from_name("nobody").expect("users").expect("nobody");
    let (uid, gid) = (nobody.uid.to_string(), nobody.gid.to_string());
    let home = nobody.dir.display();
    let expected = format!(
        "{uid}\n{gid}\n{home} nobody nobody unset unset\nCapEff:\t0000000000000000\nNoNewPrivs:\t0\n"
    );
    let file = fresh_file("user");
    let path = file.to_str().expect("text");
    let sudo = |command: &mut Command| {
        command.env("SUDO_UID", &uid).env("SUDO_GID", &gid).env("SUDO_USER", "nobody").env("HOME", "/root");
    };
    let ended = run(&netns, sudo, &["-q", "--output-file", path, "--", "sh", "-c", who]);
    assert_eq!(ended.output, expected, "{}", ended.said);
    // What is written for the user is the user's.
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(&file).expect("the file"));
    assert_eq!((owner, events(&file).len()), (nobody.uid.as_raw(), 0));

    let named = run(&netns, as_it_is, &["-q", "--user", "nobody", "--", "sh", "-c", who]);
    assert_eq!(named.output, expected, "{}", named.said);
    let numbered = run(&netns, as_it_is, &["-q", "--user", &uid, "--", "id", "-u"]);
    assert_eq!(numbered.output.trim(), uid, "{}", numbered.said);
    let root = run(&netns, as_it_is, &["-q", "--", "id", "-u"]);
    assert_eq!(root.output, "0\n", "{}", root.said);
    let unknown = run(&netns, as_it_is, &["--user", "no-such-user", "--", "true"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(unknown.said.contains("there is no user \"no-such-user\""), "{}", unknown.said);
}

#[test]
fn without_permission_nothing_is_run() {
    let _host = host::shared();
    require_root();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(binary());
    command.args(["run", "--", "sh", "-c", "echo ran"]);
    let ended = end(Running::start(&mut command));
    assert_eq!((ended.status.code(), ended.output.as_str()), (Some(4), ""), "{}", ended.said);
    assert!(ended.said.contains("CAP_BPF and CAP_PERFMON"), "{}", ended.said);
    let works = format!("sudo {} run -- sh -c 'echo ran'", binary().display());
    assert!(ended.said.ends_with(&works), "{}", ended.said);
}

/// Runs a shell script that says when it is ready.
fn start(script: &str) -> Running {
    let mut command = Command::new(binary());
    command.args(["run", "-q", "--", "sh", "-c", script]);
    let mut running = Running::start(&mut command);
    running.wait_for("ready");
    running
}

/// Whether this process ignores a signal, as under nohup: then so does what it starts, and a shell cannot trap it.
fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("a status");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("ignored signals");
    let ignored = u64::from_str_radix(ignored.trim(), 16).expect("a mask");
    ignored >> (signal as u32 - 1) & 1 != 0
}

#[test]
fn passes_signals_on_and_outlives_them() {
    let _host = host::shared();
    require_root();
    // The test has no terminal, or is not what its keys are for: an interrupt is for the command, too.
    for (signal, expected) in [(Signal::SIGTERM, 7), (Signal::SIGHUP, 8), (Signal::SIGUSR1, 9)] {
        if is_ignored(signal) {
            continue;
        }
        let script = "sleep 60 >/dev/null 2>&1 &
            trap 'kill $!; exit 7' TERM; trap 'kill $!; exit 8' HUP; trap 'kill $!; exit 9' USR1
            echo ready >&2; wait";
        let running = start(script);
        running.signal(signal);
        let ended = end(running);
        assert_eq!(ended.status.code(), Some(expected), "{signal}: {}", ended.said);
    }
    let ended = {
        let running = start("echo ready >&2; exec sleep 60");
        running.signal(Signal::SIGTERM);
        end(running)
    };
    assert_eq!(ended.status.code(), Some(143), "{}", ended.said);
}

#[test]
fn a_command_that_goes_on_is_waited_for() {
    let _host = host::shared();
    require_root();
    let running = start("trap '' INT TERM; echo ready >&2; sleep 0.5; exit 5");
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        running.signal(signal);
    }
    let started = Instant::now();
    let ended = end(running);
    assert_eq!(ended.status.code(), Some(5), "{}", ended.said);
    assert!(started.elapsed() < LIMIT.min(Duration::from_secs(30)));
}
