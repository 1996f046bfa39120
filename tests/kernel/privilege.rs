//! What the agent may still do once its probes are attached.

use std::{fs, process::Command};

use resetmon_tests::{Agent, Feature, Running, binary, require_root};

use crate::host;

/// A set of capabilities of a process, by its name in `/proc/PID/status`.
fn capabilities(pid: u32, set: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix(set)).expect("a set of capabilities");
    u64::from_str_radix(line.trim_start_matches(':').trim(), 16).expect("a hexadecimal number")
}

const DAC_READ_SEARCH: u64 = 1 << 2;
const SYS_PTRACE: u64 = 1 << 19;
const PERFMON: u64 = 1 << 38;
const BPF: u64 = 1 << 39;

#[test]
fn the_agent_keeps_little() {
    let _host = host::shared();
    let agent = Agent::start(&[]);
    // Before 5.11 a map can only be read with it.
    let reading = if Feature::MapsBeyondLockedMemory.is_here() { 0 } else { BPF };
    let least = DAC_READ_SEARCH | SYS_PTRACE | reading;
    // For the probes that wait for a module.
    let most = least | PERFMON | BPF;
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
