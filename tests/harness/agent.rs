//! `resetmon agent` and its endpoint.

use std::{
    io::{BufRead as _, BufReader, Read, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{LIMIT, Metrics, Running, binary, process::fresh_socket, require_root};

/// Between two looks at the endpoint.
const PAUSE: Duration = Duration::from_millis(50);

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    process: Running,
    address: SocketAddr,
    socket: PathBuf,
}

impl Agent {
    /// Starts an agent on a free port; it captures on return.
    pub fn start(arguments: &[&str]) -> Self {
        let socket = fresh_socket();
        let at = socket.to_str().expect("text");
        let mut process = Self::spawn("127.0.0.1:0", &[&["--socket", at], arguments].concat());
        let line = process.wait_for("http://");
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        let address = address.and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("there is no address in {line:?}"));
        process.wait_for("find the agent");
        let agent = Self { process, address, socket };
        agent.wait_until_ready();
        agent
    }

    /// Starts an agent and waits for nothing. It keeps no history unless it is told where.
    pub fn spawn(listen: &str, arguments: &[&str]) -> Running {
        require_root();
        let mut command = Command::new(binary());
        command.args(["agent", "--web.listen-address", listen]).args(arguments);
        if !arguments.contains(&"--history-dir") {
            command.arg("--no-history");
        }
        Running::start(&mut command)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Asks its socket for `path`, to the end of the answer.
    pub fn ask(&self, path: &str) -> Response {
        ask(&self.socket, path).unwrap_or_else(|error| panic!("{path} of the agent: {error}"))
    }

    /// Follows what its socket tells under `path`.
    pub fn follow(&self, path: &str) -> Following {
        let stream =
            request(&self.socket, path).unwrap_or_else(|error| panic!("{path} of the agent: {error}"));
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        // Nothing is told before it follows.
        let head: Vec<String> = lines.by_ref().take_while(|line| !line.trim().is_empty()).collect();
        assert!(head.first().is_some_and(|status| status.contains(" 200 ")), "{head:?}");
        Following { lines: Box::new(lines) }
    }

    /// Ends it without giving it time for anything.
    pub fn kill(mut self) {
        self.process.signal(Signal::SIGKILL);
        self.process.wait();
    }

    /// Where its endpoint is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks its endpoint for `path`.
    pub fn get(&self, path: &str) -> Response {
        get(self.address, path).unwrap_or_else(|error| panic!("{path} of the agent: {error}"))
    }

    /// One scrape.
    pub fn metrics(&self) -> Metrics {
        let response = self.get("/metrics");
        assert_eq!(response.status, 200, "{}", response.body);
        Metrics::parse(&response.body)
    }

    /// Asks it to end: how it ended, and what it said on standard error.
    pub fn terminate(mut self) -> (ExitStatus, String) {
        self.process.signal(Signal::SIGTERM);
        let status = self.process.wait();
        (status, self.process.said())
    }

    fn wait_until_ready(&self) {
        let deadline = Instant::now() + LIMIT;
        while self.get("/-/ready").status != 200 {
            assert!(
                Instant::now() < deadline,
                "the agent does not become ready; it said:\n{}",
                self.process.said()
            );
            thread::sleep(PAUSE);
        }
    }
}

/// Lines that a socket tells, one after the other.
pub struct Following {
    lines: Box<dyn Iterator<Item = String> + Send>,
}

impl Iterator for Following {
    type Item = serde_json::Value;

    /// The next object, waited for; `None` when there are no more.
    fn next(&mut self) -> Option<Self::Item> {
        self.lines
            .next()
            .map(|line| serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}")))
    }
}

/// Asks the HTTP server at a socket for `path`. It is asked as one of old, which does not cut its answer in pieces.
pub fn ask(socket: &Path, path: &str) -> std::io::Result<Response> {
    read(request(socket, path)?)
}

fn request(socket: &Path, path: &str) -> std::io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    Ok(stream)
}

fn read(mut from: impl Read) -> std::io::Result<Response> {
    let mut text = String::new();
    from.read_to_string(&mut text)?;
    let no_http = || std::io::Error::other(format!("no HTTP: {text:?}"));
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(no_http)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(no_http)?;
    Ok(Response { status, head: head.to_owned(), body: body.to_owned() })
}

/// An answer of an HTTP server.
#[derive(Debug)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Its head, with names as they were sent.
    pub head: String,
    /// Its body.
    pub body: String,
}

impl Response {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Asks an HTTP server for `path`.
pub fn get(address: SocketAddr, path: &str) -> std::io::Result<Response> {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    read(stream)
}
