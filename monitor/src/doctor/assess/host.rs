//! What the host is like: control groups, `/proc`, the agent's port and socket.

use std::net::SocketAddr;

use super::super::{
    facts::{AgentSocket, Cgroup, Facts, Port, Procfs},
    finding::{
        Finding, Section,
        Status::{self, Degraded, Info, Ok},
    },
};
use crate::kernel::privilege::Capability;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let host = &facts.host;
    let mut findings = vec![cgroup(host.cgroup), procfs(facts), stats(host.bpf_stats_enabled)];
    findings.extend(host.metrics.iter().map(|(address, port)| metrics(*address, port)));
    findings.push(socket(&host.socket.0, &host.socket.1));
    findings
}

fn cgroup(cgroup: Cgroup) -> Finding {
    let finding = |status, value: &str| finding("cgroups", status, value);
    let of_process =
        "a workload is known by the cgroup of its process, not by that of the socket: not once it has ended";
    match cgroup {
        Cgroup::Unified => finding(Ok, "version 2"),
        Cgroup::Hybrid => finding(Info, "version 1, and version 2 beside it")
            .costs(format!("where version 2 is not used for workloads: {of_process}"))
            .remedy("boot with systemd.unified_cgroup_hierarchy=1"),
        Cgroup::Legacy => finding(Degraded, "version 1")
            .costs(of_process)
            .remedy("boot with systemd.unified_cgroup_hierarchy=1"),
        Cgroup::Absent => finding(Info, "not mounted").costs("which container or unit a process belongs to"),
    }
}

fn procfs(facts: &Facts) -> Finding {
    let finding = |status, value: String| finding("procfs", status, value);
    let may_see = facts.privileges.effective.is_some_and(|effective| effective.has(Capability::SysPtrace));
    match &facts.host.procfs {
        Procfs::Unreadable { path, error } => finding(Degraded, format!("cannot read {path}: {error}"))
            .costs("executables and arguments of processes; resetmon agent does not start")
            .remedy("mount procfs there, or name the place where it is with --path.procfs"),
        Procfs::Readable { hidepid: Some(hidepid), .. } if may_see => {
            finding(Ok, format!("hidepid={hidepid}, which CAP_SYS_PTRACE overrules"))
        }
        Procfs::Readable { hidepid: Some(hidepid), .. } => {
            finding(Degraded, format!("hidepid={hidepid} hides other users' processes"))
                .costs("executables and arguments of other users' processes")
                .remedy("CAP_SYS_PTRACE, or in a unit ProtectProc=default")
        }
        Procfs::Readable { hidepid: None, sees_init: true } => finding(Ok, "shows every process".to_owned()),
        Procfs::Readable { hidepid: None, sees_init: false } => {
            finding(Degraded, "does not show every process".to_owned())
                .costs("executables and arguments of processes that it does not show")
                .remedy(
                    "run it in the pid namespace of the host, or name the host's procfs with --path.procfs",
                )
        }
    }
}

fn stats(enabled: Option<i64>) -> Finding {
    let name = "kernel.bpf_stats_enabled";
    match enabled {
        None => finding(name, Info, "not told"),
        Some(0) => finding(name, Info, "0: the kernel does not measure BPF programs"),
        Some(value) => finding(name, Info, format!("{value}: the kernel measures each run of a BPF program")),
    }
}

fn metrics(address: SocketAddr, port: &Port) -> Finding {
    let finding = |status, value: String| finding(&format!("metrics on {address}"), status, value);
    match port {
        Port::Free => finding(Ok, "free".to_owned()),
        Port::Taken(Some((pid, comm))) if comm == "resetmon" => {
            finding(Ok, format!("served by resetmon[{pid}]"))
        }
        Port::Taken(holder) => {
            let by = match holder {
                Some((pid, comm)) => format!("taken by {}[{pid}]", comm.escape_default()),
                None => "taken; by whom cannot be told".to_owned(),
            };
            finding(Degraded, by)
                .costs("metrics: resetmon agent captures all the same, and tries again")
                .remedy("end that process, or choose another port with --web.listen-address")
        }
        Port::Refused(error) => finding(Degraded, error.clone())
            .costs("metrics: resetmon agent captures all the same, and tries again")
            .remedy("choose another address with --web.listen-address"),
    }
}

fn socket(path: &str, socket: &AgentSocket) -> Finding {
    let finding = |status, value: String| finding("agent", status, value);
    match socket {
        AgentSocket::Answers => finding(Ok, format!("answers on {path}")),
        AgentSocket::Absent => finding(Info, format!("none: there is no {path}")),
        AgentSocket::Silent(error) => finding(Degraded, format!("does not answer on {path}: {error}"))
            .costs("what the agent knows: watch loads probes of its own, query and top have nothing to show")
            .remedy("start the agent, or join the group that may use its socket"),
    }
}

fn finding(name: &str, status: Status, value: impl Into<String>) -> Finding {
    Finding::new(Section::Host, name, status, value)
}
