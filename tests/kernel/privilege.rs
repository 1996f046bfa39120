//! What the agent may still do once its probes are attached.

use std::{
    fs,
    process::{Command, Output, Stdio},
};

use resetmon_tests::{Agent, Feature, Running, binary, kprobes_need_admin, require_root, requires_lack_of};
use serde_json::Value;

use crate::host;

/// A set of capabilities of a process, by its name in `/proc/PID/status`.
fn capabilities(pid: u32, set: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix(set)).expect("a set of capabilities");
    u64::from_str_radix(line.trim_start_matches(':').trim(), 16).expect("a hexadecimal number")
}

const DAC_READ_SEARCH: u64 = 1 << 2;
const SYS_PTRACE: u64 = 1 << 19;
const SYS_ADMIN: u64 = 1 << 21;
const PERFMON: u64 = 1 << 38;
const BPF: u64 = 1 << 39;

#[test]
fn the_agent_keeps_little() {
    let _host = host::shared();
    let agent = Agent::start(&[]);
    // Before 5.11 a map can only be read with it.
    let reading = if Feature::MapsBeyondLockedMemory.is_here() { 0 } else { BPF };
    let least = DAC_READ_SEARCH | SYS_PTRACE | reading;
    // For the probes that wait for a module; the last where the kernel asks for it.
    let admin = if kprobes_need_admin() { SYS_ADMIN } else { 0 };
    let most = least | PERFMON | BPF | admin;
    for set in ["CapEff", "CapPrm"] {
        let kept = capabilities(agent.pid(), set);
        assert_eq!((kept & least, kept & !most), (least, 0), "{set}: {kept:#x}");
    }
    for set in ["CapInh", "CapAmb", "CapBnd"] {
        assert_eq!(capabilities(agent.pid(), set), 0, "{set}");
    }
    let status = fs::read_to_string(format!("/proc/{}/status", agent.pid())).expect("a running process");
    assert!(status.contains("NoNewPrivs:\t1\n"), "{status}");
    // It does its work all the same.
    assert!(agent.metrics().has("resetmon_build_info", &[]));
    let (status, said) = agent.terminate();
    assert!(status.success() && said.contains("dropped all capabilities"), "{status}: {said}");
}

#[test]
fn too_little_locked_memory_is_named() {
    let _host = host::shared();
    require_root();
    if !requires_lack_of(Feature::MapsBeyondLockedMemory) {
        return;
    }
    let output = with_little_locked_memory(&["watch"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    for part in ["65536 bytes", "RLIMIT_MEMLOCK", "LimitMEMLOCK=infinity", "cap_sys_resource"] {
        assert!(said.contains(part), "{part:?} in {said}");
    }
    assert!(!said.contains("seccomp"), "nothing else is to blame: {said}");

    let output = with_little_locked_memory(&["doctor", "-o", "json", "--web.listen-address", "127.0.0.1:0"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{text}");
    let report: Value = serde_json::from_str(&text).expect("a report");
    for name in ["RLIMIT_MEMLOCK", "tcp_send_reset"] {
        let findings = report["findings"].as_array().expect("findings");
        let finding = findings.iter().find(|finding| finding["name"] == name).expect("a finding");
        let remedy = finding["remedy"].as_str().expect("a remedy");
        assert!(finding["status"] == "unusable" && remedy.contains("LimitMEMLOCK=infinity"), "{finding:#}");
    }
}

/// Runs the product with no more than it takes to load BPF programs, and with 64 KiB of locked memory.
fn with_little_locked_memory(arguments: &[&str]) -> Output {
    let mut command = Command::new("setpriv");
    command.args(["--inh-caps=-all", "--bounding-set=-all,+bpf,+perfmon"]);
    command.args(["sh", "-c", "ulimit -l 64 && exec \"$@\"", "sh"]).arg(binary()).args(arguments);
    command.stdin(Stdio::null());
    command.output().expect("setpriv(1), of the package util-linux")
}

#[test]
fn what_was_not_there_is_not_kept() {
    let _host = host::shared();
    require_root();
    let mut bounds = "--bounding-set=-all,+bpf,+perfmon".to_owned();
    if !Feature::MapsBeyondLockedMemory.is_here() {
        bounds.push_str(",+sys_resource");
    }
    let mut agent =
        Running::start(Command::new("setpriv").args(["--inh-caps=-all", &bounds]).arg(binary()).args([
            "agent",
            "--web.listen-address",
            "127.0.0.1:0",
        ]));
    agent.wait_for("http://");
    let kept = capabilities(agent.pid(), "CapPrm");
    assert_eq!(kept & !(PERFMON | BPF), 0, "{kept:#x}");
}
