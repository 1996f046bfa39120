//! What was found out about kernel, privileges and host. Values only: what they mean is `assess`'s affair, where they come
//! from `gather`'s.

use std::net::SocketAddr;

use super::reconcile::Reconciliation;
use crate::kernel::{privilege::Capabilities, status::ProbeStatus};

/// Everything that was found out.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The kernel.
    pub kernel: KernelFacts,
    /// What became of the probes.
    pub probes: Result<Vec<ProbeStatus>, Failure>,
    /// What this process may do.
    pub privileges: PrivilegeFacts,
    /// The host.
    pub host: HostFacts,
    /// How the resets went that were made on purpose.
    pub self_test: SelfTest,
    /// What the probes saw against the kernel's counters; `None` without probes.
    pub reconciliation: Option<Result<Reconciliation, Failure>>,
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error, with its causes.
    pub message: String,
    /// What to do about it, where that is known.
    pub advice: Option<String>,
    /// Whether the limit on locked memory is in the way.
    pub lacks_locked_memory: bool,
}

impl Failure {
    /// One that nobody can do anything about.
    pub fn of(message: &str) -> Self {
        Self { message: message.to_owned(), advice: None, lacks_locked_memory: false }
    }
}

/// The kernel.
#[derive(Clone, Debug)]
pub struct KernelFacts {
    /// `uname -r`.
    pub release: String,
    /// Architecture that resetmon was built for.
    pub arch: &'static str,
    /// Its type information.
    pub btf: Btf,
}

/// The kernel's type information.
#[derive(Clone, Debug)]
pub enum Btf {
    /// It cannot be read.
    Unreadable {
        /// Where it should be.
        path: String,
        /// The system's answer.
        error: String,
    },
    /// It lacks what the probes need.
    Unfit {
        /// Where it is.
        path: String,
        /// Bytes.
        size: usize,
        /// What is missing.
        error: String,
    },
    /// It has what the probes need.
    Fit {
        /// Where it is.
        path: String,
        /// Bytes.
        size: usize,
        /// What it says about the kernel.
        offers: Offers,
    },
}

/// What a kernel offers beyond what is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a feature of the kernel, none is a state")]
pub struct Offers {
    /// Which resets have a reason.
    pub reasons: Reasons,
    /// `tcp_send_reset` fires without a socket too.
    pub without_socket: bool,
    /// Tracing programs can use socket storage.
    pub socket_storage: bool,
    /// Tracing programs can ask for a socket's cookie.
    pub socket_cookie: bool,
    /// BPF maps count against the limit on locked memory.
    pub charges_locked_memory: bool,
    /// A socket knows its inode (`sk_ino`).
    pub socket_inode: bool,
    /// A socket knows its cgroup by a pointer (`sk_cgrp_data.cgroup`).
    pub socket_cgroup: bool,
    /// A socket knows its network namespace.
    pub netns: bool,
}

/// Which sent resets have a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reasons {
    /// None.
    None,
    /// Those that answer a packet.
    Passive,
    /// All.
    Complete,
}

/// What this process may do. `None` is what cannot be read.
#[derive(Clone, Debug)]
pub struct PrivilegeFacts {
    /// Effective capabilities.
    pub effective: Option<Capabilities>,
    /// What of the kernel is locked down.
    pub lockdown: Lockdown,
    /// Mode of seccomp: 0 none, 1 strict, 2 filter.
    pub seccomp: Option<u8>,
    /// Whether this is the initial user namespace, with every user id as itself.
    pub initial_users: Option<bool>,
    /// Whether this is the initial pid namespace.
    pub initial_pids: Option<bool>,
    /// Whether the process ids in `/proc` are the host's.
    pub host_pids: Option<bool>,
    /// `kernel.unprivileged_bpf_disabled`.
    pub unprivileged_bpf_disabled: Option<i64>,
    /// `kernel.perf_event_paranoid`.
    pub perf_event_paranoid: Option<i64>,
    /// `RLIMIT_MEMLOCK` in bytes, soft; `u64::MAX` without limit.
    pub memlock: Option<u64>,
    /// `net.core.bpf_jit_enable`.
    pub bpf_jit_enable: Option<i64>,
}

/// Kernel lockdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lockdown {
    /// It is not told: no securityfs, or a kernel without it.
    Unknown,
    /// Nothing is locked.
    None,
    /// The kernel may not be changed.
    Integrity,
    /// Nor may its memory be read.
    Confidentiality,
}

/// The host.
#[derive(Clone, Debug)]
pub struct HostFacts {
    /// How control groups are mounted.
    pub cgroup: Cgroup,
    /// Processes in `/proc`.
    pub procfs: Procfs,
    /// `kernel.bpf_stats_enabled`.
    pub bpf_stats_enabled: Option<i64>,
    /// The addresses for metrics, and who has them.
    pub metrics: Vec<(SocketAddr, Port)>,
    /// The agent's socket: its path and how it is.
    pub socket: (String, AgentSocket),
}

/// How control groups are mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cgroup {
    /// Not at all, as far as can be seen.
    Absent,
    /// Version 2 alone.
    Unified,
    /// Version 1, and version 2 beside it.
    Hybrid,
    /// Version 1 alone.
    Legacy,
}

/// What of other processes can be read in `/proc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Procfs {
    /// It is not there.
    Unreadable {
        /// Where it should be.
        path: String,
        /// The system's answer.
        error: String,
    },
    /// It is there.
    Readable {
        /// The value of `hidepid`, where it hides anything.
        hidepid: Option<String>,
        /// Whether the process of another user can be seen: that of pid 1.
        sees_init: bool,
    },
}

/// A port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Port {
    /// Nobody has it.
    Free,
    /// Somebody has it: process id and name, where that can be told.
    Taken(Option<(u32, String)>),
    /// It cannot be listened on.
    Refused(String),
}

/// The agent's socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentSocket {
    /// There is none.
    Absent,
    /// An agent answers.
    Answers,
    /// It is there and nobody answers.
    Silent(String),
}

/// How the resets went that were made on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelfTest {
    /// There are no probes.
    NoProbes,
    /// The resets could not be made.
    NotMade(String),
    /// They were made, and this was seen of each end.
    Made {
        /// The end that sent the RST.
        sent: Seen,
        /// The end that received it.
        received: Seen,
    },
}

/// What was seen of one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing.
    Nothing,
    /// A reset with the right owner.
    Right,
    /// A reset whose owner has the right name, as seen from another pid namespace.
    RightName,
    /// A reset with another owner: who, and who it should be.
    Wrong(String),
}
