//! Clients of the agent's endpoint that do not behave: what they do is nobody else's trouble for long.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use resetmon_tests::{Agent, Family, LIMIT, Netns};

use crate::host;

/// More than the endpoint has room for.
const CROWD: usize = 300;

#[test]
fn a_silent_crowd_stops_nothing() {
    let _host = host::shared();
    let agent = Agent::start(&[]);
    let refusals = || agent.metrics().sum("resetmon_errors_delivered_total", &[("errno", "ECONNREFUSED")]);
    let before = refusals();
    let mut crowd: Vec<TcpStream> = (0..CROWD)
        .map(|_| TcpStream::connect_timeout(&agent.address(), LIMIT).expect("a connection"))
        .collect();
    // Half a request is no more than none.
    for client in crowd.iter_mut().step_by(2) {
        client.write_all(b"GET /metrics HTTP/1.1\r\nHost:").expect("room for a few bytes");
    }

    let netns = Netns::new();
    let mut actor = netns.actor("test-crowd");
    let server_at = actor.address(Family::Ipv4.listen());
    actor.run("close-listener");
    for _ in 0..10 {
        actor.fails(&format!("connect {server_at}"), "ECONNREFUSED");
    }

    // They are sent away before long, and then it is the turn of those who ask.
    let start = Instant::now();
    assert!(refusals() >= before + 10, "resets were not counted meanwhile");
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
    for client in &mut crowd {
        client.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        let mut answer = Vec::new();
        // The end of the connection, however it comes; a client that is still waited for would time out.
        match client.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
        }
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "nothing was asked for");
    }
}

#[test]
fn what_is_no_request_is_no_trouble() {
    let _host = host::shared();
    let agent = Agent::start(&[]);
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"\0\0\0\0\r\n\r\n",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &b"a".repeat(1 << 20),
    ] {
        let mut client = TcpStream::connect_timeout(&agent.address(), LIMIT).expect("a connection");
        // The agent may have had enough before all is sent.
        let _ = client.write_all(bytes);
        let _ = client.read_to_end(&mut Vec::new());
    }
    assert_eq!(agent.get("/-/ready").status, 200);
}
