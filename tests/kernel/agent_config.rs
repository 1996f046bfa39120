//! The agent's configuration file: checked without starting anything, and read again when it is asked to.

use std::process::Command;

use nix::sys::signal::Signal;
use resetmon_tests::{Agent, Folder, Running, binary};

use crate::host;

/// What `--check-config` makes of this file: its exit code, and what it said.
fn check(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(binary()).args(["agent", "--check-config"]).args(arguments).output();
    let output = output.expect("the binary starts");
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_configuration_can_be_checked() {
    let folder = Folder::new();
    let expect = |text: &str, code: i32, expected: &str| {
        let path = folder.write("config.toml", text);
        let (status, said) = check(&["--config", &path]);
        assert!(status == Some(code) && said.contains(expected), "{text}: {status:?} {said}");
    };
    let web = folder.write("web.yml", "http_server_config:\n  http2: false\n");
    expect(&format!("web.config.file = \"{web}\"\nbpf-stats = true\n"), 0, "the configuration is valid");
    expect(
        "[web]\nlisten-adress = \"x\"\n",
        1,
        "config.toml:2: there is no key web.listen-adress; did you mean",
    );
    expect("ring-buffer-bytes = 5000\n", 1, "a ring buffer of 5000 bytes is not possible");
    expect("web.config.file = \"/no/such/web.yml\"\n", 1, "cannot read /no/such/web.yml");
    let wrong = folder.write("wrong.yml", "http_server_config:\n  http3: false\n");
    expect(&format!("web.config.file = \"{wrong}\"\n"), 1, "http3");
    let (status, said) = check(&["--config", "/no/such/config.toml"]);
    assert!(status == Some(1) && said.contains("cannot read /no/such/config.toml"), "{said}");
    let (status, said) = check(&["--no-such-flag"]);
    assert_eq!(status, Some(2), "{said}");
}

/// What the agent says of it when it is told to read its configuration again.
fn reload(agent: &mut Running, expected: &str) {
    agent.signal(Signal::SIGHUP);
    agent.wait_for(expected);
}

#[test]
fn a_configuration_is_read_again() {
    let _host = host::shared();
    let folder = Folder::new();
    let web = folder.write("web.yml", "http_server_config:\n  headers:\n    X-Frame-Options: deny\n");
    let path = folder.write("config.toml", "");
    let mut agent = Agent::spawn("127.0.0.1:0", &["--config", &path]);
    let line = agent.wait_for("metrics are on http://");
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address");
    let address = address.parse().expect("an address");
    let frame = || {
        let response = resetmon_tests::get(address, "/-/healthy").expect("an answer");
        response.header("x-frame-options").map(str::to_owned)
    };
    assert_eq!(frame(), None);

    folder.write("config.toml", &format!("ring-buffer-bytes = 65536\nweb.config.file = \"{web}\"\n"));
    reload(&mut agent, "a restart is needed for ring-buffer-bytes");
    assert_eq!(frame().as_deref(), Some("deny"));

    folder.write("config.toml", "ring-bufer-bytes = 65536\n");
    reload(&mut agent, "did you mean ring-buffer-bytes?; nothing has changed");
    assert_eq!(frame().as_deref(), Some("deny"));
    folder.write("config.toml", "web.config.file = \"/no/such/web.yml\"\n");
    reload(&mut agent, "cannot read /no/such/web.yml");
    assert_eq!(frame().as_deref(), Some("deny"));

    agent.signal(Signal::SIGTERM);
    assert_eq!(agent.wait().code(), Some(0), "{}", agent.said());
}
