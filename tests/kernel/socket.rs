//! The agent's socket: what it tells live and of itself, to whom, and what becomes of it when agents come and go.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use nix::sys::signal::Signal;
use resetmon_tests::{Actor, Agent, Family, Netns, Running, ask, binary, endpoint};
use serde_json::{Value, json};

use crate::host;

/// Everything that an agent tells of one network namespace is asked for by the name of who is hit there.
fn events_of(name: &str) -> String {
    format!("/v1/events?filter=comm+{name}+and+received")
}

fn refuse(actor: &mut Actor) -> Value {
    let server_at = actor.address(Family::Ipv4.listen());
    actor.run("close-listener");
    actor.fails(&format!("connect {server_at}"), "ECONNREFUSED");
    endpoint(server_at)
}

#[test]
fn events_are_told_live() {
    let _host = host::shared();
    let netns = Netns::new();
    let agent = Agent::start(&[]);
    let mut following = agent.follow(&events_of("test-live"));
    let mut other = agent.follow("/v1/events?filter=comm+test-other&limit=1");
    let (mut live, mut others) = (netns.actor("test-live"), netns.actor("test-other"));
    for _ in 0..3 {
        let peer = refuse(&mut live);
        let event = following.next().expect("an event");
        assert_eq!((&event["schema"], &event["peer"]), (&json!(1), &peer), "{event}");
        assert_eq!(event["process"]["pid"], json!(live.pid()));
        assert_eq!(
            event["cause"],
            json!(if event["counterpart"].is_null() { "connection_refused" } else { "closed_port" })
        );
    }
    refuse(&mut others);
    assert_eq!(other.next().expect("an event")["process"]["pid"], json!(others.pid()));
    assert_eq!(other.next(), None, "it asked for one");
    let (status, said) = agent.terminate();
    assert!(status.success(), "{status}: {said}");
    assert_eq!(following.next(), None, "the end of the agent is the end of the stream");
}

#[test]
fn watch_asks_the_agent() {
    let _host = host::shared();
    let netns = Netns::new();
    let agent = Agent::start(&[]);
    let socket = agent.socket().to_str().expect("text").to_owned();
    let mut actor = netns.actor("test-asked");
    for format in ["json", "wide", "csv"] {
        let mut watch = Running::start(
            Command::new("setpriv").args(["--bounding-set=-all", "--inh-caps=-all"]).arg(binary()).args([
                "watch",
                "-o",
                format,
                "-n",
                "1",
                "--received",
                "--comm",
                "test-asked",
                "--socket",
                &socket,
            ]),
        );
        let output = watch.take_output();
        watch.wait_for("watching for resets through the agent");
        refuse(&mut actor);
        assert!(watch.wait().success(), "{}", watch.said());
        let text = std::io::read_to_string(output).expect("text");
        let last = text.lines().last().expect("an event");
        if format == "json" {
            let event: Value = serde_json::from_str(last).expect("an object");
            assert_eq!(event["process"]["pid"], json!(actor.pid()));
        }
        assert!(last.contains("test-asked") && last.contains("ECONNREFUSED"), "{last}");
    }

    let mut watch =
        Running::start(Command::new(binary()).args(["watch", "--comm", "test-nobody", "--socket", &socket]));
    watch.wait_for("through the agent");
    watch.signal(Signal::SIGINT);
    assert!(watch.wait().success());
    assert!(watch.said().contains("0 resets, 0 sent, 0 received"), "{}", watch.said());

    let mut watch = Running::start(Command::new(binary()).args(["watch", "--socket", &socket]));
    watch.wait_for("through the agent");
    agent.kill();
    assert_eq!(watch.wait().code(), Some(3), "{}", watch.said());
}

#[test]
fn who_may_not_open_it_is_told() {
    let _host = host::shared();
    let agent = Agent::start(&[]);
    assert_eq!(fs::metadata(agent.socket()).expect("a socket").permissions().mode() & 0o777, 0o660);
    let socket = agent.socket().to_str().expect("text");
    // Its path need not be open to everybody.
    let program = fs::File::open(binary()).expect("the binary");
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
        "/proc/self/fd/0",
        "watch",
        "--socket",
        socket,
    ]);
    let output = command.stdin(program).output().expect("setpriv(1)");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("not permitted to ask the agent") && said.contains("group"), "{said}");
}

#[test]
fn status() {
    let _host = host::shared();
    let agent = Agent::start(&[]);
    let _following = agent.follow("/v1/events");
    let answer = agent.ask("/v1/status");
    assert_eq!((answer.status, answer.header("resetmon-api")), (200, Some("1")));
    let status: Value = serde_json::from_str(&answer.body).expect("an object");
    assert_eq!((&status["pid"], &status["capturing"]), (&json!(agent.pid()), &json!(true)));
    assert_eq!(status["followers"], json!(1));
    assert_eq!(status["events"]["lost"]["subscriber"], json!(0));
    let probes = status["probes"].as_array().expect("probes");
    assert!(
        probes.iter().any(|probe| probe["name"] == "tcp_send_reset" && probe["state"] == "tp_btf"),
        "{status}"
    );
}

#[test]
fn what_cannot_be_asked_is_named() {
    let _host = host::shared();
    let agent = Agent::start(&[]);
    let check = |path: &str, status: u16, parts: &[&str]| {
        let answer = agent.ask(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert_eq!(answer.header("resetmon-api"), Some("1"));
        for part in parts {
            assert!(answer.body.contains(part), "{path}: {part:?} in {:?}", answer.body);
        }
    };
    check("/v1/events?filter=port+no", 400, &["port", "^^"]);
    check("/v1/events?filtre=port+443", 400, &["filtre", "filter"]);
    check("/v1/events?limit=0", 400, &["limit"]);
    check(&format!("/v1/events?filter={}", "port+1+or+".repeat(500)), 400, &["4096"]);
    check("/v2/events", 404, &["/v1/events"]);
    assert_eq!(agent.ask("/v1/status").status, 200);
}

#[test]
fn agents_come_and_go() {
    let _host = host::shared();
    let first = Agent::start(&[]);
    let socket = first.socket().to_owned();
    let path = socket.to_str().expect("text");
    // A second one captures all the same, and takes over when the first has gone.
    let mut second = Agent::spawn("127.0.0.1:0", &["--socket", path]);
    let complaint = second.wait_for("another agent listens on");
    assert!(complaint.contains(path), "{complaint}");
    let pid = |socket: &Path| {
        let body = ask(socket, "/v1/status").expect("an answer").body;
        serde_json::from_str::<Value>(&body).expect("an object")["pid"].clone()
    };
    assert_eq!(pid(&socket), json!(first.pid()));
    first.kill();
    second.wait_for("other commands find the agent");
    assert_eq!(pid(&socket), json!(second.pid()));
    second.signal(Signal::SIGTERM);
    assert!(second.wait().success(), "{}", second.said());
    assert!(!socket.exists(), "it goes with its agent");
}
