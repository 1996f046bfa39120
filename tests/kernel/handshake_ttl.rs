//! The peer's TTL at the handshake, where a probe on `tcp_init_transfer()` can see it, by each mechanism.

use std::{
    io::{BufRead as _, BufReader},
    process::Command,
};

use resetmon_tests::{Netns, Running, Version, binary, requires_probe_by};

use crate::host;

/// A TTL that no system has by itself.
const TTL: &str = "77";

fn check(mechanism: &str) {
    let _host = host::shared();
    if !requires_probe_by(mechanism, "tcp_init_transfer", Version(5, 10)) {
        return;
    }
    let netns = Netns::new();
    netns.run("sh", &["-c", &format!("echo {TTL} > /proc/sys/net/ipv4/ip_default_ttl")]);
    let mut server = netns.actor("test-server");
    let mut client = netns.actor("test-client");
    let address = server.address("listen 127.0.0.1:0");
    let mut watch = Running::start(Command::new(binary()).args([
        "watch",
        "-o",
        "wide",
        "-n",
        "2",
        "--probes",
        &format!("tcp_init_transfer:{mechanism}"),
        "--port",
        &address.port().to_string(),
    ]));
    watch.wait_for("watching");
    client.run(&format!("connect {address}"));
    server.run("accept");
    client.run("linger 0");
    client.run("close");
    let output = watch.take_output();
    let lines: Vec<String> = BufReader::new(output).lines().map_while(Result::ok).collect();
    assert!(watch.wait().success());

    let header = lines.first().expect("a header");
    let end = header.find("HS_TTL").expect("the column") + "HS_TTL".len();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    for line in &lines[1..] {
        let cell: String = line.chars().take(end).collect();
        assert_eq!(cell.split_whitespace().last(), Some(TTL), "{lines:#?}");
    }
}

#[test]
fn by_fentry() {
    check("fentry");
}

#[test]
fn by_kprobe() {
    check("kprobe");
}
