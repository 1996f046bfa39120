//! Prometheus itself: it scrapes the agent over TLS as a user with a certificate, while real resets are made, and its
//! queries tell how many there were.

use std::{
    net::{SocketAddr, TcpListener},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use resetmon_tests::{Cgroup, Family, LIMIT, Netns, Running, get, host};
use serde_json::Value;

use crate::{
    authority::Authority,
    endpoint::{Protected, SECRET},
};

/// How often it scrapes, and how often the tests look.
const PAUSE: Duration = Duration::from_millis(200);

/// A running Prometheus.
pub(crate) struct Prometheus {
    process: Running,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts a server with this configuration; it keeps its data beside it.
    pub(crate) fn start(configuration: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let mut command = Command::new("/usr/bin/prometheus");
        command.arg(format!("--config.file={configuration}"));
        command.arg(format!("--storage.tsdb.path={configuration}.data"));
        command.arg(format!("--web.listen-address={port}"));
        let mut process = Running::start(&mut command);
        process.wait_for("Server is ready to receive web requests");
        Self { process, address: port }
    }

    /// The results of a query.
    pub(crate) fn results(&self, query: &str) -> Vec<Value> {
        let encoded = query.bytes().fold(String::new(), |encoded, byte| format!("{encoded}%{byte:02x}"));
        let answer = get(self.address, &format!("/api/v1/query?query={encoded}"));
        let answer = answer.unwrap_or_else(|error| panic!("{query}: {error}\n{}", self.process.said()));
        let mut answer: Value =
            serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"));
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        match answer["data"]["result"].take() {
            Value::Array(results) => results,
            other => panic!("{query} has no results but {other}"),
        }
    }

    /// The value of a query with one result; `None` when there is none.
    fn query(&self, query: &str) -> Option<f64> {
        let results = self.results(query);
        assert!(results.len() <= 1, "{query} has several results: {results:?}");
        let value = results.first()?["value"][1].as_str().expect("a value");
        Some(value.parse().expect("a number"))
    }

    /// Waits until a query has this value, and sees that it stays there.
    #[track_caller]
    pub(crate) fn expect(&self, query: &str, expected: f64) {
        let deadline = Instant::now() + LIMIT;
        let is_there = || self.query(query).is_some_and(|value| (value - expected).abs() < 1e-9);
        while !is_there() {
            let value = self.query(query);
            assert!(
                Instant::now() < deadline,
                "{query} is {value:?}, not {expected}\n{}",
                self.process.said()
            );
            thread::sleep(PAUSE);
        }
        thread::sleep(PAUSE * 5);
        assert!(is_there(), "{query} was {expected}, and is {:?}", self.query(query));
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        if !self.process.is_over() {
            self.process.signal(Signal::SIGTERM);
            self.process.wait();
        }
    }
}

#[test]
fn queries_tell_how_many_resets_there_were() {
    let _host = host::shared();
    let authority = Authority::new();
    authority.issue("server", "IP:127.0.0.1");
    authority.issue("prometheus", "DNS:prometheus.example");
    let web = authority.folder.write(
        "web.yml",
        &format!(
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  client_ca_file: ca.pem\n  \
             client_auth_type: RequireAndVerifyClientCert\nbasic_auth_users:\n  prometheus: {SECRET}\n"
        ),
    );
    let agent = Protected::start(&web, &[]);
    let configuration = authority.folder.write(
        "prometheus.yml",
        &format!(
            "global:\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\nscrape_configs:\n- job_name: resetmon\n  \
             scheme: https\n  basic_auth:\n    username: prometheus\n    password: secret\n  tls_config:\n    \
             ca_file: ca.pem\n    cert_file: prometheus.pem\n    key_file: prometheus.key\n  static_configs:\n  \
             - targets: ['127.0.0.1:{}']\n",
            agent.port()
        ),
    );
    let prometheus = Prometheus::start(&configuration);
    prometheus.expect("up{job=\"resetmon\"}", 1.0);

    // Of a unit of its own, so that nobody else's resets are counted.
    let unit = format!("resetmon-test-{}.service", std::process::id());
    let group = Cgroup::new(&format!("/system.slice/{unit}"));
    let netns = Netns::new();
    let mut actor = netns.actor("test-refused");
    group.take(actor.pid());
    let server_at = actor.address(Family::Ipv4.listen());
    actor.run("close-listener");
    for _ in 0..25 {
        actor.fails(&format!("connect {server_at}"), "ECONNREFUSED");
    }
    let of_unit = |metric: &str| format!("{metric}{{workload_kind=\"systemd\",workload=\"{unit}\"}}");
    prometheus.expect(&of_unit("resetmon_workload_resets_received_total"), 25.0);
    for _ in 0..17 {
        actor.fails(&format!("connect {server_at}"), "ECONNREFUSED");
    }
    prometheus.expect(&of_unit("resetmon_workload_resets_received_total"), 42.0);
    // The same process had the listener, so the resets are its own as well.
    prometheus.expect(&of_unit("resetmon_workload_resets_sent_total"), 42.0);
    // Never a scrape that failed, and never a counter that went back.
    prometheus.expect("min_over_time(up{job=\"resetmon\"}[5m])", 1.0);
    for direction in ["sent", "received"] {
        for metric in ["resets", "kernel_resets", "workload_resets"] {
            prometheus.expect(&format!("sum(resets(resetmon_{metric}_{direction}_total[5m]))"), 0.0);
        }
        // Once nothing is on its way, the causes are the kernel's own count.
        let difference =
            format!("sum(resetmon_resets_{direction}_total) - sum(resetmon_kernel_resets_{direction}_total)");
        prometheus.expect(&difference, 0.0);
    }
}
