//! `resetmon explain` of real resets, as `resetmon watch` writes them, and of what needs no reset; it needs no capability itself.

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use resetmon_tests::{Family, Scene, as_told, binary};
use serde_json::{Value, json};

use crate::host;

/// Runs it with `input`, without any capability, whatever the locale.
fn explain(what: &[&str], input: &str) -> Output {
    let mut command = Command::new("setpriv");
    command.args(["--inh-caps=-all", "--bounding-set=-all"]).arg(binary());
    command.args(what).env("LC_ALL", "C").env("COLUMNS", "100").env_remove("RESETMON_LANG");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("setpriv(1), of the package util-linux");
    // Who refuses its arguments does not read.
    let _ = child.stdin.take().expect("stdin is piped").write_all(input.as_bytes());
    child.wait_with_output().expect("the product runs")
}

fn shown(what: &[&str], input: &str) -> String {
    let output = explain(what, input);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    assert_eq!(said, "");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn both_ends_of_a_real_reset() {
    let _host = host::shared();
    let mut scene = Scene::connected(Family::Ipv4);
    scene.client.run("send 1000");
    scene.server.run("await 1000");
    scene.server.run("close");
    scene.client.run("await-error");
    let sent = scene.expect_at_server(json!({"direction": "sent", "cause": "close_unread"}));
    let received = scene.expect_at_client(json!({"direction": "received", "cause": "close_unread"}));
    let (server, client) = (scene.server.pid(), scene.client.pid());

    let text = shown(&["explain", "-"], &format!("{sent}\n{received:#}\n"));
    let (of_sender, of_receiver) = text.split_once("────").expect("two explanations");
    for text in [of_sender, of_receiver] {
        assert!(text.contains("closed the connection with 1,000 bytes unread"), "{text}");
        assert!(text.contains(&format!("test-server[{server}], uid 0\n")), "{text}");
        assert!(text.contains(&format!("test-client[{client}], uid 0\n")), "{text}");
        assert!(text.contains("  - 1,000 bytes had come and not been read\n"), "{text}");
        assert!(text.contains(" before  established\n"), "{text}");
    }
    assert!(of_receiver.contains("\nHow programs see it: ECONNRESET (at this end)\n"), "{text}");

    let arabic = shown(&["explain", "-", "--lang", "ar"], &received.to_string());
    assert!(arabic.contains(&format!("\u{2068}test-server[{server}]\u{2069}")), "{arabic}");
    let object: Value =
        serde_json::from_str(&shown(&["explain", "-", "-o", "json"], &received.to_string())).expect("JSON");
    assert_eq!(object["summary"], received["summary"]);
    assert_eq!(object["advice"]["this"], received["advice"]);
    assert_eq!(object["event"], as_told(received));
}

#[test]
fn how_it_ends() {
    let check = |what: &[&str], input: &str, code: i32, said: &str| {
        let output = explain(what, input);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{what:?}: {errors}");
        assert!(errors.contains(said), "{what:?}: {errors}");
        assert_eq!(output.stdout.is_empty(), code != 0, "{what:?}");
    };
    check(&["explain", "close-unread"], "", 0, "");
    check(&["causes"], "", 0, "");
    check(&["causes", "-o", "json", "--lang", "ar"], "", 0, "");
    check(&["explain", "close_unred"], "", 2, "did you mean close_unread?");
    let nowhere = ["--history-dir", "/nonexistent/history"];
    let last = ["explain", "last", nowhere[0], nowhere[1]];
    check(&last, "", 3, "resetmon watch -o json -n 1 | resetmon explain -");
    check(&["explain", "188fcf05453f4d150007", nowhere[0], nowhere[1]], "", 3, "no agent");
    check(&["explain", "-"], "", 1, "no event on standard input");
    check(&["explain", "-"], "{\"schema\":2}", 1, "line 1: no event: schema is 2");
    check(&["explain", "-"], "{\n\"schema\" 2}", 1, "line 2, column 10: no JSON");
}
