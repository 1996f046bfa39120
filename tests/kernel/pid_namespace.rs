//! resetmon in a pid namespace of its own: the kernel tells process ids of the host, and resetmon says what that means
//! where its `/proc` shows others.

use std::{collections::BTreeSet, process::Command};

use resetmon_tests::{Family, Netns, Running, binary};
use serde_json::{Value, json};

use crate::host;

const WARNING: &str = "--path.procfs";

/// What `watch`, by way of `wrapper` if there is one, tells of a reset of a client of this name, and what it says to the user.
fn watch(wrapper: &[&str], name: &str) -> (Value, u32, String) {
    let netns = Netns::new();
    let mut command = match wrapper.split_first() {
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments).arg(binary());
            command
        }
        None => Command::new(binary()),
    };
    command.args(["watch", "-o", "json", "-n", "1", "--received", "--comm", name]);
    let mut watch = Running::start(&mut command);
    let output = watch.take_output();
    watch.wait_for("watching");
    let mut client = netns.actor(name);
    let server_at = client.address(Family::Ipv4.listen());
    client.run("close-listener");
    client.fails(&format!("connect {server_at}"), "ECONNREFUSED");
    assert!(watch.wait().success());
    let line = std::io::read_to_string(output).expect("text");
    let event = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    (event, client.pid(), watch.said())
}

#[test]
fn with_a_procfs_of_its_own() {
    let _host = host::shared();
    let (event, pid, said) = watch(&["unshare", "--pid", "--fork", "--mount-proc"], "test-own-proc");
    assert_eq!(event["process"]["pid"], pid);
    assert_eq!(event["process"]["exe"], json!(null));
    let warnings: Vec<&str> = said.lines().filter(|line| line.contains(WARNING)).collect();
    let [warning] = warnings[..] else { panic!("{said}") };
    assert!(warning.contains("/proc:") && warning.contains("hostPID"), "{warning}");
}

#[test]
fn with_the_procfs_of_the_host() {
    let _host = host::shared();
    let (event, pid, said) = watch(&["unshare", "--pid", "--fork"], "test-host-proc");
    assert_eq!(event["process"]["pid"], pid);
    assert!(event["process"]["exe"].is_string(), "{event}");
    assert!(!said.contains(WARNING), "{said}");
}

#[test]
fn on_the_host() {
    let _host = host::shared();
    let (event, pid, said) = watch(&[], "test-no-pidns");
    assert_eq!(event["process"]["pid"], pid);
    assert!(!said.contains(WARNING), "{said}");
}

/// The demo tells its processes by their names where it cannot know their ids.
#[test]
fn demo() {
    let _host = host::shared();
    let output = Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc"])
        .arg(binary())
        .arg("demo")
        .output()
        .expect("unshare(1), of the package util-linux");
    let (told, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{said}");
    assert!(told.contains("every end, process and cause as expected"), "{told}");
    assert_eq!(said.matches(WARNING).count(), 1, "{said}");
    // The ids are the host's throughout, whoever could be found in this namespace's own procfs.
    for name in ["demo-client[", "demo-server["] {
        let ids: BTreeSet<&str> = told.split_whitespace().filter(|word| word.starts_with(name)).collect();
        assert_eq!(ids.len(), 1, "{told}");
    }
}
