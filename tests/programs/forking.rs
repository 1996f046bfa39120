//! Servers as most application servers are made: one process listens, and its workers accept (gunicorn, uWSGI, php-fpm).

use nix::sys::signal::Signal;
use resetmon_tests::Script;
use serde_json::{Value, json};

use crate::stage::{Stage, Who, python, signal};

/// Has workers that take one connection each and then are busy with it.
const SERVER: &str = "
listener = listen('127.0.0.1')
say(listener.getsockname()[1])
workers = int(sys.argv[1])
def work():
    connections = []
    for _ in range(int(sys.argv[2])):
        connection, _ = listener.accept()
        connection.recv(1, socket.MSG_PEEK)
        connections.append(connection)
    # In one write: workers say it at the same time.
    os.write(1, f'busy {os.getpid()}\\n'.encode())
    outlive()
for _ in range(workers):
    if fork() == 0: work()
def stop(*_): os._exit(0)
signal.signal(signal.SIGTERM, stop)
while True: signal.pause()
";

/// Makes connections one after the other, and sends a request on each; when told, prints what comes of them.
const CLIENTS: &str = "
connections = [connect('127.0.0.1', sys.argv[1]) for _ in range(int(sys.argv[2]))]
for connection in connections: connection.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')
say('sent')
wait()
for connection in connections:
    try: say(connection.recv(1))
    except OSError as error: say(type(error).__name__)
wait()
";

/// Workers that are busy with a connection each, and clients, of which some wait to be accepted.
fn start(stage: &Stage, workers: usize, each: usize, clients: usize) -> (Script, Vec<u32>, Script) {
    let server = stage.python(SERVER, &[&workers.to_string(), &each.to_string()]);
    let port = server.line();
    let clients = stage.python(CLIENTS, &[&port, &clients.to_string()]);
    assert_eq!(clients.line(), "sent");
    let worker =
        |line: String| line.strip_prefix("busy ").and_then(|pid| pid.parse().ok()).expect("a worker");
    let workers = (0..workers).map(|_| worker(server.line())).collect();
    (server, workers, clients)
}

/// A worker is killed with several connections that it had not read from.
#[test]
fn a_worker_is_killed() {
    let stage = Stage::new();
    let (_server, workers, mut clients) = start(&stage, 1, 5, 5);
    let [worker] = workers[..] else { panic!("one worker, not {workers:?}") };
    signal(worker, Signal::SIGKILL);
    clients.tell("go on");
    for _ in 0..5 {
        assert_eq!(clients.line(), "ConnectionResetError");
    }
    let killed = Who { pid: worker, comm: "python3" };
    let ends = [killed, python(&clients)];
    let [sent, _] = stage.judge("worker with several connections", ends, "process_exit", "certain");
    assert_eq!(sent["exit"], json!({"kind": "signal", "value": 9}), "{sent}");
    let last = "4 connections of the process had been reset at its end before";
    let of_all = json!({"direction": "sent", "netns": stage.netns.inode(), "process": {"pid": worker}});
    stage.watch.expect_count(&of_all, 5);
    let events = stage.watch.matching(&of_all);
    let tells = |event: &&Value| event["evidence"].as_array().is_some_and(|all| all.contains(&last.into()));
    assert_eq!(events.iter().filter(tells).count(), 1, "{events:#?}");
}

/// All processes of the server end: connections that no worker had taken yet fall with the listener.
#[test]
fn a_restart() {
    let stage = Stage::new();
    let (mut server, workers, mut clients) = start(&stage, 2, 1, 6);
    for worker in workers {
        signal(worker, Signal::SIGTERM);
    }
    // Whoever closes the listener last resets what waits there; the rest had been taken, and falls with its worker.
    server.process().signal(Signal::SIGTERM);
    server.process().wait();
    clients.tell("go on");
    for _ in 0..6 {
        assert_eq!(clients.line(), "ConnectionResetError");
    }
    let sent = json!({"direction": "sent", "netns": stage.netns.inode(), "cause": "listener_closed"});
    stage.watch.expect_count(&sent, 4);
    stage.judge_one("restart of a forking server", &sent, "listener_closed", "certain");
}
