//! requests: connections that are kept for the next request, and uploads that are refused.

use resetmon_tests::Script;

use crate::stage::{Stage, python};

/// The standard library's own server. It ends idle connections after a second, and answers an upload without reading it:
/// as soon as more of it has come than belongs to the header.
const SERVER: &str = "
import http.server, select
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, timeout = 'HTTP/1.1', 1.2
    def answer(self, status, content):
        self.send_response(status)
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content)
    def parse_request(self):
        # Leaves all to close(), as many servers do, or shuts down first, as this library does.
        if b' /abrupt ' in self.raw_requestline: self.server.shutdown_request = self.server.close_request
        return super().parse_request()
    def do_GET(self): self.answer(200, str(self.client_address[1]).encode())
    def do_POST(self):
        self.close_connection = True
        select.select([self.connection], [], [])
        self.answer(413, b'')
    def log_message(self, *arguments): pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
say(server.server_address[1])
server.serve_forever()
";

/// Every request is told by what came of it. One on a connection that was kept is held up between the client's look at
/// the connection and its sending, until the server has closed: as a busy machine may do at any time.
const CLIENT: &str = "
import requests, select
session = requests.Session()
session.trust_env = False
used = kept = None
def until_closed(): select.select([kept], [], [])
def before_sending(event, arguments):
    global used
    if event == 'http.client.send':
        used = arguments[0].sock
        if used is kept: until_closed()
sys.addaudithook(before_sending)
def ask(method, path, **options):
    global kept
    try:
        answer = session.request(method, f'http://127.0.0.1:{sys.argv[1]}{path}', timeout=10, **options)
        kept = used
        say(answer.status_code, answer.text)
    except requests.RequestException as error:
        say(type(error).__name__, error)
";

/// Runs server and client.
fn programs(stage: &Stage, client: &str) -> (Script, Script) {
    let server = stage.python(SERVER, &[]);
    let port = server.line();
    let client = stage.python(&format!("{CLIENT}{client}"), &[&port]);
    (server, client)
}

/// The client looks before it sends, finds that the server has closed, and connects anew: nobody is reset.
#[test]
fn a_kept_connection_that_has_ended() {
    let stage = Stage::new();
    let (_server, mut client) =
        programs(&stage, "ask('GET', '/')\nuntil_closed()\nask('GET', '/')\nwait()\n");
    let (first, second) = (client.line(), client.line());
    assert!(first.starts_with("200 ") && second.starts_with("200 "), "{first}, {second}");
    assert_ne!(first, second, "the server tells the client's port");
    client.tell("end");
    client.process().wait();
    stage.expect_total(0);
}

/// The client has looked, and is held up before it sends: in the meantime the server closes.
#[test]
fn a_kept_connection_that_ends_just_now() {
    let stage = Stage::new();
    let twice = "ask('GET', '/abrupt')\nask('GET', '/abrupt')\nwait()\n";
    let (server, client) = programs(&stage, twice);
    assert!(client.line().starts_with("200 "));
    let printed = client.line();
    assert!(printed.starts_with("ConnectionError ('Connection aborted.', RemoteDisconnected("), "{printed}");
    let ends = [python(&server), python(&client)];
    let [_, received] = stage.judge("requests.Session", ends, "keepalive_race", "likely");
    assert_eq!(
        (&received["state"], &received["errno"]),
        (&"CLOSE_WAIT".into(), &"EPIPE".into()),
        "{received}"
    );
}

/// The answer arrives, since the server shuts its side down before it closes, and requests reads it in spite of the error.
#[test]
fn an_upload_that_is_refused() {
    let stage = Stage::new();
    let upload = "ask('POST', '/', data=b'x' * 1_000_000)\nwait()\n";
    let (server, client) = programs(&stage, upload);
    assert_eq!(client.line(), "413 ");
    let ends = [python(&server), python(&client)];
    let [sent, received] = stage.judge("413 to requests", ends, "close_unread", "certain");
    assert!(sent["connection"]["unread_bytes"].as_u64() > Some(8192), "{sent}");
    assert_eq!(
        (&received["state"], &received["errno"]),
        (&"CLOSE_WAIT".into(), &"EPIPE".into()),
        "{received}"
    );
}

/// Without a shutdown the reset overtakes the answer: more is sent than fits into all buffers, so the client is still
/// sending, and does not come to read it.
#[test]
fn an_upload_that_is_refused_abruptly() {
    let stage = Stage::new();
    let upload = "ask('POST', '/abrupt', data=b'x' * 64_000_000)\nwait()\n";
    let (server, client) = programs(&stage, upload);
    let printed = client.line();
    let expected =
        "ConnectionError ('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))";
    assert_eq!(printed, expected);
    let ends = [python(&server), python(&client)];
    let [sent, received] = stage.judge("413 to requests abrupt", ends, "close_unread", "certain");
    assert_eq!(sent["state"], "ESTABLISHED", "{sent}");
    assert_eq!(received["errno"], "ECONNRESET", "{received}");
}
