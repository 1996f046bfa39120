//! Finds the facts that need no probes: reads `/proc` and `/sys`, tries the agent's port and socket. What cannot be read
//! is not known; nothing here fails.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    os::unix::{fs::MetadataExt as _, net::UnixStream},
    path::Path,
    str::FromStr,
};

use super::{
    facts::{
        AgentSocket, Btf, Cgroup, HostFacts, KernelFacts, Lockdown, Offers, Port, PrivilegeFacts, Procfs,
        Reasons,
    },
    ports,
};
use crate::{
    kernel::{
        btf::BtfReader,
        layout::KernelLayout,
        privilege::Capabilities,
        probes::{BTF_PATH, kernel_release},
    },
    notice::Chain,
    pid_namespace,
    reason::ReasonNames,
};

/// Inode number of the initial user namespace (`include/linux/proc_ns.h`, 3.8 and later).
const INITIAL_USERS: u64 = 0xEFFF_FFFD;

/// The kernel and its type information.
pub(super) fn kernel() -> KernelFacts {
    KernelFacts { release: kernel_release(), arch: std::env::consts::ARCH, btf: btf(Path::new(BTF_PATH)) }
}

fn btf(path: &Path) -> Btf {
    let name = path.display().to_string();
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return Btf::Unreadable { path: name, error: error.to_string() },
    };
    let size = bytes.len();
    let offers = BtfReader::parse(&bytes).map_err(Into::into).and_then(|btf| {
        let layout = KernelLayout::from_btf(&btf)?;
        Ok::<_, crate::kernel::layout::LayoutError>(offers(&btf, &layout))
    });
    match offers {
        Ok(offers) => Btf::Fit { path: name, size, offers },
        Err(error) => Btf::Unfit { path: name, size, error: Chain(&error).to_string() },
    }
}

fn offers(btf: &BtfReader<'_>, layout: &KernelLayout) -> Offers {
    let has = |structure, member| btf.member(structure, member).is_ok();
    Offers {
        reasons: reasons(&layout.reasons),
        without_socket: layout.features.send_reset_without_socket,
        socket_storage: layout.features.socket_storage,
        socket_cookie: layout.features.socket_cookie,
        charges_locked_memory: layout.features.charges_locked_memory,
        socket_inode: has("sock", "sk_ino"),
        socket_cgroup: has("sock", "sk_cgrp_data.cgroup"),
        netns: has("sock_common", "skc_net.net"),
    }
}

fn reasons(names: &ReasonNames) -> Reasons {
    if names.is_empty() {
        Reasons::None
    } else if names.number("TCP_ABORT_ON_CLOSE").is_some() {
        Reasons::Complete
    } else {
        Reasons::Passive
    }
}

/// What this process may do.
pub(super) fn privileges(procfs: &Path) -> PrivilegeFacts {
    let this = procfs.join("self");
    let status = fs::read_to_string(this.join("status")).unwrap_or_default();
    let namespace = |name: &str| fs::metadata(this.join("ns").join(name)).ok().map(|entry| entry.ino());
    let identity = fs::read_to_string(this.join("uid_map")).ok().map(|map| is_identity(&map));
    let sysctl = |name: &str| number(&procfs.join("sys").join(name));
    PrivilegeFacts {
        effective: Capabilities::effective_in(&status),
        lockdown: fs::read_to_string("/sys/kernel/security/lockdown")
            .map_or(Lockdown::Unknown, |text| lockdown(&text)),
        seccomp: field(&status, "Seccomp:"),
        initial_users: namespace("user").map(|inode| inode == INITIAL_USERS && identity != Some(false)),
        initial_pids: pid_namespace::is_initial(procfs),
        host_pids: pid_namespace::shows_host(procfs),
        unprivileged_bpf_disabled: sysctl("kernel/unprivileged_bpf_disabled"),
        perf_event_paranoid: sysctl("kernel/perf_event_paranoid"),
        memlock: fs::read_to_string(this.join("limits")).ok().and_then(|limits| memlock(&limits)),
        bpf_jit_enable: sysctl("net/core/bpf_jit_enable"),
    }
}

/// The host.
pub(super) fn host(procfs: &Path, listen: &[SocketAddr], socket: &Path) -> HostFacts {
    HostFacts {
        cgroup: fs::read_to_string(procfs.join("self/mountinfo"))
            .map_or(Cgroup::Absent, |text| cgroup(&text)),
        procfs: self::procfs(procfs),
        bpf_stats_enabled: number(&procfs.join("sys/kernel/bpf_stats_enabled")),
        metrics: listen.iter().map(|address| (*address, port(*address, procfs))).collect(),
        socket: (socket.display().to_string(), agent(socket)),
    }
}

fn procfs(path: &Path) -> Procfs {
    if let Err(error) = fs::metadata(path.join("self/stat")) {
        return Procfs::Unreadable { path: path.display().to_string(), error: error.to_string() };
    }
    let mounts = fs::read_to_string(path.join("self/mountinfo")).unwrap_or_default();
    let at = path.to_string_lossy();
    Procfs::Readable { hidepid: hidepid(&mounts, &at), sees_init: fs::metadata(path.join("1/stat")).is_ok() }
}

fn port(address: SocketAddr, procfs: &Path) -> Port {
    match TcpListener::bind(address) {
        Ok(_) => Port::Free,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Port::Taken(ports::holder(address, procfs)),
        Err(error) => Port::Refused(error.to_string()),
    }
}

fn agent(socket: &Path) -> AgentSocket {
    match UnixStream::connect(socket) {
        Ok(_) => AgentSocket::Answers,
        Err(error) if error.kind() == io::ErrorKind::NotFound => AgentSocket::Absent,
        Err(error) => AgentSocket::Silent(error.to_string()),
    }
}

fn number(path: &Path) -> Option<i64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn field<T: FromStr>(status: &str, name: &str) -> Option<T> {
    status.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
}

/// Whether every user id is mapped to itself.
fn is_identity(uid_map: &str) -> bool {
    uid_map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// `[none] integrity confidentiality`: what is in brackets holds.
fn lockdown(text: &str) -> Lockdown {
    match text.split_once('[').and_then(|(_, rest)| rest.split_once(']')) {
        Some(("none", _)) => Lockdown::None,
        Some(("integrity", _)) => Lockdown::Integrity,
        Some(("confidentiality", _)) => Lockdown::Confidentiality,
        _ => Lockdown::Unknown,
    }
}

/// The soft limit in a line such as `Max locked memory         65536                65536                bytes`.
fn memlock(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        bytes => bytes.parse().ok(),
    }
}

/// The mount points, types and options of the file systems of that type; the format is in proc(5), `mountinfo`.
fn mounts<'a>(mountinfo: &'a str, fs_type: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    mountinfo.lines().filter_map(move |line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut words = file_system.split(' ');
        (words.next() == Some(fs_type)).then_some(())?;
        Some((mount.split(' ').nth(4)?, words.nth(1).unwrap_or_default()))
    })
}

fn cgroup(mountinfo: &str) -> Cgroup {
    // Version 1 without a controller only names processes for a manager.
    let old = mounts(mountinfo, "cgroup").next().is_some();
    let new = mounts(mountinfo, "cgroup2").next().is_some();
    match (old, new) {
        (false, false) => Cgroup::Absent,
        (false, true) => Cgroup::Unified,
        (true, true) => Cgroup::Hybrid,
        (true, false) => Cgroup::Legacy,
    }
}

fn hidepid(mountinfo: &str, at: &str) -> Option<String> {
    // The last mount at a place is the one that is seen.
    let (_, options) = mounts(mountinfo, "proc").filter(|(place, _)| *place == at).last()?;
    let value = options.split(',').find_map(|option| option.strip_prefix("hidepid="))?;
    (!matches!(value, "0" | "off")).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_kernel() {
        assert_eq!(lockdown("none [integrity] confidentiality\n"), Lockdown::Integrity);
        assert_eq!(lockdown("[none] integrity confidentiality\n"), Lockdown::None);
        assert_eq!(lockdown("none integrity [confidentiality]\n"), Lockdown::Confidentiality);
        assert_eq!(lockdown(""), Lockdown::Unknown);
        assert!(is_identity("         0          0 4294967295\n"));
        assert!(!is_identity("         0       1000          1\n"));
        let limits = |soft: &str| format!("Max locked memory         {soft}      unlimited      bytes\n");
        assert_eq!(memlock(&limits("65536")), Some(65_536));
        assert_eq!(memlock(&limits("unlimited")), Some(u64::MAX));
        assert_eq!(memlock(""), None);
        assert_eq!(field::<u8>("Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n", "Seccomp:"), Some(2));
    }

    #[test]
    fn mounted_control_groups() {
        let old = "33 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
        let new = "41 31 0:38 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(cgroup(""), Cgroup::Absent);
        assert_eq!(cgroup(new), Cgroup::Unified);
        assert_eq!(cgroup(old), Cgroup::Legacy);
        assert_eq!(cgroup(&[old, new].concat()), Cgroup::Hybrid);
    }

    #[test]
    fn hidden_processes() {
        let check = |options: &str, expected: Option<&str>| {
            let mounts = format!("22 27 0:21 / /proc rw,relatime - proc proc {options}\n");
            assert_eq!(hidepid(&mounts, "/proc").as_deref(), expected, "{options}");
        };
        check("rw", None);
        check("rw,hidepid=0", None);
        check("rw,hidepid=off", None);
        check("rw,gid=4,hidepid=invisible", Some("invisible"));
        check("rw,hidepid=2", Some("2"));
        let over =
            "22 27 0:21 / /proc rw - proc proc rw\n23 22 0:22 / /proc rw - proc proc rw,hidepid=ptraceable\n";
        assert_eq!(hidepid(over, "/proc").as_deref(), Some("ptraceable"));
    }
}
