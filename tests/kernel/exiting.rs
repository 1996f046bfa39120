//! A process that ends with unread data resets its connections: how it ended is told with the reset, and the process is
//! still named when it is gone.

use std::time::Duration;

use nix::sys::signal::Signal;
use resetmon_tests::{Netns, Script, Watch, corpus::judge, kernel_reason, sees_resets_without_socket};
use serde_json::{Value, json};

use crate::host;

const SERVER: &str = "
listener = listen(sys.argv[1])
say(listener.getsockname()[1])
connection, _ = listener.accept()
connection.recv(1, socket.MSG_PEEK)
say('ready')
";

/// Runs the server until it ends by itself, or by a signal.
fn check(variant: &str, ends: &str, signal: Option<Signal>, exit: &Value) {
    let _host = host::shared();
    for address in ["127.0.0.1", "::1"] {
        let netns = Netns::new();
        let watch = Watch::start();
        let mut server = Script::start(&netns, &format!("{SERVER}{ends}"), &[address]);
        let port: u16 = server.number();
        let mut client = netns.actor("test-client");
        let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        client.run(&format!("connect {host}:{port}"));
        client.run("send 10");
        assert_eq!(server.line(), "ready");
        if let Some(signal) = signal {
            server.process().signal(signal);
        }
        client.fails("recv 1", "ECONNRESET");
        let sent = watch.expect(&json!({
            "direction": "sent",
            "netns": netns.inode(),
            "kernel_reason": kernel_reason("TCP_ABORT_ON_CLOSE"),
            "state": "ESTABLISHED",
            "process": {"pid": server.pid()},
            "connection": {"unread_bytes": 10},
            "exit": exit,
        }));
        let family = if address.contains(':') { "ipv6" } else { "ipv4" };
        let cause = if exit.is_null() { "close_unread" } else { "process_exit" };
        judge(&format!("{cause}/{variant}_{family}"), &sent, cause, "certain");
        watch.expect(&json!({
            "direction": "received",
            "netns": netns.inode(),
            "process": {"pid": client.pid()},
            "exit": null,
        }));
    }
}

#[test]
fn killed() {
    check("killed", "time.sleep(100)", Some(Signal::SIGKILL), &json!({"kind": "signal", "value": 9}));
}

#[test]
fn aborted() {
    check("aborted", "os.abort()", None, &json!({"kind": "signal", "value": 6}));
}

#[test]
fn exited() {
    check("exited", "os._exit(3)", None, &json!({"kind": "status", "value": 3}));
}

/// Threads of the process end one by one.
#[test]
fn killed_with_threads() {
    let ends = "
for _ in range(4): threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
time.sleep(100)
";
    check("killed_with_threads", ends, Some(Signal::SIGKILL), &json!({"kind": "signal", "value": 9}));
}

/// All connections of a process end with it: each later one is told together with those before.
#[test]
fn a_burst() {
    const CONNECTIONS: usize = 3;
    let _host = host::shared();
    let netns = Netns::new();
    let watch = Watch::start();
    let keep = "
listener = listen('127.0.0.1')
say(listener.getsockname()[1])
kept = [listener.accept()[0] for _ in range(int(sys.argv[1]))]
for connection in kept: connection.recv(1, socket.MSG_PEEK)
say('ready')
time.sleep(100)
";
    let mut server = Script::start(&netns, keep, &[&CONNECTIONS.to_string()]);
    let port: u16 = server.number();
    let mut clients = [(); CONNECTIONS].map(|()| netns.actor("test-client"));
    for client in &mut clients {
        client.run(&format!("connect 127.0.0.1:{port}"));
        client.run("send 10");
    }
    assert_eq!(server.line(), "ready");
    server.process().signal(Signal::SIGKILL);
    let of_server = json!({"direction": "sent", "netns": netns.inode(), "process": {"pid": server.pid()}});
    watch.expect_count(&of_server, CONNECTIONS);
    let sent = watch.matching(&of_server);
    let last = sent.last().expect("as many as there are connections");
    let before = format!("{} connections of the process had been reset at its end before", CONNECTIONS - 1);
    assert!(last["evidence"].as_array().is_some_and(|facts| facts.contains(&json!(before))), "{last}");
    judge("process_exit/burst", last, "process_exit", "certain");
}

/// One that closes its socket and lives on has not ended.
#[test]
fn closed() {
    check("closed_and_alive", "connection.close()\ntime.sleep(100)", None, &json!(null));
}

/// The process is gone when its port is asked for.
#[test]
fn a_port_whose_listener_is_gone() {
    let _host = host::shared();
    let netns = Netns::new();
    let watch = Watch::start();
    let mut server = netns.actor("gone-server");
    let at = server.address("listen 127.0.0.1:0");
    let pid = server.pid();
    drop(server);
    let gone = std::time::Instant::now();
    while std::path::Path::new(&format!("/proc/{pid}")).exists() {
        assert!(gone.elapsed() < resetmon_tests::LIMIT, "process {pid} does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut client = netns.actor("test-client");
    client.fails(&format!("connect {at}"), "ECONNREFUSED");
    if sees_resets_without_socket() {
        let sent = watch.expect(&json!({
            "direction": "sent",
            "netns": netns.inode(),
            "local": {"addr": "127.0.0.1", "port": at.port()},
            "process": {"pid": pid, "comm": "gone-server", "exe": null},
            "owner_from": "recent",
            "gone": {"was": "listener"},
            "connection": null,
        }));
        judge("closed_port/listener_killed", &sent, "closed_port", "certain");
    }
    watch.expect(&json!({"direction": "received", "netns": netns.inode(), "process": {"pid": client.pid()}}));
}
