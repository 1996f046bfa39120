//! nginx: before a program that dies, with clients that send too much, too slowly, or what it does not want.

use std::process::Command;

use nix::sys::signal::Signal;
use resetmon_tests::{Daemon, Folder};

use crate::stage::{Stage, Who, only_child, python};

const PORT: u16 = 8080;

/// One worker; whatever nginx writes is in its folder. `LOCATIONS` is what a test is about.
const CONFIGURATION: &str = "
daemon off;
worker_processes 1;
pid FOLDER/nginx.pid;
error_log stderr notice;
events {}
http {
    access_log off;
    client_body_temp_path FOLDER/body;
    proxy_temp_path FOLDER/proxy;
    fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi;
    scgi_temp_path FOLDER/scgi;
    server {
        listen 127.0.0.1:8080;
        LOCATIONS
    }
}
";

/// Connects, and prints what comes of it.
const CLIENT: &str = "
import http.client
connection = connect('127.0.0.1', 8080)
def answer():
    response = http.client.HTTPResponse(connection)
    try:
        response.begin()
        say(response.status, response.reason)
    except OSError as error:
        say(type(error).__name__)
";

fn start(stage: &Stage, locations: &str) -> Daemon {
    let folder = Folder::new();
    let path = folder.path().to_str().expect("a plain path").to_owned();
    let configuration = CONFIGURATION.replace("FOLDER", &path).replace("LOCATIONS", locations);
    let configuration = folder.write("nginx.conf", &configuration);
    let mut command = Command::new("/usr/sbin/nginx");
    command.args(["-e", "stderr", "-c", &configuration]);
    let mut daemon = Daemon::start(&stage.netns, &mut command, folder, PORT, Signal::SIGTERM);
    daemon.process().wait_for("start worker process ");
    daemon
}

/// The process that has the connections.
fn worker(daemon: &Daemon) -> Who<'static> {
    Who { pid: only_child(daemon.pid()), comm: "nginx" }
}

/// The program behind nginx is killed with a request that it has not read: nginx is reset, and its client gets 502.
#[test]
fn the_upstream_is_killed() {
    let stage = Stage::new();
    let server = "
server = listen('127.0.0.1', 9000)
say('listens')
connection, _ = server.accept()
connection.recv(1, socket.MSG_PEEK)
say('has a request')
time.sleep(100)
";
    let mut upstream = stage.python(server, &[]);
    upstream.line();
    let nginx = start(&stage, "location / { proxy_pass http://127.0.0.1:9000; }");
    let client =
        stage.python(&format!("{CLIENT}connection.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')\nanswer()\n"), &[]);
    upstream.line();
    upstream.process().signal(Signal::SIGKILL);
    assert_eq!(client.line(), "502 Bad Gateway");
    let ends = [python(&upstream), worker(&nginx)];
    let [sent, received] = stage.judge("killed behind nginx", ends, "process_exit", "certain");
    assert_eq!(sent["exit"], serde_json::json!({"kind": "signal", "value": 9}), "{sent}");
    assert_eq!(
        (&received["errno"], &received["connection"]["role"]),
        (&"ECONNRESET".into(), &"client".into())
    );
    stage.expect_total(1);
}

/// nginx answers as soon as it has the header, and reads what still comes, with or without `lingering_close`, which only
/// tells it what to do where nothing says how long the upload is. So nobody is reset.
#[test]
fn an_upload_that_is_refused() {
    let upload = "
connection.sendall(b'POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 10000\\r\\n\\r\\n')
answer()
connection.sendall(b'x' * 10_000)
say(connection.recv(1000))
";
    for lingering in ["", "lingering_close off;"] {
        let stage = Stage::new();
        let _nginx = start(&stage, &format!("client_max_body_size 1k; {lingering}"));
        let client = stage.python(&format!("{CLIENT}{upload}"), &[]);
        assert_eq!([client.line(), client.line()], ["413 Request Entity Too Large", "b''"], "{lingering}");
        stage.expect_total(0);
    }
}

/// 444 closes without an answer, and with what has come of the upload unread.
#[test]
fn status_444() {
    let stage = Stage::new();
    let nginx = start(&stage, "location / { return 444; }");
    let upload = "
# In one packet with the header, of which nginx reads no more than a page.
connection.sendall(b'POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 16000\\r\\n\\r\\n' + b'x' * 16_000)
answer()
wait()
";
    let client = stage.python(&format!("{CLIENT}{upload}"), &[]);
    assert_eq!(client.line(), "ConnectionResetError");
    let ends = [worker(&nginx), python(&client)];
    stage.judge("444 by nginx", ends, "close_unread", "certain");
}

/// A client that is too slow, with `reset_timedout_connection`: nginx sets `SO_LINGER` 0 to be rid of it at once.
#[test]
fn a_client_that_is_too_slow() {
    let stage = Stage::new();
    let nginx = start(&stage, "reset_timedout_connection on; client_header_timeout 1s;");
    let client = stage.python(&format!("{CLIENT}connection.sendall(b'GET / HT')\nanswer()\nwait()\n"), &[]);
    assert_eq!(client.line(), "ConnectionResetError");
    let ends = [worker(&nginx), python(&client)];
    stage.judge("reset_timedout_connection of nginx", ends, "linger_zero", "certain");
}
