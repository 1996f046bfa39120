//! What became of each probe, and what is lost with it.

use super::super::{
    facts::{Btf, Facts, Failure},
    finding::{
        Finding, Section,
        Status::{self, Degraded, Info, Ok, Unusable},
    },
};
use crate::kernel::status::{Outcome, ProbeNeed, ProbeStatus};

/// The probes without which nothing works, and what is lost without them.
const REQUIRED: [(&str, &str); 3] = [
    ("inet_sock_set_state", "the owners of sockets, and the state in which they were reset"),
    ("tcp_receive_reset", "every reset that reaches a socket of this host"),
    ("tcp_send_reset", "every reset that this host sends"),
];

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    match &facts.probes {
        Result::Ok(statuses) => statuses.iter().map(of_status).collect(),
        Err(failure) => {
            REQUIRED.iter().map(|(probe, costs)| not_loaded(probe, costs, failure, facts)).collect()
        }
    }
}

fn of_status(probe: &ProbeStatus) -> Finding {
    let value = probe.outcome.to_string();
    match &probe.outcome {
        Outcome::Attached(_) | Outcome::Ran(_) => {
            finding(probe.name, Ok, format!("{value}: {}", probe.gives))
        }
        Outcome::NotNeeded => finding(probe.name, Ok, format!("{value}: a required probe tells as much")),
        Outcome::Waiting { module } => finding(probe.name, Ok, value)
            .costs("nothing: without the module there is nothing to see")
            .remedy(format!("attached as soon as {module} is loaded, with the first REJECT rule")),
        Outcome::NotAsked => {
            let asked = format!("--probes default,{} asks for it", probe.name);
            finding(probe.name, Info, value).costs(probe.gives).remedy(asked)
        }
        Outcome::Missing(reason) => {
            let status = if probe.need == ProbeNeed::Required { Unusable } else { Degraded };
            finding(probe.name, status, value).costs(probe.gives).remedy(remedy(reason))
        }
    }
}

/// How to get a probe that is missing for `reason`.
fn remedy(reason: &str) -> String {
    if let Some((_, rest)) = reason.split_once("before ") {
        // The kernel lacks what the probe reads.
        let version = rest.split_whitespace().next().unwrap_or_default();
        return format!("a kernel of {version} or later");
    }
    let refuses =
        ["fentry", "fexit"].iter().any(|mechanism| reason.contains(&format!("refuses {mechanism}")));
    match reason.contains("no kprobes") {
        true if refuses => "a kernel with CONFIG_KPROBES, or one that allows fentry",
        true => "a kernel with CONFIG_KPROBES, or one whose type information has the function",
        false if refuses => "a kernel that allows fentry, or whatever keeps kprobes from working here",
        false if reason.contains("type information") => "a kernel whose type information has the function",
        false => "another kernel: this one does not have what the probe needs",
    }
    .to_owned()
}

fn not_loaded(probe: &str, costs: &str, failure: &Failure, facts: &Facts) -> Finding {
    let finding = finding(probe, Unusable, format!("not loaded: {}", failure.message)).costs(costs);
    let remedy = match (&facts.kernel.btf, facts.privileges.effective) {
        (Btf::Unreadable { .. } | Btf::Unfit { .. }, _) => Some("see the kernel's type information above"),
        _ if facts.privileges.initial_users == Some(false) => {
            Some("run it in the initial user namespace: in any other, bpf(2) is forbidden")
        }
        _ if failure.lacks_locked_memory => None,
        (_, Some(effective)) if effective.missing().is_none() && facts.privileges.seccomp == Some(2) => {
            Some("allow bpf(2) in the seccomp filter of this container, or run resetmon outside of it")
        }
        _ => None,
    };
    match remedy.map(str::to_owned).or_else(|| failure.advice.clone()) {
        Some(remedy) => finding.remedy(remedy),
        None => finding,
    }
}

fn finding(name: &str, status: Status, value: impl Into<String>) -> Finding {
    Finding::new(Section::Probes, name, status, value)
}
