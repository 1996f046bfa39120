//! How `watch` ends: without permission, after enough, by a signal, by its reader, by a wrong argument.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, Output, Stdio},
};

use nix::sys::signal::Signal;
use resetmon_tests::{Family, Netns, Running, Watch, binary};
use serde_json::json;

use crate::host;

/// Runs the product to its end; its end must not need probes.
fn run(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).stdin(Stdio::null()).output().expect("the product runs")
}

/// Has a process of this name refused. The watches here look at the whole host, so each test has a name of its own.
fn refuse_one(netns: &Netns, name: &str) {
    let mut actor = netns.actor(name);
    let server_at = actor.address(Family::Ipv4.listen());
    actor.run("close-listener");
    actor.fails(&format!("connect {server_at}"), "ECONNREFUSED");
}

#[test]
fn without_capabilities() {
    // An empty bounding set leaves root without any capability after exec.
    let output = Command::new("setpriv")
        .args(["--inh-caps=-all", "--bounding-set=-all"])
        .arg(binary())
        .arg("watch")
        .stdin(Stdio::null())
        .output()
        .expect("setpriv(1), of the package util-linux");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("CAP_BPF") && said.contains("CAP_PERFMON"), "{said}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn after_enough() {
    let _host = host::shared();
    let netns = Netns::new();
    let watch = Watch::with(&["-n", "1", "comm test-enough", "and", "not", "(ipv6 or comm test-signal)"]);
    refuse_one(&netns, "test-enough");
    let (status, events) = watch.wait();
    assert!(status.success(), "{status}");
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!(events[0]["process"]["comm"], json!("test-enough"));
}

#[test]
fn by_a_signal() {
    let _host = host::shared();
    let netns = Netns::new();
    let watch = Watch::with(&["--comm", "test-signal"]);
    refuse_one(&netns, "test-signal");
    watch.expect(&json!({"netns": netns.inode()}));
    let (status, said) = watch.interrupt();
    assert!(status.success(), "{status}: {said}");
    assert!(said.lines().last().is_some_and(|line| line.contains("1 received")), "no summary: {said}");
}

#[test]
fn by_its_reader() {
    let _host = host::shared();
    let netns = Netns::new();
    let mut watch =
        Running::start(Command::new(binary()).args(["watch", "-o", "json", "--comm", "test-reader"]));
    let mut output = BufReader::new(watch.take_output());
    let started = watch.wait_for("watching");
    refuse_one(&netns, "test-reader");
    let mut line = String::new();
    output.read_line(&mut line).expect("an event");
    assert!(line.ends_with('\n'), "{line}");
    drop(output);
    // The next event finds the pipe closed.
    refuse_one(&netns, "test-reader");
    let status = watch.wait();
    assert_eq!(status.code(), Some(0), "{status}");
    assert_eq!(watch.said(), started, "a closed pipe is nothing to tell");
}

#[test]
fn wrong_arguments() {
    for arguments in [
        &["watch", "--peer", "10.0.0.0/33"][..],
        &["watch", "--pid", "minus"],
        &["watch", "--port", "65536"],
        &["watch", "port", "443", "and", "(", "sent"],
        &["run", "prot", "443", "--", "true"],
        &["watch", "-n", "0"],
        &["watch", "-o", "xml"],
        &["watch", "--no-such-flag"],
        &["no-such-command"],
        &[],
    ] {
        let output = run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(!said.is_empty() && output.stdout.is_empty(), "{arguments:?}: {said}");
    }
}

#[test]
fn by_a_signal_before_any_event() {
    let _host = host::shared();
    let mut watch = Running::start(Command::new(binary()).args(["watch", "--comm", "test-nobody"]));
    watch.wait_for("watching");
    watch.signal(Signal::SIGINT);
    let mut output = String::new();
    watch.take_output().read_to_string(&mut output).expect("text");
    assert_eq!(watch.wait().code(), Some(0), "{}", watch.said());
    assert!(output.lines().count() <= 1, "more than a header: {output}");
}
