//! What this process may do, and what it may not.

use super::{
    super::{
        facts::{Facts, Lockdown, PrivilegeFacts},
        finding::{
            Finding, Section,
            Status::{self, Degraded, Info, Ok, Unusable},
        },
    },
    offers,
};
use crate::kernel::{
    privilege::{Capabilities, Capability},
    status::Outcome,
};

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let privileges = &facts.privileges;
    let mut findings = capabilities(privileges.effective);
    findings.extend([
        lockdown(privileges.lockdown),
        seccomp(facts),
        users(facts),
        pids(privileges),
        unprivileged(privileges),
        paranoid(facts),
        memlock(facts),
        jit(privileges.bpf_jit_enable),
    ]);
    findings
}

fn capabilities(effective: Option<Capabilities>) -> Vec<Finding> {
    let Some(effective) = effective else {
        let finding = finding("capabilities", Info, "cannot be read")
            .remedy("mount procfs, or name it by --path.procfs");
        return vec![finding];
    };
    let stands_in = effective.has(Capability::SysAdmin);
    let asked = |capability: &Capability| *capability != Capability::NetBindService;
    Capability::ALL
        .into_iter()
        .filter(asked)
        .map(|capability| of_capability(capability, effective.has(capability), stands_in))
        .collect()
}

fn of_capability(capability: Capability, there: bool, stands_in: bool) -> Finding {
    let (gives, status) = match capability {
        Capability::Bpf => ("loading the probes", Unusable),
        Capability::Perfmon => ("attaching the probes", Unusable),
        Capability::SysAdmin => ("--bpf-stats; stands in for CAP_BPF and CAP_PERFMON", Info),
        Capability::DacReadSearch => {
            ("which process holds a socket, where no probe knows; who has a port that is taken", Degraded)
        }
        Capability::SysPtrace => ("executables and network namespaces of other users' processes", Degraded),
        Capability::Syslog => ("addresses of kernel symbols, which resetmon does without", Info),
        Capability::NetAdmin => ("one scenario of resetmon demo, a connection that dies silently", Info),
        Capability::NetBindService => ("metrics on a port below 1024", Info),
    };
    let name = capability.as_str();
    if there {
        return finding(name, Ok, format!("gives {gives}"));
    }
    if stands_in && status == Unusable {
        return finding(name, Ok, "not there; CAP_SYS_ADMIN stands in for it");
    }
    let missing = finding(name, status, "missing").costs(gives);
    match capability {
        Capability::Bpf | Capability::Perfmon => {
            missing.remedy("run it as root, or: setcap cap_bpf,cap_perfmon+ep /path/to/resetmon")
        }
        Capability::DacReadSearch | Capability::SysPtrace => missing.remedy(format!(
            "run it as root, or add {} to the file's or the unit's capabilities",
            name.to_lowercase()
        )),
        _ => missing,
    }
}

fn lockdown(lockdown: Lockdown) -> Finding {
    let finding = |status, value: &str| finding("lockdown", status, value);
    match lockdown {
        Lockdown::Unknown => {
            finding(Info, "not told: /sys/kernel/security is not mounted, or the kernel has none")
        }
        Lockdown::None => finding(Ok, "none"),
        Lockdown::Integrity => finding(Ok, "integrity: the probes may read kernel memory"),
        Lockdown::Confidentiality => finding(Degraded, "confidentiality: BPF may not read kernel memory")
            .costs("the packet that provoked a reset, and probes by kprobe")
            .remedy("start the kernel with lockdown=integrity"),
    }
}

fn seccomp(facts: &Facts) -> Finding {
    let finding = |status, value: &str| finding("seccomp", status, value);
    match facts.privileges.seccomp {
        None => finding(Info, "not told"),
        Some(0) => finding(Ok, "none"),
        Some(_) if facts.probes.is_ok() => finding(Ok, "a filter that allows bpf(2)"),
        Some(_) => finding(Info, "a filter, which may be what forbids bpf(2)").remedy(
            "a profile that allows bpf(2) with CAP_BPF: that of Docker does from version 23 on, that of containerd \
             from 1.7 on",
        ),
    }
}

fn users(facts: &Facts) -> Finding {
    let finding = |status, value: &str| finding("user namespace", status, value);
    match facts.privileges.initial_users {
        None => finding(Info, "not told"),
        Some(true) => finding(Ok, "the initial one"),
        Some(false) if facts.probes.is_ok() => finding(Info, "not the initial one, and bpf(2) is allowed"),
        Some(false) => finding(Unusable, "not the initial one")
            .costs("everything: capabilities count here only, and bpf(2) asks for those of the host")
            .remedy("run it on the host; in a unit, without PrivateUsers=; in a pod, with hostUsers: true"),
    }
}

fn pids(privileges: &PrivilegeFacts) -> Finding {
    let finding = |status, value: &str| finding("pid namespace", status, value);
    match (privileges.initial_pids, privileges.host_pids) {
        (Some(true), _) => finding(Ok, "the initial one"),
        (_, Some(true)) => finding(Ok, "not the initial one, but the procfs that is read shows the host"),
        (_, None) => finding(Info, "not told"),
        (_, Some(false)) => finding(Degraded, "not the initial one")
            .costs(
                "the kernel tells process ids of the host, which are not those of this /proc: no executables, no \
                 arguments, nobody who is known to hold a socket",
            )
            .remedy(
                "docker run --pid=host; in a pod, hostPID: true; or mount the host's /proc and name it by --path.procfs",
            ),
    }
}

fn unprivileged(privileges: &PrivilegeFacts) -> Finding {
    let name = "kernel.unprivileged_bpf_disabled";
    match privileges.unprivileged_bpf_disabled {
        None => finding(name, Info, "not told"),
        Some(0) => finding(name, Info, "0: any process may load some BPF programs, though not these"),
        Some(value) => finding(name, Ok, format!("{value}: BPF needs CAP_BPF")),
    }
}

fn paranoid(facts: &Facts) -> Finding {
    let name = "kernel.perf_event_paranoid";
    let has = |capability| facts.privileges.effective.is_some_and(|effective| effective.has(capability));
    // What waits for a module will be missing then.
    let is_missing = |outcome: &Outcome| matches!(outcome, Outcome::Missing(_) | Outcome::Waiting { .. });
    let some_missing =
        facts.probes.as_ref().is_ok_and(|probes| probes.iter().any(|probe| is_missing(&probe.outcome)));
    match facts.privileges.perf_event_paranoid {
        None => finding(name, Info, "not told"),
        // A setting that Debian and Ubuntu add.
        Some(value @ 3..) if some_missing && !has(Capability::SysAdmin) => {
            finding(name, Degraded, format!("{value}: kprobes need CAP_SYS_ADMIN"))
                .costs("probes that only a kprobe can make")
                .remedy("sysctl kernel.perf_event_paranoid=2")
        }
        Some(value) => finding(name, Ok, format!("{value}: in the way of no probe")),
    }
}

fn memlock(facts: &Facts) -> Finding {
    let name = "RLIMIT_MEMLOCK";
    let counts = offers(facts).is_some_and(|offers| offers.charges_locked_memory);
    let counted = |bytes: u64| format!("{bytes} bytes, which this kernel counts BPF maps against");
    match facts.privileges.memlock {
        None => finding(name, Info, "not told"),
        Some(u64::MAX) => finding(name, Ok, "no limit"),
        Some(bytes) if facts.probes.as_ref().is_err_and(|failure| failure.lacks_locked_memory) => {
            finding(name, Unusable, counted(bytes))
                .costs("everything: the maps need more")
                .remedy("ulimit -l unlimited as root; in a unit, LimitMEMLOCK=infinity; or CAP_SYS_RESOURCE")
        }
        Some(bytes) if counts && facts.probes.is_err() => finding(name, Info, counted(bytes)),
        Some(bytes) if counts => {
            finding(name, Ok, format!("{bytes} bytes at start, and not in the way of the maps"))
        }
        Some(bytes) => {
            finding(name, Ok, format!("{bytes} bytes, which this kernel does not count BPF maps against"))
        }
    }
}

fn jit(enabled: Option<i64>) -> Finding {
    let name = "net.core.bpf_jit_enable";
    match enabled {
        None => finding(name, Info, "not told in this network namespace"),
        Some(0) => finding(name, Degraded, "0: BPF programs are interpreted")
            .costs("speed, and probes by fentry")
            .remedy("sysctl net.core.bpf_jit_enable=1"),
        Some(value) => finding(name, Ok, format!("{value}: BPF programs are compiled")),
    }
}

fn finding(name: &str, status: Status, value: impl Into<String>) -> Finding {
    Finding::new(Section::Privileges, name, status, value)
}
