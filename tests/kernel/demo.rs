//! `resetmon demo` as a user runs it: it judges itself, and says so in its exit code.

use std::process::{Command, Output};

use resetmon_tests::{
    Feature, binary, perfmon_sees_resets_without_socket, require_root, sees_resets_without_socket,
};

use crate::host;

/// Runs the demo, by way of `wrapper` if there is one.
fn demo(wrapper: &[&str]) -> Output {
    require_root();
    let binary = binary();
    let mut command = match wrapper.split_first() {
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments).arg(binary);
            command
        }
        None => Command::new(binary),
    };
    command.arg("demo").output().expect("the demo runs")
}

/// The lines that it prints, once it has ended well.
fn lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}\n{text}", output.status);
    text.lines().map(str::to_owned).collect()
}

/// Those that show an event.
fn events(lines: &[String]) -> Vec<String> {
    let direction = |line: &String| matches!(line.split_whitespace().nth(1), Some("sent" | "recv"));
    lines.iter().filter(|line| direction(line)).cloned().collect()
}

/// How many are of a process of this name.
fn owned(events: &[String], name: &str) -> usize {
    let owner = |line: &&String| line.split_whitespace().nth(2).is_some_and(|owner| owner.starts_with(name));
    events.iter().filter(owner).count()
}

fn count(lines: &[String], part: &str) -> usize {
    lines.iter().filter(|line| line.contains(part)).count()
}

/// Three of `all` resets are sent by no full socket: two for closed ports, one for a connection in `TIME_WAIT`.
fn sent(all: usize, sees_these: bool) -> usize {
    if sees_these { all } else { all - 3 }
}

#[test]
fn everything_as_expected() {
    let _host = host::shared();
    let lines = lines(&demo(&[]));
    let sent = sent(9, sees_resets_without_socket());
    let events = events(&lines);
    assert_eq!(count(&events, " sent "), sent, "{lines:#?}");
    assert_eq!(count(&events, " recv "), 9, "{lines:#?}");
    // Those are the server's as well: it had the port, or the connection.
    let of_server = if sees_resets_without_socket() { 9 } else { 6 };
    assert_eq!(owned(&events, "demo-server["), of_server, "{lines:#?}");
    assert_eq!(owned(&events, "demo-client["), 9, "{lines:#?}");
    for cause in ["linger_zero", "close_unread", "stale_connection"] {
        assert!(count(&events, cause) >= 1, "{cause}: {lines:#?}");
    }
    assert_eq!(count(&lines, "=> "), 9, "{lines:#?}");
    assert!(count(&lines, " closed the connection with 1,000 bytes unread") == 1, "{lines:#?}");
    let last = lines.last().expect("a summary");
    assert_eq!(*last, format!("9 scenarios, {sent} resets sent: every end, process and cause as expected"));
}

#[test]
fn without_the_right_to_lose_a_connection() {
    let _host = host::shared();
    let mut bounds = "--bounding-set=-all,+bpf,+perfmon".to_owned();
    if !Feature::MapsBeyondLockedMemory.is_here() {
        // The limit is too low for any map, and only this capability may raise it.
        bounds.push_str(",+sys_resource");
    }
    let lines = lines(&demo(&["setpriv", "--inh-caps=-all", &bounds]));
    assert_eq!(count(&lines, "skipped: "), 1, "{lines:#?}");
    assert_eq!(count(&lines, "CAP_NET_ADMIN"), 1, "{lines:#?}");
    let last = lines.last().expect("a summary");
    let sent = sent(8, perfmon_sees_resets_without_socket());
    assert_eq!(
        *last,
        format!("9 scenarios (1 skipped), {sent} resets sent: every end, process and cause as expected")
    );
}

#[test]
fn without_loopback() {
    let _host = host::shared();
    // A new network namespace, in which loopback is down.
    let output = demo(&["unshare", "--net"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.matches("\nfailed: demo-").count(), 9, "{text}");
    assert!(text.ends_with("9 scenarios, 0 resets sent: 9 problems, named above\n"), "{text}");
}
