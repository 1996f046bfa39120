//! `resetmon doctor` as a user runs it: what it finds on this kernel, and what its exit code says of that.

use std::{
    net::TcpListener,
    process::{Command, Output, Stdio},
    time::Duration,
};

use resetmon_tests::{Family, Feature, Netns, Running, binary, require_root};
use serde_json::Value;

use crate::host;

/// What the doctor found.
struct Report {
    code: Option<i32>,
    report: Value,
}

impl Report {
    fn of(output: &Output) -> Self {
        let said = String::from_utf8_lossy(&output.stderr);
        let text = String::from_utf8_lossy(&output.stdout);
        let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}\n{said}"));
        Self { code: output.status.code(), report }
    }

    fn verdict(&self) -> &str {
        self.report["verdict"].as_str().expect("a verdict")
    }

    fn findings(&self) -> &[Value] {
        self.report["findings"].as_array().expect("findings")
    }

    /// The finding of that name, which must be unique in its section.
    #[track_caller]
    fn finding(&self, section: &str, name: &str) -> &Value {
        let is = |finding: &&Value| finding["section"] == section && finding["name"] == name;
        let found: Vec<_> = self.findings().iter().filter(is).collect();
        let [finding] = found[..] else { panic!("{section}, {name}: {:#}", self.report) };
        finding
    }

    #[track_caller]
    fn expect(&self, section: &str, name: &str, status: &str) -> &str {
        let finding = self.finding(section, name);
        assert_eq!(finding["status"], status, "{finding:#}");
        finding["value"].as_str().expect("a value")
    }

    /// Whether anything in this section is worse than it should be.
    fn is_bad(&self, section: &str) -> bool {
        let bad = |finding: &Value| finding["status"] == "degraded" || finding["status"] == "unusable";
        self.findings().iter().any(|finding| finding["section"] == section && bad(finding))
    }
}

fn command(wrapper: &[&str], arguments: &[&str]) -> Command {
    let binary = binary();
    let mut command = match wrapper.split_first() {
        Some((program, rest)) => {
            let mut command = Command::new(program);
            command.args(rest).arg(binary);
            command
        }
        None => Command::new(binary),
    };
    // Every test has its own port, so that nothing else on the host is in its way.
    command.args(["doctor", "-o", "json", "--web.listen-address", "127.0.0.1:0"]).args(arguments);
    command.stdin(Stdio::null());
    command
}

fn doctor(wrapper: &[&str], arguments: &[&str]) -> Report {
    require_root();
    Report::of(&command(wrapper, arguments).output().expect("the doctor runs"))
}

#[test]
fn this_host() {
    let _host = host::shared();
    let report = doctor(&[], &["--seconds", "1"]);
    assert_eq!(report.code, Some(0), "{:#}", report.report);
    assert_eq!(report.report["schema"], 1);
    assert!(matches!(report.verdict(), "fine" | "degraded"), "{:#}", report.report);

    report.expect("kernel", "type information", "ok");
    let reasons = report.finding("kernel", "reset reasons");
    assert_eq!(reasons["status"] == "ok", Feature::SendResetReasons.is_here(), "{reasons:#}");
    for probe in ["inet_sock_set_state", "tcp_receive_reset", "tcp_send_reset"] {
        assert!(report.expect("probes", probe, "ok").starts_with("tp_btf"), "{probe}");
    }
    for capability in ["CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE"] {
        report.expect("privileges", capability, "ok");
    }
    for end in ["sent reset", "received reset"] {
        assert_eq!(report.expect("self-test", end, "ok"), "seen, with the right process");
    }
    // What costs something says what it costs.
    for finding in report.findings() {
        let silent = finding["status"] == "degraded" && finding["costs"].is_null();
        assert!(!silent, "{finding:#}");
    }
}

/// Optional probes are attached, or say why not and what would help.
#[test]
fn optional_probes() {
    let _host = host::shared();
    let report = doctor(&[], &["--seconds", "1"]);
    let has_kprobes = std::path::Path::new("/sys/bus/event_source/devices/kprobe/type").exists();
    for probe in ["tcp_reset", "inet_csk_accept", "tcp_init_transfer"] {
        let finding = report.finding("probes", probe);
        let value = finding["value"].as_str().expect("a value");
        if finding["status"] == "ok" {
            assert!(
                ["fentry", "fexit", "kprobe", "kretprobe"].iter().any(|how| value.starts_with(how)),
                "{value}"
            );
            continue;
        }
        assert_eq!(finding["status"], "degraded", "{finding:#}");
        let too_old = value.contains("before ");
        let restricted =
            value.contains("this kernel refuses ") && value.contains("no kprobes") && !has_kprobes;
        assert!(too_old || restricted, "{finding:#}");
        assert!(finding["remedy"].as_str().is_some_and(|remedy| remedy.contains("a kernel ")), "{finding:#}");
    }
}

#[test]
fn strictness() {
    let _host = host::shared();
    let report = doctor(&[], &["--seconds", "1", "--strict"]);
    let expected = i32::from(report.verdict() != "fine");
    assert_eq!(report.code, Some(expected), "{:#}", report.report);
    // Loopback is down in a new network namespace, so that no reset can be made.
    let report = doctor(&["unshare", "--net"], &["--seconds", "1", "--strict"]);
    report.expect("self-test", "loopback", "degraded");
    assert_eq!((report.verdict(), report.code), ("degraded", Some(1)));
    let report = doctor(&["unshare", "--net"], &["--seconds", "1"]);
    assert_eq!((report.verdict(), report.code), ("degraded", Some(0)));
}

#[test]
fn every_reset_is_accounted_for() {
    const RESETS: usize = 20;
    let _host = host::shared();
    let netns = Netns::new();
    let (mut client, mut server) = (netns.actor("test-client"), netns.actor("test-server"));
    let server_at = server.address(Family::Ipv4.listen());
    let mut doctor = Running::start(&mut command(&[], &["--seconds", "4"]));
    let output = doctor.take_output();
    // The window begins with the self-test.
    wait_for_actors(doctor.pid());
    for _ in 0..RESETS {
        client.address(&format!("connect {server_at}"));
        server.run("accept");
        server.run("linger 0");
        server.run("close");
        client.fails("recv 1", "ECONNRESET");
        client.run("close");
    }
    let text = std::io::read_to_string(output).expect("text");
    let status = doctor.wait();
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let report = Report { code: status.code(), report };

    let name = format!("netns {}", netns.inode());
    let value = report.expect("reconciliation", &name, "ok");
    let both = 2 * RESETS;
    let expected =
        format!("OutRsts {RESETS}, seen {RESETS}; EstabResets {both}, seen {both}; AttemptFails 0, seen 0");
    assert_eq!(value, expected);
    assert!(report.code == Some(0) && !report.is_bad("self-test"), "{:#}", report.report);
}

/// Waits until the doctor has started the processes of its self-test.
fn wait_for_actors(doctor: u32) {
    let deadline = std::time::Instant::now() + resetmon_tests::LIMIT;
    let children = format!("/proc/{doctor}/task/{doctor}/children");
    while std::fs::read_to_string(&children).map_or(true, |children| children.trim().is_empty()) {
        assert!(std::time::Instant::now() < deadline, "the doctor makes no self-test");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn without_capabilities() {
    let _host = host::shared();
    // An empty bounding set leaves root without any capability after exec.
    let report = doctor(&["setpriv", "--inh-caps=-all", "--bounding-set=-all"], &[]);
    assert_eq!((report.verdict(), report.code), ("unusable", Some(2)), "{:#}", report.report);
    for capability in ["CAP_BPF", "CAP_PERFMON"] {
        report.expect("privileges", capability, "unusable");
        for (section, name) in [("probes", "tcp_send_reset"), ("self-test", "loopback")] {
            let value = report.expect(section, name, "unusable");
            assert!(value.contains(capability), "{value}");
        }
    }
    // What needs no privileges is told all the same.
    report.expect("kernel", "type information", "ok");
    report.expect("host", "metrics on 127.0.0.1:0", "ok");
}

#[test]
fn in_a_user_namespace() {
    let _host = host::shared();
    let report = doctor(&["unshare", "--user", "--map-root-user"], &[]);
    assert_eq!((report.verdict(), report.code), ("unusable", Some(2)), "{:#}", report.report);
    report.expect("privileges", "user namespace", "unusable");
    report.expect("probes", "tcp_send_reset", "unusable");
}

#[test]
fn in_a_pid_namespace() {
    let _host = host::shared();
    let report = doctor(&["unshare", "--pid", "--fork", "--mount-proc"], &["--seconds", "1"]);
    report.expect("privileges", "pid namespace", "degraded");
    let remedy = &report.finding("privileges", "pid namespace")["remedy"];
    assert!(remedy.as_str().is_some_and(|remedy| remedy.contains("--path.procfs")), "{remedy}");
    for end in ["sent reset", "received reset"] {
        let value = report.expect("self-test", end, "ok");
        assert!(value.contains("the right name"), "{value}");
    }
}

#[test]
fn in_a_pid_namespace_with_the_procfs_of_the_host() {
    let _host = host::shared();
    let report = doctor(&["unshare", "--pid", "--fork"], &["--seconds", "1"]);
    let value = report.expect("privileges", "pid namespace", "ok");
    assert!(value.contains("shows the host"), "{value}");
}

#[test]
fn a_port_in_use() {
    let _host = host::shared();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let report = doctor(&[], &["--seconds", "1", "--web.listen-address", &address]);
    let value = report.expect("host", &format!("metrics on {address}"), "degraded");
    assert!(value.contains(&format!("[{}]", std::process::id())), "{value}");
}

#[test]
fn a_table_for_people() {
    let _host = host::shared();
    require_root();
    let output = Command::new(binary()).args(["doctor", "--seconds", "1"]).output().expect("the doctor runs");
    let text = String::from_utf8_lossy(&output.stdout);
    for part in ["kernel\n", "probes\n", "privileges\n", "self-test\n", "tcp_send_reset"] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let last = text.lines().last().expect("a verdict");
    assert!(last.starts_with("fine: ") || last.starts_with("degraded: "), "{last}");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
