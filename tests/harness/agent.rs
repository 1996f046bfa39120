//! `resetmon agent` and its endpoint.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::{Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{LIMIT, Metrics, Running, binary, require_root};

/// Between two looks at the endpoint.
const PAUSE: Duration = Duration::from_millis(50);

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    process: Running,
    address: SocketAddr,
}

impl Agent {
    /// Starts an agent on a free port; it captures on return.
    pub fn start(arguments: &[&str]) -> Self {
        let mut process = Self::spawn("127.0.0.1:0", arguments);
        let line = process.wait_for("http://");
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        let address = address.and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("there is no address in {line:?}"));
        let agent = Self { process, address };
        agent.wait_until_ready();
        agent
    }

    /// Starts an agent and waits for nothing.
    pub fn spawn(listen: &str, arguments: &[&str]) -> Running {
        require_root();
        Running::start(Command::new(binary()).args(["agent", "--web.listen-address", listen]).args(arguments))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
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
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let no_http = || std::io::Error::other(format!("no HTTP: {text:?}"));
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(no_http)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(no_http)?;
    Ok(Response { status, head: head.to_owned(), body: body.to_owned() })
}
