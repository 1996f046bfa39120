//! What the kernel offers, by its type information.

use super::super::{
    facts::{Btf, KernelFacts, Offers, Reasons},
    finding::{
        Finding, Section,
        Status::{self, Degraded, Info, Ok, Unusable},
    },
};

const NOTHING_WORKS: &str = "everything: resetmon finds its way in the kernel by its type information";

pub(super) fn findings(facts: &KernelFacts) -> Vec<Finding> {
    let mut findings = vec![finding("release", Info, format!("{} on {}", facts.release, facts.arch))];
    match &facts.btf {
        Btf::Unreadable { path, error } => findings.push(
            finding("type information", Unusable, format!("cannot read {path}: {error}"))
                .costs(NOTHING_WORKS)
                .remedy(
                    "a kernel of 5.10 or later that was built with CONFIG_DEBUG_INFO_BTF=y; those of current \
                     distributions are; in a container, /sys must be mounted",
                ),
        ),
        Btf::Unfit { path, size, error } => findings.push(
            finding("type information", Unusable, format!("{path}, {}: {error}", mebibytes(*size)))
                .costs(NOTHING_WORKS)
                .remedy("a kernel of 5.10 or later; if this is one, please report it"),
        ),
        Btf::Fit { path, size, offers } => {
            let value = format!("{path}, {}, has what the probes need", mebibytes(*size));
            findings.push(finding("type information", Ok, value));
            findings.extend(features(*offers));
        }
    }
    findings
}

fn features(offers: Offers) -> [Finding; 7] {
    let if_there =
        |there, name: &str, yes: &str, no: Finding| if there { finding(name, Ok, yes) } else { no };
    let reasons = match offers.reasons {
        Reasons::Complete => finding("reset reasons", Ok, "of every reset sent"),
        Reasons::Passive => finding("reset reasons", Degraded, "only of resets that answer a packet")
            .costs("why a process sent a reset is inferred from the socket")
            .remedy("a kernel of 6.12 or later tells"),
        Reasons::None => finding("reset reasons", Degraded, "none")
            .costs("why a reset was sent is inferred from socket and packet")
            .remedy("a kernel of 6.12 or later tells"),
    };
    let silent = finding("resets without a socket", Info, "not told by tcp_send_reset")
        .costs(
            "resets for closed ports and TIME_WAIT are seen by tcp_v4_send_reset and tcp_v6_send_reset only",
        )
        .remedy("a kernel of 6.10 or later tells");
    let by_address = finding("socket storage", Info, "owners are kept by socket address")
        .costs("owners beyond 262144 sockets at once")
        .remedy("a kernel of 5.11 or later keeps them in the socket");
    let no_cookie = finding("socket cookie", Degraded, "not told")
        .costs("the cookie of a socket, as ss -e shows it")
        .remedy("a kernel of 5.12 or later");
    let through_file = finding("socket inode", Info, "through the socket's file, as before 6.17");
    let no_cgroup = finding("socket cgroup", Info, "not in the socket as a pointer")
        .costs("the cgroup is that of the owning process, not that of the socket")
        .remedy("a kernel of 5.15 or later with CONFIG_SOCK_CGROUP_DATA");
    let no_netns = finding("network namespaces", Info, "this kernel has none");
    [
        reasons,
        if_there(offers.without_socket, "resets without a socket", "told by tcp_send_reset", silent),
        if_there(offers.socket_storage, "socket storage", "owners are kept in the socket", by_address),
        if_there(offers.socket_cookie, "socket cookie", "told", no_cookie),
        if_there(offers.socket_inode, "socket inode", "in the socket", through_file),
        if_there(offers.socket_cgroup, "socket cgroup", "in the socket", no_cgroup),
        if_there(offers.netns, "network namespaces", "told", no_netns),
    ]
}

fn mebibytes(bytes: usize) -> String {
    let tenths = bytes.saturating_mul(10) / (1024 * 1024);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

fn finding(name: &str, status: Status, value: impl Into<String>) -> Finding {
    Finding::new(Section::Kernel, name, status, value)
}
